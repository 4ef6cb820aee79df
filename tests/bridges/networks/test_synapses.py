"""Chains of layers as one connection each: the product is what the layers do one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from qsc.bridges.networks import INPUT, Edge, Input, Network, Neurons, RefusedError
from qsc.bridges.networks.synapses import Synapses, synapses
from torch.nn import functional

from .random_networks import layer, random_network


def apply(made: Synapses, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What a connection without delays brings for a batch."""
    if made.geometry is None:
        return x.reshape(len(x), -1) @ made.weight.T + made.bias.ravel()
    given: Any = (made.geometry[name] for name in ("stride", "padding", "dilation", "groups"))
    out = functional.conv2d(torch.from_numpy(x), torch.from_numpy(made.weight), None, *given)
    return (out.numpy() + made.bias).reshape(len(x), -1)


def chained(shape: tuple[int, ...], *layers) -> Network:
    """input -> layers -> neurons."""
    network = Network(3, [Input(INPUT, shape, False)])
    neurons = random_network(np.random.default_rng(0)).parts["neurons0"]
    assert isinstance(neurons, Neurons)
    before = INPUT
    for k, part in enumerate(layers):
        network.parts[f"l{k}"] = part
        network.edges.append(Edge(before, f"l{k}"))
        before = f"l{k}"
    network.parts["n"] = Neurons(neurons.op, layers[-1].shape, {}, neurons.location)
    network.edges.append(Edge(before, "n"))
    return network


RNG = np.random.default_rng(3)
KERNEL, BIAS, DENSE = RNG.normal(size=(4, 2, 3, 3)), RNG.normal(size=4), RNG.normal(size=(5, 36))
POOL = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0)}
CONV = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
PER_CHANNEL = np.broadcast_to(RNG.uniform(1, 2, (4, 1, 1)), (4, 6, 6)).copy()
CHAINS = {
    "conv": (True, (2, 6, 6), [layer("conv", (4, 6, 6), weight=KERNEL, bias=BIAS, **CONV)]),
    "grouped": (True, (2, 6, 6), [layer("conv", (4, 6, 6), weight=KERNEL[:, :1], **(CONV | {"groups": 2}))]),
    "pool, conv": (
        True,
        (2, 12, 12),
        [layer("avg_pool", (2, 6, 6), **POOL), layer("conv", (4, 6, 6), weight=KERNEL, bias=BIAS, **CONV)],
    ),
    "two pools, conv with stride": (
        True,
        (2, 24, 24),
        [
            layer("sum_pool", (2, 12, 12), **POOL),
            layer("avg_pool", (2, 6, 6), **POOL),
            layer("conv", (4, 3, 3), weight=KERNEL, bias=BIAS, **(CONV | {"stride": (2, 2)})),
        ],
    ),
    "scale, conv, scale a channel": (
        True,
        (2, 6, 6),
        [
            layer("scale", (2, 6, 6), scale=np.full((2, 6, 6), 0.3)),
            layer("conv", (4, 6, 6), weight=KERNEL, **CONV),
            layer("scale", (4, 6, 6), scale=PER_CHANNEL),
        ],
    ),
    "dilated after a pool": (
        False,
        (2, 12, 12),
        [
            layer("avg_pool", (2, 6, 6), **POOL),
            layer("conv", (4, 4, 4), weight=KERNEL[..., :2, :2], **(CONV | {"dilation": (2, 2), "padding": (0, 0)})),
            layer("flatten", (64,), start=0, end=2),
        ],
    ),
    "pool, flatten, linear": (
        False,
        (1, 12, 12),
        [
            layer("avg_pool", (1, 6, 6), **POOL),
            layer("flatten", (36,), start=0, end=2),
            layer("linear", (5,), weight=DENSE, bias=RNG.normal(size=5)),
        ],
    ),
    "pool alone": (True, (2, 6, 6), [layer("sum_pool", (2, 3, 3), **POOL)]),
    "two linear layers": (
        False,
        (36,),
        [
            layer("linear", (5,), weight=DENSE, bias=RNG.normal(size=5)),
            layer("linear", (3,), weight=RNG.normal(size=(3, 5)), bias=RNG.normal(size=3)),
        ],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_one_connection(name: str):
    is_kernel, shape, layers = CHAINS[name]
    (made,) = synapses(chained(shape, *layers), "n")
    assert (made.geometry is not None) == is_kernel
    x = RNG.normal(size=(7, *shape))
    value = torch.from_numpy(x)
    for part in layers:
        f: dict[str, Any] = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in part.fields.items()}
        if part.kind == "conv":
            given = (f["stride"], f["padding"], f["dilation"], f["groups"])
            value = functional.conv2d(value, f["weight"], f.get("bias"), *given)
        elif part.kind == "linear":
            value = value @ f["weight"].T + f["bias"]
        elif part.kind == "flatten":
            value = value.flatten(1)
        elif part.kind == "scale":
            value = value * f["scale"]
        else:
            value = functional.avg_pool2d(value, 2) * (4 if part.kind == "sum_pool" else 1)
    assert np.allclose(apply(made, x, shape), value.reshape(7, -1).numpy())


def test_delays_of_synapses_and_of_sources():
    weight, steps = RNG.normal(size=(3, 4)), RNG.integers(0, 5, (3, 4))
    (made,) = synapses(chained((4,), layer("delayed_linear", (3,), weight=weight, steps=steps)), "n")
    assert made.delays is not None
    assert np.array_equal(made.delays, steps)
    assert np.array_equal(made.weight, weight)
    late = layer("delay", (4,), steps=np.array([1, 0, 3, 2]))
    (made,) = synapses(chained((4,), late, layer("linear", (3,), weight=weight)), "n")
    assert made.delays is not None
    assert np.array_equal(made.delays, np.tile([1, 0, 3, 2], (3, 1)))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (
            [layer("linear", (4,), weight=RNG.normal(size=(4, 4))), layer("delay", (4,), steps=np.ones(4, int))],
            "between other",
        ),
        ([layer("delay", (4,), steps=np.ones(4, int))] * 2, "between other"),
        ([layer("fire", (4,), threshold=np.ones(4), inclusive=False)], "without a membrane"),
    ],
)
def test_what_is_no_connection_is_refused(layers, reason):
    with pytest.raises(RefusedError, match=reason):
        list(synapses(chained((4,), *layers), "n"))


def test_skips_and_recurrence_are_connections_of_their_own():
    weight = RNG.normal(size=(4, 4))
    network = chained((4,), layer("linear", (4,), weight=weight))
    network.parts["back"] = layer("linear", (4,), weight=weight)
    network.edges += [Edge("n", "back", 1), Edge("back", "n"), Edge(INPUT, "n", 2)]
    made = {(s.source, s.steps): s.weight for s in synapses(network, "n")}
    assert set(made) == {(INPUT, 0), ("n", 1), (INPUT, 2)}
    assert np.array_equal(made[INPUT, 2], np.eye(4))
