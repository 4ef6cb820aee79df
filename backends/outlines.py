"""What the feasibility rules of a chip ask of a network: its layers, from the network of a launch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..bridges.networks import INPUT as NETWORK_INPUT
from ..bridges.networks import Layer as Part
from ..bridges.networks import Network, Neurons
from ..ir import TargetError
from ..ir.ops.neurons import EulerNeuron
from .feasibility import INPUT, Layer, NetOutline

POOLS = {"avg_pool": "average", "sum_pool": "sum"}


def outline_of(network: Network) -> NetOutline:
    """The layers of a network: a layer is weights and the neurons behind them.

    TargetError T0003 where neurons are fed by nothing with weights, or a layer that is read is none of neurons.
    """
    layers = {name: _layer(network, name) for name, part in network.parts.items() if isinstance(part, Neurons)}
    for name, part in network.parts.items():
        if isinstance(part, Part) and part.kind in POOLS:
            for source in _sources(network, name):
                if source in layers:
                    layers[source] = replace(layers[source], pool=POOLS[part.kind])
    for name in network.outputs:
        if name not in layers:
            raise TargetError.of("T0003", f"its output {name} is no neuron's")
    return NetOutline(network.inputs[0].shape, tuple(layers.values()), tuple(network.outputs))


def _layer(network: Network, name: str) -> Layer:
    part = network.parts[name]
    assert isinstance(part, Neurons)
    weighted = list(_weights(network, name))
    if not weighted:
        raise TargetError.of("T0003", f"{name} is fed by no layer with weights")
    forward = [w for w in weighted if name not in _sources(network, w)] or weighted
    first = network.parts[forward[0]]
    assert isinstance(first, Part)
    sources = dict.fromkeys(s for w in weighted for s in _sources(network, w))
    return Layer(
        name=name,
        kind="conv" if first.kind == "conv" else "dense",
        neuron=_kind(part),
        weight=first.array("weight").shape,
        shape=part.shape,
        sources=tuple(INPUT if s == NETWORK_INPUT else s for s in sources if s != name),
        weight_bits=min(first.weight_bits, 8),
        recurrent=name in sources,
        weight_bias=any(_has_bias(network.parts[w]) for w in weighted),
        step=part.op.dt if isinstance(part.op, EulerNeuron) else None,
        reset=_reset(part),
    )


def _has_bias(part: Part | Neurons) -> bool:
    return isinstance(part, Part) and "bias" in part.fields and bool(part.array("bias").any())


def _reset(part: Neurons) -> str:
    if part.reset == "value" and not part.v_reset.any():
        return "zero"
    return part.reset if part.op.fires else ""


def _kind(part: Neurons) -> str:
    """NIR's name of the neurons."""
    if not part.op.fires:
        return "CubaLI" if part.synapse() is not None else "LI"
    if part.synapse() is not None:
        return "CubaLIF"
    return "IF" if bool((part.membrane()[0] == 1).all()) else "LIF"


def _weights(network: Network, name: str) -> Iterator[str]:
    """The nearest layers with weights before a part."""
    for edge in network.into(name):
        part = network.parts.get(edge.source)
        if isinstance(part, Part):
            if "weight" in part.fields:
                yield edge.source
            else:
                yield from _weights(network, edge.source)


def _sources(network: Network, name: str) -> list[str]:
    """The neurons and inputs whose values come into a layer."""
    found: list[str] = []
    for edge in network.into(name):
        part = network.parts.get(edge.source)
        found += _sources(network, edge.source) if isinstance(part, Part) else [edge.source]
    return found
