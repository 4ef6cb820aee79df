"""What lies between populations: chains of layers as one weight matrix or one kernel each.

A neuromorphic chip has connections from neurons to neurons and nothing between. A chain is every layer on a way from an
input or from neurons to neurons; as a whole it is linear, and a constant that it adds is a bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .layers import RefusedError
from .network import Layer, Network, Neurons

DENSE_LIMIT = 1 << 26
"""Weights of a matrix that a chain may be multiplied out into."""


@dataclass(frozen=True)
class Synapses:
    """One connection: y = W x from a source to neurons, `steps` steps later.

    weight: float64 (out, in), both flattened row by row, or with a `geometry` a kernel (out channels, in channels /
    groups, ...); geometry: stride, padding, dilation (tuples) and groups. delays: further steps of every synapse, of
    the shape of a matrix, or None.
    """

    source: str
    target: str
    steps: int
    weight: np.ndarray
    bias: np.ndarray
    """What the chain adds in every step, of the target's shape."""
    delays: np.ndarray | None = None
    geometry: dict[str, tuple[int, ...] | int] | None = None
    plastic: Layer | None = None
    """The layer of weights that learn; `weight` is what they begin with."""


def synapses(network: Network, target: str) -> Iterator[Synapses]:
    """The connections into neurons. RefusedError where a way to them cannot be multiplied out."""
    for edge in network.into(target):
        for source, chain, steps in _ways(network, edge.source, edge.steps):
            yield _composed(network, source, target, chain, steps)


def _ways(network: Network, name: str, steps: int) -> Iterator[tuple[str, list[Layer], int]]:
    """(source, layers from it on, steps) of every way that ends in `name`."""
    part = network.parts.get(name)
    if part is None or isinstance(part, Neurons):
        yield name, [], steps
        return
    if part.kind == "fire":
        raise RefusedError("a threshold without a membrane before it")
    for edge in network.into(name):
        for source, chain, before in _ways(network, edge.source, edge.steps):
            yield source, [*chain, part], before + steps


def shape_of(network: Network, name: str) -> tuple[int, ...]:
    """Of what an input or a part puts out, without batch and time."""
    return next((i.shape for i in network.inputs if i.name == name), ()) or network.parts[name].shape


def _composed(network: Network, source: str, target: str, chain: list[Layer], steps: int) -> Synapses:
    given, wanted = shape_of(network, source), network.parts[target].shape
    if len(given) == len(wanted) == 3 and all(layer.kind in ("scale", "avg_pool", "sum_pool") for layer in chain):
        chain = [*chain, _each_channel(network, target)]
    if any(layer.kind == "plastic" for layer in chain):
        return _plastic(source, target, steps, chain, wanted)
    if not chain:
        return Synapses(source, target, steps, np.eye(int(np.prod(given))), np.zeros(wanted))
    delays, plain = _delays(chain, given)
    bias = _through(plain, np.zeros((1, *given)))[0].reshape(wanted)
    kernel = _kernel(plain) if delays is None else None
    if kernel is not None:
        weight, geometry = kernel
        return Synapses(source, target, steps, weight, bias, None, geometry)
    count = int(np.prod(given))
    if count * int(np.prod(wanted)) > DENSE_LIMIT:
        raise RefusedError(
            f"the layers from {source} to {target} are neither a convolution nor a matrix below {DENSE_LIMIT} weights"
        )
    if len(wanted) > 1:
        raise RefusedError(f"the layers from {source} to {target} are a matrix, and {target} has channels")
    identity = np.eye(count).reshape(count, *given)
    weight = (_through(plain, identity).reshape(count, -1) - bias.ravel()).T
    return Synapses(source, target, steps, weight, bias, None if delays is None else _spread(delays, weight.shape))


def _plastic(source: str, target: str, steps: int, chain: list[Layer], wanted: tuple[int, ...]) -> Synapses:
    """The connection of weights that learn, which no other layer may change."""
    if len(chain) > 1:
        raise RefusedError(f"a layer stands between synapses that learn, from {source} to {target}, and their neurons")
    weight = chain[0].array("weight").astype(np.float64)
    return Synapses(source, target, steps, weight, np.zeros(wanted), plastic=chain[0])


def _each_channel(network: Network, target: str) -> Layer:
    """The convolution that changes nothing."""
    part = network.parts[target]
    fields = {"weight": np.ones((part.shape[0], 1, 1, 1)), "groups": part.shape[0]}
    same = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    return Layer("conv", part.shape, fields | same, part.source, part.location)


def _spread(delays: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(delays, shape).astype(np.int64)


def _delays(chain: list[Layer], given: tuple[int, ...]) -> tuple[np.ndarray | None, list[Layer]]:
    """(delay of every synapse or of every source, None where there is none; the chain without delays)."""
    late = [k for k, layer in enumerate(chain) if "steps" in layer.fields]
    if not late:
        return None, chain
    if len(late) > 1 or any(layer.kind != "flatten" for layer in chain[: late[0]]):
        raise RefusedError("delays stand between other layers; they are taken right behind neurons or the input")
    layer = chain[late[0]]
    steps = layer.array("steps")
    if layer.kind == "delay":
        return np.broadcast_to(steps, layer.shape).reshape(1, -1), [*chain[: late[0]], *chain[late[0] + 1 :]]
    if late[0] != len(chain) - 1:
        raise RefusedError("a layer stands between synapses with delays and their neurons")
    without = Layer("linear", layer.shape, {"weight": layer.array("weight")}, layer.source, layer.location)
    return steps, [*chain[: late[0]], without]


def _kernel(chain: list[Layer]) -> tuple[np.ndarray, dict[str, tuple[int, ...] | int]] | None:
    """(kernel, geometry) of a chain that is one convolution, pools before it and factors included; else None."""
    convolutions = [k for k, layer in enumerate(chain) if layer.kind == "conv"]
    if len(convolutions) != 1:
        return None
    at = convolutions[0]
    conv = chain[at]
    weight = conv.array("weight").astype(np.float64)
    geometry = {name: tuple(np.atleast_1d(conv.fields[name]).tolist()) for name in ("stride", "padding", "dilation")}
    factor = 1.0
    for layer in reversed(chain[:at]):
        if layer.kind == "scale" and np.ptp(layer.array("scale")) == 0:
            factor *= float(layer.array("scale").ravel()[0])
        elif layer.kind in ("avg_pool", "sum_pool") and _pools_apart(layer) and set(geometry["dilation"]) == {1}:
            size = np.array(layer.fields["kernel"])
            weight = np.kron(weight, np.ones((1, 1, *size)))
            factor /= float(size.prod()) if layer.kind == "avg_pool" else 1.0
            for name in ("stride", "padding"):
                geometry[name] = tuple((np.array(geometry[name]) * size).tolist())
        else:
            return None
    for layer in chain[at + 1 :]:
        channels = layer.array("scale").reshape(len(weight), -1) if layer.kind == "scale" else None
        if channels is None or np.ptp(channels, axis=1).any():
            return None
        weight = weight * channels[:, :1].reshape(-1, *(1,) * (weight.ndim - 1))
    return weight * factor, {**geometry, "groups": conv.fields["groups"]}


def _pools_apart(layer: Layer) -> bool:
    """Whether windows neither overlap nor leave gaps nor hang over the sides."""
    return layer.fields["kernel"] == layer.fields["stride"] and not any(np.atleast_1d(layer.fields["padding"]))


def _through(chain: list[Layer], x: np.ndarray) -> np.ndarray:
    """What the layers make of a batch, in float64."""
    import torch
    from torch.nn import functional

    value = torch.from_numpy(x)
    for layer in chain:
        fields = layer.fields
        weight = torch.from_numpy(layer.array("weight").astype(np.float64)) if "weight" in fields else None
        bias = torch.from_numpy(layer.array("bias").astype(np.float64)) if "bias" in fields else None
        if layer.kind == "linear":
            assert weight is not None
            value = functional.linear(value, weight, bias)
        elif layer.kind == "conv":
            assert weight is not None
            conv = functional.conv2d if weight.ndim == 4 else functional.conv1d
            geometry = (fields[name] for name in ("stride", "padding", "dilation", "groups"))
            value = conv(value, weight, bias, *geometry)
        elif layer.kind in ("avg_pool", "sum_pool"):
            divisor = 1 if layer.kind == "sum_pool" else None
            window = (fields[name] for name in ("kernel", "stride", "padding"))
            value = functional.avg_pool2d(value, *window, divisor_override=divisor)
        elif layer.kind == "flatten":
            value = value.reshape(len(value), *layer.shape)
        elif layer.kind == "scale":
            value = value * torch.from_numpy(layer.array("scale").astype(np.float64))
        else:
            raise RefusedError(f"chips have no connection that is a {layer.kind}")
    return value.numpy()
