"""Which gates may meet and join: the class of every gate, and the letter that stands for it on each of its wires."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from ...ir.gates import GATES, OPCODES
from .gate_families import Family, Member, exchangeable, families

LETTERS = {"X": 1, "Y": 2, "Z": 3}
OWN_LETTER = 4
"""Where a gate has no Pauli letter on a wire, its class number plus this stands for one: it commutes with nothing."""
_PAULI, _ID = OPCODES["pauli"], OPCODES["id"]


class Classes:
    """Numbers for kinds of gates that may meet: a family, or a gate with its inverse."""

    def __init__(self) -> None:
        self.families: list[Family | None] = [replace(f, members=dict(f.members)) for f in families()]
        self._numbers: dict[object, int] = {f.axes: k for k, f in enumerate(families()) if f.rotation}
        self._members = {op: k for k, f in enumerate(families()) for op in f.members}

    def copy(self) -> Classes:
        """Classes that may grow without a change of these."""
        out = Classes.__new__(Classes)
        out.families = [f and replace(f, members=dict(f.members)) for f in self.families]
        out._numbers, out._members = dict(self._numbers), self._members
        return out

    def of_opcode(self, opcode: int) -> int:
        if opcode in self._members:
            return self._members[opcode]
        inverse = GATES[opcode].inverse
        return self._number(min(opcode, OPCODES[inverse] if inverse else opcode), None)

    def of_pauli(self, letters: str) -> int:
        member = Member(_PAULI, Fraction(0), Fraction(0), Fraction(0))
        number = self._number(letters, Family(_PAULI, letters, Fraction(4), Fraction(2), True))
        family = self.families[number]
        assert family is not None
        family.members.setdefault(_PAULI, member)
        return number

    def conditioned(self, number: int, key: tuple) -> int:
        return self._number((number, key), self.families[number])

    def _number(self, key: object, family: Family | None) -> int:
        number = self._numbers.setdefault(key, len(self.families))
        if number == len(self.families):
            self.families.append(family)
        return number


@dataclass(frozen=True, slots=True)
class Kind:
    """What the sweep asks about a gate.

    letters: one a wire. exchange: groups of wires that may be exchanged. turning: whether two of them add their angles.
    product: whether it is a rotation about a product of two or more Pauli letters.
    """

    number: int
    letters: tuple[int, ...]
    exchange: tuple[tuple[int, ...], ...]
    turning: bool
    product: bool


def _kind_of(opcode: int, classes: Classes) -> Kind | None:
    gate = GATES[opcode]
    if gate.matrix is None or opcode == _ID:
        return None
    number = classes.of_opcode(opcode)
    letters = tuple(LETTERS.get(a, OWN_LETTER + number) for a in gate.axes)
    family = classes.families[number]
    product = family is not None and family.rotation and len(letters) > 1
    return Kind(number, letters, exchangeable(opcode), gate.additive, product)


@cache
def kinds_of_gates() -> tuple[Classes, tuple[Kind | None, ...]]:
    """The classes of the gate table, to be copied, and the kind of every gate."""
    classes = Classes()
    return classes, tuple(_kind_of(opcode, classes) for opcode in range(len(GATES)))
