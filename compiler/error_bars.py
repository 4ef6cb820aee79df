"""Standard errors of measured values, carried through the host program."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..ir import Module
from ..ir.ops import Launch
from ..ir.types import DYNAMIC

if TYPE_CHECKING:
    from torch import Tensor

MOST_NUMBERS = 1024
"""Most numbers an output may have for one sample: the program is differentiated once for each."""


@dataclass
class Measurements:
    """What the launches of one run gave, in the order in which they were called.

    errors: of every result, of its shape; an empty list where nothing was drawn. covariances: of the numbers of one row
    of a result, (rows, numbers, numbers); None where numbers of one row are taken for independent.
    """

    names: list[str] = field(default_factory=list)
    results: list[list[np.ndarray]] = field(default_factory=list)
    errors: list[list[np.ndarray]] = field(default_factory=list)
    covariances: list[list[np.ndarray | None]] = field(default_factory=list)

    def add(
        self,
        name: str,
        results: Sequence[np.ndarray],
        errors: Sequence[np.ndarray],
        covariances: Sequence[np.ndarray] = (),
    ) -> None:
        """One launch has run."""
        self.names.append(name)
        self.results.append(list(results))
        self.errors.append([e.reshape(r.shape) for e, r in zip(errors, results, strict=True)] if errors else [])
        known = len(covariances) == len(results)
        self.covariances.append(list(covariances) if known else [None] * len(results))


def carried(
    program: Module,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    measured: Measurements,
    precision: str | None,
    seed: int,
) -> list[np.ndarray | None]:
    """The standard error of every output number; None where nothing was drawn or the sum would take too long.

    To first order: g C g for the gradient g of an output number by what was measured together and its covariance C,
    summed over everything that was measured apart. Outputs that are a launch's own results have its errors.
    """
    if not measured.errors or not all(measured.errors):
        return _direct(program, measured)
    found = _Replay(program, inputs, measured, precision, seed)
    direct = _direct(program, measured)
    return [
        errors if errors is not None else found.errors(number, output.shape)
        for number, (output, errors) in enumerate(zip(outputs, direct, strict=True))
    ]


def _direct(program: Module, measured: Measurements) -> list[np.ndarray | None]:
    known = {name: errors for name, errors in zip(measured.names, measured.errors, strict=True) if errors}
    made = program.graph.producers()
    out: list[np.ndarray | None] = []
    for value in program.graph.outputs:
        node = made.get(value.name)
        errors = known.get(node.op.artifact) if node is not None and isinstance(node.op, Launch) else None
        out.append(errors[[v.name for v in node.results].index(value.name)] if node is not None and errors else None)
    return out


class _Replay:
    """The host program once more, with what was measured as tensors to differentiate by."""

    def __init__(
        self,
        program: Module,
        inputs: Sequence[np.ndarray],
        measured: Measurements,
        precision: str | None,
        seed: int,
    ) -> None:
        import torch

        from ..ir.interpreter import evaluate

        self.program, self.measured = program, measured
        self.batched = any(v.type.batched for v in program.graph.inputs)
        shared = _shared(program)
        self.leaves: list[tuple[Tensor, int, int, bool]] = []
        """(tensor, call, number of the result, whether all samples have the same)"""
        calls: dict[str, deque[list[Tensor]]] = defaultdict(deque)
        for call, (name, results) in enumerate(zip(measured.names, measured.results, strict=True)):
            tensors = [torch.tensor(r, requires_grad=np.issubdtype(r.dtype, np.floating)) for r in results]
            calls[name].append(tensors)
            self.leaves += [(t, call, k, name in shared) for k, t in enumerate(tensors) if t.requires_grad]
        self.outputs = evaluate(
            program, inputs, precision=precision, launch=lambda op, given: calls[op.artifact].popleft(), seed=seed
        )

    def errors(self, number: int, shape: tuple[int, ...]) -> np.ndarray | None:
        """The standard errors of one output, of its shape."""
        output, declared = self.outputs[number], self.program.graph.outputs[number].type
        if not output.requires_grad:
            return None
        axis = declared.shape.index(DYNAMIC) if declared.batched else 0
        rows = output.movedim(axis, 0) if declared.batched else output[None]
        flat = rows.reshape(len(rows), -1)
        if flat.shape[1] > MOST_NUMBERS:
            return None
        variance = np.zeros(tuple(flat.shape))
        for column in range(flat.shape[1]):
            variance[:, column] = self._variances(flat[:, column])
        root = np.sqrt(variance).reshape(tuple(rows.shape))
        return np.moveaxis(root, 0, axis) if declared.batched else root.reshape(shape)

    def _variances(self, values: Tensor) -> np.ndarray:
        """The variance of one number of every sample: (samples,)."""
        total = np.zeros(len(values))
        own, common = ([leaf for leaf in self.leaves if leaf[3] is shared] for shared in (False, True))
        for leaf, gradient in self._gradients(values.sum(), own):
            parts = self._quadratic(leaf, gradient)
            total += parts.reshape(len(values), -1).sum(axis=1) if len(parts) else 0.0
        for sample in range(len(values) if common else 0):
            for leaf, gradient in self._gradients(values[sample], common):
                total[sample] += self._quadratic(leaf, gradient).sum()
        return total

    def _gradients(self, value: Tensor, leaves: Sequence[tuple]) -> Iterator[tuple[tuple, np.ndarray]]:
        import torch

        if leaves:
            found = torch.autograd.grad(value, [leaf[0] for leaf in leaves], retain_graph=True, allow_unused=True)
            yield from (
                (leaf, g.numpy().astype(np.float64)) for leaf, g in zip(leaves, found, strict=True) if g is not None
            )

    def _quadratic(self, leaf: tuple, gradient: np.ndarray) -> np.ndarray:
        """g C g of every row that was measured."""
        _, call, k, _ = leaf
        covariance = self.measured.covariances[call][k]
        if covariance is None:
            parts = (gradient * self.measured.errors[call][k]) ** 2
            return parts.reshape(len(parts), -1).sum(axis=1) if parts.ndim > 1 else parts.sum(keepdims=True)
        rows = gradient.reshape(len(covariance), -1)
        # A singular covariance gives less than nothing by rounding.
        return np.maximum(np.einsum("rn,rnm,rm->r", rows, covariance, rows), 0.0)


def _shared(program: Module) -> set[str]:
    """Artifacts that give the same for all samples: no operand comes from an input with a batch."""
    known = {v.name for v in program.graph.inputs if v.type.batched}
    out: set[str] = set()
    for node in program.graph.nodes:
        if any(v.name in known for v in node.operands):
            known |= {v.name for v in node.results}
        elif isinstance(node.op, Launch):
            out.add(node.op.artifact)
    return out
