"""sinabs neurons, bit by bit, where sinabs is installed; golden vectors check the arithmetic elsewhere."""

from __future__ import annotations

import pytest
import torch
from qsc.ir import ops
from torch import nn

from .exactness import check, ops_of, refusal, with_exact_sums

sl = pytest.importorskip("sinabs.layers")
from sinabs.activation import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    SingleSpike,
)

STEPS, FEATURES, COUNT = 12, 8, 6
ONE = {"spike_fn": SingleSpike}
LOW = {**ONE, "spike_threshold": torch.tensor(0.3)}


def lif(form, reset="subtract"):
    return ops.Lif(form, reset=reset, inclusive=True)


def cuba(form):
    return ops.CubaLif(form, reset="subtract", inclusive=True, current="damped")


LAYERS = {
    "iaf": (lambda: sl.IAF(**ONE), lif("add")),
    "iaf hard": (lambda: sl.IAF(reset_fn=MembraneReset(), **ONE), lif("add", "value")),
    "iaf synapse": (lambda: sl.IAF(tau_syn=4.0, **ONE), cuba("add")),
    "iaf limited": (lambda: sl.IAF(min_v_mem=-0.5, **ONE), lif("add")),
    "lif": (lambda: sl.LIF(tau_mem=10.0, **LOW), lif("average")),
    "lif vectors": (lambda: sl.LIF(tau_mem=torch.rand(COUNT) * 10 + 5, norm_input=False, **ONE), lif("decay")),
    "lif synapse": (lambda: sl.LIF(tau_mem=10.0, tau_syn=5.0, **LOW), cuba("average")),
    "lif trained": (
        lambda: sl.LIF(tau_mem=10.0, tau_syn=5.0, norm_input=False, train_alphas=True, **ONE),
        cuba("decay"),
    ),
    "leak": (lambda: sl.ExpLeak(tau_mem=8.0), ops.Integrate("decay")),
    "leak limited": (lambda: sl.ExpLeak(tau_mem=8.0, min_v_mem=-0.2, norm_input=True), ops.Integrate("average")),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    torch.manual_seed(0)
    make, op = LAYERS[name]
    net = nn.Sequential(nn.Linear(FEATURES, COUNT), make())
    module = check(with_exact_sums(net, 3.0), (3, STEPS, FEATURES))
    assert set(ops_of(module, type(op))) == {op}


REFUSED = {
    "many spikes": (lambda: sl.IAF(), "IAF with spike_fn=MultiSpike, which may emit several spikes in a step"),
    "at most two": (lambda: sl.IAF(spike_fn=MaxSpike(2)), "IAF with spike_fn=MaxSpike, which may emit several"),
    "reset value": (
        lambda: sl.LIF(tau_mem=9.0, reset_fn=MembraneReset(0.5), **ONE),
        "LIF with a reset_value, which sinabs 3.1 adds to every potential",
    ),
    "subtract": (
        lambda: sl.LIF(tau_mem=9.0, reset_fn=MembraneSubtract(0.5), **ONE),
        "LIF with a subtract_value of its own",
    ),
    "recorded": (lambda: sl.IAF(record_states=True, **ONE), "IAF with record_states"),
    "recurrent": (
        lambda: sl.LIFRecurrent(tau_mem=9.0, rec_connect=nn.Linear(COUNT, COUNT), **ONE),
        "LIFRecurrent (sinabs 3.1 fails to copy one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name):
    make, wanted = REFUSED[name]
    assert refusal(nn.Sequential(nn.Linear(FEATURES, COUNT), make()), (3, STEPS, FEATURES)).startswith(wanted)
