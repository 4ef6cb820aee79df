"""Two-qubit blocks with unknown angles: fewest entangling gates with affine angles.

A block is a list of Pauli rotations followed by a Clifford gate. In a frame, that is after a Clifford gate F, rotation
P acts as F P F^-1, and where that is a Pauli letter on one qubit the rotation costs nothing. Up to one-qubit gates
there are 20 frames, and one CX leads from each to nine others. So the shortest circuit of this kind is a shortest path
from the start to the frame of the block's Clifford gate on which every rotation meets a frame where it is local, in an
order that its commutation relations allow: breadth first over (frame, rotations done). Heisenberg's rxx ryy rzz take
three CX this way, cx rz cx two, a controlled rotation on a qubit that is still |0> none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import product

import numpy as np

from ...ir.angles import ZERO_ROW, Row, add_rows, make_row, row_is_multiple
from ...ir.gates import GATES, OPCODES, pauli_matrix, rotation_matrix
from ..passes.gate_families import families
from .euler import Chain, angles_of, constant, emit, snapped
from .templates import Step, Template, substitute

LETTERS = tuple("".join(p) for p in product("IXYZ", repeat=2))
"""Code -> letters of a product, the first wire first; code 0 is the identity."""
_CODE = {letters: k for k, letters in enumerate(LETTERS)}
_MATRICES = np.array([pauli_matrix(letters) for letters in LETTERS])
_PAIRS = tuple(k for k, letters in enumerate(LETTERS) if "I" not in letters)
_LOCAL = tuple(k for k, letters in enumerate(LETTERS) if letters.count("I") == 1)
_COMMUTES = np.array([[np.allclose(a @ b, b @ a) for b in _MATRICES] for a in _MATRICES])
_CX, _SWAP, _PAULI = (OPCODES[n] for n in ("cx", "swap", "pauli"))
_SWAP_MATRIX = np.eye(4)[[0, 2, 1, 3]]
_MOST_STATES = 20_000
"""States that the search may visit for one block."""
_MOST_STRUCTURES = 4096
"""Structures of blocks whose circuits are remembered, for the next circuits too."""

Signature = tuple[frozenset[int], ...]

Signed = tuple[int, int]
"""(code, sign) of a Pauli product."""


def conjugate(frame: np.ndarray, code: int) -> Signed:
    """F P F^-1 of a Clifford matrix."""
    overlaps = np.einsum("kij,ji->k", _MATRICES, frame @ _MATRICES[code] @ frame.conj().T).real / 4
    found = int(np.abs(overlaps).argmax())
    return found, round(float(overlaps[found]))


@dataclass
class Rotation:
    """exp(-i angle/2 P); the angle is a form over the slots of the block."""

    code: int
    angle: Row


@dataclass
class Block:
    """Rotations in order of time, then a Clifford gate up to a phase; `phase` is the part of it that has slots."""

    rotations: list[Rotation]
    clifford: np.ndarray
    phase: Row


# Gates as rotations and Clifford gates


@cache
def _parts(opcode: int) -> tuple[tuple[tuple[str, Row] | np.ndarray, ...], Row]:
    """What a gate is made of in order of time, (letters, form over its own angles) or Clifford matrices, and its phase
    as a form (the constant part of it is left out)."""
    gate = GATES[opcode]
    half, quarter = Fraction(1, 2), Fraction(1, 4)

    def turn(letters: str, factor: Fraction | int = 1, angle: int = 0, fixed: Fraction | int = 0) -> tuple[str, Row]:
        return letters, make_row(fixed, 0.0, [(angle, float(factor))] if factor else [])

    def phase(*factors: Fraction) -> Row:
        return make_row(0, 0.0, [(k, float(f)) for k, f in enumerate(factors)])

    if gate.name == "u3":
        return (turn("Z", 1, 2), turn("Y", 1, 0), turn("Z", 1, 1)), phase(Fraction(0), half, half)
    if gate.name == "ch":
        cz = GATES[OPCODES["cz"]].matrix
        assert cz is not None
        tilt = Fraction(1, 4)
        return (turn("IY", 0, 0, -tilt), cz(), turn("IY", 0, 0, tilt)), ZERO_ROW
    if gate.name in ("crx", "cry", "crz"):
        letter = gate.axes[1]
        return (turn("I" + letter, half), turn("Z" + letter, -half)), ZERO_ROW
    if gate.name == "cp":
        return (turn("ZI", half), turn("IZ", half), turn("ZZ", -half)), phase(quarter)
    for family in families():
        if opcode in family.members and family.rotation:
            member = family.members[opcode]
            if gate.angles or not gate.clifford:
                return (turn(gate.axes, gate.angles, 0, member.turn),), phase(*[member.slope] * gate.angles)
    assert gate.matrix is not None
    return (gate.matrix(),), ZERO_ROW


def understood(opcode: int) -> bool:
    """Whether a gate of the table is rotations and Clifford gates on one or two qubits."""
    gate = GATES[opcode]
    return gate.name == "pauli" or (gate.matrix is not None and gate.qubits <= 2)


def block_of(gates: Sequence[Step]) -> Block:
    """The block of gates on wires 0 and 1 in order of time."""
    out = Block([], np.eye(4, dtype=complex), ZERO_ROW)
    for opcode, wires, angles, payload in gates:
        if opcode == _PAULI:
            _append(out, _on(wires, payload), angles[0])
            continue
        parts, phase = _parts(opcode)
        out.phase = add_rows(out.phase, _without_constant(substitute(phase, angles)))
        for part in parts:
            if isinstance(part, np.ndarray):
                out.clifford = _spread(part, wires) @ out.clifford
            else:
                _append(out, _on(wires, part[0]), substitute(part[1], angles))
    return out


def _without_constant(row: Row) -> Row:
    return (0, 1, 0.0, row[3])


def _on(wires: tuple[int, ...], letters: str) -> int:
    text = ["I", "I"]
    for wire, letter in zip(wires, letters, strict=True):
        text[wire] = letter
    return _CODE["".join(text)]


def _spread(matrix: np.ndarray, wires: tuple[int, ...]) -> np.ndarray:
    """A gate's matrix on both wires."""
    if wires == (0, 1):
        return matrix
    if wires == (1, 0):
        return _SWAP_MATRIX @ matrix @ _SWAP_MATRIX
    return np.kron(np.eye(2), matrix) if wires == (0,) else np.kron(matrix, np.eye(2))


def _append(block: Block, code: int, angle: Row) -> None:
    """One more rotation: a multiple of pi/2 joins the Clifford gate, an equal one that it can meet joins that."""
    if code == 0:
        block.phase = add_rows(block.phase, _without_constant(angle), Fraction(-1, 2))
        return
    if row_is_multiple(angle, Fraction(1, 2)):
        block.clifford = rotation_matrix(LETTERS[code], constant(angle)) @ block.clifford
        return
    code, sign = conjugate(block.clifford.conj().T, code)
    if sign < 0:
        angle = add_rows(ZERO_ROW, angle, -1)
    for k in range(len(block.rotations) - 1, -1, -1):
        other = block.rotations[k]
        if other.code == code:
            other.angle = add_rows(other.angle, angle)
            if row_is_multiple(other.angle, Fraction(2)):
                del block.rotations[k]
            return
        if not _COMMUTES[other.code, code]:
            break
    block.rotations.append(Rotation(code, angle))


def known_zeros(block: Block, zeros: tuple[bool, bool]) -> Block:
    """The block where wires are still in |0>: Z there is 1 for every rotation that can act first."""
    out = Block([], block.clifford, block.phase)
    for rotation in block.rotations:
        code, angle = rotation.code, rotation.angle
        first = all(_COMMUTES[code, other.code] for other in out.rotations)
        if first:
            text = ["I" if zero and p == "Z" else p for p, zero in zip(LETTERS[code], zeros, strict=True)]
            code = _CODE["".join(text)]
        if code == 0:
            out.phase = add_rows(out.phase, _without_constant(angle), Fraction(-1, 2))
        elif not first:
            out.rotations.append(Rotation(code, angle))
        elif out.rotations and out.rotations[0].code == code:
            out.rotations[0].angle = add_rows(out.rotations[0].angle, angle)
        else:
            out.rotations.insert(0, Rotation(code, angle))
    out.rotations = [r for r in out.rotations if not row_is_multiple(r.angle, Fraction(2))]
    return out


# Frames


@dataclass(frozen=True)
class Frames:
    """The 20 frames.

    local[f][code]: the rotation is local in frame f. steps[f]: (frame, product) of every other frame one CX away, which
    acts as exp(i pi/4 P) with P the product as seen from frame f. swapped[f]: the frame after a swap. matrices[f]: one
    of its Clifford gates, the first the identity.
    """

    local: tuple[tuple[bool, ...], ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]
    swapped: tuple[int, ...]
    matrices: tuple[np.ndarray, ...]
    numbers: dict[Signature, int]

    def of(self, clifford: np.ndarray) -> int:
        """The frame of a Clifford gate."""
        return self.numbers[_signature(clifford)]


def _signature(clifford: np.ndarray) -> Signature:
    """What a Clifford gate makes local on either qubit: one-qubit gates behind it do not change that."""
    back = clifford.conj().T
    return tuple(
        frozenset(conjugate(back, code)[0] for code in _LOCAL if LETTERS[code][wire] != "I") for wire in (0, 1)
    )


@cache
def frames() -> Frames:
    """All frames, the identity first, found by following CX-like gates exp(i pi/4 P)."""
    gates = {p: rotation_matrix(LETTERS[p], -np.pi / 2) for p in _PAIRS}
    matrices = [np.eye(4, dtype=complex)]
    numbers = {_signature(matrices[0]): 0}
    steps: list[tuple[tuple[int, int], ...]] = []
    at = 0
    while at < len(matrices):
        found: list[tuple[int, int]] = []
        for p, gate in gates.items():
            after = gate @ matrices[at]
            key = _signature(after)
            if key not in numbers:
                numbers[key] = len(matrices)
                matrices.append(after)
            found.append((numbers[key], conjugate(matrices[at].conj().T, p)[0]))
        steps.append(tuple(found))
        at += 1
    local = tuple(tuple(conjugate(m, code)[0] in _LOCAL for code in range(16)) for m in matrices)
    swapped = tuple(numbers[_signature(_SWAP_MATRIX @ m)] for m in matrices)
    return Frames(local, tuple(steps), swapped, tuple(matrices), numbers)


@cache
def free_starts(zeros: tuple[bool, bool]) -> tuple[tuple[int, np.ndarray], ...]:
    """(frame, Clifford gate in it that does nothing) where the wires marked in `zeros` are in |0>: the identity, and
    gates such as a CX whose control is |0>."""
    out = [(0, np.eye(4, dtype=complex))]
    if any(zeros):
        kept = [k for k in range(4) if not (zeros[0] and k & 1) and not (zeros[1] and k & 2)]
        for number, matrix in list(enumerate(frames().matrices))[1:]:
            undo = _undo(matrix[:, kept], kept)
            if undo is not None:
                out.append((number, undo @ matrix))
    return tuple(out)


def _undo(columns: np.ndarray, kept: list[int]) -> np.ndarray | None:
    """One-qubit Clifford gates after which `columns` are the unit vectors `kept` up to a phase; None without any."""
    moved = _local_cliffords() @ columns
    wanted = moved[:, kept[0], :1, None] * np.eye(4)[:, kept]
    fits = np.flatnonzero(np.abs(moved - wanted).max(axis=(1, 2)) < 1e-9)
    return _local_cliffords()[fits[0]] if len(fits) else None


@cache
def _local_cliffords() -> np.ndarray:
    """All pairs of one-qubit Clifford gates as matrices, (576, 4, 4)."""
    return np.array([np.kron(high, low) for low, high in product(_cliffords(), repeat=2)])


@cache
def _cliffords() -> tuple[np.ndarray, ...]:
    """The 24 one-qubit Clifford gates."""
    turns = [rotation_matrix(letter, k * np.pi / 2) for letter in "XYZ" for k in range(4)]
    found: list[np.ndarray] = []
    for a, b in product(turns, repeat=2):
        gate = a @ b
        if not any(abs(abs(np.trace(gate.conj().T @ other)) - 2) < 1e-9 for other in found):
            found.append(gate)
    return tuple(found)


# The search

Move = tuple[str, int]
"""("turn", rotation) where it is local; ("step", product) one CX; ("rotate", rotation) as a gate on both qubits."""


@dataclass(frozen=True)
class Path:
    """What to do in order from a free start; `swap`: the circuit ends in a swap that was not counted."""

    cost: int
    start: np.ndarray
    moves: tuple[Move, ...]
    swap: bool


def shortest(
    block: Block, limit: int, zeros: tuple[bool, bool] = (False, False), rotation_cost: int = 2, swaps: bool = False
) -> Path | None:
    """The cheapest path of at most `limit` entangling gates; None where there is none.

    rotation_cost: what a rotation about a pair of letters costs as a gate of its own, 2 where it has to be made of CX.
    swaps: whether a swap at the end is free.
    """
    table = frames()
    codes = [r.code for r in block.rotations]
    before = [sum(1 << i for i in range(k) if not _COMMUTES[codes[i], codes[k]]) for k in range(len(codes))]
    everything = (1 << len(codes)) - 1
    target = table.of(block.clifford)
    ends = {target: False} | ({table.swapped[target]: True} if swaps else {})

    def settle(frame: int, done: int) -> tuple[int, tuple[Move, ...]]:
        """All rotations that are local now."""
        moves: list[Move] = []
        local = table.local[frame]
        for k, code in enumerate(codes):
            if local[code] and not done >> k & 1 and before[k] & ~done == 0:
                done |= 1 << k
                moves.append(("turn", k))
        return done, tuple(moves)

    waiting: list[list[tuple[int, int, np.ndarray, tuple[Move, ...]]]] = [[] for _ in range(limit + 1)]
    for frame, start in free_starts(zeros):
        done, moves = settle(frame, 0)
        waiting[0].append((frame, done, start, moves))
    seen: set[tuple[int, int]] = set()
    for cost in range(limit + 1):
        for frame, done, start, moves in waiting[cost]:
            if (frame, done) in seen:
                continue
            seen.add((frame, done))
            if done == everything and frame in ends:
                return Path(cost, start, moves, ends[frame])
            if len(seen) > _MOST_STATES:
                return None
            if cost + rotation_cost <= limit:
                for k in range(len(codes)):
                    if not done >> k & 1 and before[k] & ~done == 0:
                        after, more = settle(frame, done | 1 << k)
                        waiting[cost + rotation_cost].append((frame, after, start, (*moves, ("rotate", k), *more)))
            if cost + 1 <= limit:
                for next_frame, p in table.steps[frame]:
                    after, more = settle(next_frame, done)
                    waiting[cost + 1].append((next_frame, after, start, (*moves, ("step", p), *more)))
    return None


# Paths as gates


class _Drawing:
    """The gates of a path, one-qubit gates between two entangling ones joined."""

    def __init__(self, frame: np.ndarray) -> None:
        self.frame = frame
        self.chains = [Chain(), Chain()]
        self.steps: list[Step] = []
        self.phase = ZERO_ROW

    def turn(self, wire: int, letter: str, angle: Row) -> None:
        self.chains[wire].turn(letter, angle)

    def clifford(self, wire: int, letter: str, quarters: int) -> None:
        """A turn by quarters * pi/2 that changes the frame."""
        if quarters:
            turn = make_row(Fraction(quarters, 2))
            self.turn(wire, letter, turn)
            self.frame = _spread(rotation_matrix(letter, quarters * np.pi / 2), (wire,)) @ self.frame

    def flush(self) -> None:
        for wire, chain in enumerate(self.chains):
            made = emit(chain, "u3")
            self.phase = add_rows(self.phase, made.phase)
            self.steps += [step._replace(wires=(wire,)) for step in made.steps]
        self.chains = [Chain(), Chain()]

    def move(self, block: Block, kind: str, k: int) -> None:
        if kind == "step":
            self._cx(LETTERS[conjugate(self.frame, k)[0]])
            return
        rotation = block.rotations[k]
        code, sign = conjugate(self.frame, rotation.code)
        angle = rotation.angle if sign > 0 else add_rows(ZERO_ROW, rotation.angle, -1)
        letters = LETTERS[code]
        if kind == "turn":
            wire = 0 if letters[0] != "I" else 1
            self.turn(wire, letters[wire], angle)
        else:
            self._rotate(letters, angle)

    def _cx(self, letters: str) -> None:
        """The CX in the frame where the product `letters` is ZX (control wire 0) or XZ, whichever needs fewer turns."""
        forward = (letters[0] != "Z") + (letters[1] != "X")
        control = 0 if forward <= (letters[1] != "Z") + (letters[0] != "X") else 1
        self._to_z(control, letters[control])
        self._to_x(1 - control, letters[1 - control])
        self._entangle(_CX, (control, 1 - control))

    def _rotate(self, letters: str, angle: Row) -> None:
        name = f"r{letters.lower()}"
        if letters[0] != letters[1]:
            # The turns that bring both letters to Z change the sign of neither.
            self._to_z(0, letters[0])
            self._to_z(1, letters[1])
            name = "rzz"
        self.flush()
        self.steps.append(Step(OPCODES[name], (0, 1), (angle,)))

    def _to_z(self, wire: int, letter: str) -> None:
        self.clifford(wire, {"X": "Y", "Y": "X", "Z": "Z"}[letter], {"X": -1, "Y": 1, "Z": 0}[letter])

    def _to_x(self, wire: int, letter: str) -> None:
        self.clifford(wire, {"Z": "Y", "Y": "Z", "X": "X"}[letter], {"Z": 1, "Y": -1, "X": 0}[letter])

    def _entangle(self, opcode: int, wires: tuple[int, int]) -> None:
        self.flush()
        matrix = GATES[opcode].matrix
        assert matrix is not None
        self.steps.append(Step(opcode, wires))
        self.frame = _spread(matrix(), wires) @ self.frame


def draw(block: Block, path: Path) -> Template:
    """The gates of a path; the phase is right up to a constant."""
    drawing = _Drawing(path.start)
    for kind, k in path.moves:
        drawing.move(block, kind, k)
    rest = block.clifford @ drawing.frame.conj().T
    if path.swap:
        rest = _SWAP_MATRIX @ rest
    low, high = _factors(rest)
    for wire, matrix in enumerate((low, high)):
        theta, phi, lam, _ = (snapped(v) for v in angles_of(matrix).tolist())
        drawing.turn(wire, "Z", lam)
        drawing.turn(wire, "Y", theta)
        drawing.turn(wire, "Z", phi)
    drawing.flush()
    if path.swap:
        drawing.steps.append(Step(_SWAP, (0, 1)))
    return Template(tuple(drawing.steps), add_rows(drawing.phase, block.phase))


def _factors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A tensor product as the factors of wires 0 and 1, up to a phase."""
    overlaps = np.abs(np.einsum("kij,ij->k", _local_cliffords().conj(), matrix))
    found = int(overlaps.argmax())
    if abs(overlaps[found] - 4) > 1e-9:
        raise ArithmeticError("not two one-qubit Clifford gates")
    low, high = divmod(found, len(_cliffords()))
    return _cliffords()[low], _cliffords()[high]


def matrix_of(steps: Sequence[Step], values: Sequence[float]) -> np.ndarray:
    """The matrix (4, 4) of gates on wires 0 and 1 for values of the slots."""
    out = np.eye(4, dtype=complex)
    for opcode, wires, angles, payload in steps:
        bound = [evaluated(form, values) for form in angles]
        if payload:
            matrix = rotation_matrix(payload, *bound)
        else:
            make = GATES[opcode].matrix
            assert make is not None
            matrix = make(*bound)
        out = (_spread(matrix, wires) if wires else matrix[0, 0] * np.eye(4)) @ out
    return out


def evaluated(form: Row, values: Sequence[float]) -> float:
    """The form for values of its variables."""
    return form[0] / form[1] * np.pi + form[2] + sum(c * values[k] for k, c in form[3])


@dataclass(frozen=True)
class Resynthesis:
    """A cheaper circuit of a block, and what it costs."""

    template: Template
    cost: int


def resynthesise(
    steps: Sequence[Step],
    slots: int,
    limit: int,
    zeros: tuple[bool, bool] = (False, False),
    rotation_cost: int = 2,
    swaps: bool = False,
) -> Resynthesis | None:
    """The cheapest circuit with affine angles for gates on wires 0 and 1, phase included; None above `limit`.

    slots: how many there are. Other arguments as for `shortest`. Where a wire is in |0>, equal only from there.
    """
    return _resynthesised(tuple(steps), slots, limit, zeros, rotation_cost, swaps)


@lru_cache(_MOST_STRUCTURES)
def _resynthesised(
    steps: tuple[Step, ...], slots: int, limit: int, zeros: tuple[bool, bool], rotation_cost: int, swaps: bool
) -> Resynthesis | None:
    block = known_zeros(block_of(steps), zeros) if any(zeros) else block_of(steps)
    path = shortest(block, limit, zeros, rotation_cost, swaps)
    if path is None:
        return None
    template = draw(block, path)
    values = np.random.default_rng(7).uniform(-3, 3, slots).tolist()
    kept = [k for k in range(4) if not (zeros[0] and k & 1) and not (zeros[1] and k & 2)]
    wanted, made = (matrix_of(s, values)[:, kept] for s in (steps, template.steps))
    angle = np.angle(np.vdot(made, wanted)) - evaluated(template.phase, values)
    found = Template(template.steps, add_rows(template.phase, snapped((angle + np.pi) % (2 * np.pi) - np.pi)))
    error = np.abs(wanted - np.exp(1j * evaluated(found.phase, values)) * made).max()
    if error > 1e-9:
        raise ArithmeticError(f"a resynthesised block is off by {error}")
    return Resynthesis(found, path.cost)
