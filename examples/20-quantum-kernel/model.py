"""The quantum kernel of V. Havlicek et al., arXiv:1804.11326, on two qubits, and data made by the paper's own rule.

A point x of (0, 2 pi]^2 has the label sign <Phi(x)| V^dag Z0 Z1 V |Phi(x)>, Phi the feature map and V a random unitary
of SU(4); points within the gap |<...>| < 0.3 are left out. 20 points a class to train, 20 a class to test.

Where the paper is silent: V is drawn from the Haar measure with the seeds 0, 1, 2, and the points uniformly.
"""

from dataclasses import dataclass

import numpy as np
import qsc
from qsc.ir.interpreter.compare import unitary
from scipy.stats import unitary_group
from sklearn.svm import SVC

GAP, A_CLASS, SETS = 0.3, 20, 3
MAP = qsc.zz_feature_map(2)


@dataclass(frozen=True)
class Points:
    """Points (40, 2) and labels (40,) of +1 and -1, to train and to test."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def state(x: np.ndarray) -> np.ndarray:
    """|Phi(x)>: amplitudes (4,)."""
    return unitary(MAP.circuit, [x[0], x[1], (np.pi - x[0]) * (np.pi - x[1])])[:, 0]


def ad_hoc(seed: int) -> Points:
    """A set of the paper's kind."""
    rng = np.random.default_rng(seed)
    v = unitary_group.rvs(4, random_state=rng)
    observable = v.conj().T @ np.diag([1, -1, -1, 1]) @ v
    found: dict[float, list[np.ndarray]] = {1.0: [], -1.0: []}
    while min(map(len, found.values())) < 2 * A_CLASS:
        x = 2 * np.pi * (1 - rng.random(2))
        value = float(np.vdot(state(x), observable @ state(x)).real)
        if abs(value) > GAP and len(found[np.sign(value)]) < 2 * A_CLASS:
            found[np.sign(value)].append(x)
    train, test = (np.concatenate([c[part] for c in map(np.array, found.values())]) for part in HALVES)
    labels = np.repeat([1.0, -1.0], A_CLASS)
    return Points(train, labels, test, labels)


HALVES = (slice(0, A_CLASS), slice(A_CLASS, None))


def kernel(target: str | None = None, **options: str) -> qsc.QuantumKernel:
    """The kernel, compiled where a target is given."""
    return qsc.QuantumKernel(MAP, target, **options)


def accuracy(compiled: qsc.QuantumKernel, points: Points) -> float:
    """Share of the test points that a support vector machine with this kernel gets right."""
    machine = SVC(kernel="precomputed").fit(compiled(points.train), points.train_labels)
    return float(machine.score(compiled(points.test, points.train), points.test_labels))
