"""Whether a pass manager kept what a circuit does, by its state for angles drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Statevector

from ...bridges.qiskit_reading import final_permutation
from .census import SILENT, census

MOST_QUBITS = 14
"""Wider circuits are not compared: 450 gates on 14 qubits take 0.05 s, on 16 0.4 s."""

TOLERANCE = 1e-10
"""Of an amplitude."""


def differs(before: QuantumCircuit, after: QuantumCircuit) -> bool:
    """Whether the states that both make of |0...0> differ, `after` read where its layout leaves the qubits.

    False too where that cannot be told: with measurements inside, resets, control flow, or more than `MOST_QUBITS`.
    Measurements at the end are left out of account where a barrier keeps gates from being simplified before them.
    """
    places = list(final_permutation(after))[: before.num_qubits]
    wires = places + [q for q in census(after).active_qubits if q not in places]
    if len(wires) > MOST_QUBITS or not (_is_plain(before) and _is_plain(after)):
        return False
    values = np.random.default_rng(0).uniform(-np.pi, np.pi, len(before.parameters))
    given = dict(zip(before.parameters, values.tolist(), strict=True))
    known = {p: v for p, v in given.items() if p in after.parameters}
    try:
        wanted = _state(before.assign_parameters(given), range(before.num_qubits))
        found = _state(after.assign_parameters(known), wires)[: len(wanted)]
    except QiskitError:
        # A gate of the device that Qiskit knows no matrix of.
        return False
    overlap = np.vdot(found, wanted)
    return bool(np.abs(found * (overlap / max(abs(overlap), 1e-300)) - wanted).max() > TOLERANCE)


def _is_plain(circuit: QuantumCircuit) -> bool:
    """Whether it has gates alone, and measurements behind a barrier on all that is measured."""
    fenced: set[object] = set()
    for step in circuit.data:
        if step.name == "barrier":
            fenced.update(step.qubits)
        elif step.name == "measure":
            if not fenced.issuperset(step.qubits):
                return False
        elif step.clbits or step.name == "reset" or step.is_control_flow() or not fenced.isdisjoint(step.qubits):
            return False
    return True


def _state(circuit: QuantumCircuit, wires: Sequence[int]) -> np.ndarray:
    """The amplitudes of the qubits `wires`, the first of them least significant."""
    number = {circuit.qubits[wire]: k for k, wire in enumerate(wires)}
    plain = QuantumCircuit(len(wires))
    for step in circuit.data:
        if step.name not in SILENT and step.name != "measure":
            plain.append(step.operation, [number[qubit] for qubit in step.qubits])
    return np.asarray(Statevector(plain))
