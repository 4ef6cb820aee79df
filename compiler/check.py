"""Whether what a bundle emitted is legal on a target as it stands, and within a budget of costs."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends.feasibility import CHIPS, reasons_against
from ..backends.legality import RULES, violations
from ..backends.outlines import outline_of
from ..bridges.networks import make_network
from ..ir import Diagnostic, InputError, Location, TargetError
from ..ir.diagnostics import counted, did_you_mean
from ..ir.ops import Launch
from ..ir.target import Target
from . import registry
from .report import idle_targets, idle_text

if TYPE_CHECKING:
    from .bundle import Bundle

FINDINGS: dict[str, str] = RULES | {
    "operation": "the device does not run the operation",
    "capacity": "the device does not hold the artifact",
    "limit": "a limit of the device is exceeded",
    "feasibility": "a published rule of the chip is broken",
    "budget": "a cost is outside its budget",
}
"""What a check may find -> what it means."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold. rule: a key of `FINDINGS`. file: inside the bundle, MANIFEST where it is in none
    more than in another; line: 0 where there is none.

    operation: the number of the first operation that is meant, from 1 (0: none); count: how many there are.
    """

    rule: str
    message: str
    file: str = MANIFEST
    line: int = 0
    operation: int = 0
    count: int = 1

    @property
    def place(self) -> str:
        """File and line, with the number of the operation where there is one; "" in the whole bundle."""
        if self.file == MANIFEST:
            return ""
        text = f"{self.file}:{self.line}" if self.line else self.file
        if self.operation:
            text += f", operation {self.operation}"
        return text + (f" and {self.count - 1} more" if self.count > 1 else "")


@dataclass(frozen=True)
class Case:
    """One thing that was checked. subject: the artifact on its target, or the cost; detail: what it is, in short."""

    kind: str
    subject: str
    detail: str
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class Outcome:
    """Every case of one bundle. targets: what it was checked against; help: what would make it legal."""

    bundle: str
    targets: tuple[str, ...]
    cases: tuple[Case, ...]
    help: str = ""

    @property
    def passed(self) -> bool:
        return all(case.passed for case in self.cases)

    def to_json(self) -> dict[str, Any]:
        """The same facts for a machine."""
        cases = [asdict(case) | {"passed": case.passed} for case in self.cases]
        return {
            "bundle": self.bundle,
            "targets": list(self.targets),
            "passed": self.passed,
            "cases": cases,
            "help": self.help,
        }


@dataclass(frozen=True)
class Limit:
    """The range in which a cost has to be; None: open."""

    key: str
    least: float | None
    most: float | None

    def fault(self, value: float) -> str:
        """How far the value is outside, or nothing."""
        if self.most is not None and value > self.most:
            return f"{self.key} is {value:g}, at most {self.most:g} is allowed: {value - self.most:g} over"
        if self.least is not None and value < self.least:
            return f"{self.key} is {value:g}, at least {self.least:g} is asked for: {self.least - value:g} short"
        return ""


def check_bundle(bundle: Bundle, name: str, target: str | None = None, budget: Path | None = None) -> Outcome:
    """Check every artifact against its own target, or against `target`, and the bundle's costs against a budget.

    A chip of `feasibility.CHIPS`, which qsc compiles for no bundle, is answered by its published rules.

    name: what reports call the bundle. Legality is that of the artifacts as they are; nothing is compiled again.
    Raises InputError T0001 for an unknown target, O0002 where the bundle has nothing for that kind of target, B0005
    for a wrong budget.
    """
    limits = read_budget(budget, bundle.costs) if budget is not None else []
    if target in CHIPS:
        cases, names, help = [_feasibility(bundle, launch, target) for launch in bundle.launches()], (target,), ""
    else:
        targets = _targets(bundle, target)
        cases = [
            _launch_case(bundle, launch, targets[launch.device])
            for launch in bundle.launches()
            if launch.device in targets
        ]
        cases += [_nothing_on(name) for name in idle_targets(bundle.manifest)] if target is None else []
        names = tuple(dict.fromkeys([*(t.name for t in targets.values()), *idle_targets(bundle.manifest)]))
        illegal = not all(case.passed for case in cases)
        help = f"compile the model again with --target {target or names[0]}" if illegal else ""
    cases += [_budget_case(limit, bundle.costs[limit.key]) for limit in limits]
    return Outcome(name, names, tuple(cases), help)


def _targets(bundle: Bundle, chosen: str | None) -> dict[str, Target]:
    """Device of a launch -> the target that it is checked against; other launches are not checked."""
    known = {t["name"]: t["kind"] for t in bundle.manifest["targets"]}
    if chosen is not None:
        target = registry.find_target(chosen)
        devices = [device for device, kind in known.items() if kind == target.kind]
        if not devices:
            kinds = " and ".join(sorted(set(known.values())))
            raise InputError.of(
                "O0002",
                f"{chosen} is a target of kind {target.kind}, the bundle is for {kinds}",
                help="choose a target of the same kind: `qsc targets` lists them",
            )
        return dict.fromkeys(devices, target)
    return {launch.device: _own_target(launch.device) for launch in bundle.launches()}


def _own_target(name: str) -> Target:
    try:
        return registry.find_target(name)
    except InputError as fault:
        raise InputError.of(
            "T0001",
            f"the bundle's target {name} is not one that qsc brings",
            help="if a file describes it, name that file: --target FILE.toml",
        ) from fault


# Legality


def _feasibility(bundle: Bundle, launch: Launch, chip: str) -> Case:
    """Whether a chip that there is no backend for could hold a launch, by its published rules."""
    subject = f"{launch.artifact} on {chip}"
    if bundle.backend_of(launch).name != "nir":
        raise _not_for(launch, chip, f"{chip}'s rules are for networks in floats", "nir")
    try:
        outline = outline_of(make_network(launch.body, bundle.program))
        findings = tuple(Finding("feasibility", str(reason)) for reason in reasons_against(outline, chip))
        detail = f"{counted(len(outline.layers), 'layer')}, by published rules"
    except TargetError as fault:
        findings, detail = tuple(Finding("feasibility", d.message) for d in fault.diagnostics), "no network of neurons"
    return Case("feasibility", subject, detail, findings)


def _not_for(launch: Launch, target: str, why: str, other: str) -> InputError:
    message = (
        f"{launch.artifact} is an artifact for {launch.device}, and {why}: nothing of it can be checked on {target}"
    )
    return InputError.of("O0002", message, help=f"compile the model with --target {other}, and check that bundle")


def _nothing_on(name: str) -> Case:
    return Case("launch", name, "0 ops", (Finding("operation", idle_text([name])),))


def _launch_case(bundle: Bundle, launch: Launch, target: Target) -> Case:
    backend = bundle.backend_of(launch)
    rules = registry.find_backend(target.backend).rules(target)
    folder = f"artifacts/{launch.artifact}"
    circuits = backend.emitted(bundle.artifact(launch.artifact))
    subject = f"{launch.artifact} on {target.name}"
    if rules is None or not circuits:
        if backend.name != target.backend:
            raise _not_for(launch, target.name, f"{target.name} runs what is compiled for it", target.name)
        findings = [*_limit_findings(bundle, launch, target)]
        findings += [Finding("capacity", fault) for fault in backend.faults(bundle.artifact(launch.artifact), target)]
        return Case("launch", subject, f"{len(launch.body.nodes)} ops", tuple(findings))
    findings = tuple(
        Finding(v.rule, v.message, f"{folder}/{circuit.file}", v.line, v.operation, v.count)
        for circuit in circuits
        for v in violations(circuit, rules)
    )
    number = sum(len(circuit.operations) for circuit in circuits)
    return Case("circuit", subject, f"{number} operations", tuple(dict.fromkeys(findings)))


def _limit_findings(bundle: Bundle, launch: Launch, target: Target) -> Iterator[Finding]:
    """Ops that the target does not run, and its limits: a limit `bias` holds for the costs `bias` and `bias_...`."""
    backend = registry.find_backend(target.backend)
    whole = [node for node in bundle.program.nodes() if node.op is launch]
    for node in whole if backend.whole_region else launch.body.nodes:
        reason = backend.unsupported(node, bundle.program, target)
        if reason is not None:
            yield Finding("operation", reason)
    costs = bundle.costs_by_op[launch.artifact]
    for key, most in target.limits.items():
        value = max((v for k, v in costs.items() if k == key or k.startswith(f"{key}_")), default=0.0)
        if value > most:
            yield Finding("limit", f"{launch.artifact} needs {value:g} {key}, the device has {most:g}")


# Budgets


def _budget_case(limit: Limit, value: float) -> Case:
    fault = limit.fault(value)
    return Case("budget", limit.key, f"{value:g}", (Finding("budget", fault),) if fault else ())


def read_budget(path: Path, costs: Mapping[str, float]) -> list[Limit]:
    """The limits of a TOML file: `two_qubit_gates = 20`, or `predicted_fidelity = {min = 0.9}` with min, max or both.

    InputError M0001 where there is no such file, B0005 with every fault of it; every key has to be one of `costs`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError.of("M0001", f"there is no budget file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError.of("B0005", f"{path} is not TOML: {fault}") from None
    faults = [
        Diagnostic("B0005", message, _line_of(key, text, path), help=help)
        for key, value in table.items()
        for message, help in _budget_faults(key, value, costs)
    ]
    if not table:
        faults = [Diagnostic("B0005", f"{path} limits nothing", help="add a line like two_qubit_gates = 20")]
    if faults:
        raise InputError(faults)
    return [_limit(key, value) for key, value in table.items()]


def _limit(key: str, value: Any) -> Limit:
    ends = value if isinstance(value, dict) else {"max": value}
    return Limit(key, ends.get("min"), ends.get("max"))


def _budget_faults(key: str, value: Any, costs: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    if key not in costs:
        yield f"the bundle has no cost {key}", did_you_mean(key, costs)
    ends = value if isinstance(value, dict) else {"max": value}
    if not ends or not ends.keys() <= {"min", "max"} or not all(map(_is_number, ends.values())):
        yield f"{key} is {value!r}", f"write {key} = 20, or {key} = {{min = 1, max = 20}}"
    elif ends.get("min", -math.inf) > ends.get("max", math.inf):
        yield f"{key} is {value!r}: no number is in that range", "the least is above the greatest"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _line_of(key: str, text: str, path: Path) -> Location:
    pattern = re.compile(rf"\s*\[?[\"']?{re.escape(key)}[\"']?\s*[\].=]")
    number = next((n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 0)
    return Location(str(path), number, 1 if number else 0)
