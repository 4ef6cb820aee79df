"""Running the steps of a plan on a batch of states, with gradients by the adjoint method.

A state is a tensor of 2^n rows and one column a sample. Steps are unitary, so the backward pass recomputes the states
from the last one: its memory does not grow with the number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .statevector_schedule import Move


@dataclass(frozen=True)
class RunStep:
    """One step, with what it uses of the evolution's tensors.

    kind "dense": matrix `item` of the stack `source`. "diagonal": the phases `source`. "monomial": the rows to read
    (`source`), their inverse (`source + 1`), and where `item` is 1 the phases (`source + 2`).
    """

    kind: str
    source: int
    item: int
    move: Move


def evolve(steps: tuple[RunStep, ...], start: Tensor, tensors: Sequence[Tensor]) -> Tensor:
    """The state after all steps, (2^n, columns).

    start: (2^n, columns) or (2^n, 1), of the tensors' dtype. tensors: stacks (items, 2^k, 2^k) of unitary matrices for
    dense steps, (2^m, columns) phases for diagonals, each used by one step only, and constants for monomial steps.
    Differentiable twice; the second derivative keeps every state.
    """
    if not steps:
        return start
    return _Evolution.apply(steps, start, *tensors)


class _Evolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: tuple[RunStep, ...], start: Tensor, *tensors: Tensor) -> Tensor:
        end = _forward(steps, start, tensors)
        ctx.steps = steps
        ctx.save_for_backward(end, start, *tensors)
        return end

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        end, start, *tensors = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (None, *_plain_gradient(ctx, gradients[0], [start, *tensors]))
        return (None, *_adjoint(ctx.steps, end, start, tensors, gradients[0], ctx.needs_input_grad[1:]))


def _forward(steps: tuple[RunStep, ...], start: Tensor, tensors: Sequence[Tensor]) -> Tensor:
    state = start
    for step in steps:
        if step.kind == "dense":
            state = _multiply(tensors[step.source][step.item], _move(state, step.move), step.move)
        elif step.kind == "diagonal":
            state = _scale(tensors[step.source], state, step.move)
        else:
            state = state.index_select(0, tensors[step.source])
            state = state * tensors[step.source + 2] if step.item else state
    return state


def _undo(state: Tensor, step: RunStep, tensors: Sequence[Tensor], conjugate: bool) -> Tensor:
    """A monomial step backwards: its inverse, or (for a dual) its transpose."""
    if step.item:
        phases = tensors[step.source + 2]
        state = state * (phases.conj() if conjugate else phases)
    return state.index_select(0, tensors[step.source + 1])


def _plain_gradient(ctx: Any, gradient: Tensor, inputs: list[Tensor]) -> list[Tensor | None]:
    """The gradient through ordinary autograd, so that it can be differentiated again."""
    wanted = [k for k, needed in enumerate(ctx.needs_input_grad[1:]) if needed]
    end = _forward(ctx.steps, inputs[0], inputs[1:])
    found = torch.autograd.grad(end, [inputs[k] for k in wanted], gradient, create_graph=True, allow_unused=True)
    out: list[Tensor | None] = [None] * len(inputs)
    for k, value in zip(wanted, found, strict=True):
        out[k] = value
    return out


def _adjoint(
    steps: tuple[RunStep, ...],
    end: Tensor,
    start: Tensor,
    tensors: list[Tensor],
    gradient: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Walk back from the end: `state` is undone step by step, `dual` is the conjugate of the gradient beside it.

    With the conjugate, d/dM = conj(dual_after state_before^T) conjugates only small matrices.
    """
    out: list[Tensor | None] = [None] * (1 + len(tensors))
    adjoints = {s.source: tensors[s.source].mH.resolve_conj() for s in steps if s.kind == "dense"}
    for source in adjoints:
        out[1 + source] = torch.zeros_like(tensors[source]) if needed[1 + source] else None
    widths = _widths(steps, start, tensors)
    state, dual = end, gradient.conj().resolve_conj().contiguous()
    for step, width in zip(reversed(steps), reversed(widths), strict=True):
        if step.kind == "monomial":
            state, dual = _undo(state, step, tensors, True), _undo(dual, step, tensors, False)
        elif step.kind == "dense":
            slot = out[1 + step.source]
            before = _multiply(adjoints[step.source][step.item], state, step.move)
            if slot is not None:
                _outer(dual, before, step.move, slot[step.item])
            dual = _move_back(_multiply(tensors[step.source][step.item].T, dual, step.move), step.move)
            state = _move_back(before, step.move)
        else:
            phases = tensors[step.source]
            state = _scale(phases.conj(), state, step.move)
            if needed[1 + step.source]:
                out[1 + step.source] = _gather(dual * state, step.move).conj()
            dual = _scale(phases, dual, step.move)
            if width < dual.shape[1]:
                state, dual = state[:, :1].contiguous(), dual.sum(1, keepdim=True)
    if needed[0]:
        out[0] = dual.conj()
    return out


def _widths(steps: tuple[RunStep, ...], start: Tensor, tensors: Sequence[Tensor]) -> list[int]:
    """Columns of the state before each step."""
    widths, width = [], start.shape[1]
    for step in steps:
        widths.append(width)
        if step.kind == "diagonal":
            width = max(width, tensors[step.source].shape[1])
    return widths


def _move(state: Tensor, move: Move) -> Tensor:
    return _permute(state, move.shape, move.order) if move.order else state


def _move_back(state: Tensor, move: Move) -> Tensor:
    return _permute(state, move.moved_shape, move.inverse_order) if move.order else state


def _permute(state: Tensor, shape: tuple[int, ...], order: tuple[int, ...]) -> Tensor:
    columns = state.shape[1]
    return state.reshape(*shape, columns).permute(*order, len(order)).reshape(-1, columns)


def _multiply(matrix: Tensor, state: Tensor, move: Move) -> Tensor:
    """The matrix times the middle axis of the state seen as (before, 2^k, after * columns)."""
    size, columns = matrix.shape[0], state.shape[1]
    if move.before == 1:
        return torch.mm(matrix, state.reshape(size, -1)).view(-1, columns)
    stack = matrix.expand(move.before, size, size)
    return torch.bmm(stack, state.reshape(move.before, size, -1)).view(-1, columns)


def _outer(dual: Tensor, state: Tensor, move: Move, out: Tensor) -> None:
    """Write conj(dual state^T), contracted over all but the middle axis, to `out` (2^k, 2^k)."""
    size = out.shape[0]
    if move.before == 1:
        product = torch.mm(dual.reshape(size, -1), state.reshape(size, -1).T)
    else:
        shape = (move.before, size, -1)
        product = torch.bmm(dual.reshape(shape), state.reshape(shape).transpose(1, 2)).sum(0)
    out.copy_(product.conj())


def _scale(phases: Tensor, state: Tensor, move: Move) -> Tensor:
    """The state times a diagonal on some of its row axes."""
    scaled = state.reshape(*move.view, state.shape[1]) * phases.reshape(*move.broadcast, phases.shape[1])
    return scaled.reshape(-1, scaled.shape[-1])


def _gather(product: Tensor, move: Move) -> Tensor:
    """The sum over the row axes that a diagonal is not on, (2^m, columns)."""
    others = [k for k, size in enumerate(move.broadcast) if size == 1]
    spread = product.reshape(*move.view, product.shape[1])
    summed = spread.sum(others) if others else spread
    return summed.reshape(-1, product.shape[1])
