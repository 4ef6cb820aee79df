"""Writes the device files of backends/qiskit from the public figures that mqt.bench holds.

    python tools/make_devices.py

Gates are written as Qiskit has them. Where a maker's gate is one of those at fixed angles, or in other units, the table
[vendor] says how the maker writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from mqt.bench.targets.devices import get_device

FOLDER = Path(__file__).parent.parent / "backends" / "qiskit"


class Maker(NamedTuple):
    """How a maker's gates are written. gates: mqt.bench's name -> ours. vendor: our gate -> the maker's."""

    gates: dict[str, tuple[str, ...]]
    vendor: dict[str, str]
    reset: bool = False


IONQ_ONE = {"gpi": ("x",), "gpi2": ("sx", "sxdg"), "rz": ("rz",)}
IONQ_TEXT = {"x": "gpi(0)", "sx": "gpi2(0)", "sxdg": "gpi2(1/2)", "rz(t)": "a shift of all later phases"}
PLAIN = {name: (name,) for name in ("rx", "ry", "rz", "rzz", "r", "cz")}

MAKERS = {
    "ionq_aria_25": Maker(IONQ_ONE | {"ms": ("rxx",)}, IONQ_TEXT | {"rxx(t)": "ms(0, 0, t / (2 pi))"}),
    "ionq_forte_36": Maker(IONQ_ONE | {"zz": ("rzz",)}, IONQ_TEXT | {"rzz(t)": "zz(t / (2 pi))"}),
    "iqm_crystal_5": Maker(PLAIN, {"r(t, p)": "prx(t, p)"}),
    "iqm_crystal_20": Maker(PLAIN, {"r(t, p)": "prx(t, p)"}),
    "iqm_crystal_54": Maker(PLAIN, {"r(t, p)": "prx(t, p)"}),
    "rigetti_ankaa_84": Maker(
        {"rxpi": ("x",), "rxpi2": ("sx",), "rxpi2dg": ("sxdg",), "rz": ("rz",), "iswap": ("iswap",)},
        {"x": "rx(pi)", "sx": "rx(pi/2)", "sxdg": "rx(-pi/2)"},
    ),
    "quantinuum_h2_56": Maker(
        PLAIN, {"rx(t)": "PhasedX(t, 0)", "ry(t)": "PhasedX(t, pi/2)", "rzz(t)": "ZZPhase(t)"}, reset=True
    ),
}


def main() -> None:
    version = metadata.version("mqt.bench")
    for name, maker in MAKERS.items():
        text = "\n".join(_lines(name, maker, version)) + "\n"
        (FOLDER / f"{name}.toml").write_text(text, encoding="utf-8")


def _lines(name: str, maker: Maker, version: str) -> Iterable[str]:
    device = get_device(name)
    qubits, maker_name = device.num_qubits, name.split("_")[0]
    basis = [ours for theirs in device.operation_names for ours in maker.gates.get(theirs, ())]
    links = {pair for gate in device.operation_names for pair in (device[gate] or {}) if pair and len(pair) == 2}
    full = len(links) == qubits * (qubits - 1)
    label = {"ionq": "IonQ", "iqm": "IQM", "rigetti": "Rigetti", "quantinuum": "Quantinuum"}[maker_name]
    model = name.split("_")[1].capitalize()
    shape = "every pair coupled" if full else f"{len({frozenset(pair) for pair in links})} couplings"
    yield f"# Mean figures of {name}, as mqt.bench {version} gives them (made by tools/make_devices.py)."
    yield f'name = "{name}"'
    yield 'backend = "qiskit"'
    yield f'summary = "{label} {model}, {qubits} qubits, {shape}: {" ".join(basis)}"'
    yield f"qubits = {qubits}"
    yield f"basis = [{', '.join(map(_quoted, basis))}]"
    yield f"control_flow = [{', '.join(_quoted(n) for n in device.operation_names if n == 'if_else')}]"
    yield f"reset = {str(maker.reset).lower()}"
    kinds = _figures(device, maker)
    for kind, table in kinds.items():
        for figure in ("error", "duration"):
            if (value := _usual(table, figure)) is not None:
                yield f"{kind}_{figure} = {value!r}"
    if not full:
        pairs = sorted({tuple(sorted(pair)) for pair in links})
        yield "coupling = ["
        yield from (f"  {', '.join(map(_pair, pairs[k : k + 12]))}," for k in range(0, len(pairs), 12))
        yield "]"
    yield from ("", "[vendor]")
    yield from (f"{_quoted(ours)} = {_quoted(theirs)}" for ours, theirs in maker.vendor.items())
    for table in kinds.values():
        usual = tuple(_usual(table, figure) for figure in ("error", "duration"))
        for gate, figures in table.items():
            if figures != usual:
                yield from ("", "[[calibration]]", f"gate = {_quoted(gate)}")
                yield from (
                    f"{key} = {v!r}" for key, v in zip(("error", "duration"), figures, strict=True) if v is not None
                )


def _figures(device: Any, maker: Maker) -> dict[str, dict[str, tuple[float | None, float | None]]]:
    """Kind of operation -> our gate -> its error and duration, which are the same at every place."""
    kinds: dict[str, dict[str, tuple[float | None, float | None]]] = {"one_qubit": {}, "two_qubit": {}, "readout": {}}
    for theirs in device.operation_names:
        places = {pair: p for pair, p in (device[theirs] or {}).items() if pair}
        found = {(_rounded(p.error), _rounded(p.duration)) for p in places.values()}
        if len(found) != 1:
            continue
        wide = len(next(iter(places))) == 2
        kind = "readout" if theirs == "measure" else "two_qubit" if wide else "one_qubit"
        for ours in maker.gates.get(theirs, (theirs,)):
            kinds[kind][ours] = next(iter(found))
    return kinds


def _usual(table: dict[str, tuple[float | None, float | None]], figure: str) -> float | None:
    """The figure of most gates of a kind."""
    values = [v for figures in table.values() if (v := figures[("error", "duration").index(figure)]) is not None]
    return max(values, key=lambda v: (values.count(v), v), default=None)


def _rounded(value: float | None) -> float | None:
    """Without the last digits that `1 - fidelity` leaves."""
    return None if value is None else float(f"{value:.10g}")


def _pair(pair: tuple[int, ...]) -> str:
    return f"[{pair[0]}, {pair[1]}]"


def _quoted(text: str) -> str:
    return f'"{text}"'


if __name__ == "__main__":
    main()
