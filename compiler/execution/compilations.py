"""Many compilations, each in a process of its own: models of one name do not meet, and one that fails fails alone."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ir import InputError
from .engines import opened


@dataclass(frozen=True)
class Job:
    """One compilation: the arguments of `qsc compile` and the folder of the bundle."""

    name: str
    arguments: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the exit code, the manifest, and what was said where it failed."""

    job: Job
    code: int
    manifest: dict[str, Any]
    message: str = ""


def jobs_of(models: Sequence[Path], sweeps: Sequence[str], arguments: Sequence[str], parent: Path) -> list[Job]:
    """A job for every model and every combination of the values that are swept, with a folder below `parent` each.

    sweeps: `option=value,value,...`. Raises InputError O0002 where one has no values, or two jobs the same folder.
    """
    axes = [list(_axis(text)) for text in sweeps]
    jobs: dict[Path, Job] = {}
    for model, point in itertools.product(models, itertools.product(*axes)):
        label = ".".join([bundle_name(model), *(f"{key}={value}" for key, value in point)])
        folder = parent / label
        if folder in jobs:
            help = "rename one, or compile it with an -o of its own"
            raise InputError.of("O0002", f"two of the models would be written to {folder}", help=help)
        swept = [part for key, value in point for part in (f"--{key}", value)]
        jobs[folder] = Job(label, (str(model), *arguments, *swept, "--output", str(folder)), folder)
    return list(jobs.values())


def bundle_name(model: Path) -> str:
    """The name of a model's bundle: that of its file, or of its folder where the file is `model`."""
    return model.stem if model.stem != "model" else model.absolute().parent.name


def _axis(text: str) -> Iterator[tuple[str, str]]:
    key, equals, values = text.partition("=")
    if not equals or not all(values.split(",")):
        raise InputError.of("O0002", f"cannot sweep {text!r}", help="give an option and values: max-qubits=3,4,5")
    return ((key.removeprefix("--"), value) for value in values.split(","))


def compile_all(jobs: Sequence[Job], workers: int | None, scheduler: Any, said: Callable[[str], None]) -> list[Outcome]:
    """The outcome of every job, in their order; `said` is told of each when it is done.

    The models and folders are read and written by the workers: they need the same file system.
    """
    with opened(workers, scheduler) as engine:
        here = str(Path.cwd())
        pending = [
            engine.submit(job.name, compile_apart, job, here, done=lambda outcome: said(_summary(outcome)))
            for job in jobs
        ]
        return [one.result() for one in pending]


def compile_apart(job: Job, folder: str) -> Outcome:
    """One job in a process of its own, in the working folder `folder`. RuntimeError where that process was killed."""
    command = [sys.executable, "-P", "-m", __name__.partition(".")[0], "compile", *job.arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode < 0:
        raise RuntimeError(f"its process was ended by signal {-done.returncode}")
    manifest = json.loads(done.stdout) if done.returncode == 0 else {}
    return Outcome(job, done.returncode, manifest, done.stderr.strip())


def _summary(outcome: Outcome) -> str:
    state = f"written to {outcome.job.folder}" if outcome.code == 0 else f"failed with exit code {outcome.code}"
    return f"{outcome.job.name}: {state}"
