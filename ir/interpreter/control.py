"""Meanings of ops that hold a body: loops over time and device launches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import ops
from ..graph import Graph, Node
from ..types import DYNAMIC, Type
from .walk import Environment, Later, LaunchResults, as_tensor, meaning, run


class Loop(NamedTuple):
    """A scan's body in two: `before` is what every step would compute alike, `step` the rest.

    `step` takes the body's inputs, then the outputs of `before`.
    """

    before: Graph
    step: Graph


@meaning(ops.Scan)
def _scan(op: ops.Scan, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    split = op.carried + op.sequences
    states, sequences, fixed = list(args[: op.carried]), args[op.carried : split], list(args[split:])
    loop: Loop = env.once(op, lambda: split_loop(op))
    fixed += run(loop.before, fixed, env)
    collected: list[list[Tensor]] = [[] for _ in op.body.outputs[op.carried :]]
    for step in range(op.steps):
        outputs = run(loop.step, [*states, *(s[step] for s in sequences), *fixed], env)
        states = outputs[: op.carried]
        for series, value in zip(collected, outputs[op.carried :], strict=True):
            series.append(value)
    return (*states, *(torch.stack(series) for series in collected))


def split_loop(op: ops.Scan) -> Loop:
    """Take what does not depend on the step out of a scan's body; samples and launches stay, every step has its own."""
    body = op.body
    fixed = body.inputs[op.carried + op.sequences :]
    known = {v.name for v in fixed}
    before: list[Node] = []
    rest: list[Node] = []
    for node in body.nodes:
        own = any(n.op.draws or isinstance(n.op, ops.Launch) for n in Graph((), (node,), ()).walk())
        if not own and all(v.is_weight or v.name in known for v in node.operands):
            before.append(node)
            known.update(v.name for v in node.results)
        else:
            rest.append(node)
    read = {v.name for node in rest for v in node.operands} | {v.name for v in body.outputs}
    shared = tuple(v for node in before for v in node.results if v.name in read)
    return Loop(Graph(fixed, tuple(before), shared), Graph((*body.inputs, *shared), tuple(rest), body.outputs))


@meaning(ops.Launch)
def _launch(op: ops.Launch, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...] | tuple[Later, ...]:
    if env.launch is None:
        return tuple(run(op.body, args, env))
    rows = _rows(op, args, env)
    given = env.launch(op, [x.detach().cpu().numpy() for x in args])
    if not callable(given):
        return _results(op, given, rows, env)
    arrived = cache(lambda: _results(op, given(), rows, env))
    return tuple(Later(lambda k=k: arrived()[k]) for k in range(len(op.body.outputs)))


def _results(op: ops.Launch, given: LaunchResults, rows: int | None, env: Environment) -> tuple[Tensor, ...]:
    """What a device gave as tensors of the declared types and shapes."""
    declared = [v.type for v in op.body.outputs]
    if len(given) != len(declared):
        raise ValueError(f"launch {op.artifact} gave {len(given)} results, declared {len(declared)}")
    for array, t in zip(given, declared, strict=True):
        if np.shape(array) != _bound(t, rows):
            raise ValueError(f"launch {op.artifact} gave shape {np.shape(array)}, declared {t}")
    return tuple(
        (r if isinstance(r, Tensor) else as_tensor(np.asarray(r))).to(device=env.device, dtype=env.dtype(t.dtype))
        for r, t in zip(given, declared, strict=True)
    )


def _rows(op: ops.Launch, args: Sequence[Tensor], env: Environment) -> int | None:
    """The batch of a launch: that of its operands, which may hold several rows a sample."""
    batches = (
        x.shape[v.type.shape.index(DYNAMIC)] for v, x in zip(op.body.inputs, args, strict=True) if v.type.batched
    )
    return next(batches, env.batch)


def _bound(declared: Type, rows: int | None) -> tuple[int | None, ...]:
    return tuple(rows if size == DYNAMIC else size for size in declared.shape)
