"""Runs of one-qubit gates on a wire between other gates."""

from __future__ import annotations

import numpy as np

from ...ir import Circuit
from ...ir.gates import GATES, OPCODES

_BARRIER = OPCODES["barrier"]


def find_runs(circuit: Circuit, kept: np.ndarray) -> list[np.ndarray]:
    """Row numbers of every maximal run of unconditioned one-qubit gates: a table (runs, gates) for every length.

    kept: which opcodes may stay as they are; a run of one such gate is left out. A barrier ends the runs of its wires,
    one without wires all of them.
    """
    alone = np.array([g.matrix is not None and g.qubits == 1 for g in GATES])[circuit.opcode] & (circuit.condition < 0)
    if not alone.any():
        return []
    arity = np.diff(circuit.wire_ptr)
    owner = np.repeat(np.arange(len(circuit)), arity)
    order = np.argsort(circuit.wires, kind="stable")
    owner, wire = owner[order], circuit.wires[order]
    era = np.cumsum((circuit.opcode == _BARRIER) & (arity == 0))[owner]
    single = alone[owner]
    breaks = np.ones(len(owner), bool)
    breaks[1:] = (wire[1:] != wire[:-1]) | ~single[1:] | ~single[:-1] | (era[1:] != era[:-1])
    starts = np.flatnonzero(breaks)
    lengths = np.diff(np.append(starts, len(owner)))
    first = owner[starts]
    wanted = single[starts] & ((lengths > 1) | ~kept[circuit.opcode[first]])
    starts, lengths = starts[wanted], lengths[wanted]
    return [owner[starts[lengths == n][:, None] + np.arange(n)] for n in np.unique(lengths).tolist()]
