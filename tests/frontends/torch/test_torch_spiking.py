"""snntorch networks: spikes equal bin by bin, and the unrolled loop is one scan."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from qsc.frontends.torch import read
from qsc.ir import print_module
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import Add, Leaky, Scan, Synaptic
from snntorch import utils
from torch import nn

FEATURES, HIDDEN = 8, 6


class Net(nn.Module):
    """Linear layers and neurons, run over time in one of the ways in which people write it."""

    fc: Any
    lif: Any

    def __init__(self, style, make, depth=2, steps=6):
        super().__init__()
        self.style, self.steps = style, steps
        self.fc = nn.ModuleList(nn.Linear(FEATURES if k == 0 else HIDDEN, HIDDEN) for k in range(depth))
        self.lif = nn.ModuleList(make() for _ in range(depth))
        with torch.no_grad():
            for parameter in self.fc.parameters():
                parameter.mul_(2.5)

    def forward(self, x):
        return getattr(self, self.style)(x)

    def layers(self):
        return zip(self.fc, self.lif, strict=True)

    def explicit(self, x):
        states: list[Any] = [state if isinstance(state := lif.reset_mem(), tuple) else (state,) for lif in self.lif]
        spikes, potentials = [], []
        for t in range(self.steps):
            h = x[:, t]
            for k, (fc, lif) in enumerate(self.layers()):
                h, *states[k] = lif(fc(h), *states[k])
            spikes.append(h)
            potentials.append(states[-1][-1])
        return torch.stack(spikes), torch.stack(potentials, 1), states[0][0]

    def zeros(self, x):
        count = 2 if isinstance(self.lif[0], snn.Synaptic) else 1
        states = [[torch.zeros(x.shape[0], HIDDEN) for _ in range(count)] for _ in self.lif]
        total = h = torch.zeros(x.size(0), HIDDEN)
        for t in range(self.steps):
            h = x[:, t]
            for k, (fc, lif) in enumerate(self.layers()):
                h, *states[k] = lif(fc(h), *states[k])
            total += h
        return total, h

    def hidden(self, x):
        utils.reset(self)
        total = 0
        for t in range(self.steps):
            h = x[:, t]
            for fc, lif in self.layers():
                h = lif(fc(h))
            total = total + h
        return total / self.steps

    def hidden_output(self, x):
        spikes = []
        for t in range(self.steps):
            h = x[:, t]
            for fc, lif in self.layers():
                h = lif(fc(h))[0]
            spikes.append(h.unsqueeze(0))
        return torch.cat(spikes), self.lif[0].mem

    def time_first(self, x):
        states = [lif.init_leaky() for lif in self.lif]
        spikes = []
        for h in x:
            for k, (fc, lif) in enumerate(self.layers()):
                h, states[k] = lif(fc(h), states[k])
            spikes.append(h)
        return torch.stack(spikes)

    def constant_input(self, x):
        states = [lif.init_leaky() for lif in self.lif]
        spikes = []
        for _ in range(self.steps):
            h = x
            for k, (fc, lif) in enumerate(self.layers()):
                h, states[k] = lif(fc(h), states[k])
            spikes.append(h)
        return sum(spikes), torch.stack(spikes)

    def layer_by_layer(self, x):
        train = list(x.unbind(1))
        for fc, lif in self.layers():
            state, out = lif.init_leaky(), []
            for h in train:
                spike, state = lif(fc(h), state)
                out.append(spike)
            train = out
        return torch.stack(train, 1)

    def assigned(self, x):
        out = torch.zeros(x.shape[0], self.steps, HIDDEN)
        state = self.lif[0].init_leaky()
        for t in range(self.steps):
            out[:, t], state = self.lif[0](self.fc[0](x[:, t]), state)
        return out

    def recurrent(self, x):
        state = self.lif[0].init_leaky()
        last = before = torch.zeros(x.shape[0], HIDDEN)
        spikes = []
        for t in range(self.steps):
            spike, state = self.lif[0](self.fc[0](x[:, t]) + 0.5 * last - 0.25 * before, state)
            last, before = spike, last
            spikes.append(spike)
        return spikes[-1], state, torch.stack(spikes[1:])

    def first_differs(self, x):
        state, total = self.lif[0].init_leaky(), None
        for t in range(self.steps):
            spike, state = self.lif[0](self.fc[0](x[:, t]), state)
            total = spike if total is None else total + spike
        return total


def check(net, shape, batch_axis=0):
    """The raised module, whose outputs equal snntorch's to the bit on a batch of another size."""
    imported = read(net, torch.rand(*shape))
    sizes = tuple(7 if k == batch_axis else n for k, n in enumerate(shape))
    inputs = [(np.random.default_rng(1).random(sizes) * 2).astype(np.float32)]
    assert imported.reference is not None
    wanted = imported.reference(inputs)
    given = evaluate(imported.module, inputs)
    for a, b in zip(wanted, given, strict=True):
        np.testing.assert_array_equal(b.numpy(), a)
    assert 0 < wanted[0].mean() < net.steps, "some neurons fire, not all"
    return imported.module


def scans(module):
    return [n.op for n in module.nodes() if isinstance(n.op, Scan)]


def with_steps(text, old, new):
    """The text with another number of steps; the last step has the number before."""
    return re.sub(rf"\b{old - 1}\b", str(new - 1), re.sub(rf"\b{old}\b", str(new), text))


def make_leaky(**options):
    threshold: Any = torch.rand(HIDDEN) * 0.5 + 0.2
    return lambda: snn.Leaky(torch.rand(HIDDEN), threshold=threshold, learn_beta=True, **options)


def make_synaptic(**options):
    return lambda: snn.Synaptic(0.5, 0.8, threshold=0.6, learn_threshold=True, **options)


CASES = [
    *itertools.product(
        ("zero", "subtract", "none"), (True, False), ("explicit", "hidden_output"), (make_leaky, make_synaptic)
    ),
    *itertools.product(("zero",), (True,), ("zeros", "hidden"), (make_leaky, make_synaptic)),
]


@pytest.mark.parametrize(
    ("number", "case"),
    [*enumerate(CASES)],
    ids=["-".join((c[0], "late" if c[1] else "at once", c[2], c[3].__name__)) for c in CASES],
)
def test_spikes_equal_bin_by_bin(number, case):
    reset, delayed, style, make = case
    torch.manual_seed(number)
    hidden = style.startswith("hidden")
    options = {
        "reset_mechanism": reset,
        "reset_delay": delayed,
        "init_hidden": hidden,
        "output": style == "hidden_output",
    }
    depth = 1 + number % 3
    module = check(Net(style, make(**options), depth), (3, 6, FEATURES))
    (scan,) = scans(module)
    neurons = [n.op for n in scan.body.nodes if isinstance(n.op, Leaky | Synaptic)]
    assert [(n.reset, n.delayed) for n in neurons] == [(reset, delayed)] * depth
    assert scan.steps == 6


@pytest.mark.parametrize(
    ("style", "count"),
    [
        ("constant_input", 2),
        ("layer_by_layer", 2),
        ("assigned", 1),
        ("recurrent", 1),
        ("first_differs", 1),
    ],
)
def test_ways_to_write_the_loop(style, count):
    torch.manual_seed(0)
    shape = (3, FEATURES) if style == "constant_input" else (3, 6, FEATURES)
    module = check(Net(style, lambda: snn.Leaky(0.8, threshold=1, reset_mechanism="zero")), shape)
    assert len(scans(module)) == count
    assert not any(isinstance(n.op, Leaky) for n in module.graph.nodes if style != "first_differs")


@pytest.mark.parametrize("batch", [1, 3])
def test_time_first_input(batch):
    torch.manual_seed(0)
    module = check(Net("time_first", lambda: snn.Leaky(0.8)), (6, batch, FEATURES), batch_axis=1)
    assert str(module.graph.inputs[0].type) == f"f32[6,?,{FEATURES}]"
    assert len(module.graph.nodes) == 2


@pytest.mark.parametrize("style", ["explicit", "hidden", "constant_input", "layer_by_layer", "recurrent", "zeros"])
def test_10_and_13_steps_differ_in_one_number(style):
    texts = []
    for steps in (10, 13):
        torch.manual_seed(0)
        net = Net(style, lambda style=style: snn.Leaky(0.9, init_hidden=style == "hidden"), steps=steps)
        shape = (2, FEATURES) if style == "constant_input" else (2, steps, FEATURES)
        text = print_module(read(net, torch.rand(*shape)).module)
        texts.append(text[text.index("main(") :])
    assert with_steps(texts[0], 10, 13) == texts[1]


def test_200_steps_are_folded_like_10():
    texts = []
    for steps in (10, 200):
        torch.manual_seed(0)
        net = Net("explicit", lambda: snn.Leaky(0.9), depth=1, steps=steps)
        text = print_module(read(net, torch.rand(2, steps, FEATURES)).module)
        texts.append(text[text.index("main(") :])
    assert with_steps(texts[0], 10, 200) == texts[1]


def test_parameters_outside_their_range_are_limited_as_snntorch_limits_them():
    torch.manual_seed(0)
    net = Net("explicit", lambda: snn.Leaky(torch.tensor([1.2, -0.1, 0.5, 0.9, 1.0, 0.0])), depth=1)
    module = check(net, (2, 6, FEATURES))
    assert [n.op.mnemonic for n in module.graph.nodes].count("clamp") == 1


def test_graded_spikes_are_scaled():
    torch.manual_seed(0)
    net = Net("explicit", lambda: snn.Leaky(0.9, graded_spikes_factor=0.5, reset_delay=False), depth=2)
    check(net, (2, 6, FEATURES))


def test_the_users_neurons_are_not_touched():
    torch.manual_seed(0)
    net = Net("hidden", lambda: snn.Leaky(0.9, init_hidden=True))
    x = torch.rand(2, 6, FEATURES)
    net(x)
    potential = net.lif[0].mem.clone()
    instances = list(snn.SpikingNeuron.instances)
    read(net, x)
    assert torch.equal(net.lif[0].mem, potential)
    assert [id(n) for n in snn.SpikingNeuron.instances] == [id(n) for n in instances]


def test_hidden_state_starts_at_zero_whatever_ran_before():
    torch.manual_seed(0)
    net = Net("hidden_output", lambda: snn.Leaky(0.9, init_hidden=True, output=True))
    net(torch.rand(7, 6, FEATURES))
    check(net, (7, 6, FEATURES))


class Cell(nn.Module):
    """A recurrent cell written by hand."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.w, self.u, self.out = steps, nn.Linear(4, 5), nn.Linear(5, 5, bias=False), nn.Linear(5, 2)

    def forward(self, x):
        h, y = torch.zeros(x.shape[0], 5), []
        for t in range(self.steps):
            h = torch.tanh(self.w(x[:, t : t + 1]).squeeze(1) + self.u(h))
            for _ in range(3):
                h = 0.5 * h + torch.sin(h)
            y.append(self.out(h))
        return torch.stack(y, 1), h


def test_a_loop_of_any_state_folds_and_a_loop_in_it_too():
    torch.manual_seed(0)
    texts = []
    for steps in (11, 14):
        imported = read(Cell(steps), torch.rand(2, steps, 4))
        x = [np.random.default_rng(0).random((5, steps, 4))]
        assert imported.reference is not None
        for a, b in zip(imported.reference(x), evaluate(imported.module, x, precision="f64"), strict=True):
            np.testing.assert_allclose(b.numpy(), a, atol=1e-12)
        outer, inner = scans(imported.module)
        assert (outer.steps, inner.steps) == (steps, 3)
        text = print_module(imported.module)
        texts.append(text[text.index("main(") :])
    assert with_steps(texts[0], 11, 14) == texts[1]


class Irregular(nn.Module):
    """Steps that are not alike: cannot fold, stays right."""

    lif: Any

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(FEATURES, HIDDEN), snn.Leaky(0.9)
        self.steps = 5

    def forward(self, x):
        state, total = self.lif.init_leaky(), 0
        for t in (0, 3, 1, 4, 2):
            spike, state = self.lif(2 * self.fc(x[:, t]), state)
            total = total + (t + 1) * spike
        return total


def test_a_loop_that_does_not_fold_is_left_unrolled():
    torch.manual_seed(0)
    module = check(Irregular(), (2, 5, FEATURES))
    assert not scans(module)
    assert sum(isinstance(n.op, Leaky) for n in module.graph.nodes) == 5
    assert any(isinstance(n.op, Add) for n in module.graph.nodes)
