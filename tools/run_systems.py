"""Runs the published systems of `examples/` and writes docs/systems.md: tools/run_systems.py [ROW ..] [--data DIR]

Each `examples/NN-*/evaluate.py` has `TARGETS` and `figures(target)`, which gives what was checked with its figure, and
the bundle; of one without `figures` the page only names the README. A row whose data are not given keeps the figures
that the page has.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "systems.md"
HEAD = """# Published systems

Models from the literature that `qsc` compiles, each a folder of `examples/` with its citation, its assumptions and its
test. `make systems` runs them all and writes this page; figures that need data which are not part of the repository are
computed where `QSC_DATA` names their folder. Costs are those of the compiled program.
"""
COSTS = (
    *("qubits", "two_qubit_gates", "two_qubit_depth", "gates", "depth", "executions", "predicted_fidelity"),
    *("neurons", "synapses", "cores", "spikes", "energy_j"),
)


def folders() -> list[Path]:
    """The systems in order of their number."""
    return sorted(p.parent for p in (ROOT / "examples").glob("[0-9][0-9]-*/evaluate.py"))


def load(folder: Path) -> ModuleType:
    """The `evaluate.py` of a system, which imports its neighbours by name."""
    for name in [n for n, m in sys.modules.items() if str(ROOT / "examples") in str(getattr(m, "__file__", ""))]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("evaluate", folder / "evaluate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["evaluate"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def section(folder: Path, data: Path | None) -> str | None:
    """The part of the page about one system; None where its data are missing."""
    module = load(folder)
    title = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    lines = [f"## {folder.name[:2]}. {title}", "", f"[examples/{folder.name}](../examples/{folder.name}/README.md)", ""]
    if not hasattr(module, "figures"):
        return "\n".join([*lines, "Its figures are in its README."]) + "\n"
    needs_data = "data" in inspect.signature(module.figures).parameters
    if needs_data and data is None:
        return None
    lines += ["| target | check | measured |", "|---|---|---|"]
    for target in module.TARGETS:
        print(f"{folder.name} on {target}", flush=True)
        found, bundle = module.figures(target, *([data] if needs_data else []))
        lines += [f"| {target} | {what.replace('|', chr(92) + '|')} | {figure} |" for what, figure in found]
        costs = ", ".join(f"{key} {bundle.costs[key]:.4g}" for key in COSTS if key in bundle.costs)
        lines.append(f"| {target} | costs | {costs} |")
    return "\n".join(lines) + "\n"


def parts(text: str) -> Iterator[tuple[str, str]]:
    """(number, section) of a written page."""
    for part in re.split(r"(?m)^(?=## \d\d\. )", text)[1:]:
        yield part[3:5], part.rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="numbers of the systems, such as 01 11; all where left out")
    parser.add_argument(
        "--data", default=os.environ.get("QSC_DATA"), help="folder of data that are not in the repository"
    )
    arguments = parser.parse_args()
    written = dict(parts(PAGE.read_text(encoding="utf-8"))) if PAGE.exists() else {}
    for folder in folders():
        number = folder.name[:2]
        if arguments.rows and number not in arguments.rows:
            continue
        found = section(folder, Path(arguments.data) if arguments.data else None)
        if found is None:
            print(f"{folder.name}: its data are not given (--data DIR or QSC_DATA); the page keeps what it has")
        else:
            written[number] = found
    PAGE.write_text("\n".join([HEAD, *(written[number] for number in sorted(written))]), encoding="utf-8")


if __name__ == "__main__":
    main()
