"""Random NIR graphs over every kind of node, nested ones among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from qsc.bridges.nir import NirGraph, NirNode

Rng = np.random.Generator


def node(kind: str, **fields: Any) -> NirNode:
    return NirNode(kind, fields)


def neurons(rng: Rng, kind: str, shape: tuple[int, ...], dt: float = 1e-4) -> NirNode:
    """Neurons that fire now and then when currents are about 1."""
    kind_of_float = str(rng.choice(["f4", "f8"]))

    def draw(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, shape).astype(kind_of_float)

    numbers = {
        "tau": draw(4 * dt, 12 * dt),
        "tau_mem": draw(4 * dt, 12 * dt),
        "tau_syn": draw(2 * dt, 6 * dt),
        "w_in": draw(1, 2),
        "r": draw(2, 4) if kind not in ("I", "IF") else draw(0.2, 0.5) / dt,
        "v_leak": draw(-0.1, 0.2),
        "v_threshold": draw(0.4, 0.9),
        "v_reset": draw(-0.2, 0.1),
        "threshold": draw(0.2, 0.6),
    }
    fields = {
        "I": "r",
        "IF": "r v_threshold v_reset",
        "LI": "tau r v_leak",
        "LIF": "tau r v_leak v_threshold v_reset",
        "CubaLI": "tau_syn tau_mem r v_leak w_in",
        "CubaLIF": "tau_syn tau_mem r v_leak v_threshold w_in v_reset",
        "Threshold": "threshold",
    }[kind]
    return NirNode(kind, {name: numbers[name] for name in fields.split()})


def _layer(rng: Rng, shape: tuple[int, ...], dt: float) -> tuple[NirNode, tuple[int, ...]]:
    """A layer without a state and what it makes of the shape."""

    def normal(*size: int) -> np.ndarray:
        return rng.normal(0.3, 1 / np.sqrt(np.prod(size[1:])), size).astype(np.float32)

    if len(shape) == 3:
        channels, high, wide = shape
        kind = rng.choice(["Conv2d", "SumPool2d", "AvgPool2d", "Flatten"])
        if kind == "Conv2d":
            rows, columns = rng.integers(1, 4, 2)
            groups = 2 if channels % 2 == 0 and rng.random() < 0.5 else 1
            out = 4
            made = node(
                "Conv2d",
                input_shape=np.array([high, wide]),
                weight=normal(out, channels // groups, int(rows), int(columns)),
                stride=np.array([1, 2]),
                padding=np.array([1, 1]),
                dilation=np.array([1, 1]),
                groups=groups,
                bias=normal(out, 1)[:, 0],
            )
            return made, (out, high + 2 - int(rows) + 1, (wide + 2 - int(columns)) // 2 + 1)
        if kind == "Flatten" or min(high, wide) < 2:
            flatten = node("Flatten", start_dim=0, end_dim=-1, input_type=np.array(shape))
            return flatten, (channels * high * wide,)
        window = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
        return node(str(kind), **window), (channels, high // 2, wide // 2)
    if len(shape) == 2:
        made = node(
            "Conv1d",
            input_shape=shape[1],
            weight=normal(3, shape[0], 3),
            stride=1,
            padding="same",
            dilation=1,
            groups=1,
            bias=normal(3, 1)[:, 0],
        )
        return (
            (made, (3, shape[1]))
            if rng.random() < 0.6
            else (
                node("Flatten", start_dim=0, end_dim=1, input_type=np.array(shape)),
                (shape[0] * shape[1],),
            )
        )
    kind = rng.choice(["Affine", "Linear", "Scale", "Delay"])
    if kind == "Scale":
        return node("Scale", scale=rng.uniform(0.5, 1.5, shape).astype(np.float32)), shape
    if kind == "Delay":
        return node("Delay", delay=rng.integers(0, 4, shape) * dt), shape
    size = int(rng.integers(2, 7))
    weight = normal(size, shape[0])
    return node("Linear", weight=weight) if kind == "Linear" else node(
        "Affine", weight=weight, bias=normal(size, 1)[:, 0]
    ), (size,)


def random_graph(rng: Rng, dt: float = 1e-4) -> NirGraph:
    """Input, layers and neurons in a chain with recurrence and skips, Output; one in three has a nested graph."""
    shape = [(5,), (2, 6), (2, 6, 7)][rng.integers(3)]
    nodes = {"input": node("Input", shape=np.array(shape))}
    edges: list[tuple[str, str]] = []
    last, before = "input", []
    for k in range(int(rng.integers(2, 6))):
        made, shape = _layer(rng, shape, dt)
        nodes[f"layer{k}"] = made
        edges.append((last, f"layer{k}"))
        last = f"layer{k}"
        if rng.random() < 0.7:
            kind = str(rng.choice(["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "LIF", "Threshold"]))
            name = f"{kind.lower()}{k}"
            nodes[name] = neurons(rng, kind, shape, dt)
            edges.append((last, name))
            if len(shape) == 1 and kind in ("LIF", "CubaLIF") and rng.random() < 0.5:
                back = rng.normal(0, 0.5, (*shape, *shape)).astype(np.float32)
                nodes[f"back{k}"] = node("Linear", weight=back)
                edges += [(name, f"back{k}"), (f"back{k}", name)]
            edges += [(other, name) for other, size in before if size == shape and rng.random() < 0.5]
            before.append((name, shape))
            last = name
    if len(shape) == 1 and rng.random() < 0.34:
        inner = {
            "input": node("Input", shape=np.array(shape)),
            "lif": neurons(rng, "CubaLIF", shape, dt),
            "w_rec": node("Linear", weight=rng.normal(0, 0.5, (*shape, *shape))),
            "output": node("Output", shape=np.array(shape)),
        }
        ring = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
        nodes["nested"] = NirNode("NIRGraph", {}, NirGraph(inner, ring))
        edges.append((last, "nested"))
        last = "nested"
    nodes["output"] = node("Output", shape=np.array(shape))
    edges.append((last, "output"))
    return NirGraph(nodes, edges, {"qsc": {"dt": dt, "time_steps": 20, "note": "drawn"}}, "1.0.8")
