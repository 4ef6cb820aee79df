"""Small constant rotations left out, and near-Clifford ones turned into Clifford gates, under a stated error.

A turn by delta too much or too little changes the state by at most sin(|delta| / 2) in trace distance (delta up to pi),
for gates whose eigenvalues then lie on an arc of length delta: all rotations and controlled rotations. Trace distances
of gates in a row add up (Nielsen and Chuang, section 9.2), the probability of an outcome changes by at most the trace
distance, and an expectation value by at most twice that times the sum of the sizes of the observable's coefficients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ...ir.angles import ZERO_ROW, AngleTable, add_rows, make_row
from ...ir.gates import GATES, OPCODES
from ...ir.graph import GraphBuilder
from ...ir.ops import Expectation, Probabilities, Readout, Samples
from ...ir.types import Type
from ..synthesis.pulled_terms import gate_pull
from .base import Context, Contract, Measured, Pass
from .rewrites import readouts

_PAULI = OPCODES["pauli"]
_METRIC = "largest change of an expectation value or of the probability of an outcome"
_WIDEST = 16
"""Wider circuits are not simulated to measure the error; the sum of the gates' bounds stands for it."""
_ANGLE_SETS = 8
_GAINS = {(True, True): 10.0, (False, True): 4.0, (True, False): 1.0, (False, False): 0.5}
"""(whether the gate goes, whether it is on two or more qubits) -> what that is worth."""


@dataclass(frozen=True)
class PruneAngles(Pass):
    """Remove small constant rotations and round near-Clifford ones, within an error of the readouts."""

    name: ClassVar[str] = "prune-angles"
    contract: ClassVar[Contract] = Contract.APPROXIMATE
    bound: float = 0.0
    """most that an expectation value or the probability of an outcome may change; 0 leaves everything as it is"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, with fewer or simpler rotations."""
        if self.bound <= 0:
            return module
        circuits = dict(module.circuits)
        for name, nodes in readouts(module).items():
            before = circuits[name]
            circuits[name], error = pruned(before, self.bound, _weight(n.op for n in nodes))
            if circuits[name] is not before:
                gates = len(before) - len(circuits[name])
                message = (
                    f"circuit {name}: constant rotations removed or rounded; readouts change by {error:.2g} at most"
                )
                context.remark(self, message, before.place, gates=gates)
        changed = any(circuits[name] is not c for name, c in module.circuits.items())
        return module.with_(circuits=circuits) if changed else module

    def measured(self, before: Module, after: Module) -> Measured:
        """The largest change of a readout, for random angles; the sum of the gates' bounds for wide circuits."""
        worst = 0.0
        for name, nodes in readouts(before).items():
            old, new = before.circuits[name], after.circuits[name]
            if old is new:
                continue
            ops = dict.fromkeys(n.op for n in nodes if isinstance(n.op, Readout))
            narrow = old.num_qubits <= _WIDEST
            found = _change(old, new, ops) if narrow else pruned(old, self.bound, _weight(ops))[1]
            worst = max(worst, found)
        return Measured(_METRIC, worst, self.bound)


def _weight(ops: Iterable[object]) -> float:
    """By how much a readout changes at most for a trace distance of 1."""
    most = 0.0
    for op in ops:
        if isinstance(op, Expectation):
            sums = (sum(abs(c) for term, c in o.terms if term) for o in op.observables)
            most = max(most, 2.0 * max(sums, default=0.0))
        elif isinstance(op, Probabilities | Samples):
            most = max(most, 1.0)
    return most


@dataclass(frozen=True)
class _Choice:
    """A row that goes (`turn` None) or whose angle becomes `turn` pi; its error as a trace distance."""

    row: int
    turn: Fraction | None
    flipped: bool
    error: float
    gain: float


def pruned(circuit: Circuit, bound: float, weight: float) -> tuple[Circuit, float]:
    """The circuit with fewer or simpler constant rotations, and the most that a readout can change.

    weight: by how much a readout changes for a trace distance of 1. The cheapest gates for what they save go first.
    """
    taken: dict[int, _Choice] = {}
    total = 0.0
    for choice in sorted(_choices(circuit), key=lambda c: (c.error / c.gain, c.row)):
        if (total + choice.error) * weight <= bound:
            taken[choice.row] = choice
            total += choice.error
    if not taken:
        return circuit, 0.0
    known = circuit.angles.rows()
    flips = sum(c.flipped for k, c in taken.items() if circuit.condition[k] < 0)
    phase = add_rows(known[circuit.phase] if circuit.phase >= 0 else ZERO_ROW, make_row(flips % 2))
    new = [make_row(c.turn) for c in taken.values() if c.turn is not None]
    numbers = iter(range(len(known), len(known) + len(new)))
    angle = {k: next(numbers) for k, c in taken.items() if c.turn is not None}
    rows = [
        row._replace(angles=(angle[k],)) if k in angle else row
        for k, row in enumerate(circuit.rows())
        if k not in taken or k in angle
    ]
    table = AngleTable.from_rows([*known, *new, phase])
    return circuit.with_rows(rows, table, len(known) + len(new)).compacted(), total * weight


def _choices(circuit: Circuit) -> Iterator[_Choice]:
    """Every constant rotation that may go or be rounded."""
    angles = circuit.angles
    turning = np.array([g.additive for g in GATES])[circuit.opcode]
    for k in np.flatnonzero(turning).tolist():
        number = int(circuit.angle_rows[circuit.angle_ptr[k]])
        if not angles.is_constant[number]:
            continue
        opcode = int(circuit.opcode[k])
        grid, value = _grid(opcode), float(angles.constants[number]) / np.pi
        turn = grid * round(value / float(grid))
        error = float(np.sin(min(abs(value - float(turn)), 1.0) * np.pi / 2))
        periods = turn / GATES[opcode].phase_period
        goes = periods.denominator == 1
        if (
            not goes
            and turn == Fraction(int(angles.num[number]), int(angles.den[number]))
            and not angles.offset[number]
        ):
            continue
        flipped = goes and bool(periods % 2) and GATES[opcode].period != GATES[opcode].phase_period
        pair = bool(circuit.wire_ptr[k + 1] - circuit.wire_ptr[k] > 1)
        yield _Choice(k, None if goes else turn, flipped, error, _GAINS[goes, pair])


@cache
def _grid(opcode: int) -> Fraction:
    """The step, in units of pi, between the angles at which a gate is a Clifford gate."""
    half = Fraction(1, 2)
    return half if opcode == _PAULI or gate_pull(opcode, (half,)) is not None else Fraction(1)


def _change(old: Circuit, new: Circuit, ops: Iterable[Readout]) -> float:
    """The largest difference of a readout of two circuits, for random angles."""
    from ...ir.interpreter import evaluate, max_error

    rng = np.random.default_rng(0)
    given = [rng.uniform(-2 * np.pi, 2 * np.pi, (_ANGLE_SETS, *a.shape)) for a in old.inputs]
    worst = 0.0
    for op in ops:
        read = Probabilities(op.circuit, op.qubits) if isinstance(op, Samples) else op
        found = []
        for circuit in (old, new):
            module = Module("measured", circuits={op.circuit: circuit})
            builder = GraphBuilder(module)
            inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
            found.append(evaluate(module.with_(graph=builder.graph(*builder.add(read, *inputs))), given)[0])
        worst = max(worst, max_error(*found))
    return worst
