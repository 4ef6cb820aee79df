"""A circuit as a search for cuts sees it: its gate ends, where its wires may be cut, and what each cut takes.

What is needed at a cut is read off the circuit as a whole. Where the readouts, pulled back to a wire, hold nothing but
the identity and one letter there (a wire that is only a control from there on, for example), the wire may be measured
in that letter: one basis, two states, and no overhead. Where circuit and readouts are real, Y never passes a wire that
alone joins two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import pi, sin

from ...ir import Circuit, Node
from ...ir.angles import ZERO_ROW, Row, add_rows, make_row, row_is_multiple
from ...ir.circuit import GateRow
from ...ir.conditions import bits_of
from ...ir.gates import OPCODES
from ...ir.ops import Expectation
from ..passes.light_cone import bits_read, letters_in_front, letters_of
from .problem import GateCut, Joint, Problem, WireCut

_BARRIER, _PAULI = OPCODES["barrier"], OPCODES["pauli"]
_HALF = Fraction(1, 2)
_WIRE_CUTS = {1: WireCut(1, 1, 1.0), 2: WireCut(1, 2, 1.0), 3: WireCut(2, 3, 3.0), 4: WireCut(3, 4, 4.0)}
"""By how many letters pass, the identity among them. gamma of all four: Peng et al., arXiv 1904.00102; three: one of
the four terms less."""
_OPERATIONS = 4
"""Three turns and one measurement stand in the place of a gate at each of its ends. In a real circuit it is one less
where no other way joins the same parts, which no price of a single cut can say."""
_ROTATIONS = {"rxx": "XX", "ryy": "YY", "rzz": "ZZ"}
_CONTROLLED = {"cx": "ZX", "cy": "ZY", "cz": "ZZ", "crx": "ZX", "cry": "ZY", "crz": "ZZ", "cp": "ZZ"}
_BOTH_TURN = ("cx", "cy", "cz", "cp")
"""Controlled gates that turn their control too."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """A gate as exp(-i angle/2 P x Q) after turns of each qubit about its own letter: what is left of it when it is
    cut. letters: P and Q. turns: the angles of the two turns."""

    letters: str
    angle: Row
    turns: tuple[Row, Row]

    @property
    def gamma(self) -> float:
        """1 + 2 |sin angle| (Mitarai and Fujii, arXiv 1909.07534; optimal by Piveteau and Sutter, 2205.00016); that of
        the worst angle where it depends on inputs."""
        num, den, offset, terms = self.angle
        return 3.0 if terms else 1.0 + 2.0 * abs(sin(pi * num / den + offset))


def interaction(circuit: Circuit, row: GateRow) -> Interaction | None:
    """How a gate can be cut; None where it cannot."""
    if row.condition >= 0 or len(row.wires) != 2:
        return None
    name = row.gate.name
    angle = circuit.angles.row(row.angles[0]) if row.angles else make_row(1)
    if row.opcode == _PAULI:
        letters = circuit.payloads[row.payload]
        return None if "I" in letters else Interaction(letters, angle, (ZERO_ROW, ZERO_ROW))
    if name in _ROTATIONS:
        return Interaction(_ROTATIONS[name], angle, (ZERO_ROW, ZERO_ROW))
    if name not in _CONTROLLED:
        return None
    half = add_rows(ZERO_ROW, angle, _HALF)
    control = half if name in _BOTH_TURN else ZERO_ROW
    return Interaction(_CONTROLLED[name], add_rows(ZERO_ROW, angle, -_HALF), (control, half))


@dataclass(frozen=True)
class Wires:
    """The gate ends of a circuit. ends: (gate, qubit) of every end; gate -1 for a qubit without any. places: for every
    end the gate in front of which the wire is cut, and the letters that pass there. real: whether circuit and readout
    are real."""

    circuit: Circuit
    rows: tuple[GateRow, ...]
    ends: tuple[tuple[int, int], ...]
    places: tuple[tuple[int, str], ...]
    problem: Problem
    real: bool = False


def wires_of(circuit: Circuit, node: Node, gate_cuts: bool = True) -> Wires:
    """The circuit of a readout with its possible cuts. gate_cuts: whether gates may be cut, which takes a measurement
    in the middle of a circuit."""
    rows = circuit.rows()
    held = letters_in_front(circuit, letters_of((node,), circuit.num_qubits), bits_read((node,)))
    real = is_real(circuit, node)
    everything = "IXZ" if real else "IXYZ"
    ends: list[tuple[int, int]] = []
    places: list[tuple[int, str]] = []
    of_wire: list[list[int]] = [[] for _ in range(circuit.num_qubits)]
    best: list[tuple[int, str] | None] = [None] * circuit.num_qubits
    joints: dict[int, list[int]] = {}
    for k, row in enumerate(rows):
        if row.opcode == _BARRIER:
            continue
        is_end = len(row.wires) > 1 or row.condition >= 0 or bool(row.clbits)
        for wire, letters in zip(row.wires, held[k], strict=True):
            letters = letters if len(letters) < 4 else everything
            known = best[wire]
            if known is None or len(letters) <= len(known[1]):
                best[wire] = (k, letters)
            if is_end:
                joints.setdefault(k, []).append(len(ends))
                of_wire[wire].append(len(ends))
                ends.append((k, wire))
                places.append(best[wire] or (k, letters))
                best[wire] = None
    for wire, own in enumerate(of_wire):
        if not own:
            own.append(len(ends))
            ends.append((-1, wire))
            places.append((-1, "I"))
    first = {own[0] for own in of_wire}
    cuts = tuple(None if k in first else _WIRE_CUTS[len(letters)] for k, (_, letters) in enumerate(places))
    gates = [Joint(tuple(own), _gate_cut(circuit, rows[k]) if gate_cuts else None) for k, own in joints.items()]
    problem = Problem(tuple(map(tuple, of_wire)), cuts, (*gates, *_tied_by_bits(rows, joints, circuit)))
    return Wires(circuit, tuple(rows), tuple(ends), tuple(places), problem, real)


def _gate_cut(circuit: Circuit, row: GateRow) -> GateCut | None:
    found = interaction(circuit, row)
    return None if found is None else GateCut((_OPERATIONS, _OPERATIONS), found.gamma)


def _tied_by_bits(rows: Sequence[GateRow], joints: dict[int, list[int]], circuit: Circuit) -> list[Joint]:
    """What writes or reads one classical bit stays together."""
    by_bit: dict[int, list[int]] = {}
    for k, row in enumerate(rows):
        read = bits_of(circuit.conditions[row.condition]) if row.condition >= 0 else ()
        for bit in dict.fromkeys((*row.clbits, *read)):
            by_bit.setdefault(bit, []).extend(joints[k])
    return [Joint(tuple(dict.fromkeys(own))) for own in by_bit.values() if len(own) > 1]


def is_real(circuit: Circuit, node: Node) -> bool:
    """Whether all gates and observables are real matrices, so that no odd number of Y has a value other than zero."""
    if isinstance(node.op, Expectation):
        letters = (letter for o in node.op.observables for term, _ in o.terms for letter, _ in term)
        if "Y" in letters:
            return False
    return all(_real_row(circuit, row) for row in circuit.rows())


def _real_row(circuit: Circuit, row: GateRow) -> bool:
    if row.opcode == _PAULI:
        return circuit.payloads[row.payload].count("Y") % 2 == 1
    if row.gate.real or row.gate.matrix is None:
        return True
    angles = [circuit.angles.row(k) for k in row.angles]
    return bool(angles) and len(angles) == 1 and row_is_multiple(angles[0], row.gate.period)
