"""Random modules for the quantum passes, and which passes there are.

A circuit is a chain of snippets: single gates, and the patterns that passes look for. A style says how often each kind
of snippet comes; the styles of a pass are such that it finds something to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from qsc.compiler.passes.base import Context, Contract, Pass
from qsc.compiler.registry import PASSES, make_pass, pass_names
from qsc.ir import GraphBuilder, Module, PauliSum, Type, ops
from qsc.ir.angles import Row, add_rows, make_row
from qsc.ir.circuit import AngleInput, Circuit, CircuitEditor
from qsc.ir.gates import GATES, OPCODES
from qsc.ir.target import Target

DATA, WEIGHTS = 2, 2
CIRCUIT_CONTRACTS = (Contract.UNITARY, Contract.STATE, Contract.EXPECTATION, Contract.DISTRIBUTION)
ALSO = ("bake-weights", "prune-angles")
"""Passes over circuits whose contract does not tell."""
OPTIONS: dict[str, dict[str, Any]] = {
    "cut": {"max_qubits": 3, "reuse": False},
    "reuse-qubits": {"reuse": True},
    "measure-controls": {"feed_forward": True},
    "split-readouts": {"max_circuits": 4},
    "prune-angles": {"bound": 0.05},
    "mitigate": {"zne": "1,3"},
}
"""What makes a pass that is off by default do its work."""


@dataclass(frozen=True)
class Style:
    """How often every kind of snippet comes, relative to each other; `tail`: what comes once more at the end.

    qubits: fewest and most. readouts: how often the kinds "expectation", "one" (a single Z), "probabilities" and
    "samples" come.
    """

    snippets: dict[str, float]
    tail: dict[str, float] = field(default_factory=dict)
    qubits: tuple[int, int] = (2, 5)
    gates: tuple[int, int] = (5, 25)
    readouts: dict[str, float] = field(
        default_factory=lambda: {"expectation": 0.6, "one": 0.2, "probabilities": 0.15, "samples": 0.05}
    )


ANY = {"gate": 8.0, "undone": 2.0, "pauli": 1.0, "pair": 1.0, "turns": 1.0, "clifford": 1.0, "swap": 0.5, "chain": 0.3}
DYNAMIC = ANY | {"measure": 1.0, "reset": 0.5, "condition": 1.5, "barrier": 0.5}
STYLES = {
    "any": Style(ANY),
    "dynamic": Style(DYNAMIC, qubits=(2, 4), gates=(5, 18)),
    "clifford tail": Style(ANY, tail={"clifford": 1.0}),
    "small cone": Style(ANY, qubits=(3, 5), gates=(5, 14), readouts={"one": 0.8, "probabilities": 0.2}),
    "cones": Style(ANY, qubits=(4, 5), gates=(5, 10), readouts={"expectation": 1.0}),
    "chain": Style({"chain": 2.0, "turns": 1.0}, qubits=(3, 5), readouts={"one": 0.5, "expectation": 0.5}),
    "swaps": Style(ANY | {"swap": 3.0}),
    "pairs": Style({"pair": 3.0, "gate": 1.0, "turns": 1.0}),
    "commuting": Style({"diagonal": 3.0, "turns": 1.0}, qubits=(3, 5)),
    "rotations": Style({"pauli": 2.0, "clifford": 2.0, "diagonal": 1.0}, qubits=(2, 4)),
    "dynamic chain": Style(
        {"chain": 1.0, "measure": 0.5, "reset": 0.2, "condition": 0.5}, qubits=(3, 4), gates=(5, 15)
    ),
    "controls": Style({"turns": 1.0, "control": 3.0}, qubits=(2, 4), readouts={"one": 1.0}),
    "small angles": Style(ANY | {"small": 3.0}),
    "few gates": Style(ANY, qubits=(3, 4), gates=(3, 7)),
    "few dynamic": Style(DYNAMIC, qubits=(3, 4), gates=(4, 8)),
}
BIAS: dict[str, tuple[str, ...]] = {
    "absorb-clifford": ("clifford tail", "any"),
    "cut": ("few gates", "few dynamic", "few gates"),
    "light-cone": ("small cone", "dynamic", "any"),
    "relabel-swaps": ("swaps", "dynamic"),
    "gather-pairs": ("commuting", "rotations", "dynamic"),
    "fuse-blocks": ("pairs", "any", "dynamic"),
    "schedule-commuting": ("commuting",),
    "pauli-rotations": ("rotations",),
    "reuse-qubits": ("chain", "dynamic chain"),
    "measure-controls": ("controls", "chain"),
    "split-readouts": ("cones",),
    "portfolio": ("pairs", "rotations"),
    "prune-angles": ("small angles",),
}
"""Pass -> the styles of its modules; all styles in turn for a pass that is not named."""

TARGET = Target(
    "fuzz",
    "quantum",
    "qiskit",
    limits={"qubits": 20},
    native_ops=("rz", "sx", "x", "cz", "measure", "reset", "if_else", "barrier"),
    data={"median_errors": {"cz": 0.2}},
)


class Shortest:
    """Services without an SDK: no candidates, and fewer two-qubit gates are better."""

    couples_all = True

    def candidates(self, circuit: Circuit, effort: str, seed: int) -> list:
        return []

    def placed(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> list:
        return []

    def score(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> tuple[float, ...]:
        costs = circuit.costs()
        return tuple(float(costs[key]) for key in ("two_qubit_gates", "two_qubit_depth", "gates"))


class Writer:
    """Appends snippets to one circuit."""

    def __init__(self, rng: np.random.Generator, qubits: int, bits: int) -> None:
        self.rng = rng
        inputs = (AngleInput("x", (DATA,)), AngleInput("w", (WEIGHTS,), "weight"))
        self.editor = CircuitEditor("c", qubits, bits, inputs)
        self.editor.phase = self.angle() if rng.random() < 0.3 else make_row()
        self.steps: list[tuple[str, list[int], list[Row]]] = []

    def add(self, gate: str, wires: Sequence[int], *angles: Row, **rest: Any) -> None:
        self.editor.add(gate, wires, angles, **rest)
        if not rest and GATES[OPCODES[gate]].matrix is not None:
            self.steps.append((gate, list(wires), list(angles)))

    def angle(self) -> Row:
        """A multiple of pi, a number, or a form in the data and the weights."""
        rng = self.rng
        pi_part = Fraction(int(rng.integers(-8, 9)), int(rng.choice([1, 2, 4]))) if rng.random() < 0.5 else Fraction(0)
        offset = float(rng.choice([0.25, -0.25, 0.7])) if rng.random() < 0.3 else 0.0
        terms = []
        if rng.random() < 0.5:
            terms = [(int(rng.integers(DATA + WEIGHTS)), float(rng.choice([-1.0, 1.0, 0.5])))]
        return make_row(pi_part, offset, terms)

    def wires(self, count: int) -> list[int]:
        return self.rng.permutation(self.editor.num_qubits)[:count].tolist()

    def snippet(self, kind: str) -> None:
        getattr(self, f"_{kind}")()

    def _gate(self, **rest: Any) -> None:
        fitting = [g for g in GATES if g.matrix is not None and g.qubits <= self.editor.num_qubits]
        gate = fitting[int(self.rng.integers(len(fitting)))]
        self.add(gate.name, self.wires(gate.qubits), *(self.angle() for _ in range(gate.angles)), **rest)

    def _undone(self) -> None:
        """An earlier gate again, or its inverse."""
        if not self.steps:
            return
        name, wires, angles = self.steps[-1 - int(self.rng.integers(min(4, len(self.steps))))]
        gate = GATES[OPCODES[name]]
        if gate.inverse and self.rng.random() < 0.7:
            order = gate.inverse_order or range(gate.angles)
            name, angles = gate.inverse, [add_rows(make_row(), angles[i], -1) for i in order]
        self.add(name, wires, *angles)

    def _pauli(self) -> None:
        wires = self.wires(int(self.rng.integers(1, min(4, self.editor.num_qubits) + 1)))
        self.add("pauli", wires, self.angle(), pauli="".join(self.rng.choice(list("IXYZ"), len(wires))))

    def _pair(self) -> None:
        """A block on one pair of qubits."""
        pair = self.wires(2)
        for _ in range(int(self.rng.integers(2, 6))):
            name = str(self.rng.choice(["cx", "cz", "rxx", "ryy", "rzz", "ry", "rz"]))
            gate = GATES[OPCODES[name]]
            wires = self.rng.permutation(pair)[: gate.qubits].tolist()
            self.add(name, wires, *(self.angle() for _ in range(gate.angles)))

    def _turns(self) -> None:
        (wire,) = self.wires(1)
        for _ in range(int(self.rng.integers(1, 4))):
            name = str(self.rng.choice(["rz", "ry", "rx", "h", "sx", "s", "p"]))
            self.add(name, [wire], *(self.angle() for _ in range(GATES[OPCODES[name]].angles)))

    def _clifford(self) -> None:
        for _ in range(3):
            name = str(self.rng.choice(["cx", "cz", "h", "s", "x", "sx", "cy"]))
            self.add(name, self.wires(GATES[OPCODES[name]].qubits))

    def _swap(self) -> None:
        a, b = self.wires(2)
        if self.rng.random() < 0.5:
            self.add(str(self.rng.choice(["swap", "iswap"])), [a, b])
        else:
            self.add("cx", [a, b])
            self.add("cx", [b, a])

    def _chain(self) -> None:
        """A staircase."""
        for q in range(self.editor.num_qubits - 1):
            self.add("ry", [q], self.angle())
            self.add("cx", [q, q + 1])

    def _diagonal(self) -> None:
        name = str(self.rng.choice(["cz", "rzz", "cp", "rz"]))
        gate = GATES[OPCODES[name]]
        self.add(name, self.wires(gate.qubits), *(self.angle() for _ in range(gate.angles)))

    def _control(self) -> None:
        name = str(self.rng.choice(["cx", "cz", "cry", "crz", "ccx" if self.editor.num_qubits > 2 else "cx"]))
        gate = GATES[OPCODES[name]]
        self.add(name, sorted(self.wires(gate.qubits)), *(self.angle() for _ in range(gate.angles)))

    def _small(self) -> None:
        name = str(self.rng.choice(["rz", "ry", "rxx"]))
        self.add(name, self.wires(GATES[OPCODES[name]].qubits), make_row(0, float(self.rng.normal()) * 1e-3))

    def _measure(self) -> None:
        self.add("measure", self.wires(1), clbits=[int(self.rng.integers(self.editor.num_clbits))])

    def _reset(self) -> None:
        self.add("reset", self.wires(1))

    def _barrier(self) -> None:
        self.add("barrier", self.wires(int(self.rng.integers(1, self.editor.num_qubits + 1))))

    def _condition(self) -> None:
        bits = [("bit", int(b)) for b in self.rng.integers(self.editor.num_clbits, size=2)]
        kinds = [bits[0], ("not", bits[0]), ("xor", *bits), ("and", bits[0], ("not", bits[1]))]
        self._gate(condition=kinds[int(self.rng.integers(len(kinds)))])


def _drawn(rng: np.random.Generator, shares: dict[str, float]) -> str:
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _observable(rng: np.random.Generator, qubits: int) -> PauliSum:
    terms = []
    for _ in range(int(rng.integers(1, 4))):
        chosen = rng.permutation(qubits)[: int(rng.integers(1, min(qubits, 3) + 1))].tolist()
        letters = rng.choice(list("XYZ"), len(chosen), p=[0.2, 0.2, 0.6])
        terms.append((tuple((str(p), q) for p, q in zip(letters, chosen, strict=True)), float(rng.normal())))
    return PauliSum.of([*terms, ((), float(rng.integers(2)))])


def _readout(rng: np.random.Generator, kind: str, qubits: int) -> ops.Readout:
    some = tuple(rng.permutation(qubits)[: int(rng.integers(1, min(qubits, 3) + 1))].tolist())
    if kind == "one":
        return ops.Expectation("c", (PauliSum.of([((("Z", some[0]),), 1.0)]),))
    if kind == "probabilities":
        return ops.Probabilities("c", some)
    if kind == "samples":
        return ops.Samples("c", some, 8)
    if rng.random() < 0.4:
        return ops.Expectation("c", tuple(PauliSum.of([((("Z", q),), 1.0)]) for q in some))
    return ops.Expectation("c", tuple(_observable(rng, qubits) for _ in range(int(rng.integers(1, 4)))))


def random_module(seed: int, style: str) -> Module:
    """One circuit with data and weights, read in one to two ways."""
    rng, kind = np.random.default_rng(seed), STYLES[style]
    qubits = int(rng.integers(kind.qubits[0], kind.qubits[1] + 1))
    writer = Writer(rng, qubits, 2 * ("measure" in kind.snippets))
    wanted = int(rng.integers(kind.gates[0], kind.gates[1] + 1))
    while len(writer.editor.rows) < wanted:
        writer.snippet(_drawn(rng, kind.snippets))
    if kind.tail:
        writer.snippet(_drawn(rng, kind.tail))
    module = Module("fuzz", circuits={"c": writer.editor.circuit()}, weights={"w": rng.normal(size=WEIGHTS)})
    builder = GraphBuilder(module)
    operands = (builder.input("x", Type("f64", (-1, DATA))), builder.weight("w"))
    read = [_readout(rng, _drawn(rng, kind.readouts), qubits) for _ in range(1 + (rng.random() < 0.2))]
    return module.with_(graph=builder.graph(*[builder.add(op, *operands)[0] for op in read]))


def quantum_passes() -> list[str]:
    """Every registered pass over circuits, found by its contract."""
    return [n for n in pass_names() if PASSES.load(n).contract in CIRCUIT_CONTRACTS or n in ALSO]


@dataclass(frozen=True)
class Fuzz:
    """What the tests of this folder share."""

    passes: tuple[str, ...]
    styles: tuple[str, ...]
    module: Callable[[int, str], Module]
    bias: dict[str, tuple[str, ...]]

    def make(self, name: str) -> Pass:
        return make_pass(name, OPTIONS.get(name, {}))

    def context(self) -> Context:
        return Context(target=TARGET, services=Shortest())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pass_name" in metafunc.fixturenames:
        metafunc.parametrize("pass_name", quantum_passes())


@pytest.fixture(scope="session")
def fuzz() -> Fuzz:
    """The passes, the styles and the generator."""
    return Fuzz(tuple(quantum_passes()), tuple(STYLES), random_module, BIAS)
