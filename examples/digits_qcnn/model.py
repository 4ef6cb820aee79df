"""Handwritten digits through a small CNN, an 8-qubit quantum convolution and a linear head.

    qsc compile examples/digits_qcnn/model.py --target fake_torino -o build/qcnn

`model` and `example_input` are what the compiler reads; the weights are those that `train.py` left beside this file.
"""

import math
from pathlib import Path

import numpy as np
import qsc
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
QUBITS = 8
PARAMETERS_A_PAIR = 5


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images, train labels, test images, test labels): 1347 and 450 digits, images (n, 1, 8, 8) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(images, labels, test_size=450, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


def quantum_convolution(*, cz: bool = True, measured: bool = False) -> qsc.Circuit:
    """H and RY(x) on every qubit, then one kernel on each pair (i, i + 1) of the chain, so that pairs share qubits.

    The CZ meets superposed qubits, since |x| <= pi/4, and both are turned about two or more axes after it: no qubit is
    a mere control. For `evaluate.py`, `cz=False` leaves the entangling gates out, and `measured=True` measures qubit i
    of each pair after its CZ.
    """
    c = qsc.Circuit(QUBITS, bits=QUBITS if measured else 0)
    x, w = c.inputs("x", QUBITS), c.weights("w", (QUBITS - 1, PARAMETERS_A_PAIR))
    for q in range(QUBITS):
        c.h(q)
        c.ry(x[q], q)
    for i, kernel in enumerate(w):
        if cz:
            c.cz(i, i + 1)
        if measured:
            c.measure(i, i)
        c.rx(kernel[0], i)
        c.ry(kernel[1], i)
        c.ry(kernel[2], i + 1)
        c.rz(kernel[3], i + 1)
        c.rx(kernel[4], i + 1)
    return c


def readout() -> list[qsc.PauliSum]:
    """Z of every qubit and ZZ of every pair of neighbours: 15 values of one measurement basis."""
    return [qsc.Z(q) for q in range(QUBITS)] + [qsc.Z(q) * qsc.Z(q + 1) for q in range(QUBITS - 1)]


class DigitsQCNN(nn.Module):
    """Images (batch, 1, 8, 8) -> logits (batch, 10). Nothing passes the quantum layer by."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64, QUBITS),
            nn.Tanh(),
        )
        self.quantum = qsc.nn.Quantum(quantum_convolution(), readout=readout(), name="qcnn")
        self.head = nn.Linear(len(readout()), 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.quantum(self.angles(images)))

    def angles(self, images: Tensor) -> Tensor:
        """What enters the circuit, (batch, 8) in [-pi/4, pi/4]."""
        return math.pi / 4 * self.features(images)


model = DigitsQCNN()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
model.eval()
example_input = digits()[0][:4]
