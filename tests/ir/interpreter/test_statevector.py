"""The statevector simulator against Qiskit, against finite differences, and in all its forms of input."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction

import numpy as np
import pytest
import torch
from qsc.ir import AngleInput, CircuitEditor, PauliSum, X, Y, Z
from qsc.ir.angles import make_row
from qsc.ir.gates import GATES
from qsc.ir.interpreter import statevector, statevector_plan

UNITARY_NAMES = [g.name for g in GATES if g.unitary]
VARIABLES = 8
WEIGHTS_FROM = 4  # the fixture's circuits have x (3,), t () and the weights w (2, 2)


def table(seed: int, batch: int, *, shared: bool = False) -> torch.Tensor:
    """Angle values (batch, 8); with `shared` the weights are equal in all rows."""
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(batch, VARIABLES)) * 2)
    if shared:
        values[:, WEIGHTS_FROM:] = values[0, WEIGHTS_FROM:].clone()
    return values


def arrays(values: torch.Tensor) -> list[torch.Tensor]:
    """The same values, one array an input, the weights without a batch."""
    return [values[:, :3], values[:, 3], values[0, WEIGHTS_FROM:].reshape(2, 2)]


def qiskit_states(to_qiskit, circuit, values) -> np.ndarray:
    from qiskit.quantum_info import Statevector

    return np.array([Statevector(to_qiskit(circuit, row)).data for row in values.numpy()])


def observables(seed: int, qubits: int) -> list[PauliSum]:
    rng = np.random.default_rng(seed)

    def term() -> tuple:
        chosen = rng.permutation(qubits)[: rng.integers(0, qubits + 1)]
        return tuple((str(rng.choice(list("XYZ"))), int(q)) for q in chosen)

    return [PauliSum.of([(term(), float(rng.normal())) for _ in range(3)]) for _ in range(4)]


def qiskit_expectations(states: np.ndarray, sums: list[PauliSum], qubits: int) -> np.ndarray:
    from qiskit.quantum_info import SparsePauliOp, Statevector

    def operator(o: PauliSum) -> SparsePauliOp:
        return SparsePauliOp.from_sparse_list(
            [("".join(p for p, _ in t), [q for _, q in t], c) for t, c in o.terms] or [("", [], 0.0)], qubits
        )

    return np.array([[Statevector(s).expectation_value(operator(o)).real for o in sums] for s in states])


@pytest.mark.parametrize("name", UNITARY_NAMES)
def test_every_gate_against_qiskit(name, random_circuit, to_qiskit):
    for seed, names in enumerate(([name], [name, "h", "ry"], [name, "h", "cx", "rz"])):
        circuit = random_circuit(seed, 3, 9, names=names)
        values = table(seed, 2)
        wanted = qiskit_states(to_qiskit, circuit, values)
        np.testing.assert_allclose(statevector.simulate(circuit, values).numpy(), wanted, atol=1e-12)
        shared = table(seed, 2, shared=True)
        wanted = qiskit_states(to_qiskit, circuit, shared)
        np.testing.assert_allclose(statevector.simulate(circuit, arrays(shared)).numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("seed", range(16))
def test_random_circuits_against_qiskit(seed, random_circuit, to_qiskit):
    qubits = 1 + seed % 7
    circuit = random_circuit(100 + seed, qubits, [0, 12, 40, 90][seed % 4])
    values = table(seed, [1, 3, 40][seed % 3], shared=True)
    wanted = qiskit_states(to_qiskit, circuit, values)
    sums = observables(seed, qubits)
    for given in (values, arrays(values)):
        np.testing.assert_allclose(statevector.simulate(circuit, given).numpy(), wanted, atol=1e-12)
        found = statevector.expectations(circuit, sums, given).numpy()
        np.testing.assert_allclose(found, qiskit_expectations(wanted, sums, qubits), atol=1e-12)
    chosen = np.random.default_rng(seed).permutation(qubits)[: 1 + seed % 3].tolist()
    found = statevector.probabilities(circuit, chosen, values).numpy()
    from qiskit.quantum_info import Statevector

    np.testing.assert_allclose(found, [Statevector(s).probabilities(chosen) for s in wanted], atol=1e-12)


@pytest.mark.parametrize(
    "names", [["ry", "cx", "h", "cz", "cry", "x", "swap"], ["rx", "cx"], ["rzz", "rx", "h"], ["cx", "cz"]]
)
@pytest.mark.parametrize("qubits", [5, 9])
def test_families_that_take_other_paths(names, qubits, random_circuit, to_qiskit):
    """Real circuits, chains, diagonals and permutations alone; wide enough for every kind of step."""
    circuit = random_circuit(qubits, qubits, 60, names=names)
    values = table(1, 2, shared=True)
    wanted = qiskit_states(to_qiskit, circuit, values)
    for given in (values, arrays(values), table(1, 40, shared=True)):
        found = statevector.simulate(circuit, given)
        np.testing.assert_allclose(found[:2].numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_gradients_against_finite_differences(seed, random_circuit):
    qubits = 1 + seed % 4
    circuit = random_circuit(200 + seed, qubits, [4, 20][seed % 2])
    sums = [*observables(seed, qubits)[:2], X(0) + 0.5 * Y(0)]
    values = table(seed, 2)
    x, t, w = (a.clone().requires_grad_() for a in arrays(values))
    assert torch.autograd.gradcheck(lambda *a: statevector.expectations(circuit, sums, a), (x, t, w))
    assert torch.autograd.gradcheck(lambda *a: statevector.simulate(circuit, a), (x, t, w))
    assert torch.autograd.gradcheck(
        lambda v: statevector.probabilities(circuit, [qubits - 1], v), (values.requires_grad_(),)
    )


def test_second_derivatives(random_circuit):
    circuit = random_circuit(7, 3, 10)
    x, t, w = (a.clone().requires_grad_() for a in arrays(table(7, 2)))
    assert torch.autograd.gradgradcheck(lambda *a: statevector.expectations(circuit, [Z(0), X(1)], a), (x, t, w))


def test_adjoint_gradient_equals_ordinary_autograd(random_circuit):
    """The same gradient with and without recomputed states, on a circuit deep enough to show drift."""
    circuit = random_circuit(3, 6, 300)
    parts = [a.clone().requires_grad_() for a in arrays(table(3, 5))]
    value = statevector.expectations(circuit, [Z(0) * X(3), Y(2)], parts).square().sum()
    adjoint = torch.autograd.grad(value, parts, retain_graph=True)
    plain = torch.autograd.grad(value, parts, create_graph=True)
    for a, b in zip(adjoint, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_float32(random_circuit):
    circuit = random_circuit(11, 5, 80)
    wide = [a.clone().requires_grad_() for a in arrays(table(11, 8))]
    narrow = [a.detach().float().requires_grad_() for a in wide]
    results = []
    for given in (wide, narrow):
        out = statevector.expectations(circuit, [Z(0), X(1) * Y(2)], given)
        out.square().sum().backward()
        results.append(out)
    assert results[1].dtype == torch.float32
    assert statevector.simulate(circuit, narrow).dtype == torch.complex64
    torch.testing.assert_close(results[1].double(), results[0], atol=2e-6, rtol=0)
    for a, b in zip(wide, narrow, strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(b.grad.double(), a.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("batch", [0, 1, 31, 32, 70])
def test_batches(batch, random_circuit):
    circuit = random_circuit(5, 4, 30)
    values = table(5, 70, shared=True)
    whole = statevector.simulate(circuit, values)
    assert statevector.simulate(circuit, values[:batch]).shape == (batch, 16)
    torch.testing.assert_close(statevector.simulate(circuit, values[:batch]), whole[:batch], atol=1e-12, rtol=0)


def test_large_batches_run_in_parts(random_circuit, monkeypatch):
    circuit = random_circuit(6, 4, 30)
    values = table(6, 50)
    whole = statevector.probabilities(circuit, [2, 0], values)
    monkeypatch.setattr(statevector, "CHUNK", 16 * 7)
    torch.testing.assert_close(statevector.probabilities(circuit, [2, 0], values), whole, atol=1e-14, rtol=0)


def test_no_gates_and_no_variables():
    empty = CircuitEditor("empty", 2).circuit()
    states = statevector.simulate(empty, torch.zeros(3, 0))
    torch.testing.assert_close(states, torch.eye(4, dtype=torch.complex64)[:1].expand(3, 4))
    assert statevector.simulate(empty, []).shape == (1, 4)
    values = statevector.expectations(empty, [Z(0) - Z(1) + 2.0], torch.zeros(3, 0, dtype=torch.float64))
    assert values.tolist() == [[2.0]] * 3


def test_global_phase_counts_in_states_only():
    editor = CircuitEditor("phased", 1, 0, [AngleInput("t")])
    editor.add("h", [0])
    editor.phase = make_row(Fraction(1, 3), 0.0, [(0, 2.0)])
    circuit = editor.circuit()
    t = torch.tensor([[0.0], [0.7]], dtype=torch.float64)
    wanted = torch.exp(1j * (torch.pi / 3 + 2 * t)) / 2**0.5
    torch.testing.assert_close(statevector.simulate(circuit, t), wanted.expand(2, 2))
    torch.testing.assert_close(statevector.probabilities(circuit, [0], t), torch.full((2, 2), 0.5).double())


def test_wrong_values_and_circuits_are_refused(random_circuit):
    circuit = random_circuit(1, 2, 5)
    with pytest.raises(ValueError, match="8 angle variables"):
        statevector.simulate(circuit, torch.zeros(2, 7))
    with pytest.raises(ValueError, match="angle input x"):
        statevector.simulate(circuit, [torch.zeros(2, 4), torch.zeros(2), torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="float32 or float64"):
        statevector.simulate(circuit, torch.zeros(2, 8, dtype=torch.float16))
    editor = CircuitEditor("measured", 1, 1)
    editor.add("measure", [0], clbits=[0])
    with pytest.raises(ValueError, match="measures"):
        statevector.simulate(editor.circuit(), torch.zeros(1, 0))


def test_plans_go_with_their_circuit(random_circuit):
    circuit = random_circuit(1, 2, 5)
    statevector.simulate(circuit, table(1, 2))
    key, gone = id(circuit), weakref.ref(circuit)
    assert key in statevector_plan._PLANS
    del circuit
    gc.collect()
    assert gone() is None
    assert key not in statevector_plan._PLANS
