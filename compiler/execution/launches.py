"""The launches of one evaluation of a program, as tasks on an engine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...backends.activity import Activity, sum_of
from ...backends.base import RunOptions
from ...ir import Graph, Module
from ...ir.graph import Node
from ...ir.ops import Launch
from ..error_bars import Measurements
from .engines import Engine, Pending, Shared
from .journal import Journal
from .tasks import Answer, Task, join, run_task, split

if TYPE_CHECKING:
    from ..bundle import Bundle

Progress = Callable[[str], None]


SILENCE_SECONDS = 5.0
"""How long a run may say nothing while its tasks arrive."""


@dataclass
class Conditions:
    """What a run of a bundle has beside its inputs and options. `said`: told of every launch that is done, and now and
    then how many tasks are."""

    engine: Engine
    journal: Journal | None = None
    said: Progress | None = None


class Launches:
    """Runs launches as an evaluation calls them: their results come when they are asked for."""

    def __init__(self, bundle: Bundle, options: RunOptions, conditions: Conditions, shared: Shared) -> None:
        self._bundle, self._options, self._conditions, self._shared = bundle, options, conditions, shared
        self._calls: Counter[str] = Counter()
        self._made: list[_Call] = []
        self._wanted, self._arrived, self._spoke = 0, 0, time.monotonic()

    def __call__(self, op: Launch, operands: list[np.ndarray]) -> Callable[[], Sequence[np.ndarray]]:
        tasks = split(op, operands, self._options, self._calls[op.artifact])
        self._calls[op.artifact] += 1
        self._wanted += len(tasks)
        call = _Call(op, tasks, [self._submit(task) for task in tasks], self._conditions.said)
        self._made.append(call)
        return lambda: call.answer().results

    def _submit(self, task: Task) -> Pending | Answer:
        journal = self._conditions.journal
        key = task.key(self._bundle.digest) if journal is not None else b""
        known = journal.get(key) if journal is not None else None
        if known is not None:
            self._arrived += 1
            return known
        return self._conditions.engine.submit(
            str(task), run_task, task, shared=self._shared, done=lambda answer: self._keep(key, answer)
        )

    def _keep(self, key: bytes, answer: Answer) -> None:
        """A task's answer has arrived."""
        if self._conditions.journal is not None:
            self._conditions.journal.put(key, answer)
        self._arrived += 1
        said, now = self._conditions.said, time.monotonic()
        if said is not None and now - self._spoke > SILENCE_SECONDS:
            self._spoke = now
            said(f"{self._arrived} of {self._wanted} tasks")

    def finish(self) -> tuple[Measurements, dict[str, float], dict[str, Activity]]:
        """What all launches gave, in the order in which they were called, the sums of their counts, and what was
        recorded of each artifact."""
        measured, counts, activities = Measurements(), dict[str, float](), dict[str, Activity]()
        for call in self._made:
            answer = call.answer()
            measured.add(call.op.artifact, answer.results, answer.errors, answer.covariances)
            for key, value in answer.counts.items():
                counts[key] = counts.get(key, 0) + value
            known = sum_of((activities.get(call.op.artifact), answer.activity))
            activities |= {} if known is None else {call.op.artifact: known}
        return measured, counts, activities


class _Call:
    """One call of a launch."""

    def __init__(self, op: Launch, tasks: list[Task], parts: list[Pending | Answer], said: Progress | None) -> None:
        self.op, self._tasks, self._parts, self._said = op, tasks, parts, said
        self._answer: Answer | None = None

    def answer(self) -> Answer:
        if self._answer is None:
            parts = [part if isinstance(part, Answer) else part.result() for part in self._parts]
            self._answer = join(self.op, self._tasks, parts)
            kept = sum(isinstance(part, Answer) for part in self._parts)
            self._parts = []
            if self._said is not None:
                self._said(_summary(self._tasks, kept, self._answer))
        return self._answer


def _summary(tasks: Sequence[Task], kept: int, answer: Answer) -> str:
    """One line of progress."""
    facts = [f"{len(tasks)} tasks" if len(tasks) > 1 else "1 task"]
    if kept:
        facts[0] += f" ({kept} from the journal)"
    facts += [f"{value:,.0f} {key}" for key, value in answer.counts.items()]
    if answer.errors:
        facts.append(f"largest standard error {max(e.max(initial=0.0) for e in answer.errors):.2g}")
    return f"{tasks[0].artifact}: {', '.join(facts)}"


def launches_first(program: Module) -> Module:
    """The program with every node as soon as the launches before it allow: those that need none of each other's
    results are called one after the other, and can run at the same time."""
    made: dict[str, int] = {}

    def depth(node: Node) -> int:
        own = max((made.get(v.name, 0) for v in node.operands), default=0)
        made.update(dict.fromkeys((v.name for v in node.results), own + isinstance(node.op, Launch)))
        return own

    graph = program.graph
    return program.with_(graph=Graph(graph.inputs, tuple(sorted(graph.nodes, key=depth)), graph.outputs))
