"""A device of the user's own, described in a TOML table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...bridges.extras import need
from ...ir import Diagnostic, InputError, Location
from ...ir.diagnostics import did_you_mean
from ...ir.target import Target
from .devices import EXTRA, from_backend

ERRORS = ("one_qubit_error", "two_qubit_error", "readout_error")
KEYS = ("name", "backend", "summary", "qubits", "basis", "coupling", *ERRORS)


def target_from_table(table: Mapping[str, Any], path: Path) -> Target:
    """The device that a table describes. InputError T0005 with every fault of it.

    qubits: their number. basis: gate names as Qiskit has them, rz sx x and one two-qubit gate for example. coupling:
    pairs of qubits, usable both ways; every pair where it is left out. one_qubit_error, two_qubit_error, readout_error:
    probabilities, the same for the whole device; without any of them the device counts as uncalibrated.
    """
    need("qiskit", EXTRA)
    from qiskit.circuit.library import get_standard_gate_name_mapping

    gates = get_standard_gate_name_mapping()
    faults = [
        Diagnostic("T0005", f"{path}: {message}", Location(str(path)), help=help)
        for message, help in _faults(table, gates)
    ]
    if faults:
        raise InputError(faults)
    from qiskit.providers.fake_provider import GenericBackendV2
    from qiskit.transpiler import InstructionProperties

    pairs = [pair for a, b in table["coupling"] for pair in ([a, b], [b, a])] if "coupling" in table else None
    device = GenericBackendV2(
        table["qubits"], list(table["basis"]), coupling_map=pairs, control_flow=True, noise_info=False, seed=0
    )
    for name in [*table["basis"], "measure"]:
        key = "readout_error" if name == "measure" else ERRORS[gates[name].num_qubits - 1]
        for qubits in [*(device.target[name] or {})]:
            if key in table:
                device.target.update_instruction_properties(name, qubits, InstructionProperties(error=table[key]))
    return from_backend(device, table.get("name", path.stem), table.get("summary", ""))


def _faults(table: Mapping[str, Any], gates: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in table:
        if key not in KEYS:
            yield f"the key {key} is not known", did_you_mean(key, KEYS)
    qubits = table.get("qubits")
    if not _is_count(qubits):
        yield f"qubits is {qubits!r}", "give the number of qubits, as in qubits = 5"
    basis = table.get("basis")
    if not isinstance(basis, list) or not basis:
        yield f"basis is {basis!r}", 'give gate names, as in basis = ["rz", "sx", "x", "cz"]'
    else:
        for name in basis:
            if name not in gates or gates[name].num_qubits > 2:
                yield f"the gate {name!r} is not a gate on one or two qubits", did_you_mean(str(name), gates)
    for pair in table.get("coupling", []):
        if not _is_pair(pair) or (_is_count(qubits) and max(pair) >= qubits):
            yield f"the coupling {pair!r} is not two different qubits of the device", "qubits count from 0"
    for key in ERRORS:
        value = table.get(key, 0.0)
        if not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
            yield f"{key} is {value!r}", "give a probability from 0 to 1"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(q, int) and q >= 0 for q in pair)
        and pair[0] != pair[1]
    )
