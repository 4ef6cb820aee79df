"""Measurements, resets and conditions against an exact enumeration of outcomes with Qiskit's operators, and Aer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from qsc.ir import AngleInput, Circuit, CircuitEditor, InputError, PauliSum, X, Y, Z
from qsc.ir.angles import make_row
from qsc.ir.conditions import evaluate as evaluate_condition
from qsc.ir.gates import OPCODES, pauli_matrix
from qsc.ir.interpreter import branches

OBSERVABLES = (Z(0), X(0), Y(1) * X(2), Z(1) * Z(2) - 0.5 * X(1), Y(0) * Y(1) * Y(2))


def reference(circuit: Circuit, values: np.ndarray, to_qiskit_gate) -> np.ndarray:
    """The final density matrix: every outcome of every measurement followed, one density matrix each history."""
    from qiskit.quantum_info import DensityMatrix, Operator

    angles = circuit.angles.bind(values[None])[0]
    histories = {(False,) * circuit.num_clbits: DensityMatrix.from_label("0" * circuit.num_qubits).data}
    projectors = [Operator(np.diag([1, 0])), Operator(np.diag([0, 1]))]
    lower = Operator(np.array([[0, 1], [0, 0]]))

    def evolve(rho: np.ndarray, operator, wires) -> np.ndarray:
        return DensityMatrix(rho).evolve(operator, list(wires)).data

    for row in circuit.rows():
        if row.opcode == OPCODES["barrier"]:
            continue
        after: dict[tuple, np.ndarray] = {}

        def collect(bits: tuple, rho: np.ndarray, after=after) -> None:
            after[bits] = after.get(bits, 0) + rho

        for bits, rho in histories.items():
            if row.condition >= 0 and not evaluate_condition(circuit.conditions[row.condition], bits):
                collect(bits, rho)
            elif row.gate.name == "reset":
                collect(bits, evolve(rho, projectors[0], row.wires) + evolve(rho, lower, row.wires))
            elif row.gate.name == "measure":
                for outcome in (0, 1):
                    at = row.clbits[0]
                    collect((*bits[:at], bool(outcome), *bits[at + 1 :]), evolve(rho, projectors[outcome], row.wires))
            else:
                collect(bits, evolve(rho, Operator(to_qiskit_gate(circuit, row, angles)), row.wires))
        histories = after
    return np.sum(list(histories.values()), axis=0)


def matrix(observable: PauliSum, qubits: int) -> np.ndarray:
    total = np.zeros((1 << qubits, 1 << qubits), complex)
    for term, coeff in observable.terms:
        letters = {q: p for p, q in term}
        total += coeff * pauli_matrix("".join(letters.get(q, "I") for q in range(qubits)))
    return total


def check(circuit: Circuit, to_qiskit_gate, batch: int = 2) -> None:
    """Expectations and probabilities of a circuit on three qubits."""
    values = np.random.default_rng(3).normal(size=(batch, circuit.num_variables))
    density = [reference(circuit, sample, to_qiskit_gate) for sample in values]
    ours = branches.expectations(circuit, OBSERVABLES, torch.from_numpy(values))
    wanted = [[np.trace(rho @ matrix(o, 3)).real for o in OBSERVABLES] for rho in density]
    np.testing.assert_allclose(ours, wanted, atol=1e-12)
    for qubits in ((0,), (2, 0), (1, 2, 0)):
        ours = branches.probabilities(circuit, qubits, torch.from_numpy(values))
        np.testing.assert_allclose(ours, [marginal(rho, qubits) for rho in density], atol=1e-12)
        np.testing.assert_allclose(ours.sum(1), 1, atol=1e-12)


def marginal(rho: np.ndarray, qubits: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(1 << len(qubits))
    for k, p in enumerate(np.real(np.diag(rho))):
        out[sum(((k >> q) & 1) << i for i, q in enumerate(qubits))] += p
    return out


@pytest.mark.parametrize("seed", range(25))
def test_random_dynamic_circuits(seed, random_circuit, to_qiskit_gate):
    check(random_circuit(seed, 3, 12 + 2 * seed, bits=2, dynamic=True), to_qiskit_gate)


@pytest.mark.parametrize("gates", [6, 60])
def test_both_ways_of_keeping_the_mixture_are_used(gates, random_circuit):
    kept = set()
    for seed in range(10):
        circuit = random_circuit(seed, 3, gates, bits=2, dynamic=True)
        kept.add(branches.simulate(circuit, range(3), torch.zeros(1, circuit.num_variables)).density)
    assert (gates == 60) in kept


def test_teleportation():
    editor = CircuitEditor("teleport", 3, 2, [AngleInput("t"), AngleInput("p")])
    editor.add("ry", [0], [make_row(0, 0, [(0, 1.0)])])
    editor.add("rz", [0], [make_row(0, 0, [(1, 1.0)])])
    editor.add("h", [1])
    editor.add("cx", [1, 2])
    editor.add("cx", [0, 1])
    editor.add("h", [0])
    editor.add("measure", [0], clbits=[0])
    editor.add("measure", [1], clbits=[1])
    editor.add("x", [2], condition=("bit", 1))
    editor.add("z", [2], condition=("bit", 0))
    values = torch.tensor([[0.3, 1.0], [2.0, -0.4]], dtype=torch.float64)
    t, p = values.T
    wanted = torch.stack([t.sin() * p.cos(), t.sin() * p.sin(), t.cos()], 1)
    ours = branches.expectations(editor.circuit(), (X(2), Y(2), Z(2)), values)
    torch.testing.assert_close(ours, wanted)


def chain(steps: int) -> Circuit:
    """Two qubits, of which the second is measured, reset and used again in every step."""
    editor = CircuitEditor("chain", 2, 1, [AngleInput("x", (steps,))])
    for k in range(steps):
        editor.add("ry", [1], [make_row(0, 0, [(k, 1.0)])])
        editor.add("cx", [1, 0])
        editor.add("h", [0])
        editor.add("measure", [1], clbits=[0])
        editor.add("reset", [1])
        editor.add("rz", [0], [0.3 * k], condition=("bit", 0))
    return editor.circuit()


def test_many_resets_of_few_qubits_stay_small():
    circuit = chain(60)
    values = torch.full((4, 60), 0.4, dtype=torch.float64)
    mixture = branches.simulate(circuit, [0], values)
    assert mixture.density
    assert mixture.states.shape[-1] == 16
    assert len(mixture.states) <= 2
    np.testing.assert_allclose(mixture.probabilities([0, 1]).sum(1), 1, atol=1e-12)


def test_measuring_everything_at_the_end_costs_nothing():
    editor = CircuitEditor("c", 14, 14)
    for q in range(14):
        editor.add("h", [q])
    for q in range(13):
        editor.add("cx", [q, q + 1])
    for q in range(14):
        editor.add("measure", [q], clbits=[q])
        editor.add("rz", [q], [0.3])
    script = branches.plan(editor.circuit(), range(14))
    assert len(script.rows) == 14 + 13 + 14
    assert script.blurred == frozenset(range(14))
    values = torch.zeros(1, 0, dtype=torch.float64)
    ours = branches.expectations(editor.circuit(), (X(0), Z(0) * Z(1), Y(3) * Z(4)), values)
    np.testing.assert_allclose(ours, np.zeros((1, 3)), atol=1e-12)


def test_a_measurement_takes_coherence_away():
    for name, measured in itertools.product(("h", "x"), (False, True)):
        editor = CircuitEditor("c", 1, 1)
        editor.add("h", [0])
        if measured:
            editor.add("measure", [0], clbits=[0])
        editor.add(name, [0])
        ours = branches.expectations(editor.circuit(), (X(0), Z(0)), torch.zeros(1, 0, dtype=torch.float64))
        wanted = [0, 0] if measured else [0, 1] if name == "h" else [1, 0]
        np.testing.assert_allclose(ours[0], wanted, atol=1e-12)


def test_what_is_not_read_is_not_run():
    editor = CircuitEditor("c", 3, 1)
    editor.add("h", [0])
    editor.add("h", [1])
    editor.add("cx", [1, 2])
    editor.add("measure", [1], clbits=[0])
    editor.add("reset", [2])
    editor.add("x", [2], condition=("bit", 0))
    assert [r.gate.name for r in branches.plan(editor.circuit(), [0]).rows] == ["h"]
    assert [r.gate.name for r in branches.plan(editor.circuit(), [1]).rows] == ["h", "cx"]
    assert len(branches.plan(editor.circuit(), [2]).rows) == 5


def test_only_what_is_read_takes_space():
    editor = CircuitEditor("wide", 60, 1, [AngleInput("t")])
    for q in range(60):
        editor.add("ry", [q], [make_row(0, 0, [(0, 1.0)])])
    editor.add("cx", [40, 59])
    editor.add("measure", [40], clbits=[0])
    editor.add("x", [3], condition=("bit", 0))
    t = torch.tensor([[0.3], [1.2]], dtype=torch.float64)
    mixture = branches.simulate(editor.circuit(), [59, 3], t)
    assert mixture.qubits == (3, 40, 59)
    ours = branches.expectations(editor.circuit(), (Z(59), Z(3)), t)
    torch.testing.assert_close(ours, torch.cat([t.cos() ** 2, t.cos() ** 2], 1))
    torch.testing.assert_close(mixture.probabilities([59, 3]).sum(1), torch.ones(2, dtype=torch.float64))


def test_what_is_too_large_is_refused_in_words(monkeypatch):
    editor = CircuitEditor("wide", 40)
    for q in range(39):
        editor.add("cx", [q, q + 1])
    with pytest.raises(InputError, match="wide: exact simulation of 40 qubits") as fault:
        branches.probabilities(editor.circuit(), range(40), torch.zeros(1, 0))
    assert fault.value.diagnostics[0].code == "R0005"
    editor = CircuitEditor("growing", 8)
    for q in range(8):
        editor.add("h", [q])
        editor.add("cx", [q, (q + 1) % 8])
        editor.add("reset", [q])
    assert branches.probabilities(editor.circuit(), range(8), torch.zeros(1, 0)).sum().item() == pytest.approx(1)
    monkeypatch.setattr(branches, "LIMIT", 1 << 12)
    with pytest.raises(InputError, match="growing: exact simulation of 8 qubits"):
        branches.probabilities(editor.circuit(), range(8), torch.zeros(1, 0))


def test_a_reset_of_a_fresh_qubit_changes_nothing():
    editor = CircuitEditor("c", 1)
    editor.add("reset", [0])
    editor.add("h", [0])
    mixture = branches.simulate(editor.circuit(), [0], torch.zeros(1, 0, dtype=torch.float64))
    assert len(mixture.states) == 1
    np.testing.assert_allclose(mixture.probabilities([0]), [[0.5, 0.5]])


def test_a_bit_that_is_overwritten():
    editor = CircuitEditor("c", 2, 1)
    editor.add("x", [0])
    editor.add("measure", [0], clbits=[0])
    editor.add("measure", [1], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    ours = branches.expectations(editor.circuit(), (Z(1),), torch.zeros(1, 0, dtype=torch.float64))
    assert ours.item() == pytest.approx(1.0)


def test_a_condition_that_never_holds():
    editor = CircuitEditor("c", 2, 2)
    editor.add("h", [0])
    for name, clbits in (("x", []), ("reset", []), ("measure", [1])):
        editor.add(name, [0], clbits=clbits, condition=("and", ("bit", 0), ("not", ("bit", 0))))
    ours = branches.expectations(editor.circuit(), (X(0),), torch.zeros(3, 0, dtype=torch.float64))
    np.testing.assert_allclose(ours, np.ones((3, 1)), atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_aer_agrees_within_its_shots(seed, random_circuit, to_qiskit):
    from qiskit import ClassicalRegister, transpile
    from qiskit_aer import AerSimulator

    circuit = random_circuit(seed, 3, 25, bits=2, dynamic=True)
    values = np.random.default_rng(seed).normal(size=circuit.num_variables)
    theirs = transpile(to_qiskit(circuit, values), basis_gates=["u", "cx"], optimization_level=0)
    theirs.add_register(final := ClassicalRegister(3, "final"))
    theirs.measure(range(3), final)
    shots = 4000
    counts = AerSimulator(method="statevector", seed_simulator=seed).run(theirs, shots=shots).result().get_counts()
    found = np.zeros(8)
    for key, count in counts.items():
        found[int(key.split()[0], 2)] += count / shots
    ours = branches.probabilities(circuit, (0, 1, 2), torch.from_numpy(values[None]))[0].numpy()
    assert np.all(np.abs(found - ours) <= 5 * np.sqrt(ours * (1 - ours) / shots) + 1e-9)
