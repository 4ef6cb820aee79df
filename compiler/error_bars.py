"""Standard errors of measured values, carried through the host program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ir import Module
from ..ir.ops import Launch

MOST_NUMBERS = 256
"""Most measured numbers a sample that are carried through the host program, each by one more run of it."""


@dataclass
class Measurements:
    """What the launches of one run gave, in the order in which they were called.

    errors: of every result, of its shape; an empty list where nothing was drawn.
    """

    names: list[str] = field(default_factory=list)
    results: list[list[np.ndarray]] = field(default_factory=list)
    errors: list[list[np.ndarray]] = field(default_factory=list)

    def add(self, name: str, results: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> None:
        """One launch has run."""
        self.names.append(name)
        self.results.append(list(results))
        self.errors.append([e.reshape(r.shape) for e, r in zip(errors, results, strict=True)] if errors else [])


def carried(
    program: Module,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    measured: Measurements,
    precision: str | None,
    seed: int,
) -> list[np.ndarray | None]:
    """The standard error of every output number; None where nothing was drawn or the sum would take too long.

    To first order: the squares of what each output changes by when one measured number changes by its error, added up
    as if measured numbers were independent. Outputs that are a launch's own results have its errors.
    """
    if not measured.errors or not all(measured.errors):
        return _direct(program, measured)
    numbers = [
        (call, k, at)
        for call, found in enumerate(measured.results)
        for k in range(len(found))
        for at in range(int(np.prod(found[k].shape[1:], dtype=np.int64)) if found[k].ndim > 1 else found[k].size)
    ]
    if len(numbers) > MOST_NUMBERS:
        return _direct(program, measured)
    total = [np.zeros(o.shape) for o in outputs]
    for number in numbers:
        changed = _replayed(program, inputs, measured, number, precision, seed)
        for square, before, after in zip(total, outputs, changed, strict=True):
            square += (after.astype(np.float64) - before) ** 2
    return [np.sqrt(square) for square in total]


def _direct(program: Module, measured: Measurements) -> list[np.ndarray | None]:
    known = {name: errors for name, errors in zip(measured.names, measured.errors, strict=True) if errors}
    made = program.graph.producers()
    out: list[np.ndarray | None] = []
    for value in program.graph.outputs:
        node = made.get(value.name)
        errors = known.get(node.op.artifact) if node is not None and isinstance(node.op, Launch) else None
        out.append(errors[[v.name for v in node.results].index(value.name)] if node is not None and errors else None)
    return out


def _replayed(
    program: Module,
    inputs: Sequence[np.ndarray],
    measured: Measurements,
    number: tuple[int, int, int],
    precision: str | None,
    seed: int,
) -> list[np.ndarray]:
    """The outputs if one measured number of every sample were larger by its error."""
    from ..ir.interpreter import evaluate

    call, k, at = number
    results = [list(found) for found in measured.results]
    moved = np.array(results[call][k], np.float64, order="C")
    rows = moved.reshape(len(moved), -1) if moved.ndim > 1 else moved.reshape(1, -1)
    rows[:, at] += measured.errors[call][k].reshape(rows.shape)[:, at]
    results[call][k] = moved
    calls = iter(results)
    found = evaluate(program, inputs, precision=precision, launch=lambda op, given: next(calls), seed=seed)
    return [o.detach().cpu().numpy() for o in found]
