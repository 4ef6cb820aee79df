"""spikingjelly neurons, bit by bit: single steps, many steps, containers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from qsc.ir import ops
from torch import nn

from .exactness import check, ops_of, refusal, with_exact_sums

spikingjelly = pytest.importorskip("spikingjelly.activation_based")
from spikingjelly.activation_based import functional, layer, neuron, surrogate  # noqa: E402

STEPS, FEATURES, COUNT = 10, 8, 6


class Loop(nn.Module):
    """A layer and a node that keeps its state, step by step."""

    def __init__(self, node):
        super().__init__()
        self.layer, self.node = nn.Linear(FEATURES, COUNT), node

    def forward(self, x):
        spikes = [self.node(self.layer(x[:, t])) for t in range(x.shape[1])]
        return torch.stack(spikes, 1), self.node.v


def lif(form, reset="value"):
    return ops.Lif(form, reset=reset, inclusive=True)


def cuba(reset="value"):
    return ops.CubaLif("decay", reset=reset, inclusive=True, current="decay")


NODES = {
    "if": (lambda: neuron.IFNode(), lif("add")),
    "if soft": (lambda: neuron.IFNode(v_reset=None), lif("add", "subtract")),
    "if reset": (lambda: neuron.IFNode(v_reset=-0.3, v_threshold=0.7), lif("add")),
    "lif": (lambda: neuron.LIFNode(v_threshold=0.5), lif("charge")),
    "lif drains": (lambda: neuron.LIFNode(3.0, False, 0.5, -0.1), lif("drain")),
    "lif soft": (lambda: neuron.LIFNode(3.0, v_threshold=0.2, v_reset=None), lif("charge", "subtract")),
    "lif detached": (lambda: neuron.LIFNode(v_threshold=0.5, detach_reset=True), lif("charge")),
    "lif arctan": (lambda: neuron.LIFNode(v_threshold=0.5, surrogate_function=surrogate.ATan()), lif("charge")),
    "plif": (lambda: neuron.ParametricLIFNode(3.0, v_threshold=0.5), lif("charge_share")),
    "plif drains": (lambda: neuron.ParametricLIFNode(3.0, False, v_reset=None), lif("drain_share", "subtract")),
    "cuba": (lambda: neuron.CUBALIFNode(), cuba()),
    "cuba soft": (lambda: neuron.CUBALIFNode(v_reset=None), cuba("subtract")),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(name):
    torch.manual_seed(0)
    make, op = NODES[name]
    module = check(with_exact_sums(Loop(make())), (3, STEPS, FEATURES))
    assert ops_of(module, type(op)) == [op]


def convolutional(mode: str) -> nn.Module:
    net = nn.Sequential(
        layer.Conv2d(1, 3, 3, padding=1, bias=False),
        layer.BatchNorm2d(3),
        neuron.IFNode(v_threshold=0.3),
        layer.MaxPool2d(2, 2),
        layer.Dropout(0.5),
        layer.Flatten(),
        layer.Linear(3 * 4 * 4, 5),
        neuron.LIFNode(v_reset=None, v_threshold=0.2),
    )
    functional.set_step_mode(net, mode)
    return net.eval()


def test_many_steps_time_first():
    torch.manual_seed(0)
    module = check(with_exact_sums(convolutional("m")), (STEPS, 2, 1, 8, 8), axis=1)
    assert str(module.graph.inputs[0].type) == f"f32[{STEPS},?,1,8,8]"
    assert {scan.steps for scan in ops_of(module, ops.Scan)} == {STEPS}


class Rates(nn.Module):
    """The usual loop: the state is reset, the image shown in every step, the spikes are counted."""

    def __init__(self):
        super().__init__()
        self.net = convolutional("s")

    def forward(self, x):
        functional.reset_net(self.net)
        total = 0
        for _ in range(STEPS):
            total = total + self.net(x)
        return total / STEPS


def test_single_steps_of_one_image():
    torch.manual_seed(0)
    module = check(with_exact_sums(Rates()), (2, 1, 8, 8))
    assert len(ops_of(module, ops.Scan)) == 1


def test_containers():
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.SeqToANNContainer(nn.Linear(FEATURES, COUNT), nn.BatchNorm1d(COUNT)),
        neuron.LIFNode(step_mode="m", v_threshold=0.2),
        layer.MultiStepContainer(nn.Linear(COUNT, 4), neuron.IFNode(v_threshold=0.2)),
    )
    check(with_exact_sums(net.eval()), (STEPS, 2, FEATURES), axis=1)


def test_a_container_that_feeds_its_output_back_starts_anew():
    torch.manual_seed(0)
    inner = layer.LinearRecurrentContainer(neuron.IFNode(v_threshold=0.3), COUNT, COUNT)
    net = nn.Sequential(layer.Linear(FEATURES, COUNT), inner)
    functional.set_step_mode(net, "m")
    with_exact_sums(net)(torch.ones(STEPS, 5, FEATURES))
    module = check(net, (STEPS, 3, FEATURES), axis=1)
    assert ops_of(module, ops.Cat)


def test_what_runs_step_by_step_meanwhile_is_as_before_afterwards():
    before = functional.seq_to_ann_forward, layer.BatchNorm2d.forward
    check(with_exact_sums(convolutional("m")), (4, 2, 1, 8, 8), axis=1)
    assert (functional.seq_to_ann_forward, layer.BatchNorm2d.forward) == before


def test_the_users_nodes_are_not_touched():
    torch.manual_seed(0)
    node = neuron.LIFNode(v_threshold=0.5)
    net = with_exact_sums(Loop(node))
    net(torch.ones(3, STEPS, FEATURES))
    kept: Any = node
    potential = kept.v.clone()
    check(net, (3, STEPS, FEATURES))
    assert torch.equal(kept.v, potential)


class Doubling(neuron.LIFNode):
    """Derived, with a step of its own."""

    def single_step_functional_forward(self, inputs, states, **kwargs):
        return super().single_step_functional_forward((2 * inputs[0],), states, **kwargs)


class Named(neuron.LIFNode):
    """Derived, with another default."""

    def __init__(self):
        super().__init__(v_threshold=0.3)


def test_a_derived_node_that_changes_nothing_is_taken():
    torch.manual_seed(0)
    assert ops_of(check(with_exact_sums(Loop(Named())), (3, STEPS, FEATURES)), ops.Lif) == [lif("charge")]


REFUSED = {
    "derived": (lambda: Doubling(), "Doubling, which has a single_step_functional_forward of its own,"),
    "store_v_seq": (lambda: neuron.IFNode(store_v_seq=True), "IFNode with store_v_seq"),
    "surrogate": (
        lambda: neuron.LIFNode(surrogate_function=surrogate.Sigmoid(spiking=False)),
        "LIFNode whose surrogate_function is not a step at zero",
    ),
    "another node": (lambda: neuron.QIFNode(), "torch operation forward has no counterpart in qsc"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name):
    make, wanted = REFUSED[name]
    assert refusal(Loop(make()), (3, STEPS, FEATURES)).startswith(wanted)
