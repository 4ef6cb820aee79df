"""The hybrid model compiled, beside the classical network:

python examples/28-transfer-learning/evaluate.py [--target line:5]
"""

import argparse

import numpy as np
import qsc
import torch
from model import classical, digits, example_input, model

TARGETS = ("line:5", "fake_torino", "quantinuum_h2-1")


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle."""
    bundle = qsc.compile(model, target=target, example_input=example_input)
    _, _, images, labels = digits()
    with torch.no_grad():
        wanted = model.double()(images.double()).numpy()
        plain = classical(images).argmax(1)
    model.float()
    given = bundle.run(images)
    counts = [c.gate_counts()["ry"] for c in bundle.source.circuits.values()]
    return [
        ("RY as written, on five qubits", str(sum(counts))),
        ("distinct angles in the compiled circuit", str(distinct_angles(bundle))),
        ("two-qubit gates", f"{bundle.costs['two_qubit_gates']}"),
        ("largest difference of a logit from PyTorch", f"{np.abs(given - wanted).max():.1e}"),
        ("accuracy on 450 test digits, compiled", f"{(given.argmax(1) == labels.numpy()).mean():.4f}"),
        ("the same, PyTorch", f"{(wanted.argmax(1) == labels.numpy()).mean():.4f}"),
        ("the same, classical network", f"{(plain == labels).double().mean():.4f}"),
    ], bundle


def distinct_angles(bundle: qsc.Bundle) -> int:
    """How many angle rows of the program's circuit depend on the image."""
    (circuit,) = bundle.program.circuits.values()
    return int((~circuit.angles.is_constant[np.unique(circuit.angle_rows)]).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
