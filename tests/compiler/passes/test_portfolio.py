"""The portfolio keeps what the model says, and its choice is the best of what the services offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import qsc
from qsc import ir
from qsc.bridges.services import Candidate
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.portfolio import ROUNDS, Portfolio
from qsc.frontends.readouts import module_of
from qsc.ir.circuit import Circuit, GateRow
from qsc.ir.gates import OPCODES
from qsc.ir.interpreter import evaluate, random_inputs
from qsc.ir.target import Target

TARGET = Target(
    "line",
    "quantum",
    "qiskit",
    limits={"qubits": 8},
    native_ops=("rz", "sx", "x", "cz", "measure", "reset"),
)


@dataclass
class Recorded:
    """Services that offer given candidates, and score by the two-qubit gates; more tries find a better placement."""

    offered: list[Candidate] = field(default_factory=list)
    again: list[Candidate] = field(default_factory=list)
    scores: list[tuple[float, ...]] = field(default_factory=list)
    tries: list[int] = field(default_factory=list)
    couples_all: bool = True

    def candidates(self, circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
        return self.offered

    def score(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> tuple[float, ...]:
        costs = circuit.costs()
        found = 0.0, float(costs["two_qubit_gates"] + 1 / tries), float(costs["two_qubit_depth"]), float(costs["gates"])
        self.scores.append(found)
        self.tries.append(tries)
        return found

    def placed(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> list[Candidate]:
        return self.again


def ladder(angles: int) -> qsc.Circuit:
    """Rotations and a chain of CX there and back, on three qubits."""
    c = qsc.Circuit(3)
    x = c.inputs("x", angles)
    for k in range(angles):
        c.ry(x[k], k % 3)
        c.cx(k % 3, (k + 1) % 3)
    return c


def rotated(circuit: Circuit, places: Sequence[int]) -> Candidate:
    """The same circuit on other wires, with a swap that nothing needs behind it."""
    moved = replace(circuit, wires=np.array(places, circuit.wires.dtype)[circuit.wires])
    swap = GateRow(OPCODES["swap"], (0, 1))
    return Candidate("moved", moved.with_rows([*moved.rows(), swap]), tuple({0: 1, 1: 0}.get(p, p) for p in places))


def gap(before: ir.Module, after: ir.Module) -> float:
    inputs = random_inputs(before, 4)
    (wanted,), (got,) = (evaluate(m, inputs, precision="f64") for m in (before, after))
    return float(np.abs(np.asarray(wanted) - np.asarray(got)).max())


READINGS = ("Z0, Z1*Z2, X0*Y1", "probs")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("effort", ROUNDS)
def test_values_are_kept_whatever_is_offered(reading: str, effort: str) -> None:
    circuit = ladder(5).build("ladder")
    moved = rotated(circuit, (2, 0, 1))
    services = Recorded([moved], [moved])
    module = module_of(circuit, reading)
    after = Portfolio().run(module, Context(TARGET, effort=effort, services=services))
    assert gap(module, after) < 1e-12


def test_the_last_round_is_as_long_as_emission_and_the_best_of_it_is_kept() -> None:
    circuit = ladder(6).build("ladder")
    services = Recorded([rotated(circuit, (1, 2, 0))])
    context = Context(TARGET, effort="default", services=services)
    after = Portfolio().run(module_of(circuit, "Z0"), context)
    rounds = ROUNDS["default"]
    assert {services.tries.count(n) > 0 for n in (rounds.first, rounds.last)} == {True}
    last = [score for score, tries in zip(services.scores, services.tries, strict=True) if tries == rounds.last]
    assert len(last) <= rounds.kept
    again = Recorded()
    Portfolio().run(after, Context(TARGET, effort="default", services=again))
    assert min(again.scores) <= min(last)


def test_a_placement_that_our_passes_make_shorter_wins() -> None:
    """A placed circuit whose swap stands beside a CX on its pair: three CX, and the end is read elsewhere."""
    c = qsc.Circuit(2)
    x = c.inputs("x", 2)
    c.ry(x[0], 0)
    c.cx(0, 1)
    c.rx(x[1], 1)
    c.cx(0, 1)
    circuit = c.build("pair")
    module = module_of(circuit, "X0*Y1, Z0")
    services = Recorded(again=[rotated(circuit, (1, 0))])
    after = Portfolio().run(module, Context(TARGET, effort="default", services=services))
    assert after.circuits["pair"].costs()["two_qubit_gates"] <= circuit.costs()["two_qubit_gates"]
    assert gap(module, after) < 1e-12


def test_nothing_runs_at_effort_fast_without_services_or_with_measurements() -> None:
    c = qsc.Circuit(2)
    c.h(0)
    c.cx(0, 1)
    module = module_of(c.build("bell"), "Z0")
    services = Recorded()
    assert Portfolio().run(module, Context(TARGET, effort="fast", services=services)) is module
    assert Portfolio().run(module, Context(TARGET, effort="default")) is module
    c = qsc.Circuit(2, bits=1)
    c.h(0)
    c.measure(0, 0)
    c.cx(0, 1)
    measured = module_of(c.build("bell"), "Z1")
    assert Portfolio().run(measured, Context(TARGET, effort="max", services=services)) is measured
    assert not services.scores
