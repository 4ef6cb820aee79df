"""Digits through a fixed five-qubit circuit and a dense network.

    qsc compile examples/28-transfer-learning/model.py --target line:5 -o build/transfer

S. Sarkar, Quantum Transfer Learning for MNIST Classification Using a Hybrid Quantum-Classical Approach,
arXiv:2408.03351: an autoencoder's 64 values are rotations on five qubits, then H and CNOT, a measurement, and a dense
network with batch normalisation and dropout.

Where the paper is silent:
- The autoencoder is the identity: scikit-learn's digits have 64 pixels as they are, divided by 16.
- 64 values on five qubits: 13 rotations RY(pi x / 4) one after the other on each qubit, pixel k on qubit k // 13.
- H on every qubit, a chain of CNOT, and the probabilities of all 32 outcomes into 64 hidden units.
"""

from pathlib import Path

import numpy as np
import qsc
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
CLASSICAL = Path(__file__).with_name("classical.safetensors")
QUBITS, PER_QUBIT, HIDDEN = 5, 13, 64


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images, train labels, test images, test labels): 1347 and 450 digits, images (n, 64) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(images, labels, test_size=450, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


def encoding() -> qsc.Circuit:
    """64 values -> a state of five qubits; it has no trained angles."""
    c = qsc.Circuit(QUBITS)
    for k, value in enumerate(c.inputs("x", 64)):
        c.ry(qsc.pi * value / 4, k // PER_QUBIT)
    for q in range(QUBITS):
        c.h(q)
    for q in range(QUBITS - 1):
        c.cx(q, q + 1)
    return c


def dense(inputs: int) -> nn.Sequential:
    """(batch, inputs) -> logits (batch, 10)."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, 10)
    )


def hybrid() -> nn.Sequential:
    """Images (batch, 64) -> logits (batch, 10), all through the circuit."""
    return nn.Sequential(qsc.nn.Quantum(encoding(), readout="probs", name="encoding"), *dense(1 << QUBITS))


def loaded(model: nn.Sequential, file: Path) -> nn.Sequential:
    """The model with the weights of `file`, where they are there, for inference."""
    if file.exists():
        model.load_state_dict(load_file(file))
    return model.eval()


model = loaded(hybrid(), WEIGHTS)
classical = loaded(dense(64), CLASSICAL)
example_input = digits()[0][:4]
