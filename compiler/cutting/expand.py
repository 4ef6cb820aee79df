"""A readout of a cut circuit as readouts of its fragments and the contraction that joins them.

What a fragment gives is a tensor with a dimension for every bond, beside those of the readout; the fragments' tensors
make a network whose contraction is the value of the uncut circuit. All of it is ops of the graph, so that a batch, free
parameters and gradients pass through it as through any other part of a model. One circuit of a fragment is run at all
settings of its states, turns and bases as one batch: samples times settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from string import ascii_letters
from typing import TypeAlias

import numpy as np

from ...ir import Circuit, Module, Node, Op, TargetError, Value
from ...ir.angles import ZERO_ROW, Row, add_rows
from ...ir.circuit import CircuitEditor
from ...ir.measurement_settings import count_settings
from ...ir.ops import (
    Add,
    BitExpectation,
    BitProbabilities,
    BitSamples,
    Contract,
    Cos,
    Expectation,
    GateAngles,
    Mul,
    Probabilities,
    Readout,
    RepeatRows,
    Samples,
    Sin,
    SplitRows,
    Stack,
    TileRows,
)
from ..passes.rewrites import fresh_name
from .fragments import Cutting, Leg, Runnable, arrays_of, constant_turn, runnable
from .readers import Outcomes, Reader, Sums, Tensor
from .settings import MEASURED, Settings, coupling, states, turns

Readable: TypeAlias = Expectation | BitExpectation | Probabilities | BitProbabilities | Samples | BitSamples
_COUPLING_PARTS = np.zeros((3, 4, 4))
_COUPLING_PARTS[0, 0, 0] = _COUPLING_PARTS[1, 1, 1] = _COUPLING_PARTS[2, 2, 3] = _COUPLING_PARTS[2, 3, 2] = 1.0
"""exp(-i t/2 P x Q) from cos^2, sin^2 and cos sin of t/2."""


@dataclass
class Expansion:
    """nodes: in the place of the readout. circuits, weights: new ones, by name. rows: circuit -> its settings, the rows
    that every sample has in its batch."""

    nodes: list[Node] = field(default_factory=list)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        """Measured circuits that one input sample takes: settings of every circuit, times measurement settings."""
        reads = [node.op for node in self.nodes if isinstance(node.op, Readout)]
        return sum(self.rows[op.circuit] * _measurements(op) for op in reads)


def _measurements(op: Readout) -> int:
    return max(1, count_settings(op.observables)) if isinstance(op, Expectation) else 1


def expand(node: Node, module: Module, cutting: Cutting, taken: set[str]) -> Expansion:
    """The nodes that give what `node` gives. taken: names of values that are in use; new ones are added."""
    return _Expander(node, module, cutting, taken).run()


class _Expander:
    def __init__(self, node: Node, module: Module, cutting: Cutting, taken: set[str]) -> None:
        self.node, self.module, self.cutting, self.taken = node, module, cutting, taken
        assert isinstance(node.op, Readable)
        self.op: Readable = node.op
        self.base = node.op.circuit
        self.out = Expansion()
        self.batched = [v.type.batched for v in node.operands]
        self._letters = 1
        """How many are in use; "a" is the batch's"""
        self.bond_letters = [self.letter() for _ in cutting.bonds]
        self._couplings: dict[int, Value] = {}

    def run(self) -> Expansion:
        if isinstance(self.op, Expectation | BitExpectation):
            reader: Reader = Sums(self, self.op, self.cutting)
        else:
            reader = Outcomes(self, self.op, self.cutting)
        parts = self.cutting.fragments
        numbers = [k for k in range(len(parts)) if parts[k].legs or reader.reads(k)] or [0]
        arrays = {k: arrays_of(self.cutting, k) for k in numbers}
        if any(self.batched) and not any(self.batched[i] for own in arrays.values() for i in own):
            # One fragment at least has to know the batch.
            arrays[numbers[0]] = tuple(range(len(self.batched)))
        tensors = [self._fragment(k, arrays[k], reader) for k in numbers]
        reader.join(tensors)
        return self.out

    # Nodes

    def letter(self) -> str:
        """An unused letter for a dimension. TargetError T0002 where there are too many."""
        self._letters += 1
        if self._letters > len(ascii_letters):
            raise TargetError.of(
                "T0002",
                f"circuit {self.base} would have more cuts than one contraction can join",
                self.node.location,
                help="allow wider fragments with --max-qubits",
            )
        return ascii_letters[self._letters - 1]

    def add(self, op: Op, *operands: Value, hint: str = "") -> Value:
        """A new node's result."""
        module = self.module.with_(
            circuits=dict(self.module.circuits) | self.out.circuits,
            weights=dict(self.module.weights) | self.out.weights,
        )
        (kind,) = op.result_types(tuple(v.type for v in operands), module)
        value = Value(fresh_name(hint or op.mnemonic, self.taken), kind)
        self.taken.add(value.name)
        self.out.nodes.append(Node(op, operands, (value,), self.node.location))
        return value

    def finish(self, op: Op, *operands: Value) -> None:
        """The node whose result is that of the readout."""
        self.out.nodes.append(Node(op, operands, self.node.results, self.node.location))

    def weight(self, array: np.ndarray, hint: str) -> Value:
        """A constant of the module; equal ones of one kind are one."""
        for name, known in self.out.weights.items():
            if name.startswith(f"{self.base}.{hint}") and known.shape == array.shape and (known == array).all():
                break
        else:
            name = fresh_name(f"{self.base}.{hint}", {*self.module.weights, *self.out.weights})
            self.out.weights[name] = np.array(array, np.float64)
        return self.module.with_(weights=self.out.weights).weight_value(name)

    def contract(self, tensors: Sequence[Tensor], result: str, hint: str = "") -> Tensor:
        """The contraction, with the batch in front where a tensor has it."""
        result = ("a" if any(t.letters[:1] == "a" for t in tensors) else "") + result
        ordered = sorted(tensors, key=lambda t: t.letters[:1] != "a")
        if len(ordered) == 1 and ordered[0].letters == result:
            return ordered[0]
        equation = ",".join(t.letters for t in ordered) + "->" + result
        return Tensor(self.add(Contract(equation), *(t.value for t in ordered), hint=hint), result)

    # Fragments

    def _fragment(self, number: int, arrays: tuple[int, ...], reader: Reader) -> Tensor:
        """The tensor of a fragment: batch, its bonds, and what the reader leaves open."""
        part = self.cutting.fragments[number]
        bonds_of = self.cutting.bonds
        gate_legs = [leg for leg in part.legs if leg.kind == "turn" and bonds_of[leg.bond].is_measured(leg.side)]
        measured = [frozenset(c) for n in range(len(gate_legs) + 1) for c in combinations(gate_legs, n)]
        bonds = "".join(self.bond_letters[leg.bond] for leg in part.legs)
        total: Tensor | None = None
        used = self._letters
        for k, legs in enumerate(measured):
            self._letters = used
            found = self._structure(number, arrays, legs, reader, f"{self.base}_f{number}" + (f"_m{k}" if k else ""))
            tensor = self.contract(found, bonds + reader.open_letters(number))
            total = tensor if total is None else Tensor(self.add(Add(), total.value, tensor.value), tensor.letters)
        assert total is not None
        return reader.ready(number, total)

    def _structure(
        self, number: int, arrays: tuple[int, ...], measured: frozenset[Leg], reader: Reader, name: str
    ) -> list[Tensor]:
        """One circuit of a fragment at all its settings, and the constants that give the bonds from it."""
        part = self.cutting.fragments[number]
        plan = reader.plan(number, measured)
        circuit_name = fresh_name(name, {*self.module.circuits, *self.out.circuits})
        made = runnable(self.cutting, number, circuit_name, arrays, measured, plan.turned, plan.fixed, plan.into_bits)
        axes: list[tuple[Leg | str, Settings]] = []
        constants: list[Tensor] = []
        for leg in part.legs:
            if leg.kind == "in":
                axes.append((leg, states(self.cutting.bonds[leg.bond].letters)))
            elif leg.kind == "turn" and leg not in measured:
                bond = self.cutting.bonds[leg.bond]
                axes.append((leg, turns(constant_turn(bond, leg.side), bond.is_even(leg.side))))
            elif leg.kind == "turn":
                constants += self._coupled(leg, MEASURED, "")
        if plan.table is not None:
            axes.append(("basis", Settings(plan.table, np.zeros(0))))
        letters = [self.letter() for _ in axes]
        for (owner, settings), letter in zip(axes, letters, strict=True):
            if isinstance(owner, Leg) and owner.kind == "in":
                value = self.weight(settings.weights, "states")
                constants.append(Tensor(value, letter + self.bond_letters[owner.bond]))
            elif isinstance(owner, Leg):
                constants += self._coupled(owner, settings.weights, letter)
        self.out.circuits[circuit_name] = made.circuit
        read = self._rows(made, axes, reader.readout(number, made, plan), circuit_name)
        batch = "a" if any(self.batched[k] for k in arrays) else ""
        return [*reader.columns(number, plan, read, batch + "".join(letters)), *constants]

    def _coupled(self, leg: Leg, weights: np.ndarray, letter: str) -> list[Tensor]:
        """The maps of one end of a cut gate; the first end holds the gate's matrix too."""
        bond = self.cutting.bonds[leg.bond]
        assert bond.gate is not None
        outer = self.bond_letters[leg.bond]
        if leg.side:
            return [Tensor(self.weight(weights, "turns"), letter + outer)]
        num, den, offset, terms = bond.gate.angle
        if not terms:
            return [Tensor(self.weight(weights @ coupling(np.pi * num / den + offset), "turns"), letter + outer)]
        inner = self.letter()
        if leg.bond not in self._couplings:
            self._couplings[leg.bond] = self._free_coupling(add_rows(ZERO_ROW, bond.gate.angle, Fraction(1, 2)))
        free = self._couplings[leg.bond]
        batch = "a" if free.type.batched else ""
        return [
            Tensor(self.weight(weights, "turns"), letter + inner),
            Tensor(free, batch + inner + outer),
        ]

    def _free_coupling(self, half_angle: Row) -> Value:
        """The matrix of a cut gate whose angle depends on inputs: (batch, 4, 4)."""
        circuit, operands = self.module.circuits[self.base], self.node.operands
        name = fresh_name(f"{self.base}_angle", {*self.module.circuits, *self.out.circuits})
        editor = CircuitEditor(name, 1, 0, circuit.inputs, circuit.place)
        editor.add("rz", (0,), (half_angle,))
        self.out.circuits[name] = editor.circuit()
        half = self.add(GateAngles(name), *operands, hint="angle")
        cos, sin = self.add(Cos(), half), self.add(Sin(), half)
        dim = len(half.type.shape) - 1
        parts = [self.add(Mul(), x, y) for x, y in ((cos, cos), (sin, sin), (cos, sin))]
        waves = Tensor(self.add(Stack(dim + 1), *parts), ("a" if half.type.batched else "") + "bc")
        constant = Tensor(self.weight(_COUPLING_PARTS, "coupling"), "cde")
        return self.contract([waves, constant], "de", hint="coupling").value

    def _rows(self, made: Runnable, axes: Sequence[tuple[Leg | str, Settings]], read: Op, name: str) -> Value:
        """The readout at every setting: (batch, settings of every axis, ...)."""
        operands = [self.node.operands[k] for k in made.arrays]
        own = [v for v in operands if v.type.batched]
        sizes = tuple(len(settings.angles) for _, settings in axes)
        self.out.rows[name] = int(np.prod(sizes, dtype=np.int64))
        if not axes:
            return self.add(read, *operands, hint=name)
        table = np.zeros((self.out.rows[name], sum(map(len, made.columns.values()))))
        for rows, choice in zip(table, product(*(settings.angles for _, settings in axes)), strict=True):
            for (owner, _), angles in zip(axes, choice, strict=True):
                rows[list(made.columns[owner])] = angles
        repeated = [
            self.add(RepeatRows(len(table)), v, hint=v.name.lstrip("@")) if v.type.batched else v for v in operands
        ]
        like = own[:1] or operands[:1]
        settings = self.add(TileRows(bool(own)), self.weight(table, "settings"), *like, hint="settings")
        value = self.add(read, *repeated, settings, hint=name)
        return self.add(SplitRows(sizes, bool(own)), value, hint=f"{name}_rows")
