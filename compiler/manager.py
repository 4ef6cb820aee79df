"""Runs a pipeline: verifies what comes out, checks contracts, dumps the module between, keeps a trace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..ir import InputError, Module, print_module, verify
from .passes.base import Context, Pass, Remark
from .pipelines import describe


class InternalError(Exception):
    """A fault of qsc itself (exit code 70)."""


@dataclass(frozen=True)
class Stage:
    """The module after one step."""

    name: str
    module: Module
    seconds: float
    remarks: tuple[Remark, ...] = ()

    @cached_property
    def size(self) -> dict[str, int]:
        """As `size_of`."""
        return size_of(self.module)


@dataclass
class Watch:
    """What the user wants to see while passes run.

    check: called with (pass, before, after) after every pass, for `--verify-each`; what it says becomes a remark.
    show: called with (name, text of the module) for the passes named in `print_after` ("*" for all).
    """

    check: Callable[[Pass, Module, Module], str] | None = None
    show: Callable[[str, str], None] | None = None
    print_after: frozenset[str] = frozenset()
    dump_dir: Path | None = None
    progress: Callable[[str], None] | None = None
    stages: list[Stage] = field(default_factory=list)

    def record(self, stage: Stage) -> None:
        """Keep a stage, and print or dump it as asked."""
        if self.show and (stage.name in self.print_after or "*" in self.print_after):
            self.show(stage.name, print_module(stage.module))
        if self.dump_dir is not None:
            _dump(self.dump_dir, len(self.stages), stage)
        self.stages.append(stage)


def run_passes(module: Module, passes: Sequence[Pass], context: Context, watch: Watch) -> Module:
    """The module after all passes. A module that a pass left broken is an InternalError that names the pass.

    The last module alone is verified where it has no fault: a broken one does not get whole again. A pass that
    `settles` is not run again on its own result.
    """
    given, done = module, list[tuple[Pass, Module]]()
    results: dict[Pass, Module] = {}
    try:
        for pass_ in passes:
            if watch.progress:
                watch.progress(pass_.name)
            known = len(context.remarks)
            start = time.perf_counter()
            settled = pass_.settles and results.get(pass_) is module
            after = results[pass_] = module if settled else pass_.run(module, context)
            seconds = time.perf_counter() - start
            done.append((pass_, after))
            if watch.check is not None:
                context.remark(pass_, watch.check(pass_, module, after))
            watch.record(Stage(pass_.name, after, seconds, tuple(context.remarks[known:])))
            module = after
        verify(module, given)
    except Exception:
        _blame(given, done)
        raise
    return module


def _blame(before: Module, done: Sequence[tuple[Pass, Module]]) -> None:
    """Raises the InternalError for the first of these passes that left a broken module; nothing where none did."""
    for pass_, after in done:
        try:
            verify(after, before)
        except InputError as fault:
            raise InternalError(f"pass {describe(pass_)} left a broken module\n{fault}") from fault
        before = after


def size_of(module: Module) -> dict[str, int]:
    """How large a module is: graph nodes (bodies included), gates, cells, weights."""
    return {
        "nodes": sum(1 for _ in module.nodes()),
        "gates": sum(len(c) for c in module.circuits.values()),
        "cells": sum(len(n) for n in module.netlists.values()),
        "weights": sum(int(w.size) for w in module.weights.values()),
    }


def _dump(folder: Path, number: int, stage: Stage) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number:02d}-{stage.name}.qsc").write_text(print_module(stage.module), encoding="utf-8")
    row = {
        "pass": stage.name,
        "seconds": round(stage.seconds, 6),
        "size": stage.size,
        "remarks": [str(r) for r in stage.remarks],
    }
    with (folder / "trace.jsonl").open("a" if number else "w", encoding="utf-8") as trace:
        trace.write(json.dumps(row) + "\n")
