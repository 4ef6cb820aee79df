"""Writes the docs that are made from the code: docs/pipeline.svg and docs/reference.md.

python tools/make_docs.py [--check]
"""

from __future__ import annotations

import sys
from dataclasses import fields
from html import escape
from pathlib import Path

from qsc.compiler import pipelines, registry
from qsc.compiler.options import default_of, option_fields
from qsc.ir import Op
from qsc.ir.cells import CELLS
from qsc.ir.codes import CODES
from qsc.ir.gates import GATES

DOCS = Path(__file__).parent.parent / "docs"
LINE = 18
KIND_BACKENDS = {"quantum": "qiskit", "neuromorphic": "nir", "sfq": "sfq", "host": "host"}
ARTIFACTS = {"qiskit": "QPY, OpenQASM 3", "nir": ".nir graph", "sfq": "Verilog", "host": "host program"}


def box(x: int, y: int, width: int, title: str, lines: list[str], fill: str) -> str:
    """A titled rectangle of text lines."""
    height = 30 + LINE * len(lines)
    out = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="#345"/>']
    out.append(f'<text x="{x + 10}" y="{y + 20}" font-weight="bold">{escape(title)}</text>')
    for k, line in enumerate(lines):
        out.append(f'<text x="{x + 10}" y="{y + 40 + LINE * k}">{escape(line)}</text>')
    return "\n".join(out)


def arrow(x0: int, y0: int, x1: int, y1: int) -> str:
    """A line with a head."""
    return f'<path d="M{x0},{y0} L{x1},{y1}" stroke="#345" fill="none" marker-end="url(#head)"/>'


def pipeline_svg() -> str:
    """Frontends, the IR, the passes of every kind of target, backends and what they write."""
    suffixes: dict[str, list[str]] = {}
    for suffix, reference in registry.FRONTENDS.entries.items():
        suffixes.setdefault(reference.split(":")[0].rsplit(".", 1)[-1], []).append(suffix)
    frontends = [f"{name}: {', '.join(found)}" for name, found in suffixes.items()]
    ir = [f"{len(Op.registry)} ops on tensors and spikes", f"{len(GATES)} gates: circuits as columns"]
    ir += [f"{len(CELLS)} cells: netlists as columns", "weights by name, places on everything"]
    middle = 150
    parts = [box(20, middle, 190, "frontends", frontends, "#eef6ff"), box(250, middle, 270, "one IR", ir, "#fff7e0")]
    parts.append(arrow(210, middle + 45, 248, middle + 45))
    y = 20
    for kind, names in pipelines.PIPELINES.items():
        backend = KIND_BACKENDS[kind]
        height = 30 + LINE * len(names)
        parts.append(box(580, y, 200, f"{kind} passes", list(names), "#eaf7ea"))
        parts.append(box(830, y, 170, f"backend {backend}", [ARTIFACTS[backend]], "#fdeeee"))
        parts.append(arrow(520, middle + 50, 578, y + height // 2))
        parts.append(arrow(780, y + 24, 828, y + 24))
        parts.append(arrow(1000, y + 24, 1048, 200))
        y += height + 16
    bundle = ["source, program", "weights, artifacts", "golden data, report", "sha256 of every file"]
    parts.append(box(1050, middle, 170, "bundle", bundle, "#f2eefc"))
    parts.append('<text x="1050" y="285">qsc run | qsc verify</text>')
    head = '<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    head += '<path d="M0,0 L8,4 L0,8 z" fill="#345"/></marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1240 {y + 10}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n<defs>{head}</defs>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def first_line(doc: str | None) -> str:
    """The summary of a docstring on one line, safe inside a table."""
    return " ".join((doc or "").strip().split("\n\n")[0].split()).replace("|", "\\|")


def reference_markdown() -> str:
    """Ops, gates, cells, passes, targets and diagnostic codes, as their declarations state them."""
    out = ["# Reference", "", "Made from the code by `make docs`.", "", "## Ops", "", "| op | attributes | meaning |"]
    out.append("|---|---|---|")
    for name, op in sorted(Op.registry.items()):
        out.append(f"| `{name}` | {', '.join(f.name for f in fields(op))} | {first_line(op.__doc__)} |")
    out += [
        "",
        "## Gates",
        "",
        "| gate | qubits | angles | diagonal | Clifford | inverse |",
        "|---|---|---|---|---|---|",
    ]
    for gate in GATES:
        arity = "any" if gate.qubits < 0 else str(gate.qubits)
        traits = f"{'yes' if gate.diagonal else ''} | {'yes' if gate.clifford else ''} | {gate.inverse or ''}"
        out.append(f"| `{gate.name}` | {arity} | {gate.angles} | {traits} |")
    out += ["", "## Cells", "", "| cell | inputs | outputs | clocked |", "|---|---|---|---|"]
    for cell in CELLS:
        pins = f"{', '.join(cell.inputs)} | {', '.join(cell.outputs)}"
        out.append(f"| `{cell.name}` | {pins} | {'yes' if cell.clocked else ''} |")
    out += ["", "## Passes", "", "| pass | keeps | options | what it does |", "|---|---|---|---|"]
    for name in registry.pass_names():
        pass_class = registry.PASSES.load(name)
        options = [f"{o}={default_of(f)}" for o, f in option_fields(pass_class).items()]
        out.append(
            f"| `{name}` | {pass_class.contract.value} | {', '.join(options)} | {first_line(pass_class.__doc__)} |"
        )
    out += ["", "Pipelines (a pass with `?` runs only where one of its options is set):", ""]
    out += [f"- {kind}: {', '.join(names)}" for kind, names in pipelines.PIPELINES.items()]
    out += ["", "## Targets", "", "| target | what it is |", "|---|---|"]
    out += [f"| `{name}` | {registry.TARGETS.load(name).summary} |" for name in registry.TARGETS.entries]
    out += [f"| `{prefix}...` | {summary} |" for prefix, (_, summary) in registry.FAMILIES.items()]
    out += ["", "## Diagnostic codes", "", "| code | title |", "|---|---|"]
    out += [f"| {code} | {title} |" for code, title in CODES.items()]
    return "\n".join(out) + "\n"


def main() -> None:
    """Write the files, or with --check exit 1 where one is out of date."""
    stale = []
    for name, text in (("pipeline.svg", pipeline_svg()), ("reference.md", reference_markdown())):
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date: {', '.join(stale)}; run: make docs")
    print("docs: " + (f"rewrote {', '.join(stale)}" if stale else "up to date"))


if __name__ == "__main__":
    main()
