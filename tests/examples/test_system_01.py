"""Row 1, Pauli-rotation classifiers: truth tables through the emitted OpenQASM, CX counts, digits."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import qsc
import torch

FOLDER = "01-pauli-classifier"
GATE = re.compile(r"(\w+)(?:\((.*)\))? ((?:\$\d+(?:, )?)+);")
FIXED = {"sx": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2, "x": np.array([[0, 1], [1, 0]])}


def gates_of(bundle: qsc.Bundle, sample: np.ndarray) -> list[tuple[str, list[float], list[int]]]:
    """(name, angles, qubits) of the emitted OpenQASM for one sample of the input x."""
    (launch,) = bundle.launches()
    text = bundle.artifact(launch.artifact)["circuit.qasm"].decode()
    values = {"pi": math.pi}
    for name, form in re.findall(r"// (a\d+) = (.*)", text):
        values[name] = eval(re.sub(r"x\[(\d+)\]", lambda m: repr(float(sample[int(m[1])])), form), {"pi": math.pi})
    found = []
    for line in text.splitlines():
        match = GATE.fullmatch(line)
        if match:
            angles = [eval(a, values) for a in match[2].split(",")] if match[2] else []
            found.append((match[1], angles, [int(q) for q in re.findall(r"\$(\d+)", match[3])]))
    return found


def numpy_state(gates: list[tuple[str, list[float], list[int]]], n: int) -> np.ndarray:
    """The state that rz, sx, x and cz make from |0...0>, bit q of the index for qubit q."""
    state, index = np.zeros(1 << n, complex), np.arange(1 << n)
    state[0] = 1
    for name, angles, qubits in gates:
        bit = (index >> qubits[0]) & 1
        if name == "rz":
            state = state * np.exp(0.5j * angles[0] * (2 * bit - 1))
        elif name == "cz":
            state = state * (1 - 2 * (bit & (index >> qubits[1])))
        else:
            m = FIXED[name]
            state = m[bit, bit] * state + m[bit, 1 - bit] * state[index ^ (1 << qubits[0])]
    return state


def expectation(bundle: qsc.Bundle, state: np.ndarray) -> float:
    """The observable that the artifact says is read, on a state of the physical qubits."""
    import json

    (launch,) = bundle.launches()
    pub = json.loads(bundle.artifact(launch.artifact)["pub.json"])
    index, total = np.arange(len(state)), 0.0
    for letters, qubits, coeff in pub["observables"][0]:
        turned = state.astype(complex)
        for letter, qubit in zip(letters, qubits, strict=True):
            sign = 1 - 2 * ((index >> qubit) & 1)
            flipped = turned[index ^ (1 << qubit)]
            turned = {"Z": sign * turned, "X": flipped, "Y": -1j * sign * flipped}[letter]
        total += coeff * np.vdot(state, turned).real
    return total


def aer_state(gates: list[tuple[str, list[float], list[int]]], n: int) -> np.ndarray:
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.library import SaveStatevector

    circuit = QuantumCircuit(n)
    for name, angles, qubits in gates:
        getattr(circuit, name)(*angles, *qubits)
    circuit.append(SaveStatevector(n), range(n))
    return np.asarray(AerSimulator(method="statevector").run(circuit).result().data(0)["statevector"])


def compiled(circuit: qsc.Circuit, n: int) -> tuple[qsc.Bundle, np.ndarray]:
    table = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    layer = qsc.nn.Quantum(circuit, [qsc.Y(n)], dtype=torch.float64)
    example = torch.tensor(table, dtype=torch.float64)
    return qsc.compile(layer, target=f"all:{n + 1}", example_input=example, effort="fast"), table


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_truth_table_of_parity(n: int, load_example):
    bundle, table = compiled(load_example(FOLDER).parity(n, list(range(n))), n)
    for row in table:
        gates = gates_of(bundle, row)
        for state in (numpy_state(gates, n + 1), *([aer_state(gates, n + 1)] if row[0] == row[-1] == 1 else [])):
            assert expectation(bundle, state) == pytest.approx((1 - 2 * row).prod(), abs=1e-9)


@pytest.mark.parametrize("n", [3, 5])
def test_truth_table_of_majority(n: int, load_example):
    bundle, table = compiled(load_example(FOLDER).majority(n), n)
    for row in table:
        z = 1 - 2 * row
        value = expectation(bundle, numpy_state(gates_of(bundle, row), n + 1))
        assert value == pytest.approx(np.sin(2 * 0.9 * np.pi / (2 * n) * z.sum()), abs=1e-9)
        assert np.sign(value) == np.sign(z.sum())


def test_digits_on_17_qubits(load_example):
    module = load_example(FOLDER)
    _, _, images, labels = module.digits()
    example = module.example_input
    bundle = qsc.compile(module.model, target="all:17", example_input=example, verify=False, passes=module.PASSES)
    assert bundle.costs["qubits"] == 17
    assert bundle.costs["two_qubit_gates"] == 32 <= 192 / 2
    with torch.no_grad():
        wanted = module.model(images).numpy()
    assert (np.sign(wanted[:, 0]) == labels.numpy()).mean() >= 0.95
    given = bundle.run(images[:8])
    assert np.abs(given - wanted[:8]).max() < 1e-9
