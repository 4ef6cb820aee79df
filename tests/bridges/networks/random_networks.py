"""Random networks of neurons: layers in a chain, with skips, recurrence, delays, every kind of part."""

from __future__ import annotations

from typing import Any

import numpy as np
from qsc.bridges.networks import INPUT, Edge, Input, Layer, Network, Neurons
from qsc.ir import ops
from qsc.ir.diagnostics import UNKNOWN

STEPS = 12


def layer(kind: str, shape: tuple[int, ...], **fields: Any) -> Layer:
    return Layer(kind, shape, fields, kind, UNKNOWN)


def _neurons(rng: np.random.Generator, shape: tuple[int, ...]) -> Neurons:
    def draw(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, shape).astype(np.float32)

    rest = {"threshold": draw(0.4, 0.9), "v_reset": draw(-0.2, 0.1)}
    leak = {"tau": draw(3e-4, 1e-3), "r": draw(2.0, 4.0), "v_leak": draw(-0.1, 0.2)}
    synapse = {"tau_syn": draw(2e-4, 6e-4), "w_in": draw(1.0, 2.0)}
    drawn = {
        "lif": lambda: (ops.Lif("leak", 1e-4), leak | rest),
        "soft": lambda: (ops.Lif("leak", 1e-4, "subtract"), leak | {"threshold": rest["threshold"]}),
        "if": lambda: (ops.Lif("sum", 1e-4), {"r": draw(3e3, 5e3)} | rest),
        "cuba": lambda: (ops.CubaLif("leak", 1e-4), synapse | leak | rest),
        "leaky": lambda: (ops.Leaky("zero"), {"beta": draw(0.5, 0.9), "threshold": rest["threshold"]}),
    }
    op, parameters = drawn[rng.choice(sorted(drawn))]()
    return Neurons(op, shape, parameters, UNKNOWN)


def _between(rng: np.random.Generator, given: tuple[int, ...]) -> list[Layer]:
    """Layers from a signal of this shape to the currents of the next neurons."""

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0.2, 1.5 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    if len(given) == 3:
        kind = rng.choice(["conv", "pool", "flatten"])
        if kind == "conv" and min(given[1:]) >= 3:
            out = (3, (given[1] - 1) // 2 + 1, given[2])
            geometry = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
            return [layer("conv", out, weight=normal(3, given[0], 3, 3), bias=normal(3), **geometry)]
        if kind == "pool" and min(given[1:]) >= 2:
            out = (given[0], given[1] // 2, given[2] // 2)
            name = str(rng.choice(["avg_pool", "sum_pool"]))
            pooled = layer(name, out, kernel=(2, 2), stride=(2, 2), padding=(0, 0))
            return [pooled, layer("scale", out, scale=rng.uniform(1, 2, out).astype(np.float32))]
        flat = (int(np.prod(given)),)
        return [layer("flatten", flat, start=0, end=2), layer("linear", (5,), weight=normal(5, *flat), bias=normal(5))]
    out = (int(rng.integers(3, 7)),)
    kind = rng.choice(["linear", "delayed", "delay"])
    if kind == "delayed":
        steps = rng.integers(0, 4, (*out, *given))
        return [layer("delayed_linear", out, weight=normal(*out, *given), steps=steps)]
    dense = layer("linear", out, weight=normal(*out, *given), bias=normal(*out))
    return [dense] if kind == "linear" else [layer("delay", given, steps=rng.integers(0, 4, given)), dense]


def random_network(rng: np.random.Generator) -> Network:
    """One input, two to four populations; some with recurrent weights, some with a skip of a step or more."""
    shape = (2, 6, 5) if rng.random() < 0.5 else (4,)
    network = Network(STEPS, [Input(INPUT, shape, bool(rng.random() < 0.5))], dt=1e-4)
    before, populations = INPUT, []
    for k in range(int(rng.integers(2, 5))):
        for j, part in enumerate(_between(rng, shape)):
            name = f"layer{k}_{j}"
            network.parts[name] = part
            network.edges.append(Edge(before, name, int(rng.integers(0, 2)) if j == 0 and k else 0))
            before, shape = name, part.shape
        neurons = f"neurons{k}"
        if len(shape) == 1 and rng.random() < 0.5:
            back = rng.normal(0, 0.6 / np.sqrt(shape[0]), (*shape, *shape)).astype(np.float32)
            network.parts[f"back{k}"] = layer("linear", shape, weight=back)
            network.edges += [Edge(neurons, f"back{k}", 1), Edge(f"back{k}", neurons)]
        network.parts[neurons] = _neurons(rng, shape)
        network.edges.append(Edge(before, neurons))
        skips = [n for n in populations if network.parts[n].shape == shape]
        if skips and rng.random() < 0.7:
            network.edges.append(Edge(skips[-1], neurons, int(rng.integers(0, 3))))
        populations.append(neurons)
        before = neurons
    network.outputs = [before]
    return network
