"""A unitary circuit as a Clifford after a product of Pauli rotations, and what can be simplified in that form.

circuit = phase * C * R_m ... R_1 with R_k = exp(-i angle_k/2 P_k): every Clifford gate is moved to the end, which turns
the axes of the rotations behind it. Angles are affine rows, so the form holds for every value of the inputs.

The register starts in |0...0>, whose stabilizers are the products of Z. A stabilizer that commutes with every rotation
so far still holds; a rotation's axis may be multiplied by such a stabilizer that commutes with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, Row, add_rows, row_is_multiple
from ...ir.circuit import GateRow
from ...ir.gates import GATES, OPCODES
from .tableau import Pauli, Tableau, commute, multiply, turned

_HALF, _QUARTER = Fraction(1, 2), Fraction(1, 4)
_MOST_ROUNDS = 8
_NO_ANGLE = -1

_Piece = tuple[str, tuple[int, ...], int, Fraction]
"""(Pauli letters, wires, angle number, factor): a rotation by factor * angle, or by factor * pi where there is no angle
(-1); or (name of a Clifford gate, wires, -1, 0)."""


def _gate(name: str, *wires: int) -> _Piece:
    return name, wires, _NO_ANGLE, Fraction(0)


def _pieces() -> dict[str, tuple[_Piece, ...]]:
    one = Fraction(1)
    table: dict[str, tuple[_Piece, ...]] = {
        "t": (("Z", (0,), _NO_ANGLE, _QUARTER),),
        "tdg": (("Z", (0,), _NO_ANGLE, -_QUARTER),),
        "p": (("Z", (0,), 0, one),),
        "u3": (("Z", (0,), 2, one), ("Y", (0,), 0, one), ("Z", (0,), 1, one)),
        "cp": (("Z", (0,), 0, _HALF), ("Z", (1,), 0, _HALF), ("ZZ", (0, 1), 0, -_HALF)),
        "ch": (("Y", (1,), _NO_ANGLE, -_QUARTER), _gate("cz", 0, 1), ("Y", (1,), _NO_ANGLE, _QUARTER)),
    }
    for letter in "XYZ":
        table[f"r{letter.lower()}"] = ((letter, (0,), 0, one),)
        table[f"r{letter.lower()}{letter.lower()}"] = ((letter * 2, (0, 1), 0, one),)
        table[f"cr{letter.lower()}"] = ((letter, (1,), 0, _HALF), ("Z" + letter, (0, 1), 0, -_HALF))
    # ccx is exp(i pi n0 n1 (1 - X2)/2), n = (1 - Z)/2: one rotation for every product of the factors.
    subsets = [tuple(k for k in range(3) if number >> k & 1) for number in range(1, 8)]
    signs = {1: 1, 2: -1, 3: 1}
    table["ccx"] = tuple(
        ("".join("ZZX"[k] for k in wires), wires, _NO_ANGLE, signs[len(wires)] * _QUARTER) for wires in subsets
    )
    table["cswap"] = (_gate("cx", 2, 1), *table["ccx"], _gate("cx", 2, 1))
    return table


_PIECES = _pieces()
_PAULI, _ID = OPCODES["pauli"], OPCODES["id"]


class Turn(NamedTuple):
    """exp(-i angle/2 axis), the axis a product of letters with sign +; location: index in the circuit's table."""

    axis: Pauli
    angle: Row
    location: int


@dataclass
class PauliForm:
    """tableau * turns[-1] ... turns[0], up to a global phase that may depend on the angles."""

    qubits: int
    turns: list[Turn]
    tableau: Tableau


def supported(circuit: Circuit) -> bool:
    """Whether every row is a unitary gate without a condition; barriers are not."""
    present = set(circuit.opcode.tolist())
    known = all(c in (_PAULI, _ID) or GATES[c].clifford or GATES[c].name in _PIECES for c in present)
    return known and not circuit.has_measurement


def pauli_form(circuit: Circuit) -> PauliForm:
    """The form of a circuit that is `supported`; multiples of pi/2 are Clifford and go into the tableau."""
    form = PauliForm(circuit.num_qubits, [], Tableau(circuit.num_qubits))
    rows = circuit.angles.rows()
    for row in circuit.rows():
        if row.opcode == _PAULI:
            letters = circuit.payloads[row.payload]
            _turn(form, form.tableau.pull_letters(letters, row.wires), rows[row.angles[0]], row.location)
        elif row.opcode != _ID:
            _add_gate(form, row, rows)
    return form


def _add_gate(form: PauliForm, row: GateRow, rows: Sequence[Row]) -> None:
    if row.gate.clifford:
        form.tableau.apply(row.opcode, row.wires)
        return
    for what, local, number, factor in _PIECES[row.gate.name]:
        wires = [row.wires[k] for k in local]
        if what in OPCODES:
            form.tableau.apply(OPCODES[what], wires)
            continue
        angle = (factor.numerator, factor.denominator, 0.0, ())
        if number != _NO_ANGLE:
            angle = add_rows(ZERO_ROW, rows[row.angles[number]], factor)
        _turn(form, form.tableau.pull_letters(what, wires), angle, row.location)


def _turn(form: PauliForm, axis: Pauli, angle: Row, location: int) -> None:
    """Append a rotation about an axis that is pulled back already."""
    quarters = quarter_turns(angle)
    if quarters is None:
        form.turns.append(_positive(axis, angle, location))
    else:
        form.tableau.turn(axis, quarters)


def _positive(axis: Pauli, angle: Row, location: int) -> Turn:
    if not axis.negative:
        return Turn(axis, angle, location)
    return Turn(Pauli(axis.x, axis.z, axis.p ^ 2), negated(angle), location)


def negated(angle: Row) -> Row:
    """-angle."""
    num, den, offset, terms = angle
    return (-num, den, 0.0 - offset, tuple((v, -c) for v, c in terms))


def quarter_turns(angle: Row, tolerance: float = 1e-13) -> int | None:
    """How often pi/2 the angle is, None where it is not a constant multiple of it."""
    if angle[3] or not row_is_multiple(angle, _HALF, tolerance):
        return None
    return round((angle[0] / angle[1] * math.pi + angle[2]) / (math.pi / 2))


def simplified(form: PauliForm, observed: Sequence[Pauli]) -> PauliForm:
    """The same expectation values of all products of `observed` on |0...0>, with fewer and lighter rotations.

    Rotations about one axis are joined through rotations that commute; axes are made lighter by stabilizers of the
    state, which drops those that only give a phase; multiples of pi/2 move into the tableau; rotations at the end that
    commute with every observable go. Quadratic in the number of rotations.
    """
    for _ in range(_MOST_ROUNDS):
        before = len(form.turns)
        form = PauliForm(form.qubits, _joined(form.turns, form.qubits), form.tableau)
        moved = _with_cliffords_moved(form)
        ends = [form.tableau.pull(p) for p in observed]
        form.turns = _seen(form.turns, ends)
        if not moved and len(form.turns) == before:
            break
    return form


class _Stabilizers:
    """Products of Z, as masks, that still stabilize the state: those of even overlap with every X part so far."""

    def __init__(self, qubits: int) -> None:
        self.generators = [1 << q for q in range(qubits)]
        self.parts: list[int] = []

    def commuting_with(self, x: int) -> list[int]:
        """Generators of those that commute with an axis of X part `x`."""
        odd = [g for g in self.generators if (g & x).bit_count() & 1]
        return self.generators if not odd else [g ^ odd[0] if g in odd else g for g in self.generators if g != odd[0]]

    def restrict(self, x: int) -> None:
        """Keep those that commute with an axis of X part `x`."""
        kept = self.commuting_with(x)
        if len(kept) < len(self.generators):
            self.parts.append(x)
        self.generators = kept

    def contain(self, z: int) -> bool:
        return not any((z & x).bit_count() & 1 for x in self.parts)


def _joined(turns: Sequence[Turn], qubits: int) -> list[Turn]:
    stabilizers = _Stabilizers(qubits)
    kept: list[Turn] = []
    by_part: dict[int, list[int]] = {}
    for turn in turns:
        axis = turn.axis
        if not axis.x and stabilizers.contain(axis.z):
            continue
        same = by_part.setdefault(axis.x, [])
        at = next((k for k in reversed(same) if _meets(kept, k, axis, stabilizers)), -1)
        if at >= 0:
            # The two axes differ by a stabilizer, and so by its sign.
            sign = multiply(axis, kept[at].axis).p & 2
            kept[at] = kept[at]._replace(angle=add_rows(kept[at].angle, turn.angle, -1 if sign else 1))
            continue
        lighter = _lightest(axis, stabilizers.commuting_with(axis.x))
        stabilizers.restrict(axis.x)
        same.append(len(kept))
        kept.append(_positive(lighter, turn.angle, turn.location))
    return [turn for turn in kept if turn.angle != ZERO_ROW]


def _meets(kept: Sequence[Turn], at: int, axis: Pauli, stabilizers: _Stabilizers) -> bool:
    """Whether a rotation about `axis` after `kept` can join rotation `at`, which has the same X part."""
    other = kept[at].axis
    difference = axis.z ^ other.z
    if difference and (not stabilizers.contain(difference) or (difference & axis.x).bit_count() & 1):
        return False
    return all(commute(turn.axis, axis) for turn in kept[at + 1 :])


def _lightest(axis: Pauli, generators: Sequence[int]) -> Pauli:
    """The axis times stabilizers, greedily of low weight."""
    x, z = axis.masks
    weight = (x | z).bit_count()
    improved = True
    while improved and weight > 1:
        best = min(generators, key=lambda g: (x | (z ^ g)).bit_count(), default=0)
        improved = (x | (z ^ best)).bit_count() < weight
        if improved:
            z ^= best
            weight = (x | z).bit_count()
    return multiply(axis, Pauli(0, z ^ axis.z))


def _with_cliffords_moved(form: PauliForm) -> bool:
    """Move rotations by multiples of pi/2 behind all others, into the tableau; whether there was one."""
    waiting, kept, moved = list(form.turns), [], False
    for k, turn in enumerate(waiting):
        quarters = quarter_turns(turn.angle)
        if quarters is None:
            kept.append(turn)
            continue
        moved = True
        form.tableau.turn(turn.axis, quarters)
        for later in range(k + 1, len(waiting)):
            old = waiting[later]
            waiting[later] = _positive(turned(old.axis, turn.axis, quarters), old.angle, old.location)
    form.turns = kept
    return moved


def _seen(turns: Sequence[Turn], observed: Sequence[Pauli]) -> list[Turn]:
    """Without the rotations that commute with every observable and every later rotation that stays."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        axis = turn.axis
        if not all(commute(axis, other) for other in observed) or not all(commute(axis, t.axis) for t in kept):
            kept.append(turn)
    return kept[::-1]
