"""Trains the classifier of `model.py` and writes `weights.safetensors`: python examples/01-pauli-classifier/train.py

Every product has X on the readout qubit, so X_r is conserved: on either of its eigenstates each data qubit turns by
itself, and <Y_r> = Im prod_j <z_j| (A_j^+)^dagger A_j^- |z_j> with 2x2 matrices A_j. Training uses that form, which
takes seconds, and compares it with the circuit in the end.
"""

import argparse
import time

import torch
from model import LAYERS, PIXELS, WEIGHTS, classifier, digits
from safetensors.torch import save_file
from torch import Tensor

I2, X, Z = (torch.tensor(m, dtype=torch.complex128) for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, -1]]))


def readout(weights: Tensor, bits: Tensor) -> Tensor:
    """<Y_r> for weights (96,) and bits (n, 16)."""
    angles = weights.reshape(LAYERS, PIXELS)
    turned = []
    for sign in (1, -1):
        matrix = I2.expand(PIXELS, 2, 2)
        for layer, row in enumerate(angles):
            half = sign * row[:, None, None] / 2
            matrix = (torch.cos(half) * I2 - 1j * torch.sin(half) * (X if layer % 2 else Z)) @ matrix
        turned.append(matrix)
    overlaps = torch.diagonal(turned[0].mH @ turned[1], dim1=1, dim2=2)
    return torch.where(bits > 0, overlaps[:, 1], overlaps[:, 0]).prod(1).imag


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    start = time.perf_counter()
    train_x, train_y, test_x, test_y = digits()
    weights = torch.empty(LAYERS * PIXELS, dtype=torch.float64).uniform_(-0.3, 0.3).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=0.02)
    for step in range(arguments.steps):
        optimizer.zero_grad()
        loss = (1 - train_y * readout(weights, train_x)).mean()
        loss.backward()
        optimizer.step()
        if step % 20 == 19:
            print(f"step {step + 1:4d}  loss {loss.item():.4f}")
    model = classifier()
    with torch.no_grad():
        model.weights["w"].copy_(weights)
        right = int((torch.sign(readout(weights, test_x)) == test_y).sum())
        apart = float((model(test_x[:8])[:, 0] - readout(weights, test_x[:8])).abs().max())
    save_file(model.state_dict(), WEIGHTS)
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s; {right} of {len(test_y)} test images right; circuit and closed form differ by {apart:.1e}")


if __name__ == "__main__":
    main()
