"""snntorch neurons beyond Leaky and Synaptic: recurrence, Lapicque, Alpha; what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from qsc.frontends.torch import read
from qsc.ir import ops
from qsc.ir.interpreter import evaluate
from torch import nn

from .exactness import check, ops_of, refusal, with_exact_sums

STEPS, FEATURES, COUNT = 10, 8, 6
RESETS = ("subtract", "zero", "none")


class Net(nn.Module):
    """A layer and neurons over time. The states are passed, or kept by the neuron."""

    neuron: Any

    def __init__(self, layer, neuron):
        super().__init__()
        self.layer, self.neuron = layer, neuron

    def forward(self, x):
        states = () if self.neuron.init_hidden else self.neuron.reset_mem()
        states = states if isinstance(states, tuple) else (states,)
        spikes = []
        for t in range(x.shape[1]):
            current = self.layer(x[:, t])
            if self.neuron.init_hidden:
                spike = self.neuron(current)
            else:
                spike, *states = self.neuron(current, *states)
                if isinstance(self.neuron, snn.RLeaky | snn.RSynaptic):
                    states = [spike, *states]
            spikes.append(spike)
        return torch.stack(spikes, 1), *states


def recurrent(how, **options):
    wiring = {
        "all": {"linear_features": COUNT},
        "each": {"all_to_all": False, "V": torch.randn(COUNT)},
        "one": {"all_to_all": False, "V": 0.75},
    }
    return wiring[how] | options


def linear():
    return nn.Linear(FEATURES, COUNT)


@pytest.mark.parametrize(
    ("how", "reset", "delayed", "hidden"),
    [*itertools.product(("all", "each", "one"), RESETS, (True, False), (True, False))],
)
def test_rleaky(how, reset, delayed, hidden):
    torch.manual_seed(3)
    options = recurrent(how, reset_mechanism=reset, reset_delay=delayed, init_hidden=hidden)
    net = Net(linear(), snn.RLeaky(torch.rand(COUNT), threshold=0.6, learn_beta=True, **options))
    module = check(with_exact_sums(net), (3, STEPS, FEATURES))
    assert ops_of(module, ops.RLeaky) == [ops.RLeaky(reset, delayed)]
    assert len(ops_of(module, ops.Linear)) == (2 if how == "all" else 1)


@pytest.mark.parametrize(("how", "reset", "hidden"), [*itertools.product(("all", "each"), RESETS, (True, False))])
def test_rsynaptic(how, reset, hidden):
    torch.manual_seed(4)
    options = recurrent(how, reset_mechanism=reset, init_hidden=hidden, learn_threshold=True)
    net = Net(linear(), snn.RSynaptic(0.6, torch.rand(COUNT), threshold=0.9, **options))
    module = check(with_exact_sums(net), (3, STEPS, FEATURES))
    assert ops_of(module, ops.RSynaptic) == [ops.RSynaptic(reset, True)]


def test_recurrence_through_a_convolution():
    torch.manual_seed(5)
    neuron = snn.RLeaky(0.7, conv2d_channels=2, kernel_size=3)
    module = check(with_exact_sums(Net(nn.Conv2d(1, 2, 3, padding=1), neuron)), (3, STEPS, 1, 5, 5))
    assert len(ops_of(module, ops.Conv)) == 2


@pytest.mark.parametrize(("reset", "hidden"), [*itertools.product(RESETS, (True, False))])
@pytest.mark.parametrize("given", [{"beta": 0.8}, {"R": 5, "C": 2, "time_step": 0.5}, {"beta": 0.7, "R": 4.3}], ids=str)
def test_lapicque(reset, hidden, given):
    torch.manual_seed(6)
    options: Any = {k: torch.tensor(v) for k, v in given.items()} if "beta" in given else given
    neuron = snn.Lapicque(**options, threshold=0.3, reset_mechanism=reset, init_hidden=hidden)
    module = check(with_exact_sums(Net(linear(), neuron)), (3, STEPS, FEATURES))
    wanted = "value" if reset == "zero" else reset
    assert ops_of(module, ops.Lif) == [ops.Lif("circuit", reset=wanted, delayed=True)]


@pytest.mark.parametrize(("reset", "hidden"), [*itertools.product(RESETS, (True, False))])
def test_alpha_is_ordinary_arithmetic_around_a_comparison(reset, hidden):
    torch.manual_seed(7)
    neuron = snn.Alpha(torch.rand(COUNT) * 0.1 + 0.85, 0.8, threshold=0.1, reset_mechanism=reset, init_hidden=hidden)
    module = check(with_exact_sums(Net(linear(), neuron)), (3, STEPS, FEATURES))
    assert ops_of(module, ops.Fire)


class Gated(nn.Module):
    """A spiking LSTM over four steps."""

    def __init__(self, cell, start):
        super().__init__()
        self.cell, self.start = cell, start

    def forward(self, x):
        spikes, synaptic, potential = self.cell(x[:, 0], *getattr(self.cell, self.start)())
        for t in range(1, 4):
            spikes, synaptic, potential = self.cell(x[:, t], synaptic, potential)
        return spikes, potential


GATED = {
    "SLSTM": (lambda: snn.SLSTM(FEATURES, COUNT, threshold=0.05), "init_slstm", (3, 4, FEATURES)),
    "SConv2dLSTM": (
        lambda: snn.SConv2dLSTM(1, 2, 3, max_pool=2, threshold=0.05),
        "init_sconv2dlstm",
        (3, 4, 1, 6, 6),
    ),
}


@pytest.mark.parametrize("name", GATED)
def test_spiking_lstms_are_ordinary_arithmetic(name):
    torch.manual_seed(3)
    make, start, shape = GATED[name]
    net, x = Gated(make(), start).eval(), torch.randn(shape)
    imported = read(net, x)
    assert imported.reference is not None
    wanted = imported.reference([x.numpy()])
    assert 0 < wanted[0].mean() < 1
    for value, other in zip(evaluate(imported.module, [x.numpy()]), wanted, strict=True):
        np.testing.assert_allclose(value.numpy(), other, atol=1e-6)


class Late(snn.Leaky):
    """Derived, with a comparison of its own."""

    def fire(self, mem):
        return super().fire(mem - 0.1)


ROUNDS: Any = torch.round
BETA: Any = 0.9
REFUSED = {
    "derived": (lambda: Late(0.9), "Late, which has a fire of its own,"),
    "state_quant": (lambda: snn.Leaky(0.9, state_quant=ROUNDS), "Leaky with state_quant"),
    "inhibition": (lambda: snn.Lapicque(beta=BETA, inhibition=True), "Lapicque with inhibition"),
    "spike_grad": (lambda: snn.RLeaky(0.9, linear_features=COUNT, spike_grad=torch.sigmoid), "RLeaky whose spike_grad"),
    "reset": (
        lambda: snn.RSynaptic(0.9, 0.8, linear_features=COUNT, reset_delay=False),
        "RSynaptic with reset_delay=False, whose reset snntorch 1.0 computes and drops,",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_what_is_refused_says_why(name):
    make, wanted = REFUSED[name]
    assert refusal(Net(linear(), make()), (3, STEPS, FEATURES)).startswith(wanted)
