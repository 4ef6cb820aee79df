"""The classifier and the exact constructions, compiled:

python examples/01-pauli-classifier/evaluate.py [--target all:17]
"""

import argparse

import numpy as np
import qsc
import torch
from model import PASSES, PRODUCTS, digits, example_input, majority, model, parity

TARGETS = ("all:17", "fake_torino", "tket:all:17")
NAIVE = 2 * len(PRODUCTS)
"""Two CX around an RZ for each rotation about a product of two letters."""


def boolean_error(circuit: qsc.Circuit, n: int, wanted: np.ndarray | None = None) -> float:
    """Largest |<Y> - label| over the truth table of the compiled circuit; without labels, how often the sign of <Y> is
    not that of the sum of z."""
    table = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    layer = qsc.nn.Quantum(circuit, [qsc.Y(n)], dtype=torch.float64)
    bundle = qsc.compile(layer, target=f"all:{n + 1}", example_input=torch.tensor(table, dtype=torch.float64))
    given = bundle.run(table.astype(float))[:, 0]
    if wanted is None:
        return float((np.sign(given) != np.sign((1 - 2 * table).sum(1))).sum())
    return float(np.abs(given - wanted).max())


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle of the classifier."""
    bundle = qsc.compile(model, target=target, example_input=example_input, passes=PASSES)
    _, _, images, labels = digits()
    with torch.no_grad():
        wanted = model(images).numpy()
    given = bundle.run(images)
    right = np.sign(given[:, 0]) == labels.numpy()
    parities = []
    for n in range(2, 7):
        table = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
        parities.append(boolean_error(parity(n, list(range(n))), n, (1 - 2 * table).prod(1)))
    return [
        ("parity of 2 to 6 bits, largest error", f"{max(parities):.1e}"),
        ("majority of 3 and 5 bits, wrong rows", f"{sum(boolean_error(majority(n), n) for n in (3, 5)):.0f}"),
        (f"two-qubit gates ({NAIVE} CX as written)", f"{bundle.costs['two_qubit_gates']}"),
        ("largest difference from the reference", f"{np.abs(given - wanted).max():.1e}"),
        ("accuracy on 100 test digits, 3 or 6", f"{right.mean():.2f}"),
    ], bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
