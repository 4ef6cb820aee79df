"""Shots go where they tell most: to the settings of a cut circuit by what their values count in the result.

The error of a sum of measured values m_i is least, for a number of shots in all, when each value gets shots in
proportion to |d result / d m_i| times its own spread. What the other values will be is not known beforehand, so the
derivatives are those at random values, in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...ir import Graph, Module, Node
from ...ir.measurement_settings import count_settings
from ...ir.ops import BitExpectation, Expectation, Launch, RepeatRows, TileRows
from ...ir.types import DYNAMIC
from .base import Context, Contract, Pass

if TYPE_CHECKING:
    from torch import Tensor

_DRAWS, _SAMPLES = 4, 4
_LEAST = 0.25
"""The smallest share: what counts little at random values may count more at others."""
_STEPS = 2
"""Shares are rounded to powers of 2^(1/_STEPS), so that few numbers of shots differ."""


@dataclass(frozen=True)
class ShareShots(Pass):
    """Give the settings of a cut circuit shots in proportion to what they count in the result."""

    name: ClassVar[str] = "share-shots"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        """Launches that have several rows for one sample, with a share for each; the mean over executions is 1."""
        rows = _rows(module)
        if len(rows) < 2:
            return module
        weights = _derivatives(module, rows, context.seed)
        settings = {name: _settings(module, name) for name in rows}
        executions = sum(settings[name] * len(w) for name, w in weights.items())
        mean = sum(settings[name] * float(w.sum()) for name, w in weights.items()) / executions
        if mean <= 0.0:
            return module
        shares = {name: _rounded(w / mean) for name, w in weights.items()}
        scale = executions / sum(settings[name] * float(s.sum()) for name, s in shares.items())
        shares = {name: s * scale for name, s in shares.items()}
        least, most = min(float(s.min()) for s in shares.values()), max(float(s.max()) for s in shares.values())
        context.remark(self, f"{executions} executions get {least:.2g} to {most:.2g} of the mean number of shots each")
        nodes = tuple(_shared(node, shares) for node in module.graph.nodes)
        return module.with_(graph=replace(module.graph, nodes=nodes))


def _shared(node: Node, shares: dict[str, np.ndarray]) -> Node:
    if not isinstance(node.op, Launch) or node.op.artifact not in shares:
        return node
    return replace(node, op=replace(node.op, shares=tuple(shares[node.op.artifact].tolist())))


def _rows(module: Module) -> dict[str, int]:
    """Launches of the main graph that are read for a table of settings, or joined with such: rows for one sample."""
    counts: dict[str, int] = {}
    for node in module.graph.nodes:
        if isinstance(node.op, RepeatRows | TileRows):
            count = node.op.times if isinstance(node.op, RepeatRows) else node.operands[0].type.shape[0]
            counts |= dict.fromkeys((v.name for v in node.results), count)
    if not counts:
        return {}
    launches = [node for node in module.graph.nodes if isinstance(node.op, Launch)]
    return {
        n.op.artifact: next((counts[v.name] for v in n.operands if v.name in counts), 1)
        for n in launches
        if isinstance(n.op, Launch)
    }


def _settings(module: Module, artifact: str) -> int:
    """Measurement settings of a launch."""
    for node in module.graph.nodes:
        if isinstance(node.op, Launch) and node.op.artifact == artifact:
            op = node.op.body.nodes[0].op
            return max(1, count_settings(op.observables)) if isinstance(op, Expectation) else 1
    raise KeyError(artifact)


def _derivatives(module: Module, rows: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """For every launch and row the root mean square of the derivatives by what is measured there: (rows,)."""
    import torch

    rng = np.random.default_rng(seed)
    total = {name: np.zeros(count) for name, count in rows.items()}
    for _ in range(_DRAWS):
        outputs, leaves = _at_random(module, rng)
        for output in outputs:
            if not output.requires_grad:
                continue
            signs = torch.from_numpy(rng.choice([-1.0, 1.0], size=tuple(output.shape)))
            value, tensors = (output * signs).sum(), list(leaves.values())
            found = torch.autograd.grad(value, tensors, allow_unused=True, retain_graph=True)
            for name, gradient in zip(leaves, found, strict=True):
                if gradient is not None and name in total:
                    total[name] += _by_row(gradient.numpy() ** 2, rows[name])
    return {name: np.sqrt(values) for name, values in total.items()}


def _at_random(module: Module, rng: np.random.Generator) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The outputs for random inputs and random measured values, and these by artifact."""
    import torch

    from ...ir.interpreter import evaluate

    leaves: dict[str, Tensor] = {}

    def launch(op: Launch, given: Sequence[np.ndarray]) -> list[Tensor]:
        (value,) = op.body.outputs
        operands = zip(op.body.inputs, given, strict=True)
        batches = (x.shape[v.type.shape.index(DYNAMIC)] for v, x in operands if v.type.batched)
        shape = _filled(value.type.shape, next(batches, _SAMPLES))
        leaves[op.artifact] = torch.tensor(_typical(op.body, rng, shape), requires_grad=True)
        return [leaves[op.artifact]]

    inputs = [rng.standard_normal(_filled(v.type.shape, _SAMPLES)) for v in module.graph.inputs]
    return evaluate(module, inputs, precision="f64", launch=launch), leaves


def _filled(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    return tuple(batch if size == DYNAMIC else size for size in shape)


def _by_row(squares: np.ndarray, rows: int) -> np.ndarray:
    """The sum over the numbers of each row, in the mean over samples."""
    apart = squares.reshape(-1, rows, squares.shape[-1])
    return apart.sum(axis=2).mean(axis=0)


def _typical(body: Graph, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values as a readout may give them."""
    if isinstance(body.nodes[0].op, Expectation | BitExpectation):
        return rng.uniform(-0.7, 0.7, shape)
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def _rounded(shares: np.ndarray) -> np.ndarray:
    steps = np.array([round(log2(max(float(s), _LEAST)) * _STEPS) / _STEPS for s in shares])
    return 2.0**steps
