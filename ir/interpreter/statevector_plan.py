"""From a circuit to a plan: tables made once, from which each call builds a few matrices and passes over the state."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..angles import AngleTable
from ..circuit import Circuit
from .statevector_evolve import RunStep, evolve
from .statevector_lowering import Fixed, Phase, Turn, lower
from .statevector_schedule import Factor, Move, Step, factors, lay_out, monomial, schedule

NARROW_BATCH = 32
"""Batches smaller than this get a layout of their own."""
CONSTANT = -1
"""The turn of a constant matrix: the last one of every coefficient table."""


@dataclass(frozen=True)
class Bound:
    """Angle values of one call: `shared` (variables, 1), equal in the whole batch, and `data` (variables, batch)."""

    shared: Tensor
    data: Tensor


@dataclass(frozen=True)
class States:
    """Final states (2^n, columns), columns 1 or the batch; row bits belong to `layout`, most significant first."""

    rows: Tensor
    layout: tuple[int, ...]


class Angles:
    """Some rows of an angle table as functions of the shared and the data variables."""

    def __init__(self, table: AngleTable, rows: Sequence[int], batched: np.ndarray) -> None:
        position = {row: k for k, row in enumerate(rows)}
        number = np.where(batched, np.cumsum(batched) - 1, np.cumsum(~batched) - 1)
        self.constants = table.constants[np.asarray(rows, np.int64)]
        kept = np.isin(table.term_rows, np.asarray(rows, np.int64))
        at = np.array([position[r] for r in table.term_rows[kept].tolist()], np.int64)
        variables, coeffs = table.variables[kept], table.coeffs[kept]
        is_data = batched[variables] if len(variables) else np.zeros(0, bool)
        self.shared_terms = (at[~is_data], number[variables[~is_data]], coeffs[~is_data])
        self.data_terms = (at[is_data], number[variables[is_data]], coeffs[is_data])

    def of(self, bound: Bound, tables: Tables) -> Tensor:
        """The angles in radians, (rows, 1), or (rows, batch) where a row has a data variable."""
        out = tables(self.constants)[:, None]
        for (at, variables, coeffs), values in ((self.shared_terms, bound.shared), (self.data_terms, bound.data)):
            if len(at):
                terms = values[tables(variables)] * tables(coeffs)[:, None]
                out = out.expand(len(out), terms.shape[1]).index_add(0, tables(at), terms)
        return out


class Tables:
    """Numpy tables as tensors of one dtype and device, each converted once."""

    def __init__(self, real: bool, dtype: torch.dtype, device: torch.device) -> None:
        self.real_dtype = dtype
        self.dtype = dtype if real else dtype.to_complex()
        self.device = device
        self._known: dict[int, tuple[np.ndarray, Tensor]] = {}

    def __call__(self, table: np.ndarray) -> Tensor:
        known = self._known.get(id(table))
        if known is None:
            if table.dtype.kind == "c":
                array = torch.from_numpy(table if self.dtype.is_complex else np.real(table).copy()).to(self.dtype)
            else:
                array = torch.from_numpy(table).to(self.real_dtype if table.dtype.kind == "f" else torch.int64)
            known = self._known[id(table)] = (table, array.to(self.device))
        return known[1]


class TurnTable:
    """Distinct (angle row, speed) pairs, and the coefficients (1, cos, sin) of each."""

    def __init__(self) -> None:
        self._index: dict[tuple[int, float], int] = {}

    def add(self, turn: Turn) -> int:
        return self._index.setdefault((turn.row, turn.speed), len(self._index))

    def __len__(self) -> int:
        return len(self._index)

    def finish(self, circuit: Circuit, batched: np.ndarray) -> None:
        """Make the tables once every turn is added."""
        rows = {row: k for k, row in enumerate(dict.fromkeys(row for row, _ in self._index))}
        self.angles = Angles(circuit.angles, list(rows), batched)
        self.at = np.array([rows[row] for row, _ in self._index], np.int64)
        self.speeds = np.array([speed for _, speed in self._index], float).reshape(-1, 1)

    def coefficients(self, bound: Bound, tables: Tables) -> Tensor:
        """(turns + 1, 3, columns); the last turn is the one of constants, (1, 1, 0)."""
        angles = self.angles.of(bound, tables)[tables(self.at)] * tables(self.speeds)
        ones = torch.ones_like(angles)
        turns = torch.stack([ones, torch.cos(angles), torch.sin(angles)], 1)
        constant = turns.new_tensor([1.0, 1.0, 0.0])[None, :, None].expand(1, 3, turns.shape[2])
        return torch.cat([turns, constant]).to(tables.dtype)


class Products:
    """Products of consecutive matrices of a stack, a few batched multiplications for all of them."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.rounds: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        counts = list(lengths)
        while max(counts, default=1) > 1:
            starts = np.concatenate([[0], np.cumsum(counts)])[:-1].tolist()
            first = [s + k for s, count in zip(starts, counts, strict=True) for k in range(0, count - 1, 2)]
            left_over = iter(range(len(first)))
            order: list[int] = []
            for start, count in zip(starts, counts, strict=True):
                order += [next(left_over) for _ in range(count // 2)]
                # A matrix without a partner comes from the stack itself, which follows the products.
                order += [len(first) + start + count - 1] * (count % 2)
            self.rounds.append((np.array(first), np.array(first) + 1, np.array(order)))
            counts = [(count + 1) // 2 for count in counts]

    def of(self, stack: Tensor, tables: Tables) -> Tensor:
        """(factors, ..., d, d) in order of time -> (products, ..., d, d)."""
        for first, second, order in self.rounds:
            product = stack[tables(second)] @ stack[tables(first)]
            stack = torch.cat([product, stack])[tables(order)]
        return stack


class Mixtures:
    """Matrices `A + cos B + sin C`, the parts of each as one row of a table."""

    def __init__(self, parts: Sequence[np.ndarray], turns: Sequence[int]) -> None:
        self.size = parts[0].shape[1]
        self.parts = np.stack(parts).reshape(len(parts), 3, -1)
        self.turns = np.array(turns, np.int64)

    def of(self, coefficients: Tensor, tables: Tables) -> Tensor:
        """(turns + 1, 3, columns) -> (matrices, columns, d, d)."""
        chosen = coefficients[tables(self.turns)].transpose(1, 2)
        return (chosen @ tables(self.parts)).unflatten(2, (self.size, self.size))


class Runs:
    """Runs of one-qubit gates, each multiplied to one 2x2 matrix; fixed gates are joined to their neighbours here."""

    def __init__(self, runs: Sequence[Sequence[Fixed | Turn]], turns: TurnTable) -> None:
        parts: list[np.ndarray] = []
        at: list[int] = []
        lengths: list[int] = []
        for run in runs:
            start, lead = len(parts), np.eye(2, dtype=complex)
            for gate in run:
                if isinstance(gate, Turn):
                    parts.append(gate.parts @ lead)
                    at.append(turns.add(gate))
                    lead = np.eye(2, dtype=complex)
                elif len(parts) > start:
                    parts[-1] = gate.matrix @ parts[-1]
                else:
                    lead = gate.matrix @ lead
            if len(parts) == start:
                parts.append(np.stack([lead, 0 * lead, 0 * lead]))
                at.append(CONSTANT)
            lengths.append(len(parts) - start)
        self.mixtures = Mixtures(parts, at)
        self.products = Products(lengths)

    def of(self, coefficients: Tensor, tables: Tables) -> Tensor:
        """(turns + 1, 3, columns) -> (runs, columns, 2, 2)."""
        return self.products.of(self.mixtures.of(coefficients, tables), tables)


class DenseGroup:
    """The matrices of all dense steps on k qubits that hold at least one turn."""

    def __init__(self, steps: Sequence[list[Factor]], width: int, turns: TurnTable) -> None:
        flat = [factor for step in steps for factor in step]
        tensor_products = [k for k, factor in enumerate(flat) if factor.parts is None]
        mixed = [(k, f.parts, f.turn) for k, f in enumerate(flat) if f.parts is not None and f.turn is not None]
        runs: list[Sequence[Fixed | Turn]] = [()]
        self.chosen = np.zeros((width, len(tensor_products)), np.int64)
        for column, k in enumerate(tensor_products):
            for place, run in flat[k].runs.items():
                self.chosen[place, column] = len(runs)
                runs.append(run)
        self.runs = Runs(runs, turns)
        self.lefts = np.stack([flat[k].left for k in tensor_products]) if tensor_products else None
        self.mixtures = Mixtures([p for _, p, _ in mixed], [turns.add(t) for _, _, t in mixed]) if mixed else None
        self.order = np.argsort([*tensor_products, *(k for k, _, _ in mixed)])
        self.products = Products([len(step) for step in steps])

    def of(self, coefficients: Tensor, tables: Tables) -> Tensor:
        """(turns + 1, 3, 1) -> (steps, 2^k, 2^k)."""
        stacks: list[Tensor] = []
        if self.lefts is not None:
            stacks.append(tables(self.lefts) @ self._tensor_products(coefficients, tables))
        if self.mixtures is not None:
            stacks.append(self.mixtures.of(coefficients, tables)[:, 0])
        if len(stacks) == 2:
            stacks = [torch.cat(stacks)[tables(self.order)]]
        return self.products.of(stacks[0], tables)

    def _tensor_products(self, coefficients: Tensor, tables: Tables) -> Tensor:
        runs = self.runs.of(coefficients, tables)[:, 0]
        parts = runs[tables(self.chosen)]
        product = parts[0]
        for part in parts[1:]:
            spread = product[:, :, None, :, None] * part[:, None, :, None, :]
            product = spread.flatten(3, 4).flatten(1, 2)
        return product


class Diagonal:
    """The phases of one diagonal step."""

    def __init__(self, step: Step, qubits: tuple[int, ...], rows: dict[int, int]) -> None:
        bits = np.arange(1 << len(qubits))
        position = {qubit: k for k, qubit in enumerate(reversed(qubits))}
        slopes: dict[int, np.ndarray] = {}
        for phase in step.primitives:
            assert isinstance(phase, Phase)
            local = sum((bits >> position[q] & 1) << k for k, q in enumerate(phase.qubits))
            slopes[phase.row] = slopes.get(phase.row, 0) + phase.slopes[local]
        self.slopes = np.stack(list(slopes.values()), 1)
        self.at = np.array([rows.setdefault(row, len(rows)) for row in slopes])

    def of(self, angles: Tensor, tables: Tables) -> Tensor:
        """Angles (rows, batch) -> phases (2^m, batch)."""
        turned = tables(self.slopes) @ angles[tables(self.at)]
        return torch.complex(torch.cos(turned), torch.sin(turned))


class Plan:
    """How to simulate one circuit whose variables `batched` differ from sample to sample."""

    def __init__(self, circuit: Circuit, batched: np.ndarray, columns: int) -> None:
        lowered = lower(circuit, _batched_rows(circuit.angles, batched))
        steps = schedule(lowered, columns)
        moves, self.layout = lay_out(steps, circuit.num_qubits, columns)
        self.real = lowered.real
        self.prefix_turns, self.turns = TurnTable(), TurnTable()
        self.prefix = Runs(lowered.prefix[::-1], self.prefix_turns) if lowered.prefix else None
        self.groups: list[DenseGroup] = []
        self.diagonals: list[Diagonal] = []
        self.constants: list[np.ndarray] = []
        places: dict[int, tuple[int, int]] = {}
        constant_steps = self._add_groups(steps, moves, places)
        phase_rows: dict[int, int] = {}
        for k, step in enumerate(steps):
            if step.kind == "diagonal":
                places[k] = (len(self.groups) + len(self.diagonals), 0)
                self.diagonals.append(Diagonal(step, moves[k].qubits, phase_rows))
        first = len(self.groups) + len(self.diagonals)
        for k, made in constant_steps.items():
            places[k] = (first + len(self.constants), 0)
            self.constants.append(made)
        for k, step in enumerate(steps):
            if step.kind == "monomial":
                source, phases = monomial(step, moves[k].qubits)
                has_phases = bool((phases != 1).any())
                places[k] = (first + len(self.constants), int(has_phases))
                self.constants += [source, np.argsort(source)] + [phases[:, None]] * has_phases
        self.steps = tuple(RunStep(step.kind, *places[k], moves[k]) for k, step in enumerate(steps))
        self.prefix_turns.finish(circuit, batched)
        self.turns.finish(circuit, batched)
        self.phase_angles = Angles(circuit.angles, list(phase_rows), batched)
        self.global_phase = Angles(circuit.angles, [circuit.phase], batched) if circuit.phase >= 0 else None
        self._tables: dict[tuple[torch.dtype, torch.device], Tables] = {}

    def _add_groups(
        self, steps: Sequence[Step], moves: Sequence[Move], places: dict[int, tuple[int, int]]
    ) -> dict[int, np.ndarray]:
        """Make the groups of dense steps with turns; the matrices of those without are given back."""
        by_width: dict[int, list[tuple[int, list[Factor]]]] = {}
        constant: dict[int, np.ndarray] = {}
        for k, (step, move) in enumerate(zip(steps, moves, strict=True)):
            if step.kind != "dense":
                continue
            made = factors(step, move.qubits)
            if any(isinstance(p, Turn) for p in step.primitives):
                by_width.setdefault(len(move.qubits), []).append((k, made))
            else:
                constant[k] = _constant_matrix(made, len(move.qubits))[None]
        for width, members in by_width.items():
            places.update({k: (len(self.groups), item) for item, (k, _) in enumerate(members)})
            self.groups.append(DenseGroup([made for _, made in members], width, self.turns))
        return constant

    def tables(self, bound: Bound) -> Tables:
        key = (bound.shared.dtype, bound.shared.device)
        if key not in self._tables:
            self._tables[key] = Tables(self.real, *key)
        return self._tables[key]

    def states(self, bound: Bound) -> States:
        """The final states, without the global phase."""
        tables = self.tables(bound)
        start = self._start(bound, tables)
        tensors: list[Tensor] = []
        if self.groups:
            coefficients = self.turns.coefficients(bound, tables)
            tensors += [group.of(coefficients, tables) for group in self.groups]
        if self.diagonals:
            angles = self.phase_angles.of(bound, tables)
            tensors += [diagonal.of(angles, tables) for diagonal in self.diagonals]
        tensors += [tables(constant) for constant in self.constants]
        return States(evolve(self.steps, start, tensors), self.layout)

    def phase(self, bound: Bound) -> Tensor | None:
        """exp(i global phase), (1, columns), or None where it is 1."""
        if self.global_phase is None:
            return None
        angle = self.global_phase.of(bound, self.tables(bound))
        return torch.complex(torch.cos(angle), torch.sin(angle))

    def _start(self, bound: Bound, tables: Tables) -> Tensor:
        """The product state after the prefix, (2^n, columns)."""
        if self.prefix is None:
            return torch.ones(1, 1, dtype=tables.dtype, device=tables.device)
        runs = self.prefix.of(self.prefix_turns.coefficients(bound, tables), tables)
        vectors, tail = runs[..., 0].transpose(1, 2), None
        while True:
            if len(vectors) % 2:
                tail = vectors[-1] if tail is None else _outer(vectors[-1], tail)
            if len(vectors) == 1:
                return vectors[0] if tail is None else tail
            half = len(vectors) // 2
            pairs = vectors[: 2 * half].unflatten(0, (half, 2))
            vectors = (pairs[:, 0, :, None] * pairs[:, 1, None]).flatten(1, 2)


def _outer(high: Tensor, low: Tensor) -> Tensor:
    return (high[:, None] * low[None]).flatten(0, 1)


def _batched_rows(table: AngleTable, batched: np.ndarray) -> np.ndarray:
    out = np.zeros(len(table), bool)
    if len(table.variables):
        out[table.term_rows[batched[table.variables]]] = True
    return out


def _constant_matrix(members: list[Factor], width: int) -> np.ndarray:
    """The matrix of a step without turns: it has one factor."""
    (factor,) = members
    product = np.ones((1, 1), complex)
    for place in range(width):
        matrix = np.eye(2, dtype=complex)
        for gate in factor.runs.get(place, ()):
            assert isinstance(gate, Fixed)
            matrix = gate.matrix @ matrix
        product = np.kron(product, matrix)
    return factor.left @ product


_PLANS: dict[int, dict[tuple[bytes, int], Plan]] = {}


def plan_of(circuit: Circuit, batched: np.ndarray, batch: int) -> Plan:
    """The plan of this circuit object for these data variables, made once as long as the circuit lives."""
    known = _PLANS.get(id(circuit))
    if known is None:
        known = _PLANS[id(circuit)] = {}
        weakref.finalize(circuit, _PLANS.pop, id(circuit), None)
    columns = NARROW_BATCH if batch >= NARROW_BATCH else 1
    key = (batched.tobytes(), columns)
    if key not in known:
        known[key] = Plan(circuit, batched, columns)
    return known[key]
