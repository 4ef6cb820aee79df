r"""Threes and sixes by a circuit of Pauli rotations on 16 pixels and one readout qubit.

    qsc compile examples/01-pauli-classifier/model.py --target all:17 -o build/pauli \
        --passes bake-weights,cancel-gates,light-cone,gather-pairs,fuse-blocks,cancel-gates

E. Farhi and H. Neven, arXiv:1802.06002: U = exp(i theta_L P_L) ... exp(i theta_1 P_1) with Pauli products P_k on at
most two qubits acts on |z, 1>, and the label is the sign of <Y> of the readout qubit. `parity` and `majority` are the
paper's exact constructions.

Where the paper is silent:
- Images: scikit-learn's 8x8 digits, averaged to 4x4, a pixel is 1 where the mean is above half of the
  16 levels. Images that come with both labels are kept.
- Six layers, alternately Z_j X_r and X_j X_r for j = 0..15, so 96 angles; Adam on all training images.
"""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import qsc
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

WEIGHTS = Path(__file__).with_name("weights.safetensors")
PIXELS, READOUT, LAYERS = 16, 16, 6
THRESHOLD = 8
PASSES = "bake-weights,cancel-gates,light-cone,gather-pairs,fuse-blocks,cancel-gates"
PRODUCTS = [f"{'ZX'[layer % 2]}{j} X{READOUT}" for layer in range(LAYERS) for j in range(PIXELS)]


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train bits, train labels, test bits, test labels): 264 and 100 images (n, 16), labels +1 for 3 and -1 for 6."""
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.isin(labels, (3, 6))
    means = pixels[chosen].reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, PIXELS)
    bits, signs = (means > THRESHOLD).astype(np.float64), np.where(labels[chosen] == 3, 1.0, -1.0)
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(bits, signs, test_size=100, stratify=signs, random_state=0)
    )
    return train_x, train_y, test_x, test_y


def classifier() -> qsc.nn.PauliRotLayer:
    """Bits (..., 16) -> <Y> of the readout qubit (..., 1); its weights are -2 theta."""
    return qsc.nn.PauliRotLayer(
        PIXELS + 1, PRODUCTS, [qsc.Y(READOUT)], inputs=PIXELS, ones=[READOUT], name="classifier", dtype=torch.float64
    )


def boolean(n: int) -> tuple[qsc.Circuit, int]:
    """A circuit on n data qubits, set by the bits x, and a readout qubit in |1>; and the readout qubit's number."""
    c = qsc.Circuit(n + 1)
    for j, bit in enumerate(c.inputs("x", n)):
        c.rx(qsc.pi * bit, j)
    c.x(n)
    return c, n


def parity(n: int, subset: list[int]) -> qsc.Circuit:
    """<Y> of qubit n is the product of z_j over the subset, z = 1 for the bit 0 and -1 for 1.

    prod_j exp(i s pi/4 Z_j X_r), and exp(i s pi/4 X_r) where the subset is even; the sign s fixes that of <Y>.
    """
    c, r = boolean(n)
    products = [f"Z{j} X{r}" for j in subset] + ["X" + str(r)] * (len(subset) % 2 == 0)
    quarter = Fraction(1 if len(products) % 4 == 1 else -1, 2)  # exp(i pi/4 P) is a rotation by -pi/2
    for product in products:
        c.pauli_rot(product, quarter)
    return c


def majority(n: int) -> qsc.Circuit:
    """The sign of <Y> of qubit n is the sign of the sum of z_j, for odd n: prod_j exp(-i b Z_j X_r), n b < pi/2."""
    c, r = boolean(n)
    for j in range(n):
        c.pauli_rot(f"Z{j} X{r}", 0.9 * math.pi / n)
    return c


model = classifier()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
example_input = digits()[0][:4]
