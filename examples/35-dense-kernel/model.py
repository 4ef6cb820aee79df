"""A kernel of few qubits and few CX for many features: the 30 of the breast cancer data on 10 qubits.

Singh, Laprade, Goldberg, Heshami, A Resource Efficient Quantum Kernel, arXiv:2507.03689.

CIRCUIT NOT CONFIRMED. The abstract says what the feature map is for (high-dimensional data with far fewer qubits and
entangling gates than ZZ maps, whose CX count is quadratic), not what it is. This is a stand-in with those properties:
three features a qubit as RY, RX, RY, in two such blocks with one linear CX ladder between them: 10 qubits and 9 CX for
30 features. Also ours: features standardised on the training half, then scaled; the scale and the penalty of the
support vector machine come from five-fold cross-validation on the training half (`select` in evaluate.py).
"""

import numpy as np
import qsc
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

PER_QUBIT = 3
EQUAL = 9
"""Features, the best by their F value, on which the map is compared with a ZZ map of nine qubits."""
DENSE, DENSE_EQUAL, ZZ_EQUAL = (0.05, 10.0), (0.1, 100.0), (0.05, 1.0)
"""What `select` chooses: (scale, penalty) of the dense map with 30 and with nine features, and of the ZZ map."""

Halves = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def data(features: int = 30) -> Halves:
    """(train, train labels, test, test labels): 284 and 285 samples of standardised features, the best so many."""
    samples, labels = load_breast_cancer(return_X_y=True)
    train, test, train_y, test_y = train_test_split(samples, labels, test_size=0.5, stratify=labels, random_state=0)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    chosen = SelectKBest(k=features).fit(train, train_y)
    return (
        np.asarray(chosen.transform(train)),
        np.asarray(train_y),
        np.asarray(chosen.transform(test)),
        np.asarray(test_y),
    )


def dense_map(features: int, scale: float = DENSE[0]) -> qsc.FeatureMap:
    """The map: ceil(features / 3) qubits, one CX less than qubits."""
    return qsc.dense_angle_map(features, PER_QUBIT, axes=("y", "x", "y"), scale=scale, repetitions=2)
