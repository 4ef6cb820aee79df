"""What gates cost in a target's two-qubit gates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...ir import InputError
from ...ir.diagnostics import did_you_mean
from ...ir.gates import GATES, OPCODES
from . import weyl
from .euler import BASES

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
        return {"ccx": 6, "cswap": 8}[gate.name]
    found = weyl.canonical(gate.matrix(*[_PROBE] * gate.angles)[None])
    return int(found.rotation_counts()[0] if rotations else found.cx_counts()[0])


@dataclass(frozen=True, eq=False)
class OneQubitBasis:
    """name: one of `BASES`. has_x: whether x may be used. keeps: which opcodes may stay in a circuit, (gates,)."""

    name: str
    has_x: bool
    keeps: np.ndarray


_GATES_OF = {
    "u3": ("u3", "rz", "ry", "rx"),
    "rz-sx": ("rz", "sx"),
    "rz-rx": ("rz", "rx"),
    "rz-ry": ("rz", "ry"),
    "rz-rx90": ("rz",),
}
_CHOICES: tuple[tuple[str, frozenset[str]], ...] = (
    ("u3", frozenset({"u3"})),
    ("u3", frozenset({"u"})),
    ("rz-sx", frozenset({"rz", "sx"})),
    ("rz-rx", frozenset({"rx"})),
    ("rz-rx", frozenset({"r"})),
    ("rz-rx", frozenset({"prx"})),
    ("rz-rx", frozenset({"phasedx"})),
    ("rz-rx", frozenset({"gpi2"})),
    ("rz-ry", frozenset({"ry", "rz"})),
)
"""What a target has, in lower case -> the set that its one-qubit gates are written in."""


def one_qubit_basis(native_ops: Iterable[str], wanted: str = "") -> OneQubitBasis:
    """The set for a target: `wanted` where it is given, else by its native gates; u3 and any gate without a target.

    A gate that the target has itself is kept. InputError O0002 for a set that is not in `BASES`.
    """
    native = {name.lower() for name in native_ops}
    if wanted and wanted not in BASES:
        raise InputError.of("O0002", f"there is no set of one-qubit gates {wanted!r}", help=did_you_mean(wanted, BASES))
    found = next((name for name, needs in _CHOICES if needs <= native), "u3")
    name = wanted or found
    has_x = name != "rz-sx" or not native or "x" in native
    own = native | {*_GATES_OF[name], *(("x",) if has_x and name == "rz-sx" else ())}
    anything = not native and not wanted
    keeps = np.array([g.matrix is not None and g.qubits == 1 and (anything or g.name in own) for g in GATES])
    keeps[OPCODES["id"]] = False
    return OneQubitBasis(name, has_x, keeps)
