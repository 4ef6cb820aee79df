"""The embedding compiled, and its Trotter steps:

python examples/22-hamiltonian-embedding/evaluate.py [--target all:3]
"""

import argparse

import numpy as np
import qsc
import torch
from model import digits, example_input, model, reference, trotter
from qsc.ir.interpreter.compare import unitary
from qsc.ir.interpreter.unitaries import evolution
from qsc.ir.unitaries import template

TARGETS = ("all:3", "line:3", "tket:all:3")
IMAGES = 243


def trotter_errors(steps: tuple[int, ...], time: float = 1.0) -> list[float]:
    """Largest error of an entry of the evolution of a digit, by the number of steps."""
    image = digits()[2][0]
    parts = evolution(image, torch.tensor([time]))[0].numpy()
    exact = parts[0] + 1j * parts[1]
    found = []
    for count in steps:
        given = unitary(trotter(time, count).build(), image.numpy().ravel())
        phase = np.vdot(given.ravel(), exact.ravel())
        found.append(float(np.abs(given * phase / abs(phase) - exact).max()))
    return found


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle."""
    bundle = qsc.compile(model, target=target, example_input=example_input, effort="fast")
    _, _, images, labels = digits()
    with torch.no_grad():
        wanted = reference(images).numpy()
    given = bundle.run(images[:IMAGES])
    right = given.argmax(1) == labels[:IMAGES].numpy()
    cx = [sum(len(step.wires) == 2 for step in template(n)) for n in (2, 3)]
    return [
        ("CX of an SU(4) gate, of an 8x8 unitary", f"{cx[0]}, {cx[1]}"),
        ("two-qubit gates, 15 layers", f"{bundle.costs['two_qubit_gates']}"),
        (f"largest difference from matrices, {IMAGES} digits", f"{np.abs(given - wanted[:IMAGES]).max():.1e}"),
        (f"accuracy on {IMAGES} test digits, compiled", f"{right.mean():.4f}"),
        ("the same, matrices", f"{(wanted.argmax(1) == labels.numpy()).mean():.4f}"),
        ("Trotter error with 1, 2, 4, 8, 16 steps", " ".join(f"{e:.3f}" for e in trotter_errors((1, 2, 4, 8, 16)))),
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
