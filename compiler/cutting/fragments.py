"""The fragments that a choice of cuts leaves, and the circuits that are run for each.

Every cut joins fragments by a *bond* of four numbers or fewer. For a wire they are the Pauli letters that pass: the
fragment in front measures them, the one behind is started in as many states. For a gate exp(-i angle/2 P x Q) they are
the maps rho, P rho P, -i [P, rho] and {P, rho}/2 on one qubit: the first three are a combination of three turns about
P, the last is a measurement of P whose outcome is multiplied to what is read (Mitarai and Fujii, arXiv 1909.07534).
In a real circuit three settings do: a turn by t about X or Z and one by -t give the same, and a measured Y gives zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ...ir import Circuit
from ...ir.angles import ZERO_ROW, Row, add_rows
from ...ir.circuit import AngleInput, CircuitEditor, GateRow
from ...ir.conditions import Condition, bits_of
from ...ir.gates import OPCODES
from .wires import Interaction, Wires, interaction

_BARRIER = OPCODES["barrier"]
SETTINGS = "cut"
"""The name of the angle input that a fragment has for its states, turns and bases, where it is free."""
_TURN = {"X": "rx", "Y": "ry", "Z": "rz"}
_TO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
_FROM_Z = {"X": ("h",), "Y": ("h", "s"), "Z": ()}


@dataclass(frozen=True)
class Bond:
    """One cut. letters: what passes a cut wire ("IZ", "IXZ", "IXYZ"); for a gate its interaction, and "" for letters.

    fragments: in front of and behind the wire, or of the gate's two qubits. place: the gate that is cut, or in front of
    which the wire is. wire: the qubit that is cut there, -1 for a gate. real: whether circuit and readout are, and no
    other way joins what a cut gate joins.
    """

    fragments: tuple[int, int]
    letters: str
    gate: Interaction | None
    place: int
    wire: int = -1
    real: bool = False

    @property
    def size(self) -> int:
        return 4 if self.gate is not None else len(self.letters)

    def is_even(self, side: int) -> bool:
        """Whether turns of a cut gate by t and -t give the same at this end."""
        return self.real and self.gate is not None and self.gate.letters[side] != "Y"

    def is_measured(self, side: int) -> bool:
        """Whether the measurement of a cut gate's letter at this end gives anything but zero."""
        return not self.real or self.is_even(side)


@dataclass(frozen=True)
class Leg:
    """One end of a bond in a fragment. kind: "out" and "in" of a wire, "turn" of a gate. side: 0 or 1 of the bond."""

    bond: int
    kind: str
    side: int


@dataclass
class Fragment:
    """A part of the circuit on its own qubits.

    steps: its gates, and its legs where they stand (with the qubit). qubit_of: qubit of the whole circuit -> the
    fragment's, for those whose last stretch it holds. bit_of: classical bits likewise. outs: leg -> its qubit.
    """

    width: int = 0
    steps: list[tuple[GateRow | Leg | Row, tuple[int, ...], str]] = field(default_factory=list)
    qubit_of: dict[int, int] = field(default_factory=dict)
    bit_of: dict[int, int] = field(default_factory=dict)
    legs: list[Leg] = field(default_factory=list)
    outs: dict[Leg, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cutting:
    """A circuit in fragments, and the bonds between them."""

    wires: Wires
    fragments: tuple[Fragment, ...]
    bonds: tuple[Bond, ...]


def cut(wires: Wires, fragment_of: Sequence[int]) -> Cutting:
    """The fragments of a circuit whose end k belongs to fragment `fragment_of[k]`."""
    work = _Cutter(wires, fragment_of)
    work.run()
    bonds = [_as_real(bond, work.bonds, k, wires.real) for k, bond in enumerate(work.bonds)]
    return Cutting(wires, tuple(work.fragments), tuple(bonds))


def _as_real(bond: Bond, bonds: Sequence[Bond], number: int, real: bool) -> Bond:
    """In a real circuit Y, and what is odd of a gate, passes in pairs alone: where another way joins the same parts."""
    if bond.letters == "IXZ" and _joined_otherwise(bond, bonds, number):
        return replace(bond, letters="IXYZ")
    if bond.gate is not None and real and not _joined_otherwise(bond, bonds, number):
        return replace(bond, real=True)
    return bond


def _joined_otherwise(bond: Bond, bonds: Sequence[Bond], number: int) -> bool:
    """Whether other bonds, through which Y or a gate's maps may pass, join the fragments of this one."""
    others = [b for k, b in enumerate(bonds) if k != number and (b.gate is not None or len(b.letters) > 2)]
    reached, waiting = {bond.fragments[0]}, [bond.fragments[0]]
    while waiting:
        at = waiting.pop()
        for other in others:
            if at in other.fragments:
                near = other.fragments[1 - other.fragments.index(at)]
                if near not in reached:
                    reached.add(near)
                    waiting.append(near)
    return bond.fragments[1] in reached


class _Cutter:
    """Goes through the gates once; `at` holds the fragment and the qubit in it where every wire is now."""

    def __init__(self, wires: Wires, fragment_of: Sequence[int]) -> None:
        self.wires = wires
        self.fragments = [Fragment() for _ in range(max(fragment_of) + 1)]
        self.bonds: list[Bond] = []
        self.at: list[tuple[int, int]] = []
        self.label = {end: fragment_of[k] for k, end in enumerate(wires.ends)}
        self.moves: dict[tuple[int, int], tuple[int, str]] = {}
        """(gate, wire) -> the fragment that the wire goes to in front of the gate, and the letters that pass"""
        for wire, own in enumerate(wires.problem.wires):
            self.at.append(self._start(fragment_of[own[0]]))
            for before, after in pairwise(own):
                if fragment_of[before] != fragment_of[after]:
                    row, letters = wires.places[after]
                    self.moves[row, wire] = (fragment_of[after], letters)

    def _start(self, fragment: int) -> tuple[int, int]:
        part = self.fragments[fragment]
        part.width += 1
        return fragment, part.width - 1

    def run(self) -> None:
        for k, row in enumerate(self.wires.rows):
            for wire in row.wires:
                if (k, wire) in self.moves:
                    self._cut_wire(k, wire, *self.moves[k, wire])
            self._place(k, row)
        for wire, (fragment, qubit) in enumerate(self.at):
            self.fragments[fragment].qubit_of[wire] = qubit
        # Bits that nothing writes are 0 anywhere.
        known = {bit for part in self.fragments for bit in part.bit_of}
        for bit in sorted(set(range(self.wires.circuit.num_clbits)) - known):
            self.fragments[0].bit_of[bit] = len(self.fragments[0].bit_of)

    def _cut_wire(self, k: int, wire: int, after: int, letters: str) -> None:
        before, qubit = self.at[wire]
        self.at[wire] = (after, new) = self._start(after)
        if letters == "I":
            return
        self._leg(before, Leg(len(self.bonds), "out", 0), qubit, "")
        self._leg(after, Leg(len(self.bonds), "in", 1), new, "")
        self.bonds.append(Bond((before, after), letters, None, k, wire))

    def _leg(self, fragment: int, leg: Leg, qubit: int, letter: str) -> None:
        part = self.fragments[fragment]
        part.legs.append(leg)
        part.steps.append((leg, (qubit,), letter))
        if leg.kind == "out":
            part.outs[leg] = qubit

    def _place(self, k: int, row: GateRow) -> None:
        here = [self.at[w] for w in row.wires]
        owners = list(dict.fromkeys(fragment for fragment, _ in here))
        if row.opcode == _BARRIER:
            for owner in owners:
                self.fragments[owner].steps.append((row, tuple(q for f, q in here if f == owner), ""))
        elif len(owners) <= 1:
            self._keep(row, owners[0] if owners else 0, tuple(q for _, q in here))
        else:
            self._cut_gate(k, row, here)

    def _keep(self, row: GateRow, fragment: int, qubits: tuple[int, ...]) -> None:
        part = self.fragments[fragment]
        part.steps.append((row, qubits, ""))
        read = bits_of(self.wires.circuit.conditions[row.condition]) if row.condition >= 0 else ()
        for bit in (*row.clbits, *read):
            part.bit_of.setdefault(bit, len(part.bit_of))

    def _cut_gate(self, k: int, row: GateRow, here: Sequence[tuple[int, int]]) -> None:
        found = interaction(self.wires.circuit, row)
        assert found is not None
        for side, ((fragment, qubit), letter) in enumerate(zip(here, found.letters, strict=True)):
            if found.turns[side][3]:
                self.fragments[fragment].steps.append((found.turns[side], (qubit,), letter))
            self._leg(fragment, Leg(len(self.bonds), "turn", side), qubit, letter)
        self.bonds.append(Bond((here[0][0], here[1][0]), "", found, k))


@dataclass(frozen=True)
class Runnable:
    """One circuit of a fragment. axes: for every leg that has settings, and "basis" where bases have, the columns of
    the settings that it owns. signs: leg -> the classical bit of its measurement; read: qubit -> its classical bit."""

    circuit: Circuit
    arrays: tuple[int, ...]
    columns: dict[Leg | str, tuple[int, ...]]
    signs: dict[Leg, int]
    read: dict[int, int]
    bit_of: dict[int, int]


def arrays_of(cutting: Cutting, number: int) -> tuple[int, ...]:
    """Numbers of the angle inputs that the gates of a fragment depend on."""
    circuit = cutting.wires.circuit
    owner = [k for k, array in enumerate(circuit.inputs) for _ in range(array.size)]
    rows: list[Row] = []
    for step, _, _ in cutting.fragments[number].steps:
        if isinstance(step, GateRow):
            rows += [circuit.angles.row(a) for a in step.angles]
        elif not isinstance(step, Leg):
            rows.append(step)
    return tuple(sorted({owner[v] for row in rows for v, _ in row[3]}))


def runnable(
    cutting: Cutting,
    number: int,
    name: str,
    arrays: tuple[int, ...],
    measured: frozenset[Leg],
    turned: Sequence[int],
    fixed: Sequence[tuple[int, str]],
    into_bits: bool,
) -> Runnable:
    """The circuit of fragment `number` in which the gate legs `measured` are measured and the others turned.

    arrays: numbers of its angle inputs. turned: qubits whose basis at the end is a setting; fixed: (qubit, letter) of
    others that are read. into_bits: whether all of these are measured into classical bits at the end.
    """
    return _Writer(cutting, number, name, arrays, measured).finish(turned, fixed, into_bits)


class _Writer:
    def __init__(
        self, cutting: Cutting, number: int, name: str, arrays: tuple[int, ...], measured: frozenset[Leg]
    ) -> None:
        self.cutting, self.measured, self.name = cutting, measured, name
        self.whole = cutting.wires.circuit
        self.part = cutting.fragments[number]
        self.arrays = arrays
        self.first: dict[int, int] = {}
        """Variable of the whole circuit -> that of the fragment"""
        at = 0
        for k, array in enumerate(self.whole.inputs):
            start = self.whole.first_variable(array.name)
            if k in self.arrays:
                self.first |= {start + i: at + i for i in range(array.size)}
                at += array.size
        self.settings = at
        self.columns: dict[Leg | str, tuple[int, ...]] = {}
        self.count = 0
        self.signs: dict[Leg, int] = {}
        self.bits = len(self.part.bit_of)
        self.gates: list[tuple[str, tuple[int, ...], dict]] = []
        for step, qubits, letter in self.part.steps:
            self._step(step, qubits, letter)

    def _step(self, step: GateRow | Leg | Row, qubits: tuple[int, ...], letter: str) -> None:
        if isinstance(step, GateRow):
            self._gate(step, qubits)
        elif not isinstance(step, Leg):
            self._add(_TURN[letter], qubits, angles=(self._moved(step),))
        elif step.kind == "in":
            self._start(step, qubits)
        elif step.kind == "turn" and step in self.measured:
            self._measure(step, qubits, letter)
        elif step.kind == "turn":
            self._add(_TURN[letter], qubits, angles=self._setting(step, 1))

    def _add(self, gate: str, qubits: tuple[int, ...], **more: object) -> None:
        self.gates.append((gate, qubits, dict(more)))

    def _setting(self, owner: Leg | str, count: int) -> tuple[Row, ...]:
        columns = tuple(range(self.count, self.count + count))
        self.count += count
        self.columns[owner] = self.columns.get(owner, ()) + columns
        return tuple((0, 1, 0.0, ((self.settings + c, 1.0),)) for c in columns)

    def _start(self, leg: Leg, qubits: tuple[int, ...]) -> None:
        """A state: turned from |0> about Y, and about Z where it leaves the plane of X and Z."""
        letters = self.cutting.bonds[leg.bond].letters
        for gate, angle in zip(("ry", "rz"), self._setting(leg, 2 if "Y" in letters else 1), strict=False):
            self._add(gate, qubits, angles=(angle,))

    def _measure(self, leg: Leg, qubits: tuple[int, ...], letter: str) -> None:
        self.signs[leg] = self._into_bit(qubits[0], letter)
        for gate in _FROM_Z[letter]:
            self._add(gate, qubits)

    def _into_bit(self, qubit: int, letter: str) -> int:
        for gate in _TO_Z[letter]:
            self._add(gate, (qubit,))
        self._add("measure", (qubit,), clbits=(self.bits,))
        self.bits += 1
        return self.bits - 1

    def _gate(self, row: GateRow, qubits: tuple[int, ...]) -> None:
        whole = self.whole
        more: dict[str, object] = {"angles": tuple(self._moved(whole.angles.row(a)) for a in row.angles)}
        more["clbits"] = tuple(self.part.bit_of[b] for b in row.clbits)
        more["pauli"] = whole.payloads[row.payload] if row.payload >= 0 else None
        more["condition"] = self._condition(whole.conditions[row.condition]) if row.condition >= 0 else None
        more["location"] = whole.locations[row.location]
        self._add(row.gate.name, qubits, **more)

    def _moved(self, row: Row) -> Row:
        return (*row[:3], tuple((self.first[v], c) for v, c in row[3]))

    def _condition(self, condition: Condition) -> Condition:
        if condition[0] == "bit":
            return ("bit", self.part.bit_of[condition[1]])
        return (condition[0], *(self._condition(part) for part in condition[1:]))

    def finish(self, turned: Sequence[int], fixed: Sequence[tuple[int, str]], into_bits: bool) -> Runnable:
        for qubit in turned:
            for gate, angle in zip(("rz", "ry"), self._setting("basis", 2), strict=True):
                self._add(gate, (qubit,), angles=(angle,))
        read: dict[int, int] = {}
        if into_bits:
            read = {q: self._into_bit(q, letter) for q, letter in (*((q, "Z") for q in turned), *fixed)}
        else:
            for qubit, letter in fixed:
                for gate in _TO_Z[letter]:
                    self._add(gate, (qubit,))
        inputs = [self.whole.inputs[k] for k in self.arrays]
        if self.count:
            inputs.append(AngleInput(self._free_name(), (self.count,)))
        editor = CircuitEditor(self.name, self.part.width, self.bits, inputs, self.whole.place)
        for gate, qubits, more in self.gates:
            editor.add(gate, qubits, more.pop("angles", ()), **more)
        return Runnable(editor.circuit(), self.arrays, self.columns, self.signs, read, self.part.bit_of)

    def _free_name(self) -> str:
        taken = {array.name for array in self.whole.inputs}
        name = SETTINGS
        while name in taken:
            name += "_"
        return name


def constant_turn(bond: Bond, side: int) -> Row:
    """The constant part of the turn that belongs to one end of a cut gate; what depends on inputs is a gate."""
    assert bond.gate is not None
    turn = bond.gate.turns[side]
    return ZERO_ROW if turn[3] else add_rows(ZERO_ROW, turn)
