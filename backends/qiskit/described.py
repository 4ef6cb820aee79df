"""A device described in a TOML table: one of the vendors' devices that come with qsc, or one of the user's own."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...bridges.extras import need
from ...ir import Diagnostic, InputError, Location
from ...ir.diagnostics import did_you_mean
from ...ir.target import Target
from .devices import EXTRA, from_backend

CONTROL_FLOW = ("if_else", "for_loop", "while_loop", "switch_case")

UNKNOWN = sys.maxsize
"""The number of qubits of a table that does not tell it, so that the rest can be checked."""

Fault = tuple[str, str, str]
"""(key, message, what would be right)."""


def target_from_table(table: Mapping[str, Any], path: Path) -> Target:
    """The device that a table describes. InputError T0005 with every fault of it, each at its line of the file.

    qubits: their number. basis: gate names as Qiskit has them, rz sx x and one two-qubit gate for example. coupling:
    pairs of qubits, usable both ways, or as they are written where `directed` is true; every pair where it is left out.
    control_flow: true, false, or which of if_else, for_loop, while_loop, switch_case. reset, mid_circuit_measurement:
    false where the device has none. classical_bits: how many there are.
    one_qubit_error, two_qubit_error, readout_error: probabilities, the same for the whole device; without any of them,
    and without an error below, the device counts as uncalibrated. one_qubit_duration, two_qubit_duration,
    readout_duration, t1, t2: in seconds; t1 and t2 may be lists, a number a qubit.
    [[calibration]]: the error and duration of one `gate` on `qubits`, or everywhere where they are left out; later
    entries win. [angles]: the least and greatest angle of a gate, in radians. [vendor]: how the maker writes a gate.
    """
    need("qiskit", EXTRA)
    from qiskit.circuit.library import get_standard_gate_name_mapping

    gates = get_standard_gate_name_mapping()
    place = _Places(path)
    faults = [
        Diagnostic("T0005", f"{path}: {message}", place(key), help=help) for key, message, help in _faults(table, gates)
    ]
    if faults:
        raise InputError(faults)
    from .described_device import DescribedDevice

    ranges = {gate: (float(low), float(high)) for gate, (low, high) in table.get("angles", {}).items()}
    limits: dict[str, float] = {"classical_bits": table["classical_bits"]} if "classical_bits" in table else {}
    data: dict[str, Any] = {"mid_circuit_measurement": table.get("mid_circuit_measurement", True)}
    if "vendor" in table:
        data["vendor"] = dict(table["vendor"])
    return from_backend(
        DescribedDevice(table, table.get("name", path.stem)),
        table.get("name", path.stem),
        table.get("summary", ""),
        ranges=ranges,
        limits=limits,
        data=data,
    )


class _Places:
    """Where a key stands in the file: `coupling`, `angles.rzz` or `calibration.3.error` (of the fourth entry)."""

    def __init__(self, path: Path) -> None:
        self.file = str(path)
        try:
            self.lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            self.lines = []

    def __call__(self, key: str) -> Location:
        head, *rest = key.split(".")
        if head == "calibration" and rest:
            start = self._entry(int(rest[0]))
            number = self._key(rest[1], start) or start
        else:
            number = self._key(key.rpartition(".")[2])
        return Location(self.file, number, 1 if number else 0)

    def _entry(self, wanted: int) -> int:
        starts = [n for n, line in enumerate(self.lines, 1) if re.match(r"\s*\[\[\s*calibration\s*\]\]", line)]
        return starts[wanted] if wanted < len(starts) else 0

    def _key(self, key: str, after: int = 0) -> int:
        pattern = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*(=|\])")
        return next((n for n, line in enumerate(self.lines, 1) if n > after and pattern.match(line)), 0)


# What may be wrong


def _faults(table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    for key in table:
        if key not in _CHECKS:
            yield key, f"the key {key} is not known", did_you_mean(key, _CHECKS)
    if not _is_count(table.get("qubits")):
        yield "qubits", f"qubits is {table.get('qubits')!r}", "give the number of qubits, as in qubits = 5"
        table = {**table, "qubits": UNKNOWN}
    if "basis" not in table:
        yield "basis", "there is no basis", 'give gate names, as in basis = ["rz", "sx", "x", "cz"]'
    for key, value in table.items():
        if key in _CHECKS:
            yield from _CHECKS[key](key, value, table, gates)


Check = Callable[[str, Any, Mapping[str, Any], Mapping[str, Any]], Iterator[Fault]]


def _kind(right: str, holds: Callable[[Any], bool]) -> Check:
    """A check of one value by itself."""

    def check(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
        if not holds(value):
            yield key, f"{key} is {value!r}", right

    return check


def _basis(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(value, list) or not value:
        yield key, f"basis is {value!r}", 'give gate names, as in basis = ["rz", "sx", "x", "cz"]'
        return
    usable = [name for name, gate in gates.items() if 1 <= gate.num_qubits <= 2]
    for name in value:
        if name not in usable:
            yield key, f"the gate {name!r} is not a gate on one or two qubits", did_you_mean(str(name), usable)


def _coupling(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield key, f"coupling is {value!r}", "give pairs of qubits, as in coupling = [[0, 1], [1, 2]]"
        return
    for pair in value:
        if not _are_qubits(pair, table["qubits"]) or len(pair) != 2:
            yield key, f"the coupling {pair!r} is not two different qubits of the device", "qubits count from 0"


def _times(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    values = value if isinstance(value, list) else [value]
    if not all(_is_number(v) and v > 0 for v in values):
        yield key, f"{key} is {value!r}", "give seconds, as in 1.0e-4"
    elif isinstance(value, list) and table["qubits"] != UNKNOWN and len(value) != table["qubits"]:
        yield key, f"{key} has {len(value)} numbers for {table['qubits']} qubits", "give one a qubit, or a single one"


def _calibration(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        yield key, "calibration is not a list of tables", 'write [[calibration]], below it gate = "cz" and the figures'
        return
    for number, entry in enumerate(value):
        for inner, message, help in _entry_faults(entry, table, gates):
            yield f"{key}.{number}.{inner}", message, help


def _entry_faults(entry: Mapping[str, Any], table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    known = [*_names(table.get("basis")), "measure", "reset"]
    name, qubits = entry.get("gate"), entry.get("qubits")
    for key in entry:
        if key not in ("gate", "qubits", *_FIGURES):
            yield key, f"calibration has an unknown key {key!r}", did_you_mean(key, ("gate", "qubits", *_FIGURES))
    if name not in known:
        yield "gate", f"calibration of {name!r}, which the device does not have", did_you_mean(str(name), known)
    elif qubits is not None and not _has(gates[name].num_qubits, qubits, table):
        yield "qubits", f"calibration of {name} on {qubits!r}, where the device has no {name}", "see basis and coupling"
    for key, check in _FIGURES.items():
        if key in entry:
            yield from check(key, entry[key], table, gates)


def _has(size: int, qubits: Any, table: Mapping[str, Any]) -> bool:
    """Whether a gate of that many qubits can be on these."""
    if not _are_qubits(qubits, table["qubits"]) or len(qubits) != size:
        return False
    links = table.get("coupling")
    if size == 1 or not isinstance(links, list):
        return True
    return qubits in links or (not table.get("directed", False) and qubits[::-1] in links)


def _angles(key: str, value: Any, table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield key, f"angles is {value!r}", "write a table [angles], below it rzz = [0.0, 1.5708]"
        return
    for name, pair in value.items():
        if name not in _names(table.get("basis")) or len(getattr(gates.get(name), "params", ())) != 1:
            yield f"angles.{name}", f"{name} is not a gate of the basis with one angle", "angles are of such gates"
        elif not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and pair[0] < pair[1]):
            yield f"angles.{name}", f"the angles of {name} are {pair!r}", "give the least and the greatest, in radians"


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_qubits(value: Any, count: int) -> bool:
    if not isinstance(value, list) or not all(isinstance(q, int) and 0 <= q < count for q in value):
        return False
    return all(a != b for a, b in pairwise(sorted(value)))


def _is_control_flow(value: Any) -> bool:
    return _is_flag(value) or (isinstance(value, list) and all(name in CONTROL_FLOW for name in value))


_PROBABILITY = _kind("give a probability from 0 to 1", lambda v: _is_number(v) and 0.0 <= v < 1.0)
_SECONDS = _kind("give seconds, as in 6.8e-8", lambda v: _is_number(v) and 0.0 <= v < 1.0)
_FLAG = _kind("true or false", _is_flag)
_TEXT = _kind("give a text", _is_text)
_FIGURES = {"error": _PROBABILITY, "duration": _SECONDS}

_CHECKS: dict[str, Check] = {
    "name": _TEXT,
    "backend": _TEXT,
    "summary": _TEXT,
    "qubits": _kind("give the number of qubits, as in qubits = 5", _is_count),
    "basis": _basis,
    "coupling": _coupling,
    "directed": _FLAG,
    "control_flow": _kind(f"true, false, or some of {', '.join(CONTROL_FLOW)}", _is_control_flow),
    "reset": _FLAG,
    "mid_circuit_measurement": _FLAG,
    "classical_bits": _kind("give the number of classical bits", _is_count),
    "one_qubit_error": _PROBABILITY,
    "two_qubit_error": _PROBABILITY,
    "readout_error": _PROBABILITY,
    "one_qubit_duration": _SECONDS,
    "two_qubit_duration": _SECONDS,
    "readout_duration": _SECONDS,
    "t1": _times,
    "t2": _times,
    "calibration": _calibration,
    "angles": _angles,
    "vendor": _kind(
        'write a table [vendor], below it x = "gpi(0)"',
        lambda v: isinstance(v, dict) and all(map(_is_text, v.values())),
    ),
}
"""Key of the table -> what checks its value."""
