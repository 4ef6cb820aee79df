"""Neurons with a second input and with delayed resets, read as parts of a network."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.bridges.networks import Neurons, make_network
from qsc.ir import DYNAMIC, Graph, GraphBuilder, Module, TargetError, Type, ops
from qsc.ir.ops.neurons import EulerNeuron
from qsc.ir.ops.spiking import Neuron

COUNT, STEPS = 4, 5
STATE = Type("f32", (DYNAMIC, COUNT))


def region(op: Neuron, names: tuple[str, ...]) -> tuple[Graph, Module]:
    """A loop of neurons whose own spikes of the step before come back through a linear layer."""
    weights = {name: np.full(COUNT, 0.5, np.float32) for name in names} | {"w": np.eye(COUNT, dtype=np.float32)}
    module = Module("m", weights=weights)
    body = GraphBuilder(module)
    before = body.input("before", Type("spike", (DYNAMIC, COUNT)))
    states = [body.input(f"s{k}", STATE) for k in range(op.states)]
    x = body.input("x", STATE)
    (back,) = body.add(ops.Linear(), before, body.weight("w"))
    inputs = (x, back) if op.inputs == 2 else body.add(ops.Add(), x, back)
    spikes, *after = body.add(op, *inputs, *states, *(body.weight(name) for name in names))
    scan = ops.Scan(STEPS, body.graph(spikes, *after, spikes), 1 + op.states, 1)
    graph = GraphBuilder(module)
    series = graph.input("series", Type("f32", (STEPS, DYNAMIC, COUNT)))
    kinds = [Type("spike", (DYNAMIC, COUNT)), *[STATE] * op.states]
    zeros = [graph.add(ops.Constant(0.0, t.shape, t.dtype), series)[0] for t in kinds]
    return graph.graph(graph.add(scan, *zeros, series)[-1]), module


def euler(op: EulerNeuron) -> tuple[EulerNeuron, tuple[str, ...]]:
    return op, op.parameters()


STEPPED = ("alpha", "beta", "threshold")
TAKEN = {
    "rleaky": (ops.RLeaky(), STEPPED[1:], ops.Leaky()),
    "rleaky at once": (ops.RLeaky("zero", False), STEPPED[1:], ops.Leaky("zero", False)),
    "rsynaptic": (ops.RSynaptic(), STEPPED, ops.Synaptic()),
    "norse": (
        *euler(ops.CubaLif("rate", 1e-3, current="jump", recurrent=True)),
        ops.CubaLif("rate", 1e-3, current="jump"),
    ),
    "lapicque": (
        *euler(ops.Lif("circuit", reset="subtract", delayed=True)),
        ops.Lif("circuit", reset="subtract", delayed=True),
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_inputs_are_added_up_before_the_neuron(name):
    op, names, wanted = TAKEN[name]
    network = make_network(*region(op, names))
    (key,) = [k for k, part in network.parts.items() if isinstance(part, Neurons)]
    part = network.parts[key]
    assert isinstance(part, Neurons)
    assert part.op == wanted
    assert {edge.source for edge in network.into(key)} == {"input", *(set(network.parts) - {key})}
    assert part.reset_delayed == (name in ("rleaky", "rsynaptic", "lapicque"))


def test_the_current_of_every_synapse_is_stated():
    """norse's synapse jumps by its input, and decays by dt / tau a step."""
    network = make_network(*region(*euler(ops.CubaLif("rate", 1e-3, current="jump"))))
    (part,) = [part for part in network.parts.values() if isinstance(part, Neurons)]
    synapse = part.synapse()
    assert synapse is not None
    np.testing.assert_allclose(synapse[0], 1 - 1e-3 * 0.5)
    np.testing.assert_allclose(synapse[1], 1.0)


@pytest.mark.parametrize(
    ("op", "names"),
    [(ops.RLeaky("zero"), STEPPED[1:]), euler(ops.Lif("circuit", reset="value", delayed=True))],
    ids=["rleaky", "lapicque"],
)
def test_a_delayed_reset_that_drops_input_is_refused(op, names):
    with pytest.raises(TargetError, match="a delayed reset also drops the input of the step after a spike"):
        make_network(*region(op, names))
