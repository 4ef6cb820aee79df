"""Runs a NIR graph step by step: this backend's embedded simulator.

Discretisation: one Euler step of `dt` seconds a time step. LIF: v <- beta v + (R dt / tau) x + (dt / tau)
v_leak with beta = 1 - dt / tau, spike where v > v_threshold, then v <- v_reset. CubaLIF: I <- alpha I + (w_in dt /
tau_syn) x, then the same with I for x. IF: v <- v + R dt x. LI, I and CubaLI are the same without spikes and put out v.
A node with several incoming edges gets their sum. Coefficients are made in float64 and rounded to float32, in which
everything else is computed. Cycles are broken as `cycles` says; a delay is rounded to whole steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...bridges.nir import NirGraph, NirNode, shapes_of
from ...bridges.nir.cycles import steps_of
from ...bridges.nir.shapes import padding_of
from ...ir.neurons import FORMS, synapse_coefficients
from .plan import NEURONS, STATEFUL

Step = Callable[[Tensor], Tensor]
Make = Callable[[NirNode, float], Step]
"""(node, dt) -> its step, which holds its state."""
Watch = Callable[[str, Tensor, Tensor, Tensor | None], None]
"""Told of a node in a step: its name, what came in, what it put out, and its potentials before a reset."""


def run_graph(
    graph: NirGraph,
    steps: int,
    dt: float,
    x: Tensor,
    *,
    sequence: bool,
    watch: Watch | None = None,
    table: Mapping[str, Make] | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Outputs (time, batch, ...) of a checked graph without nested ones, and how often every node fires that does.

    x: (time, batch, ...) with `sequence`, else (batch, ...), shown in every step. watch: told of every node that
    something comes into, in every step; of one whose value is the same in all steps only in the first. table: what the
    kinds of nodes compute, `KINDS` where nothing is said.
    """
    kinds = {name: node.kind for name, node in graph.nodes.items()}
    shapes, _ = shapes_of(graph)
    late = {n: _steps(graph.nodes[n], dt) for n, kind in kinds.items() if kind == "Delay"}
    lines = {n for n, delays in late.items() if bool((delays > 0).all())}
    first = [n for n, kind in kinds.items() if kind == "Input"]
    stateless = {n for n, kind in kinds.items() if kind not in STATEFUL}
    order, back = steps_of([*first, *(n for n in kinds if n not in first)], graph.edges, lines, stateless)
    sources = {name: [a for a, b in graph.edges if b == name] for name in order}
    meant = KINDS if table is None else table
    nodes = {name: meant[graph.nodes[name].kind](graph.nodes[name], dt) for name in order if name not in late}
    delays = {name: _Line(steps) for name, steps in late.items()}
    output = next(name for name in order if kinds[name] == "Output")
    steady = _steady(order, sources, stateless, back, sequence)
    kept: dict[str, Tensor] = {}
    before = {a: torch.zeros(x.shape[int(sequence)], *shapes[a]) for a, _ in back}
    counts = {name: 0.0 for name in order if kinds[name] in NEURONS}
    outputs: list[Tensor] = []
    for step in range(steps):
        values: dict[str, Tensor] = dict(kept)
        given = x[step] if sequence else x
        for name in order:
            if name in values:
                continue
            if not sources[name]:
                values[name] = given
                continue
            if name in lines:
                values[name] = delays[name].read(len(given))
                continue
            total = _total([before[s] if (s, name) in back else values[s] for s in sources[name]])
            values[name] = delays[name].through(total) if name in delays else nodes[name](total)
            if name in counts:
                counts[name] += float(values[name].sum())
            if watch is not None:
                node = nodes.get(name)
                watch(name, total, values[name], node.potential if isinstance(node, _Membrane) else None)
        for name in lines:
            delays[name].push(_total([values[s] for s in sources[name]]))
        if step == 0:
            kept = {name: values[name] for name in steady}
        before = values
        outputs.append(values[output])
    return torch.stack(outputs), counts


def _total(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0])


class _Line:
    """What came into a delay, newest first."""

    def __init__(self, steps: Tensor) -> None:
        self._steps = steps
        self._held: list[Tensor] = []

    def read(self, batch: int) -> Tensor:
        """What came in as many steps ago as each channel is delayed by; the newest held is one step old."""
        out = torch.zeros(batch, *self._steps.shape)
        for delay in torch.unique(self._steps).tolist():
            if 0 < delay <= len(self._held):
                out = torch.where(self._steps == delay, self._held[delay - 1], out)
        return out

    def push(self, value: Tensor) -> None:
        """Hold this step's value."""
        self._held = [value, *self._held[: int(self._steps.max()) - 1]]

    def through(self, value: Tensor) -> Tensor:
        """Read and push at once, where some channels are not delayed."""
        out = torch.where(self._steps == 0, value, self.read(len(value)))
        self.push(value)
        return out


def _steps(node: NirNode, dt: float) -> Tensor:
    return torch.from_numpy(np.rint(node.array("delay").astype(np.float64) / dt).astype(np.int64))


def _after_batch(dim: Any) -> int:
    """A dimension number of NIR, which counts without the batch, in a tensor with the batch first."""
    return int(dim) + 1 if dim >= 0 else int(dim)


def _steady(
    order: list[str], sources: dict[str, list[str]], stateless: set[str], back: set[tuple[str, str]], sequence: bool
) -> set[str]:
    """Nodes whose value is the same in every step: those that only a static input reaches, through no state."""
    steady: set[str] = set()
    for name in order:
        if not sources[name]:
            fixed = not sequence
        else:
            fixed = all(s in steady and (s, name) not in back for s in sources[name])
        if fixed and name in stateless:
            steady.add(name)
    return steady


def tensor(array: np.ndarray) -> Tensor:
    """The numbers in float32."""
    return torch.from_numpy(np.asarray(array, np.float32))


def _linear(node: NirNode, dt: float) -> Step:
    weight = tensor(node.array("weight"))
    bias = tensor(node.array("bias")) if "bias" in node.fields else None
    return lambda x: functional.linear(x, weight, bias)


def _conv(node: NirNode, dt: float) -> Step:
    weight, bias = tensor(node.array("weight")), tensor(node.array("bias"))
    function: Any = functional.conv2d if weight.ndim == 4 else functional.conv1d
    geometry = node.ints("stride"), padding_of(node), node.ints("dilation"), node.ints("groups")[0]
    return lambda x: function(x, weight, bias, *geometry)


def _avg_pool(node: NirNode, dt: float) -> Step:
    kernel, stride, padding = (node.ints(v) for v in ("kernel_size", "stride", "padding"))
    return lambda x: functional.avg_pool2d(x, kernel, stride, padding)


def _flatten(node: NirNode, dt: float) -> Step:
    start, end = (_after_batch(node.ints(name)[0]) for name in ("start_dim", "end_dim"))
    return lambda x: x.flatten(start, end)


def _scaled(node: NirNode, dt: float) -> Step:
    scale = tensor(node.array("scale"))
    return lambda x: x * scale


def _sum_pool(node: NirNode, dt: float) -> Step:
    kernel, stride, padding = (node.ints(v) for v in ("kernel_size", "stride", "padding"))
    count = int(np.prod(kernel))
    return lambda x: functional.avg_pool2d(x, kernel, stride, padding) * count


def _threshold(node: NirNode, dt: float) -> Step:
    level = tensor(node.array("threshold"))
    return lambda x: (x - level > 0).to(x.dtype)


class _Membrane:
    """Nodes of a leaky ("leak") or a plain integrator ("sum"), which fire where they have a threshold.

    potential: after the last step, before a spike's reset.
    """

    def __init__(self, form: str, node: NirNode, dt: float) -> None:
        names = {"tau": "tau_mem" if "tau_mem" in node.fields else "tau"}
        given = (node.array(names.get(p, p)).astype(np.float64) for p in FORMS[form].parameters)
        self._advance = _affine(*FORMS[form].coefficients(dt, *given))
        fires = "v_threshold" in node.fields
        self._fires = (tensor(node.array("v_threshold")), tensor(node.array("v_reset"))) if fires else None
        self._kept: Tensor | None = None
        self.potential: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        v = self._advance(torch.zeros_like(x) if self._kept is None else self._kept, x)
        self.potential = v
        if self._fires is None:
            self._kept = v
            return v
        threshold, reset = self._fires
        spike = (v - threshold > 0).to(v.dtype)
        self._kept = torch.where(spike > 0, reset, v)
        return spike


class _CurrentBased(_Membrane):
    """A leaky integrator of a synaptic current."""

    def __init__(self, node: NirNode, dt: float) -> None:
        super().__init__("leak", node, dt)
        tau, w_in = (node.array(name).astype(np.float64) for name in ("tau_syn", "w_in"))
        self._gather = _affine(*synapse_coefficients(dt, tau, w_in), np.zeros(()))
        self._current: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        self._current = self._gather(torch.zeros_like(x) if self._current is None else self._current, x)
        return super().__call__(self._current)


def _affine(decay: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> Callable[[Tensor, Tensor], Tensor]:
    """(v, x) -> decay v + gain x + offset; a gain of 1 but for rounding is one."""
    kept, scale, added = tensor(decay), None if np.allclose(gain, 1.0) else tensor(gain), tensor(offset)

    def advance(v: Tensor, x: Tensor) -> Tensor:
        u = kept * v + (x if scale is None else scale * x)
        return u + added if bool(added.any()) else u

    return advance


KINDS: dict[str, Make] = {
    "Input": lambda node, dt: lambda x: x,
    "Output": lambda node, dt: lambda x: x,
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "AvgPool2d": _avg_pool,
    "Flatten": _flatten,
    "Scale": _scaled,
    "SumPool2d": _sum_pool,
    "Threshold": _threshold,
    "LI": partial(_Membrane, "leak"),
    "LIF": partial(_Membrane, "leak"),
    "I": partial(_Membrane, "sum"),
    "IF": partial(_Membrane, "sum"),
    "CubaLI": _CurrentBased,
    "CubaLIF": _CurrentBased,
}
"""What the kinds of nodes compute; a delay is held by the graph."""
