"""Runs a model of what an importer is known to make of a graph, where the importer itself is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...bridges.nir import NirGraph, NirNode, shapes_of
from ...ir import TargetError
from .known import IMPORTERS, Array, Rule, recurrent_weights, refusals
from .simulate import KINDS, Step, run_graph, tensor


def run_model(name: str, graph: NirGraph, x: Array, dt: float) -> Array:
    """What a model of an importer makes of a graph without nested ones, (steps, batch, ...).

    x: (steps, batch, ...), float32. TargetError T0003 where the importer is known to refuse the graph, or
    to have no one answer.
    """
    reasons = refusals(graph, name, dt)
    if reasons:
        raise TargetError.of("T0003", f"there is no model of {name} for this graph: it {reasons[0]}", notes=reasons[1:])
    rules = {kind: partial(_node, rule) for kind, rule in IMPORTERS[name].rules.items()}
    graph = _bias_later(graph, dt)
    out, _ = run_graph(graph, len(x), dt, torch.from_numpy(x), sequence=True, table={**KINDS, **rules})
    return out.numpy()


def _bias_later(graph: NirGraph, dt: float) -> NirGraph:
    """What leaves recurrent weights comes a step later, as a delay brings it: nothing in the first step, no bias."""
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for weights, neurons in recurrent_weights(graph):
        line, shape = f"{weights}.later", shapes_of(graph)[0][weights]
        nodes[line] = NirNode("Delay", {"delay": np.full(shape, dt)})
        edges.remove((weights, neurons))
        edges += [(weights, line), (line, neurons)]
    return replace(graph, nodes=nodes, edges=edges)


def _node(rule: Callable[[NirNode, float], Rule], node: NirNode, dt: float) -> Step:
    return _Neurons(rule(node, dt))


class _Neurons:
    """Neurons by a rule, stepped."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._advance = [tensor(a) for a in (rule.decay, rule.gain, rule.offset)]
        self._gather = [tensor(a) for a in (rule.synapse or ())[:3]]
        self._threshold = None if rule.threshold is None else tensor(rule.threshold)
        self._current = tensor(rule.synapse[3]) if rule.synapse else torch.zeros(())
        self._potential = torch.zeros(()) if rule.start is None else tensor(rule.start)

    def __call__(self, x: Tensor) -> Tensor:
        if self._gather:
            x = self._current = _stepped(self._gather, self._current, x)
        v = _stepped(self._advance, self._potential, x)
        if self._threshold is None:
            self._potential = v
            return v
        over = (v >= self._threshold if self._rule.inclusive else v > self._threshold).to(v.dtype)
        if self._rule.reset is None:
            spikes = over * torch.floor(v / self._threshold)
            v = v - spikes * self._threshold
        else:
            spikes = over
            v = torch.where(over > 0, tensor(self._rule.reset), v)
        self._potential = v if self._rule.lowest is None else torch.maximum(v, tensor(self._rule.lowest))
        return spikes


def _stepped(numbers: list[Tensor], state: Tensor, x: Tensor) -> Tensor:
    decay, gain, offset = numbers
    return decay * state + gain * x + offset
