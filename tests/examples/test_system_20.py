"""Row 20, the ZZ kernel: compiled matrix against states and against Qiskit's map, CX counts, accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import qsc

FOLDER = "20-quantum-kernel"


@pytest.fixture(scope="module")
def compiled(load_example) -> qsc.QuantumKernel:
    return load_example(FOLDER).kernel("line:2", effort="fast")


def test_the_compiled_matrix_and_qiskits_map(compiled: qsc.QuantumKernel, load_example):
    from qiskit.circuit.library import zz_feature_map
    from qiskit.quantum_info import Statevector

    points = load_example(FOLDER).ad_hoc(0).train
    theirs = zz_feature_map(2, reps=2)
    states = np.array([Statevector(theirs.assign_parameters(x)).data for x in points])
    wanted = np.abs(states.conj() @ states.T) ** 2
    matrix = compiled(points)
    assert compiled.circuits == 40 * 39 / 2
    assert np.abs(matrix - wanted).max() < 1e-9
    assert np.abs(compiled(points[:3], points) - wanted[:3]).max() < 1e-9
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_two_qubit_gates(compiled: qsc.QuantumKernel):
    """Four RZZ as written, 8 CX; the two that meet at the seam are one, and a two-qubit unitary takes three."""
    assert compiled.bundle.source.circuits["overlap"].gate_counts()["rzz"] == 4
    assert compiled.bundle.costs["two_qubit_gates"] <= 6


@pytest.mark.parametrize(("seed", "least"), [(0, 0.99), (1, 0.97), (2, 0.97)])
def test_accuracy(seed: int, least: float, compiled: qsc.QuantumKernel, load_example):
    module = load_example(FOLDER)
    assert module.accuracy(compiled, module.ad_hoc(seed)) >= least
