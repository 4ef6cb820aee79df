"""A launch in tasks: some rows of its batch, and some of its observables. How they are cut depends on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from ...backends.activity import Activity, sum_of
from ...backends.base import RunOptions
from ...ir.measurement_settings import count_settings, pauli_masks, qubitwise_groups
from ...ir.ops import Expectation, Launch
from ...ir.types import DYNAMIC, Type

if TYPE_CHECKING:
    from ..bundle import Bundle

ROWS = 64
"""Most rows of a task. A change of it changes what shots are drawn for a seed."""


@dataclass(frozen=True)
class Task:
    """Rows `start` to `stop - 1` of one call of a launch. shares: of these rows, as in `Launch`. options: with the
    task's own seed."""

    artifact: str
    start: int
    stop: int
    operands: tuple[np.ndarray, ...]
    shares: tuple[float, ...]
    options: RunOptions

    def __str__(self) -> str:
        text = self.artifact
        if self.stop > self.start:
            text += f", rows {self.start} to {self.stop - 1}"
        if self.options.observables is not None:
            text += ", observables " + " ".join(map(str, self.options.observables))
        return text

    def key(self, bundle: str) -> bytes:
        """32 bytes that tell this task of the bundle with this digest from every other."""
        hashed = hashlib.sha256(repr((bundle, self.artifact, self.start, self.shares, self.options)).encode())
        for array in self.operands:
            hashed.update(f"{array.dtype.str}{array.shape}".encode())
            hashed.update(np.ascontiguousarray(array).data)
        return hashed.digest()


@dataclass
class Answer:
    """What a launch or a task of it gave: results in the order of the launch's body, counts (executions, shots, ...).

    errors: standard errors of every result, (rows, numbers), covariances: (rows, numbers, numbers); none where nothing
    was drawn or they are not known. activity: what spiking neurons did, where that was recorded.
    """

    results: list[np.ndarray]
    counts: dict[str, float] = field(default_factory=dict)
    errors: list[np.ndarray] = field(default_factory=list)
    covariances: list[np.ndarray] = field(default_factory=list)
    activity: Activity | None = None


def run_task(bundle: Bundle, task: Task) -> Answer:
    """The answer of one task, from the bundle's artifacts."""
    from .. import registry
    from ..environment import naming_extras

    launch = replace(bundle.launch_of(task.artifact), shares=task.shares)
    # One of its own: threads of a worker may run tasks of one bundle at the same time.
    backend = registry.find_backend(bundle.manifest["devices"][launch.device])
    files = bundle.artifact(task.artifact)
    with naming_extras():
        results = backend.run(files, launch, bundle.program, task.operands, task.options)
    facts: Any = getattr(backend, "last_facts", None)
    errors, covariances = (list(getattr(facts, name, [])) for name in ("standard_errors", "covariances"))
    activity = getattr(backend, "last_activity", None)
    return Answer(list(results), dict(backend.last_counts), errors, covariances, activity)


def split(launch: Launch, operands: Sequence[np.ndarray], options: RunOptions, call: int) -> list[Task]:
    """The tasks of one call of a launch. call: how many times the run has called it before.

    A device of the user's own gets the whole batch at once, since it plans its own jobs.
    """
    types = [v.type for v in launch.body.inputs]
    sizes = [a.shape[batch_axis(t)] for a, t in zip(operands, types, strict=True) if t.batched]
    if options.device is not None:
        return [Task(launch.artifact, 0, sizes[0] if sizes else 0, tuple(operands), launch.shares, options)]
    rows = sizes[0] if sizes else 0
    groups = _groups(launch, rows, options)
    tasks = []
    for start in range(0, max(rows, 1), ROWS):
        stop = min(start + ROWS, rows)
        parts = tuple(rows_of(a, t, start, stop) for a, t in zip(operands, types, strict=True))
        at = start % len(launch.shares) if launch.shares else 0
        shares = launch.shares[at:] + launch.shares[:at]
        for number, group in enumerate(groups):
            words = [options.seed, crc32(launch.artifact.encode()), call, start, number]
            seed = int(np.random.SeedSequence(words).generate_state(1)[0])
            tasks.append(
                Task(launch.artifact, start, stop, parts, shares, replace(options, seed=seed, observables=group))
            )
    return tasks


def join(launch: Launch, tasks: Sequence[Task], answers: Sequence[Answer]) -> Answer:
    """The answer of a launch from those of its tasks, in their order."""
    if len(tasks) == 1:
        return answers[0]
    counts: dict[str, float] = {}
    for answer in answers:
        for key, value in answer.counts.items():
            counts[key] = counts.get(key, 0) + value
    blocks: dict[int, list[tuple[Task, Answer]]] = {}
    for task, answer in zip(tasks, answers, strict=True):
        blocks.setdefault(task.start, []).append((task, answer))
    whole = [_side_by_side(block) for block in blocks.values()]
    axes = [batch_axis(v.type) for v in launch.body.outputs]
    columns = zip(*(a.results for a in whole), strict=True)
    results = [np.concatenate(parts, axis=axis) for parts, axis in zip(columns, axes, strict=True)]
    errors, covariances = (
        [np.concatenate(parts) for parts in zip(*(getattr(a, name) for a in whole), strict=True)]
        for name in ("errors", "covariances")
    )
    return Answer(results, counts, errors, covariances, sum_of(answer.activity for answer in answers))


# Rows


def batch_axis(t: Type) -> int:
    """Where the batch is, 0 where there is none."""
    return t.shape.index(DYNAMIC) if t.batched else 0


def rows_of(array: np.ndarray, t: Type, start: int, stop: int) -> np.ndarray:
    """The part of the batch from `start` to `stop`; what has no batch is the same for all of it."""
    if not t.batched:
        return array
    return array[(slice(None),) * batch_axis(t) + (slice(start, stop),)]


# Observables


def _groups(launch: Launch, rows: int, options: RunOptions) -> list[tuple[int, ...] | None]:
    """Observables that share no measurement setting with those of another group; [None] where all are one task.

    Only a single task of rows is cut, and only where shots are drawn: exact values of all settings come from one state.
    """
    reads = [node.op for node in launch.body.nodes]
    if options.shots is None or not 0 < rows <= ROWS or len(reads) != 1 or type(reads[0]) is not Expectation:
        return [None]
    observables = reads[0].observables
    terms = [(k, pauli_masks(term)) for k, observable in enumerate(observables) for term, _ in observable.terms if term]
    settings = [{terms[m][0] for m in members} for _, members in qubitwise_groups([masks for _, masks in terms])]
    owner = {k: k for k, _ in terms}
    for together in settings:
        met = {owner[k] for k in together}
        owner = {k: min(met) if o in met else o for k, o in owner.items()}
    groups = [tuple(k for k in owner if owner[k] == first) for first in sorted(set(owner.values()))]
    # Grouped apart they may need more settings; and what needs no measurement would be a task of nothing.
    apart = sum(count_settings([observables[k] for k in group]) for group in groups)
    return list(groups) if len(groups) > 1 and apart == len(settings) and len(owner) == len(observables) else [None]


def _side_by_side(block: Sequence[tuple[Task, Answer]]) -> Answer:
    """Answers for the same rows and different observables as one for all; between groups nothing is measured
    together."""
    if len(block) == 1:
        return block[0][1]
    order = np.argsort(np.concatenate([task.options.observables for task, _ in block if task.options.observables]))
    parts = [answer for _, answer in block]
    results = [np.concatenate([a.results[0] for a in parts], axis=-1)[..., order]]
    if not all(a.errors for a in parts):
        return Answer(results)
    errors = [np.concatenate([a.errors[0] for a in parts], axis=-1)[..., order]]
    if not all(a.covariances for a in parts):
        return Answer(results, {}, errors)
    sizes = np.cumsum([0, *(a.results[0].shape[-1] for a in parts)])
    covariance = np.zeros((len(errors[0]), sizes[-1], sizes[-1]))
    for answer, at, past in zip(parts, sizes, sizes[1:], strict=False):
        covariance[:, at:past, at:past] = answer.covariances[0]
    return Answer(results, {}, errors, [covariance[:, order][:, :, order]])
