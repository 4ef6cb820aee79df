"""Grouping primitives into a few passes over the state, and the order of the state's axes between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .statevector_lowering import Fixed, Lowered, Phase, Primitive, Turn

WIDEST_DENSE = 6
"""Most qubits of one dense matrix: beyond, the arithmetic costs more than the passes it saves."""
WIDEST_DIAGONAL = 6
"""Most qubits of one diagonal, whose 2^m phases are computed for every sample."""
WIDEST_MONOMIAL = 14
"""Most qubits of a circuit that uses monomial steps, whose tables have a row for each basis state."""
_STEP_COST = 200_000.0
"""What the calls of one step cost, in units of one complex multiply-add of a large matrix product."""
_PASS_COST = {"dense": 10.0, "diagonal": 5.0, "monomial": 5.0}
"""What reading and writing the state costs, in the same units an amplitude."""
_NARROW = 32
"""Fewest columns with which a batched matrix product is not slower than moving its axes to the front."""


@dataclass
class Step:
    """One pass over the state by the gates of `primitives` in order.

    kind: "dense", a matrix on `qubits` made of fixed gates and turns; "diagonal", phases; or "monomial", any number of
    fixed gates that only permute basis states and give them phases, such as x, cx, cz and swap.
    """

    kind: str
    qubits: set[int] = field(default_factory=set)
    primitives: list[Primitive] = field(default_factory=list)


@dataclass(frozen=True)
class Move:
    """How one step meets the state, an array of 2^n rows and one column a sample.

    Before it, the rows are viewed as `shape` and their axes permuted by `order` (empty: left as they are). The step's
    qubits are then `qubits`, most significant first (of a monomial step: all). A dense step multiplies the middle axis
    of (before, 2^k, after); a diagonal is broadcast as `broadcast` over `view` (one entry an axis, without the column).
    """

    qubits: tuple[int, ...]
    shape: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    before: int = 1
    after: int = 1
    view: tuple[int, ...] = ()
    broadcast: tuple[int, ...] = ()

    @property
    def moved_shape(self) -> tuple[int, ...]:
        """The shape of the rows once they are permuted."""
        return tuple(self.shape[k] for k in self.order)

    @property
    def inverse_order(self) -> tuple[int, ...]:
        return tuple(int(k) for k in np.argsort(self.order))


def schedule(lowered: Lowered, columns: int) -> list[Step]:
    """The cheapest of a few ways to group the body: by the width of dense steps, with and without monomial ones."""
    n = lowered.num_qubits
    widest = max((len(p.qubits) for p in lowered.body if not isinstance(p, Phase)), default=1)
    limits = range(min(max(widest, 2), n), min(max(WIDEST_DENSE, widest), n) + 1)
    modes = (False, True) if n <= WIDEST_MONOMIAL else (False,)
    candidates = [_greedy(lowered.body, n, limit, mode) for limit in limits for mode in modes]
    return min(candidates, key=lambda steps: sum(_cost(s, columns << n) for s in steps), default=[])


def _cost(step: Step, amplitudes: int) -> float:
    cost = _STEP_COST + _PASS_COST[step.kind] * amplitudes
    if step.kind == "dense":
        size = 1 << len(step.qubits)
        turns = sum(isinstance(p, Turn) for p in step.primitives)
        cost += size * amplitudes + turns / len(step.qubits) * size**3
    return cost


def _greedy(body: Sequence[Primitive], num_qubits: int, limit: int, monomials: bool) -> list[Step]:
    """Each primitive joins the earliest step that it may commute back to and that has room for its qubits."""
    steps: list[Step] = []
    last = [-1] * num_qubits
    first_open = 0
    for primitive in body:
        qubits = primitive.qubits
        kind = "diagonal" if isinstance(primitive, Phase) else "dense"
        room = limit if kind == "dense" else min(WIDEST_DIAGONAL, num_qubits)
        at = max(max(last[q] for q in qubits), first_open)
        if monomials and len(qubits) > 1 and isinstance(primitive, Fixed) and is_monomial(primitive.matrix):
            inside = at < len(steps) and steps[at].kind == "dense" and steps[at].qubits.issuperset(qubits)
            kind, room = ("dense", limit) if inside else ("monomial", num_qubits)
        while at < len(steps):
            if steps[at].kind == kind and len(steps[at].qubits.union(qubits)) <= room:
                break
            at += 1
        else:
            steps.append(Step(kind))
            first_open = max(0, len(steps) - 4 * num_qubits)
        steps[at].qubits.update(qubits)
        steps[at].primitives.append(primitive)
        for qubit in qubits:
            last[qubit] = max(last[qubit], at)
    return steps


def is_monomial(matrix: np.ndarray) -> bool:
    """Whether the matrix has one entry in each row and column."""
    filled = matrix != 0
    return bool((filled.sum(0) == 1).all() and (filled.sum(1) == 1).all())


def monomial(step: Step, layout: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(source, phases) of a monomial step: row i of the result is phases[i] times row source[i]."""
    n = len(layout)
    bit = {qubit: n - 1 - k for k, qubit in enumerate(layout)}
    rows = np.arange(1 << n)
    source, phases = rows, np.ones(1 << n, complex)
    for gate in step.primitives:
        assert isinstance(gate, Fixed)
        # Row r of this gate reads row `before` of the state so far.
        local = sum((rows >> bit[q] & 1) << k for k, q in enumerate(gate.qubits))
        column = np.argmax(gate.matrix != 0, axis=1)
        clear = rows & ~sum(1 << bit[q] for q in gate.qubits)
        before = clear + sum((column[local] >> k & 1) << bit[q] for k, q in enumerate(gate.qubits))
        phases = gate.matrix[local, column[local]] * phases[before]
        source = source[before]
    return source, phases


def lay_out(steps: Sequence[Step], num_qubits: int, columns: int) -> tuple[list[Move], tuple[int, ...]]:
    """How each step meets the state, and the qubits of the rows at the end, most significant first.

    At the start the most significant row bit is the last qubit. `columns` is the number of samples, or a bound below.
    """
    layout = tuple(reversed(range(num_qubits)))
    moves: list[Move] = []
    for step in steps:
        if step.kind == "diagonal":
            moves.append(_meet_diagonal(step.qubits, layout))
            continue
        if step.kind == "monomial":
            moves.append(Move(layout))
            continue
        inside = tuple(q for q in layout if q in step.qubits)
        start = layout.index(inside[0])
        after = num_qubits - start - len(inside)
        adjacent = layout[start : start + len(inside)] == inside
        if adjacent and (start == 0 or (columns << after) >= _NARROW):
            moves.append(Move(inside, before=1 << start, after=1 << after))
            continue
        shape, order, layout = _to_front(layout, inside)
        moves.append(Move(inside, shape, order, 1, 1 << (num_qubits - len(inside))))
    return moves, layout


def _runs(layout: tuple[int, ...], chosen: set[int]) -> list[tuple[bool, int]]:
    """Neighbouring axes joined: (whether they are chosen, how many)."""
    runs: list[tuple[bool, int]] = []
    for qubit in layout:
        inside = qubit in chosen
        if runs and runs[-1][0] == inside:
            runs[-1] = (inside, runs[-1][1] + 1)
        else:
            runs.append((inside, 1))
    return runs


def _to_front(
    layout: tuple[int, ...], inside: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    runs = _runs(layout, set(inside))
    order = [k for k, (chosen, _) in enumerate(runs) if chosen] + [
        k for k, (chosen, _) in enumerate(runs) if not chosen
    ]
    rest = tuple(q for q in layout if q not in inside)
    return tuple(1 << count for _, count in runs), tuple(order), inside + rest


def _meet_diagonal(qubits: set[int], layout: tuple[int, ...]) -> Move:
    runs = _runs(layout, qubits)
    return Move(
        tuple(q for q in layout if q in qubits),
        view=tuple(1 << count for _, count in runs),
        broadcast=tuple(1 << count if chosen else 1 for chosen, count in runs),
    )


@dataclass
class Factor:
    """One factor of a dense step's matrix.

    With `turn`, the matrix is that turn's parts (3, 2^k, 2^k); without, it is `left` times the tensor product of one
    2x2 matrix a place (0: most significant), each the product of the run of one-qubit gates in `runs`.
    """

    left: np.ndarray
    runs: dict[int, list[Fixed | Turn]] = field(default_factory=dict)
    turn: Turn | None = None
    parts: np.ndarray | None = None
    closed: set[int] = field(default_factory=set)


def factors(step: Step, order: tuple[int, ...]) -> list[Factor]:
    """The factors of a dense step in order of time, on the qubits `order`, most significant first."""
    size = 1 << len(order)
    position = {qubit: k for k, qubit in enumerate(reversed(order))}
    place = {qubit: k for k, qubit in enumerate(order)}
    out = [Factor(np.eye(size, dtype=complex))]
    for primitive in step.primitives:
        assert not isinstance(primitive, Phase)
        last = out[-1]
        if len(primitive.qubits) == 1 and primitive.qubits[0] not in last.closed:
            last.runs.setdefault(place[primitive.qubits[0]], []).append(primitive)
        elif isinstance(primitive, Fixed):
            at = [position[q] for q in primitive.qubits]
            if last.parts is not None:
                last.parts = np.stack([embed(primitive.matrix, at, part) for part in last.parts])
            else:
                last.left = embed(primitive.matrix, at, last.left)
            last.closed.update(primitive.qubits)
        elif len(primitive.qubits) == 1:
            out.append(Factor(np.eye(size, dtype=complex), {place[primitive.qubits[0]]: [primitive]}))
        else:
            at = [position[q] for q in primitive.qubits]
            parts = np.stack([embed(part, at, np.eye(size, dtype=complex)) for part in primitive.parts])
            out.append(Factor(np.eye(size, dtype=complex), turn=primitive, parts=parts, closed=set(order)))
    return out[1:] if not out[0].runs and not out[0].closed and len(out) > 1 else out


def embed(matrix: np.ndarray, positions: Sequence[int], onto: np.ndarray) -> np.ndarray:
    """The matrix, on row bits `positions` (its own least significant first), times `onto` of shape (2^k, columns)."""
    m, k = len(positions), onto.shape[0].bit_length() - 1
    axes = [k - 1 - p for p in reversed(positions)]
    tensor = onto.reshape((2,) * k + (-1,))
    product = np.tensordot(matrix.reshape((2,) * (2 * m)), tensor, (range(m, 2 * m), axes))
    return np.moveaxis(product, range(m), axes).reshape(onto.shape)
