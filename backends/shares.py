"""Rows of a batch that get different numbers of shots: one run for each number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from .base import RunOptions


class Counted(Protocol):
    """What a run cost, as far as runs are joined here."""

    executions: int
    shots: int
    standard_errors: list[np.ndarray]
    covariances: list[np.ndarray]


def by_shares(
    run: Callable[[np.ndarray, RunOptions], tuple[np.ndarray, Any]],
    values: np.ndarray,
    shares: Sequence[float],
    options: RunOptions,
) -> tuple[np.ndarray, Any]:
    """`run(rows, options)` for all rows of a batch, row k with `shares[k % len(shares)]` of the shots.

    Without shots or shares it is one run. run gives (result, facts) for some rows of `values`.
    """
    if options.shots is None or len(set(shares)) < 2:
        scale = shares[0] if shares and options.shots is not None else 1.0
        return run(values, options if scale == 1.0 else _with_shots(options, scale))
    owner = np.resize(np.array(shares), len(values))
    parts = [(np.flatnonzero(owner == share), share) for share in sorted(set(shares))]
    parts = [(rows, share) for rows, share in parts if len(rows)]
    found = [run(values[rows], _with_shots(options, share)) for rows, share in parts]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    facts = found[0][1]
    for _, more in found[1:]:
        facts.executions += more.executions
        facts.shots += more.shots
        for name in ("standard_errors", "covariances"):
            joined = zip(getattr(facts, name), getattr(more, name), strict=True)
            setattr(facts, name, [np.concatenate(pair) for pair in joined])
    for name in ("standard_errors", "covariances"):
        setattr(facts, name, [array[order] for array in getattr(facts, name)])
    return np.concatenate([out for out, _ in found])[order], facts


def _with_shots(options: RunOptions, share: float) -> RunOptions:
    assert options.shots is not None
    return replace(options, shots=max(2, round(options.shots * share)))
