"""pauli-rotations: the readouts stay, two-qubit gates and measurement settings never become more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import qsc
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp, Statevector
from qsc.compiler.contracts import check
from qsc.compiler.passes import pauli_rotations
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.pauli_rotations import PauliRotations, entangling_cost
from qsc.frontends.readouts import module_of
from qsc.ir import Circuit, GraphBuilder, Module, PauliSum, Type, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.measurement_settings import count_settings

SEEDS = st.integers(0, 2**32 - 1)
THOROUGH = settings(max_examples=60, deadline=None, derandomize=True)


def read(circuit: Circuit, readouts: Sequence[ops.Readout]) -> Module:
    module = Module("m", circuits={"c": replace(circuit, name="c")})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    return module.with_(graph=builder.graph(*(builder.add(op, *inputs)[0] for op in readouts)))


def random_readouts(rng: np.random.Generator, qubits: int) -> list[ops.Readout]:
    def term() -> tuple:
        chosen = sorted(rng.permutation(qubits)[: int(rng.integers(1, min(qubits, 3) + 1))].tolist())
        return tuple((str(rng.choice(list("XYZ"))), q) for q in chosen), float(rng.normal())

    sums = tuple(PauliSum.of(term() for _ in range(int(rng.integers(1, 4)))) for _ in range(2))
    bits = tuple(rng.permutation(qubits)[: int(rng.integers(1, qubits + 1))].tolist())
    every = tuple(qsc.Z(q) for q in range(qubits))
    choice: list[list[ops.Readout]] = [
        [ops.Expectation("c", sums)],
        [ops.Probabilities("c", bits)],
        [ops.Expectation("c", every)],
        [ops.Expectation("c", sums), ops.Expectation("c", every), ops.Probabilities("c", bits)],
    ]
    return choice[int(rng.integers(len(choice)))]


def settings_of(module: Module) -> list[int]:
    return [count_settings(n.op.observables) for n in module.nodes() if isinstance(n.op, ops.Expectation)]


@pytest.fixture
def always_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every synthesis, also one with more gates: what it means is tested then on all circuits."""
    costs = iter(range(10**6, 0, -1))
    monkeypatch.setattr(pauli_rotations, "entangling_cost", lambda *_: (next(costs), 0))


@THOROUGH
@given(SEEDS, st.integers(2, 5), st.integers(1, 35), st.sampled_from(["fast", "default"]))
def test_readouts_stay(make_circuit, seed: int, qubits: int, gates: int, effort: str):
    rng = np.random.default_rng(seed)
    before = read(make_circuit(seed, qubits, gates), random_readouts(rng, qubits))
    after = PauliRotations().run(before, Context(effort=effort))
    verify(after)
    check(PauliRotations(), before, after)
    assert all(new <= old for new, old in zip(settings_of(after), settings_of(before), strict=True))
    if after is not before:
        assert entangling_cost(after.circuits["c"]) < entangling_cost(before.circuits["c"])


@pytest.mark.usefixtures("always_cheaper")
@pytest.mark.parametrize("seed", range(60))
def test_readouts_stay_in_every_synthesis(make_circuit, seed: int):
    rng = np.random.default_rng(seed)
    qubits = int(rng.integers(2, 6))
    before = read(make_circuit(seed, qubits, int(rng.integers(1, 35))), random_readouts(rng, qubits))
    after = PauliRotations().run(before, Context(effort="fast"))
    assert after is not before
    verify(after)
    check(PauliRotations(), before, after)
    assert all(new <= old for new, old in zip(settings_of(after), settings_of(before), strict=True))


@pytest.mark.usefixtures("always_cheaper")
@pytest.mark.parametrize("seed", range(15))
def test_qiskit_agrees(make_circuit, in_qiskit, seed: int):
    rng = np.random.default_rng(seed)
    circuit = make_circuit(seed + 500, 4, 25)
    observables = [PauliSum.parse("X0*Y1 - 0.5*Z2"), PauliSum.parse("Z0*Z3 + X2")]
    before = read(circuit, [ops.Expectation("c", tuple(observables)), ops.Probabilities("c", (3, 1))])
    after = PauliRotations().run(before, Context(effort="fast"))
    values = rng.uniform(-7, 7, 4)
    old, new = (Statevector(in_qiskit(c, values)) for c in (circuit, after.circuits["c"]))
    expectation, probabilities = (n.op for n in after.graph.nodes)
    assert isinstance(expectation, ops.Expectation)
    assert isinstance(probabilities, ops.Probabilities)
    for a, b in zip(observables, expectation.observables, strict=True):
        assert value_of(b, new) == pytest.approx(value_of(a, old), abs=1e-10)
    found = new.probabilities(list(probabilities.qubits))
    np.testing.assert_allclose(found, old.probabilities([3, 1]), atol=1e-10)


def value_of(observable: PauliSum, state: Statevector) -> float:
    if not observable.terms:
        return 0.0
    terms = [("".join(p for p, _ in term), [q for _, q in term], coeff) for term, coeff in observable.terms]
    return state.expectation_value(SparsePauliOp.from_sparse_list(terms, state.num_qubits or 0)).real


def qft_of_angles(n: int) -> qsc.Circuit:
    c = qsc.Circuit(n)
    x = c.inputs("x", n)
    for q in range(n):
        c.ry(x[q], q)
    for q in reversed(range(n)):
        c.h(q)
        for k in range(q):
            c.cp(np.pi / 2 ** (q - k), k, q)
    return c


def ising_chain(n: int, steps: int) -> qsc.Circuit:
    c = qsc.Circuit(n)
    t = c.inputs("t", ())
    for _ in range(steps):
        for q in range(n - 1):
            c.rzz(t, q, q + 1)
        for q in range(n):
            c.rx(0.5 * t, q)
    return c


def hardware_efficient(n: int, layers: int) -> qsc.Circuit:
    c = qsc.Circuit(n)
    w = c.inputs("w", (layers, n))
    for layer in range(layers):
        for q in range(n):
            c.ry(w[layer][q], q)
        for q in range(n - 1):
            c.cx(q, q + 1)
    for q in range(n):
        c.ry(w[0][q], q)
    return c


def test_a_clifford_circuit_read_by_observables_needs_no_gates():
    c = qsc.Circuit(3)
    c.h(0)
    c.cx(0, 1)
    c.cx(1, 2)
    before = module_of(c.build(), [qsc.Z(0) * qsc.Z(1), qsc.X(0) * qsc.X(1) * qsc.X(2), qsc.Z(2)])
    after = PauliRotations().run(before, Context())
    assert entangling_cost(next(iter(after.circuits.values())))[0] == 0
    np.testing.assert_allclose(np.asarray(evaluate(after, [])[0]), [1, 1, 0], atol=1e-12)


def test_leading_diagonal_rotations_vanish():
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    c.rzz(x[0], 0, 1)
    c.crz(x[1], 1, 2)
    c.ry(x[2], 0)
    c.cx(0, 1)
    c.rx(x[0], 1)
    c.cx(0, 1)
    before = module_of(c.build(), "Z0, Z1")
    after = PauliRotations().run(before, Context())
    check(PauliRotations(), before, after)
    assert entangling_cost(next(iter(after.circuits.values())))[0] == 0


@pytest.mark.parametrize(("qubits", "most"), [(6, 24), (10, 63)])
def test_fourier_transform(qubits: int, most: int):
    before = module_of(qft_of_angles(qubits).build(), "probs")
    after = PauliRotations().run(before, Context())
    check(PauliRotations(), before, after)
    assert entangling_cost(next(iter(after.circuits.values())))[0] <= most


def test_what_the_form_makes_worse_is_left_alone():
    before = module_of(hardware_efficient(6, 3).build(), [qsc.Z(q) for q in range(6)])
    context = Context()
    after = PauliRotations().run(before, context)
    assert context.remarks
    if after is not before:
        assert entangling_cost(next(iter(after.circuits.values()))) < (15, 100)


@pytest.mark.parametrize("text", ["measure 0 -> 0", "rz(x0) 0 if c0", "reset 1", "barrier 0 1"])
def test_other_circuits_are_left_alone(write_circuit, text: str):
    before = read(write_circuit(f"h 0; cx 0 1; {text}; rzz(x1) 0 1", 2, 1), [ops.Probabilities("c", (0, 1))])
    context = Context()
    assert PauliRotations().run(before, context) is before
    assert "left alone" in context.remarks[0].message


def test_large_circuits_are_left_alone():
    before = module_of(ising_chain(30, 40).build(), [qsc.Z(0)])
    context = Context()
    assert PauliRotations().run(before, context) is before
    assert "too many" in context.remarks[0].message


def test_same_input_same_bytes():
    before = module_of(ising_chain(5, 3).build(), [qsc.Z(q) for q in range(5)])
    one, two = (PauliRotations().run(before, Context(effort="max")) for _ in range(2))
    assert qsc.ir.print_module(one) == qsc.ir.print_module(two)
