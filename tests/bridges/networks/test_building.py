"""Networks as programs and back: the program that is built computes what the network says."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qsc.bridges.networks import Network, make_network
from qsc.bridges.networks.building import Builder
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate

from .random_networks import STEPS, random_network


def module_of(network: Network, record: tuple[str, ...] = ()) -> Module:
    builder = Builder(network)
    module = Module("net", weights=builder.weights, graph=builder.graph(record))
    verify(module)
    return module


def stimulus(network: Network, batch: int = 6) -> np.ndarray:
    (given,) = network.inputs
    shape = (STEPS, batch, *given.shape) if given.sequence else (batch, *given.shape)
    return np.random.default_rng(1).normal(0.5, 1, shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(40))
def test_a_built_program_is_read_as_the_network_it_came_from(seed: int):
    network = random_network(np.random.default_rng(seed))
    module = module_of(network)
    again = make_network(module.graph, module)
    assert (again.steps, again.inputs, again.dt) == (network.steps, network.inputs, network.dt)
    assert (again.neurons, again.synapses) == (network.neurons, network.synapses)
    x = stimulus(network)
    (first,), (second,) = evaluate(module, [x]), evaluate(module_of(again), [x])
    assert np.array_equal(first, second)


@pytest.mark.parametrize("seed", range(40))
def test_a_built_program_spikes_as_its_nir_graph(seed: int):
    """The backend's own simulator, which knows nothing of loops, is the other opinion."""
    network = random_network(np.random.default_rng(seed))
    module, x = module_of(network), stimulus(network)
    bundle = qsc.compile(module, target="nir", calibration=[x], verify=False)
    assert bundle.launches()
    given, wanted = bundle.run(x), evaluate(module, [x])[0].numpy()
    assert (given != wanted).mean() < 2e-3


def test_what_is_recorded_comes_after_the_outputs():
    """A neuron by hand: v = 0.5 v + x, reset to 0 above 1."""
    module = Module("net", weights={"beta": np.array([0.5], np.float32), "threshold": np.array([1.0], np.float32)})
    body = GraphBuilder(module)
    state = Type("f32", (DYNAMIC, 1))
    v, x = body.input("v", state), body.input("x", state)
    spike, after = body.add(ops.Leaky("zero", False), x, v, body.weight("beta"), body.weight("threshold"))
    outer = GraphBuilder(module)
    series = outer.input("series", Type("f32", (4, DYNAMIC, 1)))
    (zero,) = outer.add(ops.Constant(0.0, (DYNAMIC, 1)), series)
    _, spikes = outer.add(ops.Scan(4, body.graph(after, spike), 1, 1), zero, series)
    network = make_network(outer.graph(spikes), module.with_(graph=outer.graph(spikes)))
    (name,) = network.parts
    recorded = module_of(network, (name, f"{name}.v"))
    values = [
        v.numpy().ravel().tolist()
        for v in evaluate(recorded, [np.array([0.8, 0.8, 0.2, 0.3], np.float32).reshape(4, 1, 1)])
    ]
    assert values[0] == values[1] == [0, 1, 0, 0]
    assert values[2] == pytest.approx([0.8, 0, 0.2, 0.4])
