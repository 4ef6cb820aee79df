"""The canonical decomposition and constant two-qubit blocks, against Qiskit's counts."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.synthesis import constant_blocks, frames, weyl
from qsc.ir.angles import ZERO_ROW
from qsc.ir.gates import GATES, OPCODES
from scipy.stats import unitary_group

FIXED = ("cx", "cy", "cz", "ch", "swap", "iswap", "ecr")
TURNS = ("rxx", "ryy", "rzz", "crx", "cry", "crz", "cp")


def gate(name: str, *angles: float) -> np.ndarray:
    make = GATES[OPCODES[name]].matrix
    assert make is not None
    return np.asarray(make(*angles), complex)


def some_unitaries(count: int) -> np.ndarray:
    """Named gates, their products, all of these between random local gates, faces of the chamber, and Haar ones."""
    rng = np.random.default_rng(3)

    def local() -> np.ndarray:
        return np.kron(unitary_group.rvs(2, random_state=rng), unitary_group.rvs(2, random_state=rng))

    named = [np.eye(4, dtype=complex), *map(gate, FIXED)]
    named += [gate(n, a) for n in TURNS for a in (0.3, np.pi / 2, np.pi, 3.0, -np.pi / 4, 0.01)]
    edges = [(np.pi / 4, a, b) for a in (np.pi / 4, 0.3, 0.0, np.pi / 8) for b in (0.0, 0.1, -0.1, np.pi / 4)]
    named += list(weyl.core(np.array(edges)))
    products = [a @ b for a in named[:8] for b in named]
    around = [local() @ m @ local() for m in named for _ in range(3)]
    return np.array([*named, *products, *around, *unitary_group.rvs(4, count, random_state=rng)])


def test_decomposition_is_exact_and_in_the_chamber():
    near = [gate(n, a) for n in TURNS for a in (1e-6, 1e-9, np.pi - 1e-7)]
    matrices = np.array([*some_unitaries(1000), *near])
    found = weyl.canonical(matrices)
    assert np.abs(found.matrices() - matrices).max() < 1e-12
    x, y, z = found.coordinates.T
    inside = (x <= np.pi / 4 + 1e-9) & (x >= y - 1e-9) & (y >= np.abs(z) - 1e-9)
    assert inside.all()


def test_counts_equal_qiskit():
    qiskit = pytest.importorskip("qiskit.synthesis")
    library = pytest.importorskip("qiskit.circuit.library")
    counter = qiskit.TwoQubitBasisDecomposer(library.CXGate())
    info = pytest.importorskip("qiskit.quantum_info")
    matrices = some_unitaries(200)
    for matrix, count in zip(matrices, weyl.canonical(matrices).cx_counts().tolist(), strict=True):
        theirs = counter(matrix, approximate=False)
        fewer = theirs.count_ops().get("cx", 0)
        # Rounding sometimes takes an iSWAP for nothing there.
        assert count == fewer or (fewer < count and not info.Operator(theirs).equiv(info.Operator(matrix)))


@pytest.mark.parametrize("rotations", [False, True])
@pytest.mark.parametrize("swaps", [False, True])
def test_circuits_of_constants(rotations: bool, swaps: bool):
    matrices = some_unitaries(60)[::5]
    zero = np.arange(len(matrices)) % 3 == 0
    made = constant_blocks.synthesise(matrices, zero, [9] * len(matrices), rotations, swaps)
    for matrix, known, found in zip(matrices, zero, made, strict=True):
        assert found is not None
        phase = np.exp(1j * frames.evaluated(found.template.phase, ()))
        got = phase * frames.matrix_of(found.template.steps, ())
        columns = [0] if known else [0, 1, 2, 3]
        assert np.abs(got[:, columns] - matrix[:, columns]).max() < 1e-10
        pairs = [s for s in found.template.steps if len(s.wires) == 2]
        assert len([s for s in pairs if s.opcode != OPCODES["swap"]]) == found.cost <= (1 if known else 3)
        assert swaps or all(s.opcode != OPCODES["swap"] for s in pairs)


def test_what_is_clifford_stays_exact():
    (found,) = constant_blocks.synthesise(gate("swap")[None], np.array([False]), [9], False, False)
    assert found is not None
    assert all(angle[2] == 0.0 for step in found.template.steps for angle in step.angles)
    (nothing,) = constant_blocks.synthesise(np.eye(4, dtype=complex)[None], np.array([False]), [9], False, False)
    assert nothing is not None
    assert (nothing.template.steps, nothing.template.phase) == ((), ZERO_ROW)
