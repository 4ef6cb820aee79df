"""Runs a NIR graph step by step: this backend's embedded simulator, and snntorch's importer beside it.

Discretisation: one Euler step of `dt` seconds a time step. LIF: v <- beta v + (R dt / tau) x with beta = 1 - dt / tau,
spike where v > v_threshold, then v <- v_reset at once. CubaLIF: I <- alpha I + (w_in dt / tau_syn) x, then the same
with I for x. A node with several incoming edges gets their sum. Float32 throughout.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Step = Callable[[Tensor], Tensor]


def run_graph(graph: Any, steps: int, dt: float, x: Tensor, *, sequence: bool) -> tuple[Tensor, dict[str, float]]:
    """Outputs (time, batch, ...) of an acyclic `nir.NIRGraph`, and the number of spikes of every neuron node.

    x: (time, batch, ...) with `sequence`, else (batch, ...), shown in every step.
    """
    order = _topological(graph)
    nodes = {name: _node(graph.nodes[name], dt) for name in order}
    sources = {name: [a for a, b in graph.edges if b == name] for name in order}
    steady = _steady(order, sources, graph, sequence)
    kept: dict[str, Tensor] = {}
    counts: dict[str, float] = {name: 0.0 for name in order if _spikes(graph.nodes[name])}
    outputs: list[Tensor] = []
    for step in range(steps):
        values: dict[str, Tensor] = dict(kept)
        for name in order:
            if name in values:
                continue
            if not sources[name]:
                values[name] = x[step] if sequence else x
            else:
                values[name] = nodes[name](_total([values[s] for s in sources[name]]))
            if name in counts:
                counts[name] += float(values[name].sum())
        if step == 0:
            kept = {name: values[name] for name in steady}
        outputs.append(values[next(n for n in order if type(graph.nodes[n]).__name__ == "Output")])
    return torch.stack(outputs), counts


def run_snntorch(graph: Any, steps: int, x: Tensor, *, sequence: bool) -> Tensor:
    """Outputs (time, batch, ...) of the same graph run by snntorch's own importer."""
    from snntorch.import_nir import import_from_nir

    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        net = import_from_nir(graph)
        for layer in net.modules():
            # NIR counts dimensions without the batch, and the importer keeps its numbers.
            if isinstance(layer, torch.nn.Flatten):
                layer.start_dim, layer.end_dim = _after_batch(layer.start_dim), _after_batch(layer.end_dim)
        state, outputs = None, []
        for step in range(steps):
            out, state = net(x[step] if sequence else x, state)
            outputs.append(out)
    return torch.stack(outputs)


def _after_batch(dim: Any) -> int:
    """A dimension number of NIR, which counts without the batch, in a tensor with the batch first."""
    return int(dim) + 1 if dim >= 0 else int(dim)


def _total(values: list[Tensor]) -> Tensor:
    out = values[0]
    for value in values[1:]:
        out = out + value
    return out


def _topological(graph: Any) -> list[str]:
    waiting, order = list(graph.nodes), []
    while waiting:
        ready = [n for n in waiting if all(a in order for a, b in graph.edges if b == n)]
        if not ready:
            raise ValueError(f"the NIR graph has a cycle through {', '.join(waiting)}")
        order += ready
        waiting = [n for n in waiting if n not in ready]
    return order


def _steady(order: list[str], sources: dict[str, list[str]], graph: Any, sequence: bool) -> set[str]:
    """Nodes whose value is the same in every step: those that only a static input reaches."""
    steady: set[str] = set()
    for name in order:
        fixed = not sequence if not sources[name] else all(s in steady for s in sources[name])
        if fixed and not _spikes(graph.nodes[name]):
            steady.add(name)
    return steady


def _spikes(node: Any) -> bool:
    return type(node).__name__ in ("LIF", "CubaLIF")


def _node(node: Any, dt: float) -> Step:
    kind = type(node).__name__
    if kind not in _KINDS:
        raise ValueError(f"this simulator has no NIR node {kind}")
    return _KINDS[kind](node, dt)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32))


def _linear(node: Any, dt: float) -> Step:
    weight = _tensor(node.weight)
    bias = _tensor(node.bias) if hasattr(node, "bias") else None
    return lambda x: functional.linear(x, weight, bias)


def _conv(node: Any, dt: float) -> Step:
    weight, bias = _tensor(node.weight), _tensor(node.bias)
    function = functional.conv2d if weight.ndim == 4 else functional.conv1d
    stride, padding, dilation = (_ints(v) for v in (node.stride, node.padding, node.dilation))
    return lambda x: function(x, weight, bias, stride, padding, dilation)


def _avg_pool(node: Any, dt: float) -> Step:
    kernel, stride, padding = (_ints(v) for v in (node.kernel_size, node.stride, node.padding))
    return lambda x: functional.avg_pool2d(x, kernel, stride, padding)


def _ints(value: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in np.atleast_1d(value))


def _flatten(node: Any, dt: float) -> Step:
    start, end = _after_batch(node.start_dim), _after_batch(node.end_dim)
    return lambda x: x.flatten(start, end)


def _scaled(node: Any, dt: float) -> Step:
    scale = _tensor(node.scale)
    return lambda x: x * scale


def _lif(node: Any, dt: float) -> Step:
    return _neuron(node, dt, node.tau)


def _cuba_lif(node: Any, dt: float) -> Step:
    fire = _neuron(node, dt, node.tau_mem)
    alpha, scale = _decay(node.tau_syn, dt), _scale(node.w_in * dt / node.tau_syn)
    current: list[Tensor] = []

    def step(x: Tensor) -> Tensor:
        before = current.pop() if current else torch.zeros_like(x)
        current.append(alpha * before + (x if scale is None else scale * x))
        return fire(current[-1])

    return step


def _neuron(node: Any, dt: float, tau: np.ndarray) -> Step:
    beta, scale = _decay(tau, dt), _scale(node.r * dt / tau)
    threshold, reset = _tensor(node.v_threshold), _tensor(node.v_reset)
    leak = _tensor(node.v_leak)
    if bool(leak.any()):
        raise ValueError("this simulator needs v_leak = 0")
    potential: list[Tensor] = []

    def step(x: Tensor) -> Tensor:
        before = potential.pop() if potential else torch.zeros_like(x)
        v = beta * before + (x if scale is None else scale * x)
        spike = (v - threshold > 0).to(v.dtype)
        potential.append(torch.where(spike > 0, reset, v))
        return spike

    return step


def _decay(tau: np.ndarray, dt: float) -> Tensor:
    return _tensor(1 - dt / np.asarray(tau))


def _scale(factor: np.ndarray) -> Tensor | None:
    """None where the factor is 1 but for rounding."""
    return None if np.allclose(factor, 1.0) else _tensor(factor)


_KINDS: dict[str, Callable[[Any, float], Step]] = {
    "Input": lambda node, dt: lambda x: x,
    "Output": lambda node, dt: lambda x: x,
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "AvgPool2d": _avg_pool,
    "Flatten": _flatten,
    "Scale": _scaled,
    "LIF": _lif,
    "CubaLIF": _cuba_lif,
}
