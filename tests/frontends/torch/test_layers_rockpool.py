"""rockpool's LIFTorch, bit by bit, where rockpool is installed; golden vectors check the arithmetic elsewhere."""

from __future__ import annotations

import pytest
import torch
from qsc.ir import ops
from torch import nn

from .exactness import check, ops_of, refusal, with_exact_sums

rockpool = pytest.importorskip("rockpool.nn.modules")

STEPS, FEATURES, COUNT = 12, 8, 6


class Net(nn.Module):
    """A layer and rockpool neurons, which give their output, their states and a record."""

    def __init__(self, neurons):
        super().__init__()
        self.layer, self.neurons = nn.Linear(FEATURES, COUNT), neurons

    def forward(self, x):
        return self.neurons(self.layer(x))[0]


def one(**options):
    return rockpool.LIFTorch(COUNT, max_spikes_per_dt=torch.tensor(1.0), threshold=torch.rand(COUNT) + 0.2, **options)


CASES = {
    "plain": {},
    "vectors": {"tau_mem": torch.arange(6) * 0.004 + 0.01, "bias": torch.arange(6) * 0.02 - 0.05},
    "bit shifts": {"leak_mode": "bitshifts", "dash_mem": torch.tensor(3.0), "dash_syn": torch.tensor(2.0)},
    "decays": {"leak_mode": "decays"},
    "recurrent": {"has_rec": True, "w_rec": torch.eye(6).roll(1, 0) * 0.5},
}


@pytest.mark.parametrize("name", CASES)
def test_lif(name):
    torch.manual_seed(0)
    module = check(with_exact_sums(Net(one(**CASES[name])), 3.0), (3, STEPS, FEATURES))
    (op,) = ops_of(module, ops.CubaLif)
    assert (op.form, op.current, op.reset, op.recurrent) == ("decay_bias", "damped", "subtract", name == "recurrent")


REFUSED = {
    "many spikes": (lambda: rockpool.LIFTorch(COUNT), "LIFTorch with max_spikes_per_dt=65536, which may emit several"),
    "noise": (lambda: one(noise_std=0.1), "LIFTorch with noise_std, which draws random numbers"),
    "two synapses": (
        lambda: rockpool.LIFTorch((COUNT, 3), max_spikes_per_dt=torch.tensor(1.0)),
        "LIFTorch with 2 synapses a neuron",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name):
    make, wanted = REFUSED[name]
    assert refusal(Net(make()), (3, STEPS, FEATURES)).startswith(wanted)
