"""Images as Hamiltonians: 8x8 digits evolve three qubits, fifteen times, with trained gates between.

    qsc compile examples/22-hamiltonian-embedding/model.py --target line:3 -o build/hamiltonian

P. Wang et al., Quantum Hamiltonian Embedding of Images for Data Reuploading Classifiers, arXiv:2407.14055: from |+>^3,
for l = 1..15, exp(-i t_l H / 2) with H = (M + M^T) / 2 and the pixels M / 16, then an SU(4) gate on qubits 0 and 1 and
one on qubits 1 and 2; the eight outcome probabilities are the logits of the digits 0 to 7.

Where the paper is silent, or its code says otherwise:
- The published code gives both SU(4) gates of a layer the same 15 numbers; here each gate has its own.
- An SU(4) gate is exp(i sum_k p_k P_k) over the 15 Pauli products of two qubits without the identity: XI, YI, ZI, IX,
  XX, ..., the letter of the lower qubit first. Qubit 0 is the least significant bit of rows and labels.
- Cross entropy of eight times the probabilities; batches of 300 and a cosine schedule of the learning rate.
"""

from itertools import product
from pathlib import Path

import numpy as np
import qsc
import torch
from qsc.ir.gates import pauli_matrix
from qsc.ir.interpreter.unitaries import evolution
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
QUBITS, LAYERS, CLASSES = 3, 15, 8
PAULIS = torch.tensor(np.array([pauli_matrix(a + b) for b, a in product("IXYZ", repeat=2)][1:]))


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images, train labels, test images, test labels): 1200 and 243 digits, images (n, 8, 8) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images, labels = (np.asarray(pixels) / 16).reshape(-1, 8, 8)[labels < CLASSES], labels[labels < CLASSES]
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(images, labels, train_size=1200, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


class Reference(nn.Module):
    """The model in matrices: images (batch, 8, 8) -> probabilities (batch, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.t = nn.Parameter(torch.rand(LAYERS, dtype=torch.float64))
        self.p = nn.Parameter(torch.randn(LAYERS, 2, 15, dtype=torch.float64) * 0.3)

    def gates(self) -> Tensor:
        """The SU(4) gates (layers, 2, 4, 4)."""
        return torch.matrix_exp(1j * torch.einsum("lgk,kij->lgij", self.p.to(PAULIS.dtype), PAULIS))

    def forward(self, images: Tensor) -> Tensor:
        parts = evolution(images, self.t)
        state = torch.full((len(images), 8, 1), 8**-0.5, dtype=torch.complex128)
        one = torch.eye(2, dtype=torch.complex128)
        for layer, (low, high) in enumerate(self.gates()):
            state = torch.complex(parts[:, layer, 0], parts[:, layer, 1]) @ state
            state = torch.kron(high, one) @ torch.kron(one, low) @ state
        return state[..., 0].abs() ** 2


class Embedding(nn.Module):
    """The same as a circuit: evolution angles of every image, and the trained gates as constants."""

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        self.evolution = qsc.nn.Evolution(QUBITS, LAYERS, dtype=torch.float64)
        with torch.no_grad():
            self.evolution.t.copy_(reference.t)
            gates = reference.gates().numpy()
        self.circuit = qsc.nn.Quantum(embedding(gates), readout="probs", name="embedding")

    def forward(self, images: Tensor) -> Tensor:
        return self.circuit(self.evolution(images).flatten(1))


def embedding(gates: np.ndarray) -> qsc.Circuit:
    """|+>^3, then for every layer the image's evolution and two SU(4) gates (layers, 2, 4, 4)."""
    c = qsc.Circuit(QUBITS)
    for q in range(QUBITS):
        c.h(q)
    for angles, (low, high) in zip(c.inputs("angles", (len(gates), 69)), gates, strict=True):
        c.dense(angles, (0, 1, 2))
        c.unitary(low, (0, 1))
        c.unitary(high, (1, 2))
    return c


def trotter(time: float, steps: int) -> qsc.Circuit:
    """exp(-i time H / 2) of an image of 64 pixels by so many first-order steps: one rotation a step for each Pauli
    product with an even number of Y, its angle linear in the pixels."""
    c = qsc.Circuit(QUBITS)
    pixels = c.inputs("pixels", (8, 8))
    products = ["".join(letters) for letters in product("IXYZ", repeat=QUBITS)]
    even = [letters for letters in products if letters.count("Y") % 2 == 0]
    for _ in range(steps):
        for letters in even:
            weights = np.real(time / (8 * steps) * pauli_matrix(letters))
            angle = sum(weights[i, j] * pixels[i, j] for i, j in zip(*weights.nonzero(), strict=True))
            c.pauli(angle, letters, range(QUBITS))
    return c


reference = Reference()
if WEIGHTS.exists():
    reference.load_state_dict(load_file(WEIGHTS))
model = Embedding(reference)
example_input = digits()[0][:4]
