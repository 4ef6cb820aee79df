"""Readouts of unitary circuits against Qiskit; samples; gradients; both simulators against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qsc.ir import (
    DYNAMIC,
    AngleInput,
    Circuit,
    CircuitEditor,
    GraphBuilder,
    Module,
    PauliSum,
    Type,
    X,
    Y,
    Z,
    ops,
    verify,
)
from qsc.ir.angles import make_row
from qsc.ir.interpreter import branches, evaluate, statevector, unitary

QUBITS = 4
OBSERVABLES = (Z(0), X(1) * Y(2), 0.5 * Z(0) * Z(3) - 1.5 * Y(1) + 0.25, Y(0) * Y(1) * X(2) * Z(3), PauliSum(()))
SEEDS = range(12)


def readout_module(circuit: Circuit, *readouts: ops.Readout, dtype: str = "f64", batched=(True, True, False)) -> Module:
    module = Module("m", circuits={circuit.name: circuit})
    builder = GraphBuilder(module)
    operands = [
        builder.input(a.name, Type(dtype, (DYNAMIC, *a.shape) if own else a.shape))
        for a, own in zip(circuit.inputs, batched, strict=False)
    ]
    results = [builder.add(op, *operands)[0] for op in readouts]
    module = module.with_(graph=builder.graph(*results))
    verify(module)
    return module


def angles(circuit: Circuit, batch: int = 3, batched=(True, True, False)) -> tuple[list[np.ndarray], np.ndarray]:
    """One array an input, and the same as (batch, variables)."""
    rng = np.random.default_rng(5)
    arrays = [
        rng.normal(size=(batch, *a.shape) if own else a.shape) for a, own in zip(circuit.inputs, batched, strict=True)
    ]
    columns = [
        np.broadcast_to(x.reshape(batch if own else 1, a.size), (batch, a.size))
        for x, a, own in zip(arrays, circuit.inputs, batched, strict=True)
    ]
    return arrays, np.concatenate(columns, axis=1)


def qiskit_operator(observable: PauliSum):
    from qiskit.quantum_info import SparsePauliOp

    terms = [("".join(p for p, _ in term), [q for _, q in term], coeff) for term, coeff in observable.terms]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], QUBITS)


@pytest.mark.parametrize("seed", SEEDS)
def test_readouts_are_qiskits(seed, random_circuit, to_qiskit):
    from qiskit.quantum_info import Statevector

    circuit = random_circuit(seed, QUBITS, 40)
    arrays, values = angles(circuit)
    order = (2, 0, 3)
    module = readout_module(circuit, ops.Expectation("random", OBSERVABLES), ops.Probabilities("random", order))
    expectations, probabilities = evaluate(module, arrays)
    for k, sample in enumerate(values):
        state = Statevector(to_qiskit(circuit, sample))
        wanted = [state.expectation_value(qiskit_operator(o)).real for o in OBSERVABLES]
        np.testing.assert_allclose(expectations[k], wanted, atol=1e-12)
        np.testing.assert_allclose(probabilities[k], state.probabilities(list(order)), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_unitaries_are_qiskits_with_their_phase(seed, random_circuit, to_qiskit):
    from qiskit.quantum_info import Operator

    circuit = random_circuit(seed, QUBITS, 40)
    for sample in angles(circuit)[1]:
        wanted = np.asarray(Operator(to_qiskit(circuit, sample)).data)
        np.testing.assert_allclose(unitary(circuit, sample), wanted, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_branching_and_statevector_agree(seed, random_circuit):
    circuit = random_circuit(seed, QUBITS, 40)
    values = torch.from_numpy(angles(circuit)[1])
    states = statevector.simulate(circuit, values)
    for k, sample in enumerate(values.numpy()):
        np.testing.assert_allclose(states[k], unitary(circuit, sample)[:, 0], atol=1e-12)
    torch.testing.assert_close(
        branches.expectations(circuit, OBSERVABLES, values), statevector.expectations(circuit, OBSERVABLES, values)
    )
    torch.testing.assert_close(
        branches.probabilities(circuit, (3, 1), values), statevector.probabilities(circuit, (3, 1), values)
    )


def test_float32_computes_in_float32_and_in_float64_on_demand(random_circuit):
    circuit = random_circuit(1, QUBITS, 40)
    arrays, _ = angles(circuit)
    op = ops.Expectation("random", OBSERVABLES)
    (exact,) = evaluate(readout_module(circuit, op), arrays)
    narrow = readout_module(circuit, op, dtype="f32")
    (result,) = evaluate(narrow, arrays)
    assert result.dtype == torch.float32
    assert 0 < float((result - exact).abs().max()) < 1e-4
    (wide,) = evaluate(narrow, arrays, precision="f64")
    torch.testing.assert_close(wide, exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("batched", [(False, False, False), (True, False, False), (False, True, True)])
def test_any_operand_may_have_the_batch(batched, random_circuit):
    circuit = random_circuit(2, QUBITS, 30)
    arrays, values = angles(circuit, 2, batched)
    readouts = (
        ops.Expectation("random", OBSERVABLES),
        ops.Probabilities("random", (1,)),
        ops.Samples("random", (0, 2), 7),
    )
    module = readout_module(circuit, *readouts, batched=batched)
    expectations, probabilities, samples = evaluate(module, arrays)
    shape = (2,) if any(batched) else ()
    assert expectations.shape == (*shape, len(OBSERVABLES))
    assert probabilities.shape == (*shape, 2)
    assert samples.shape == (*shape, 7, 2)
    wanted = statevector.expectations(circuit, OBSERVABLES, torch.from_numpy(values))
    torch.testing.assert_close(expectations, wanted if any(batched) else wanted[0])


@pytest.mark.parametrize("dynamic", [False, True])
def test_an_empty_batch(dynamic, random_circuit):
    circuit = random_circuit(3, QUBITS, 30, bits=2, dynamic=dynamic)
    readouts = (
        ops.Expectation("random", OBSERVABLES),
        ops.Probabilities("random", (1,)),
        ops.Samples("random", (0, 2), 7),
    )
    arrays, _ = angles(circuit, 0)
    results = evaluate(readout_module(circuit, *readouts), arrays)
    assert [tuple(r.shape) for r in results] == [(0, len(OBSERVABLES)), (0, 2), (0, 7, 2)]


def test_a_circuit_without_inputs():
    editor = CircuitEditor("bell", 2)
    editor.add("h", [0])
    editor.add("cx", [0, 1])
    readouts = (
        ops.Expectation("bell", (X(0) * X(1),)),
        ops.Probabilities("bell", (0, 1)),
        ops.Samples("bell", (1, 0), 50),
    )
    expectation, probabilities, samples = evaluate(readout_module(editor.circuit(), *readouts), [])
    np.testing.assert_allclose(expectation, [1.0])
    np.testing.assert_allclose(probabilities, [0.5, 0, 0, 0.5], atol=1e-15)
    assert (samples[:, 0] == samples[:, 1]).all()


def test_a_wide_circuit_is_simulated_where_it_is_read():
    editor = CircuitEditor("wide", 100)
    for q in range(100):
        editor.add("h", [q])
    editor.add("cz", [70, 71])
    module = readout_module(
        editor.circuit(), ops.Expectation("wide", (X(70) * Z(71), X(5))), ops.Samples("wide", (9,), 8)
    )
    expectation, samples = evaluate(module, [])
    np.testing.assert_allclose(expectation, [1.0, 1.0], atol=1e-12)
    assert samples.shape == (8, 1)


# Samples


def sampled(shots: int, seed: int = 0, qubits=(2, 0)) -> tuple[torch.Tensor, torch.Tensor]:
    editor = CircuitEditor("c", 3, 0, [AngleInput("t", (2,))])
    for qubit, variable in ((0, 0), (2, 1)):
        editor.add("ry", [qubit], [make_row(0, 0, [(variable, 1.0)])])
    editor.add("cx", [0, 1])
    module = readout_module(
        editor.circuit(), ops.Samples("c", qubits, shots), ops.Probabilities("c", qubits), batched=(True,)
    )
    bits, weights = evaluate(module, [np.array([[0.7, 2.0], [0.0, np.pi], [3.0, 0.1]])], seed=seed)
    return bits, weights


def test_samples_follow_the_probabilities():
    shots = 20_000
    bits, weights = sampled(shots)
    assert bits.dtype == torch.bool
    outcomes = bits[..., 0].long() + 2 * bits[..., 1].long()
    counts = torch.stack([torch.bincount(row, minlength=4) for row in outcomes])
    spread = (shots * weights * (1 - weights)).sqrt()
    assert ((counts - shots * weights).abs() <= 5 * spread + 1e-6).all()
    assert bits[1, :, 0].all()
    assert not bits[1, :, 1].any()


def test_samples_depend_on_the_seed_alone():
    assert torch.equal(sampled(64)[0], sampled(64)[0])
    assert not torch.equal(sampled(64)[0], sampled(64, seed=1)[0])
    torch.manual_seed(9)
    before = torch.rand(1)
    torch.manual_seed(9)
    sampled(64)
    assert torch.equal(torch.rand(1), before), "torch's own generator was used"


def test_samples_of_no_qubit():
    assert sampled(5, qubits=())[0].shape == (3, 5, 0)


# Gradients


@pytest.mark.parametrize("dynamic", [False, True])
def test_gradients(dynamic, random_circuit):
    circuit = random_circuit(4, 3, 14, bits=2, dynamic=dynamic)
    assert circuit.has_measurement == dynamic
    module = readout_module(
        circuit, ops.Expectation("random", (Z(0), X(1) - Y(2))), ops.Probabilities("random", (0, 2))
    )
    values = [torch.from_numpy(a).requires_grad_() for a in angles(circuit, 2)[0]]
    assert torch.autograd.gradcheck(lambda *v: tuple(evaluate(module, v)), values)


def test_a_second_derivative_through_branches():
    editor = CircuitEditor("c", 2, 1, [AngleInput("t")])
    editor.add("ry", [0], [make_row(0, 0, [(0, 1.0)])])
    editor.add("measure", [0], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    t = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    value = branches.expectations(editor.circuit(), (Z(1),), t)[0, 0]
    (first,) = torch.autograd.grad(value, t, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), t)
    assert first.item() == pytest.approx(0.0)
    assert second.item() == pytest.approx(-1.0), "a branch of probability 0 was dropped though it has a derivative"
