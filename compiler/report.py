"""What a bundle holds and costs, for people: text for a terminal, HTML for a browser or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from .passes.partition import HOST_NOTE
from .spikes.accounting import layer_lines, pictures_of

if TYPE_CHECKING:
    from .bundle import Bundle

UNITS = {"_s": "s", "_j": "J", "_a": "A", "_m2": "m2"}
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def show_cost(key: str, value: float) -> str:
    """A cost with its unit, which the key's ending names: `period_s` 2.5e-11 is `25 ps`."""
    unit = next((u for ending, u in UNITS.items() if key.endswith(ending)), "")
    if not unit:
        return f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else f"{int(value)}"
    for size, prefix in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"


def idle_targets(manifest: Mapping[str, Any]) -> list[str]:
    """The devices that a bundle was compiled for, where none of them runs a part of it."""
    return [] if manifest["costs_by_op"] else [t["name"] for t in manifest["targets"] if t["kind"] != "host"]


def idle_text(names: Sequence[str]) -> str:
    """That no part of the model runs on these targets."""
    return f"no part of the model runs on {', '.join(names)}: the whole of it stays on the host"


def idle_notice(manifest: Mapping[str, Any]) -> str:
    """A line that says that no part of the model runs on the targets; empty where one does, or where all are hosts."""
    return idle_text([t["name"] for t in manifest["targets"]]) if idle_targets(manifest) else ""


def text_report(bundle: Bundle) -> str:
    """Source, target, passes and what they did, what runs where, costs, verification."""
    return "\n".join(_lines(bundle)) + "\n"


def _lines(bundle: Bundle) -> Iterator[str]:
    m = bundle.manifest
    targets = ", ".join(t["name"] for t in m["targets"])
    yield f"{m['source']['name']} compiled for {targets} by qsc {m['qsc']}"
    yield f"inputs:  {'; '.join(m['inputs'])}"
    yield f"outputs: {'; '.join(m['outputs'])}"
    yield "passes:  " + (", ".join(m["passes"]) or "none")
    host: dict[str, int] = {}
    for remark in m["remarks"]:
        before, note, rest = remark["text"].partition(HOST_NOTE)
        if note:
            host[rest] = host.get(rest, 0) + 1
        else:
            yield f"  {before}" + (f"  [{remark['place']}]" if remark["place"] else "")
    if notice := idle_notice(m):
        yield notice
    if host:
        yield "on the host:"
        yield from (f"  {reason}" + (f" ({count} times)" if count > 1 else "") for reason, count in host.items())
    for name, costs in m["costs_by_op"].items():
        yield f"artifact {name}:"
        yield from (f"  {key:<22}{show_cost(key, value)}" for key, value in costs.items())
        yield from (f"  note: {note}" for note in m["notes"].get(name, ()))
        if name in m.get("activity", ()):
            yield from (f"  {line}" for line in layer_lines(m["activity"][name]))
    if "verification" in m:
        yield "verification:"
        yield from (f"  {_check_line(c)}" for c in m["verification"]["checks"])


def _check_line(check: dict) -> str:
    from .verification import Check

    return str(Check(**check))


def html_fragment(bundle: Bundle) -> str:
    """A table of costs and the checks, for a notebook."""
    m = bundle.manifest
    head = f"<b>{escape(m['source']['name'])}</b> for {escape(', '.join(t['name'] for t in m['targets']))}"
    parts = [f"<p>{head}</p>"]
    for name, costs in m["costs_by_op"].items():
        rows = "".join(f"<tr><td>{escape(k)}</td><td>{escape(show_cost(k, v))}</td></tr>" for k, v in costs.items())
        parts.append(f"<table><caption>{escape(name)}</caption>{rows}</table>")
    checks = m.get("verification", {}).get("checks", ())
    parts.append("<ul>" + "".join(f"<li>{escape(_check_line(c))}</li>" for c in checks) + "</ul>")
    return "".join(parts)


def html_page(bundle: Bundle) -> str:
    """`report.html` of a bundle: the fragment, the full text report and the host program."""
    style = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto}table{border-collapse:collapse;margin:1em 0}"
    style += "td{border:1px solid #bbb;padding:.2em .6em}caption{text-align:left;font-weight:bold}"
    style += "pre{background:#f4f4f4;padding:1em;overflow:auto}"
    pictures = "".join(pictures_of(bundle).values())
    program = bundle.files["program.qsc"].decode()
    if len(program) > 100_000:
        program = program[:100_000] + "\n# cut here: program.qsc holds the rest\n"
    title = escape(bundle.manifest["source"]["name"])
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{style}</style>"
        f"</head><body><h1>{title}</h1>{html_fragment(bundle)}<h2>Report</h2><pre>{escape(text_report(bundle))}</pre>{pictures}"
        f"<h2>Program</h2><pre>{escape(program)}</pre></body></html>\n"
    )
