"""The outcome of a check as text, JSON, JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

from .. import __version__
from .check import FINDINGS, Case, Finding, Outcome

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd]")


def text(outcome: Outcome) -> str:
    """A line a case, and below it what does not hold."""
    return "\n".join(_text_lines(outcome))


def _text_lines(outcome: Outcome) -> Iterator[str]:
    targets = ", ".join(outcome.targets)
    yield f"{outcome.bundle} checked against {targets}" if targets else f"{outcome.bundle} checked"
    if not any(case.kind != "budget" for case in outcome.cases):
        yield "  no part of the model runs on a device"
    for case in outcome.cases:
        yield f"  {_words(case)}"
        for finding in case.findings:
            yield f"    {_with_place(finding)}"
    if outcome.help:
        yield f"  = help: {outcome.help}"
    yield "passed" if outcome.passed else "FAILED"


def _with_place(finding: Finding) -> str:
    return f"{finding.rule}: {finding.message}" + (f" [{finding.place}]" if finding.place else "")


def _words(case: Case) -> str:
    if case.kind == "budget":
        return f"budget {case.subject}: {'within' if case.passed else 'OUTSIDE'}, it is {case.detail}"
    state = "legal" if case.passed else "ILLEGAL"
    return f"{case.subject}: {state}, {case.detail}"


def json_text(outcome: Outcome) -> str:
    """The facts as one JSON document."""
    return json.dumps(outcome.to_json(), indent=1, sort_keys=True)


def junit(outcome: Outcome) -> str:
    """A test suite with a test case for every case, as the reports of JUnit have it."""
    failures = str(sum(not case.passed for case in outcome.cases))
    counts = {"tests": str(len(outcome.cases)), "failures": failures, "errors": "0", "time": "0"}
    root = ElementTree.Element("testsuites", {"name": "qsc check"} | counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(outcome.bundle)} | counts | {"skipped": "0"})
    for case in outcome.cases:
        named = {"name": _xml(case.subject), "classname": f"qsc.check.{case.kind}", "time": "0"}
        element = ElementTree.SubElement(suite, "testcase", named)
        if not case.passed:
            first = case.findings[0]
            told = ElementTree.SubElement(element, "failure", {"message": _xml(first.message), "type": first.rule})
            told.text = _xml("\n".join(map(_with_place, case.findings)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _xml(value: str) -> str:
    return _NOT_IN_XML.sub("?", value)


def sarif(outcome: Outcome) -> str:
    """A log of SARIF 2.1.0 with one run; a result for every finding, at its place in the bundle."""
    found = [(case, finding) for case in outcome.cases for finding in case.findings]
    rules = [rule for rule in FINDINGS if any(finding.rule == rule for _, finding in found)]
    driver = {
        "name": "qsc",
        "version": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": FINDINGS[rule]}} for rule in rules],
    }
    results = [_result(outcome, case, finding, rules.index(finding.rule)) for case, finding in found]
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=1)


def _result(outcome: Outcome, case: Case, finding: Finding, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(f"{outcome.bundle}/{finding.file}")}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    help = f" ({outcome.help})" if outcome.help and case.kind != "budget" else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": f"{case.subject}: {finding.message}{help}"},
        "locations": [{"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": case.subject}]}],
        "occurrenceCount": finding.count,
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.replace("\\", "/"))


FORMATS: dict[str, Callable[[Outcome], str]] = {"text": text, "json": json_text, "junit": junit, "sarif": sarif}
"""Name of a format -> how an outcome is written in it."""
