"""Handwritten digits through a feed-forward spiking network.

    qsc compile examples/digits_snn/model.py --target nir -o build/snn

`model` and `example_input` are what the compiler reads. The weights are those of `train.py`, if they lie beside this
file.
"""

from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
STEPS = 20


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images, train labels, test images, test labels): 1347 and 450 digits, images (n, 64) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(images, labels, test_size=450, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


class DigitsSNN(nn.Module):
    """Images (batch, 64), shown as a constant current -> spikes (STEPS, batch, 10), one neuron a class."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 96)
        self.lif1 = snn.Leaky(beta=0.9, reset_mechanism="zero")
        self.fc2 = nn.Linear(96, 10)
        self.lif2 = snn.Leaky(beta=0.9, reset_mechanism="zero")

    def forward(self, images: Tensor) -> Tensor:
        hidden, output = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for _ in range(STEPS):
            spike, hidden = self.lif1(self.fc1(images), hidden)
            spike, output = self.lif2(self.fc2(spike), output)
            spikes.append(spike)
        return torch.stack(spikes)


model = DigitsSNN()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
model.eval()
example_input = digits()[0][:32]
