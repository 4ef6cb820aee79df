r"""The energy of a variational ansatz on a noisy device, and what it would be without the noise.

    qsc compile examples/40-zne-nn/model.py --target examples/40-zne-nn/noisy.toml -o build/zne \
        --passes "bake-weights,mitigate{zne=1+3+5 extrapolation=exponential},partition"

S. B. Chen et al., arXiv:2403.07025: an ansatz of RY and RZ under depolarising noise of growing strength, read as one
product of Z, and a feed-forward network that learns strength -> value and is asked for strength 0.

Where the paper is silent:
- Four qubits, two layers of RY, RZ and a chain of CX, and one more of RY and RZ: 24 angles; H = Z0 Z1 Z2 Z3.
- The angles are those that `train.py` finds for the least <H> without noise.
- Every CX depolarises its two qubits with probability p, every RY and RZ its qubit with p/10.
- The network has one hidden layer of 8 tanh units and is trained by L-BFGS.
"""

from pathlib import Path

import qsc
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
QUBITS, LAYERS = 4, 2


def ansatz(qubits: int = QUBITS, layers: int = LAYERS) -> qsc.Circuit:
    """RY and RZ on every qubit and a chain of CX, `layers` times, and RY and RZ once more; x turns the first qubit."""
    c = qsc.Circuit(qubits)
    x, w = c.inputs("x"), c.weights("w", (layers + 1, qubits, 2))
    c.ry(x, 0)
    for layer in range(layers + 1):
        for q in range(qubits):
            c.ry(w[layer, q, 0], q)
            c.rz(w[layer, q, 1], q)
        for q in range(qubits - 1 if layer < layers else 0):
            c.cx(q, q + 1)
    return c


def hamiltonian(qubits: int = QUBITS) -> qsc.PauliSum:
    """Z on every qubit."""
    out = qsc.Z(0)
    for q in range(1, qubits):
        out = out * qsc.Z(q)
    return out


def energy(qubits: int = QUBITS, layers: int = LAYERS) -> qsc.nn.Quantum:
    """<H> of the ansatz, its angles untrained."""
    return qsc.nn.Quantum(ansatz(qubits, layers), [hamiltonian(qubits)], name="ansatz")


class Extrapolator(nn.Module):
    """Strength of the noise -> value."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, p: Tensor) -> Tensor:
        """(..., 1) -> (..., 1); strengths are scaled so that 0.2 counts as 1."""
        return self.net(p / 0.2)


model = energy()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
example_input = torch.linspace(-1.0, 1.0, 5)[:, None]
