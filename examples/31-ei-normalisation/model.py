"""Digits through excitatory and inhibitory neurons that normalise each other: no batch norm, no negative weight.

    qsc compile examples/31-ei-normalisation/model.py --target nir -o build/ei
    qsc compile examples/31-ei-normalisation/model.py --entry calibrated --target nir --dale -o build/ei-constant

Training Deep Normalization-Free Spiking Neural Networks with Lateral Inhibition (OpenReview U8preGvn5G); equations and
settings as in the authors' code (vwOvOwv/DeepEISNN).

Ours: the task and the size of the network. Images are shown as a constant current. A sample that brings no inhibition
at all has no second minimum: then nothing but the bias comes in. Rows of W_ei begin with a sum of 1 on average.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).with_name("weights.safetensors")
PIXELS, HIDDEN, CLASSES = 64, (96, 48), 10
STEPS = 8
INHIBITORY = 4
"""Excitatory neurons for an inhibitory one."""


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images, train labels, test images, test labels): 1347 and 450 digits, images (n, 64) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = map(
        torch.from_numpy, train_test_split(images, labels, test_size=450, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


def without_zeros(shunt: Tensor) -> Tensor:
    """Zeros as the second minimum of their sample: the least number above zero, or the largest there is."""
    positive = shunt > 0
    second = torch.where(positive, shunt, torch.finfo(shunt.dtype).max).amin(-1, keepdim=True)
    return torch.where(positive, shunt, second)


class EI(nn.Module):
    """Spikes or rates x (batch, inputs) -> currents (batch, outputs), g_e (W_ee x - W_ei z) / W_ei (g_i z) + b with
    z = W_ie x, the inhibitory neurons. Every weight is 0 or more. divisor: a constant (outputs,) in the place of the
    one that the sample gives, or None.
    """

    divisor: Tensor | None

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inhibitory = outputs // INHIBITORY
        self.w_ee = nn.Parameter(torch.zeros(outputs, inputs))
        self.w_ie = nn.Parameter(torch.zeros(inhibitory, inputs))
        self.w_ei = nn.Parameter(torch.zeros(outputs, inhibitory))
        self.g_i = nn.Parameter(torch.ones(inhibitory))
        self.g_e = nn.Parameter(torch.ones(outputs))
        self.b = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("divisor", None)

    def shunt(self, x: Tensor) -> Tensor:
        """What the currents are divided by, zeros and all."""
        return F.linear(F.linear(x, self.w_ie) * self.g_i, self.w_ei)

    def forward(self, x: Tensor) -> Tensor:
        if self.divisor is not None:
            gain = (self.g_e / self.divisor).unsqueeze(1)
            return F.linear(x, gain * self.w_ee, self.b) + F.linear(F.linear(x, self.w_ie), -gain * self.w_ei)
        currents = F.linear(x, self.w_ee) - F.linear(F.linear(x, self.w_ie), self.w_ei)
        shunt = self.shunt(x)
        fixed = without_zeros(shunt)
        if self.training:
            fixed = shunt + (fixed - shunt).detach()
        return self.g_e * currents / fixed + self.b


def cells() -> neuron.LIFNode:
    """A potential that halves in a step, and a spike that takes the threshold off."""
    return neuron.LIFNode(2.0, decay_input=False, v_reset=None, surrogate_function=surrogate.Sigmoid())


class EINet(nn.Module):
    """Images (batch, 64) -> scores (batch, 10): two layers of neurons, and a readout that only excites."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = EI(PIXELS, HIDDEN[0]), EI(*HIDDEN)
        self.cells = nn.ModuleList([cells() for _ in HIDDEN])
        self.readout = nn.Parameter(torch.zeros(CLASSES, HIDDEN[1]))

    def spikes(self, images: Tensor) -> Tensor:
        """Spikes (STEPS, batch, 48) of the second layer."""
        functional.reset_net(self.cells)
        shown = self.first(images)
        return torch.stack([self.cells[1](self.second(self.cells[0](shown))) for _ in range(STEPS)])

    def forward(self, images: Tensor) -> Tensor:
        return F.linear(self.spikes(images).mean(0), self.readout)

    @torch.no_grad()
    def with_constant_divisors(self, images: Tensor) -> "EINet":
        """The same network, in which every neuron divides by the constant that is nearest on these images.

        The least squares of currents / shunt and currents * (1 / divisor).
        """
        made = EINet()
        made.load_state_dict(self.state_dict())
        functional.reset_net(self.cells)
        first = self.cells[0]
        shown = self.first(images)
        seen = torch.cat([first(shown) for _ in range(STEPS)])
        for layer, target, x in ((self.first, made.first, images), (self.second, made.second, seen)):
            currents = F.linear(x, layer.w_ee) - F.linear(F.linear(x, layer.w_ie), layer.w_ei)
            divided = currents / without_zeros(layer.shunt(x))
            target.divisor = (currents * currents).sum(0) / (currents * divided).sum(0)
        return made.eval()


model = EINet()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
model.eval()
calibrated = model.with_constant_divisors(digits()[0])
example_input = digits()[0][:32]
