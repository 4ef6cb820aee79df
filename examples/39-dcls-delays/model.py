"""Delays that are learnt: a spiking network of which every synapse has a weight and a delay of its own.

    qsc compile examples/39-dcls-delays/model.py --target nir -o build/delays

Hammouamri, Khalfaoui-Hassani, Masquelier, Learning Delays in Spiking Neural Networks using Dilated Convolutions with
Learnable Spacings, arXiv:2306.17670; layers and their settings as in the authors' code (Thvnvtos/SNN-delays).

Ours: the task and the size of the network, since the paper's data (spoken digits as spikes) are not part of the
repository. Every layer keeps the number of steps: the input is followed by `SILENCE` steps without a spike, where the
authors put 12 such steps after the input of every layer. The output neurons spike, and the class is the one that spikes
most, where the authors sum potentials. Positions are whole for the last third of the training.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from DCLS.construct.modules import Dcls1d
from safetensors.torch import load_file
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).with_name("weights.safetensors")
PLACES = 25
"""Places of a kernel: delays from 0 to 24 steps."""
CLASSES, CHANNELS, HIDDEN = 4, 8, 32
WINDOW, SILENCE = 32, 12
STEPS = WINDOW + SILENCE
TAU, DROPOUT = 1.005, 0.1
ORDERS = ((0, 6, 12, 18), (18, 12, 6, 0), (0, 12, 6, 18), (12, 0, 18, 6))
"""When the four pairs of channels spike in each class, in steps after the pattern's beginning."""


def patterns(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(spikes (STEPS, count, CHANNELS), classes): every channel spikes once; the order tells the class.

    A pattern begins at one of 12 steps; each spike is a step early or late with probability 0.1 each.
    """
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(CLASSES, (count,), generator=generator)
    starts = torch.randint(1, 13, (count, 1), generator=generator)
    jitter = torch.multinomial(torch.tensor([0.1, 0.8, 0.1]), count * CHANNELS, True, generator=generator) - 1
    times = starts + torch.tensor(ORDERS)[classes].repeat_interleave(2, 1) + jitter.reshape(count, CHANNELS)
    spikes = torch.zeros(STEPS, count, CHANNELS)
    return spikes.scatter_(0, times.unsqueeze(0), 1.0), classes


def delays(inputs: int, outputs: int) -> Dcls1d:
    """One tap for every synapse, somewhere among `PLACES`."""
    made = Dcls1d(inputs, outputs, kernel_count=1, dilated_kernel_size=PLACES, bias=False, version="gauss")
    nn.init.kaiming_uniform_(made.weight, nonlinearity="relu")
    nn.init.uniform_(made.P, -(PLACES // 2), PLACES // 2)
    return made


def neurons(threshold: float = 1.0) -> neuron.LIFNode:
    """A membrane of hardly more than one step, with a hard reset."""
    return neuron.LIFNode(
        TAU, v_threshold=threshold, surrogate_function=surrogate.ATan(5.0), detach_reset=True, step_mode="m"
    )


class Delays(nn.Module):
    """Spikes (steps, batch, CHANNELS) -> spikes (steps, batch, CLASSES)."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (CHANNELS, HIDDEN, HIDDEN, CLASSES)
        self.delays = nn.ModuleList([delays(a, b) for a, b in pairwise(sizes)])
        self.norms = nn.ModuleList([layer.BatchNorm1d(size, step_mode="m") for size in sizes[1:]])
        self.neurons = nn.ModuleList([neurons() for _ in sizes[1:]])
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self.neurons)
        for synapses, norm, cells in zip(self.delays, self.norms, self.neurons, strict=True):
            past = F.pad(x.permute(1, 2, 0), (PLACES - 1, 0))
            x = cells(norm(synapses(past).permute(2, 0, 1)))
            x = self.dropout(x)
        return x

    def synapses(self) -> list[Any]:
        """The layers with delays, in order."""
        return list(self.delays)

    def round_positions(self) -> None:
        """Whole delays, one tap a synapse, as the authors evaluate."""
        for synapses in self.synapses():
            with torch.no_grad():
                synapses.P.round_().clamp_(-(PLACES // 2), PLACES // 2)
                synapses.SIG.zero_()
            synapses.version = synapses.DCK.version = "max"


model = Delays()
if WEIGHTS.exists():
    model.load_state_dict(load_file(WEIGHTS))
model.round_positions()
model.eval()
example_input = patterns(32, 0)[0]
