"""Dense unitaries as fixed circuits: exact for random and degenerate matrices, with the CX of the papers."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import unitaries
from qsc.ir.circuit import CircuitEditor
from qsc.ir.interpreter.compare import unitary
from scipy.stats import unitary_group

ENTANGLERS = {1: 0, 2: 3, 3: 20, 4: 100}


def rebuilt(angles: np.ndarray, qubits: int) -> np.ndarray:
    editor = CircuitEditor("dense", qubits)
    for step in unitaries.template(qubits):
        editor.add(step.gate, step.wires, [float(angles[k]) for k in step.slots])
    return unitary(editor.circuit())


def matrices_of(qubits: int) -> np.ndarray:
    size = 1 << qubits
    rng = np.random.default_rng(qubits)
    random = [unitary_group.rvs(size, random_state=k) for k in range(6)]
    orthogonal = np.linalg.qr(rng.normal(size=(size, size)))[0]
    swapped = np.eye(size)[rng.permutation(size)]
    near = unitary_group.rvs(size, random_state=9) * 1e-9 + np.eye(size)
    near = np.linalg.qr(near)[0]
    degenerate = [
        np.eye(size),
        -1j * np.eye(size)[::-1],
        np.diag(np.exp(1j * np.arange(size))),
        orthogonal,
        swapped,
        near,
    ]
    return np.array([*random, *degenerate], complex)


@pytest.mark.parametrize("qubits", [1, 2, 3, 4])
def test_every_matrix_comes_back(qubits: int):
    matrices = matrices_of(qubits)
    for matrix, angles in zip(matrices, unitaries.angles(matrices), strict=True):
        given = rebuilt(angles, qubits)
        phase = np.vdot(given.ravel(), matrix.ravel())
        assert np.abs(given * phase / abs(phase) - matrix).max() < 1e-11


@pytest.mark.parametrize("qubits", [1, 2, 3, 4])
def test_entanglers(qubits: int):
    assert sum(len(step.wires) == 2 for step in unitaries.template(qubits)) == ENTANGLERS[qubits]
    slots = [k for step in unitaries.template(qubits) for k in step.slots]
    assert slots == list(range(unitaries.angle_count(qubits)))


def test_batches_have_any_shape():
    matrices = matrices_of(2)[:6].reshape(2, 3, 4, 4)
    assert unitaries.angles(matrices).shape == (2, 3, 15)
    assert unitaries.angles(np.zeros((0, 8, 8))).shape == (0, 69)
    with pytest.raises(ValueError, match="1 to 4 qubits"):
        unitaries.template(5)
