"""The kernel compiled, its matrices and support vector machines:

python examples/20-quantum-kernel/evaluate.py [--target line:2]
"""

import argparse

import numpy as np
import qsc
from model import SETS, accuracy, ad_hoc, kernel, state

TARGETS = ("line:2", "fake_torino", "tket:line:2")


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle."""
    compiled = kernel(target)
    sets = [ad_hoc(seed) for seed in range(SETS)]
    matrix = compiled(sets[0].train)
    states = np.array([state(x) for x in sets[0].train])
    exact = np.abs(states.conj() @ states.T) ** 2
    sampled = compiled(sets[0].train, shots=50_000)
    return [
        ("circuits for the 40 x 40 matrix", str(compiled.circuits)),
        ("largest difference from the states' overlaps", f"{np.abs(matrix - exact).max():.1e}"),
        ("smallest eigenvalue of the matrix", f"{np.linalg.eigvalsh(matrix).min():.1e}"),
        ("two-qubit gates (8 CX as written)", f"{compiled.bundle.costs['two_qubit_gates']}"),
        ("largest difference with 50,000 shots", f"{np.abs(sampled - exact).max():.3f}"),
        ("test accuracy on three sets", " ".join(f"{accuracy(compiled, points):.3f}" for points in sets)),
    ], compiled.bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
