"""Accuracy, resources and concentration of the dense kernel beside a ZZ kernel, and the compiled kernel:

python examples/35-dense-kernel/evaluate.py [--target line:10]
"""

import argparse
from collections.abc import Callable

import numpy as np
import qsc
import torch
from model import DENSE, DENSE_EQUAL, EQUAL, ZZ_EQUAL, Halves, data, dense_map
from qsc.ir.interpreter.statevector import simulate
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC

SCALES, PENALTIES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0), (1.0, 10.0, 100.0)
TARGETS = ("line:10", "fake_torino", "tket:line:10")


def states(feature_map: qsc.FeatureMap, samples: np.ndarray) -> np.ndarray:
    """The state of every sample, (n, 2^qubits); the kernel is the square of their overlaps."""
    columns = [
        samples[:, entry[0]] if len(entry) == 1 else np.prod([np.pi - samples[:, i] for i in entry], axis=0)
        for entry in feature_map.products
    ]
    return simulate(feature_map.circuit, torch.from_numpy(np.stack(columns, 1))).numpy()


def matrices(feature_map: qsc.FeatureMap, halves: Halves, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Kernel matrices of the training half with itself, and of the test half with it."""
    train, test = states(feature_map, scale * halves[0]), states(feature_map, scale * halves[2])
    return np.abs(train.conj() @ train.T) ** 2, np.abs(test.conj() @ train.T) ** 2


def accuracy(feature_map: qsc.FeatureMap, halves: Halves, penalty: float, scale: float = 1.0) -> float:
    """Test accuracy of a support vector machine with the exact kernel."""
    train, test = matrices(feature_map, halves, scale)
    return float(SVC(kernel="precomputed", C=penalty).fit(train, halves[1]).score(test, halves[3]))


def select(make: Callable[[float], tuple[qsc.FeatureMap, float]], halves: Halves) -> tuple[float, float]:
    """(scale, penalty) of the best five-fold cross-validation on the training half, the first of equals.

    make: scale -> the map, and the factor of its features.
    """
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    best, chosen = -1.0, (0.0, 0.0)
    for scale in SCALES:
        feature_map, factor = make(scale)
        train, _ = matrices(feature_map, halves, factor)
        for penalty in PENALTIES:
            machine = SVC(kernel="precomputed", C=penalty)
            score = float(cross_val_score(machine, train, halves[1], cv=folds).mean())
            if score > best + 1e-9:
                best, chosen = score, (scale, penalty)
    return chosen


def chosen_settings() -> list[tuple[float, float]]:
    """What `select` chooses for the dense map with 30 and with nine features, and for the ZZ map with nine."""
    nine = data(EQUAL)
    return [
        select(lambda scale: (dense_map(30, scale), 1.0), data()),
        select(lambda scale: (dense_map(EQUAL, scale), 1.0), nine),
        select(lambda scale: (qsc.zz_feature_map(EQUAL), scale), nine),
    ]


def spread(feature_map: qsc.FeatureMap, halves: Halves, scale: float = 1.0) -> float:
    """Variance of the kernel over pairs of different samples: near 0 where the kernel has concentrated."""
    train, _ = matrices(feature_map, halves, scale)
    return float(train[np.triu_indices(len(train), 1)].var())


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle."""
    halves, nine = data(), data(EQUAL)
    compiled = qsc.QuantumKernel(dense_map(30), target)
    exact, _ = matrices(dense_map(30), halves)
    pairs = np.random.default_rng(0).integers(0, len(exact), (256, 2))
    given = compiled.bundle.run(halves[0][pairs[:, 0]], halves[0][pairs[:, 1]])
    out = [
        ("qubits for 30 features", str(dense_map(30).circuit.num_qubits)),
        ("CX of the map (ZZ map with 30 features: 1740)", str(dense_map(30).circuit.gate_counts()["cx"])),
        ("two-qubit gates of the compiled kernel", f"{compiled.bundle.costs['two_qubit_gates']}"),
        ("largest difference on 256 pairs", f"{np.abs(given - exact[pairs[:, 0], pairs[:, 1]]).max():.1e}"),
        ("smallest eigenvalue of the matrix", f"{np.linalg.eigvalsh(exact).min():.1e}"),
        ("accuracy on 285 test samples, 30 features", f"{accuracy(dense_map(30), halves, DENSE[1]):.3f}"),
        ("the same, the best 9 features", f"{accuracy(dense_map(EQUAL, DENSE_EQUAL[0]), nine, DENSE_EQUAL[1]):.3f}"),
        ("ZZ map, the same 9 features", f"{accuracy(qsc.zz_feature_map(EQUAL), nine, ZZ_EQUAL[1], ZZ_EQUAL[0]):.3f}"),
    ]
    for n in (3, 6, 9):
        some = data(n)
        values = (spread(dense_map(n, 1.0), some), spread(qsc.zz_feature_map(n), some))
        what = f"variance of the kernel, {n} features unscaled, dense and ZZ"
        out.append((what, "{:.1e} {:.1e}".format(*values)))
    return out, compiled.bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
