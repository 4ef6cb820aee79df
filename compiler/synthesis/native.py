"""What gates cost in a target's two-qubit gates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ...ir.gates import GATES, OPCODES
from . import weyl

_PAULI = OPCODES["pauli"]
ROTATIONS = ("rzz", "rxx", "ryy", "zzphase", "ms", "xxphase", "yyphase", "rzx", "xx", "zz")
"""Native gates that are rotations about a pair of letters by any angle, in lower case."""
_PROBE = 0.7312


def has_rotations(native_ops: Iterable[str]) -> bool:
    """Whether a target turns about a pair of Pauli letters by any angle in one native gate."""
    return any(name.lower() in ROTATIONS for name in native_ops)


def entangling_cost(opcode: int, payload: str = "", rotations: bool = False) -> int:
    """Entangling gates that a gate of the table takes: CX, or rotations about a pair of letters where those are native.

    payload: the letters of a `pauli` row, n letters as a ladder of CX around one turn.
    """
    if opcode != _PAULI:
        return _table_cost(opcode, rotations)
    weight = len(payload) - payload.count("I")
    return 0 if weight < 2 else 2 * (weight - 1) - rotations


@cache
def _table_cost(opcode: int, rotations: bool) -> int:
    gate = GATES[opcode]
    if gate.matrix is None or gate.qubits == 1:
        return 0
    if gate.qubits > 2:
        return {"ccx": 6, "cswap": 7}[gate.name]
    found = weyl.canonical(gate.matrix(*[_PROBE] * gate.angles)[None])
    return int(found.rotation_counts()[0] if rotations else found.cx_counts()[0])
