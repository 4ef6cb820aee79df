"""The compiled model: its program, artifacts and golden data, and what one can do with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..backends.activity import Activity
from ..backends.base import Backend, RunOptions
from ..ir import InputError, Module
from ..ir.diagnostics import did_you_mean, user_line
from ..ir.ops import BitSamples, Launch, Readout, SampleOutcomes, Samples
from ..ir.ops.spiking import Neuron
from ..ir.types import DYNAMIC, Type
from . import registry, storage
from .environment import naming_extras
from .error_bars import carried
from .execution.engines import Shared, opened
from .execution.journal import opened_journal
from .execution.launches import Conditions, Launches, launches_first
from .execution.tasks import batch_axis, rows_of
from .inputs import check_arrays
from .spikes.coded import lost_in_coding

if TYPE_CHECKING:
    from .verification import Verification

GOLDEN = "golden.safetensors"
WEIGHTS = "weights.safetensors"
PROGRAM = "program.qsc"
SOURCE = "source.qsc"
REPORT = "report.html"
RUN_OPTIONS = frozenset(
    ("shots", "noise", "seed", "precision", "importer", "backend", "target_error", "workers", "scheduler", "journal")
) | {"record", "progress"}
"""Keywords of `Bundle.run` and `Bundle.outputs`."""
CHUNK_BYTES = 256 * 2**20
"""Rough memory that one chunk of a run may take."""


@dataclass
class Bundle:
    """A compiled model in memory. `files` maps a path inside the bundle to its bytes, the manifest not among them."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    run_counts: dict[str, float] = field(default_factory=dict)
    """What the last run counted: executions, shots, spikes, ..."""
    run_remarks: list[str] = field(default_factory=list)
    """What the last run's inputs lost before they reached a device."""
    standard_errors: list[np.ndarray | None] = field(default_factory=list)
    """The standard error of every number of the last run, an array an output; None where it is not known: see
    `outputs`."""
    activities: dict[str, Activity] = field(default_factory=dict)
    """Artifact -> what its neurons and synapses did in the last run that recorded it."""

    # What it holds

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """Every weight of source and program by name."""
        return storage.unpack_arrays(self.files[WEIGHTS])

    @cached_property
    def program(self) -> Module:
        """The host program; its `launch` ops name artifacts."""
        return self._read(PROGRAM)

    @cached_property
    def source(self) -> Module:
        """What the frontend read."""
        return self._read(SOURCE)

    def _read(self, name: str) -> Module:
        from ..frontends.text import read

        return read(self.files[name].decode(), name, self.weights)

    @cached_property
    def golden(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """(inputs, outputs of the original framework) that the bundle was compiled with."""
        arrays = storage.unpack_arrays(self.files[GOLDEN])
        return _numbered(arrays, "input"), _numbered(arrays, "output")

    @property
    def costs(self) -> dict[str, float]:
        """Totals over all launches: qubits, two_qubit_gates, neurons, junctions, ..."""
        return dict(self.manifest["costs"])

    @property
    def costs_by_op(self) -> dict[str, dict[str, float]]:
        """Artifact name -> its costs."""
        return {name: dict(row) for name, row in self.manifest["costs_by_op"].items()}

    # What one can do with it

    def run(self, *inputs: Any, **options: Any) -> Any:
        """The outputs for a batch of inputs, as `outputs` gives them; a single output alone. Options as there."""
        for option in sorted(options.keys() - RUN_OPTIONS):
            help = did_you_mean(option, RUN_OPTIONS)
            raise InputError.of("O0002", f"run has no option {option!r}", user_line(), help=help)
        found = self.outputs(*inputs, **options)
        return found[0] if len(found) == 1 else found

    def outputs(
        self,
        *inputs: Any,
        shots: int | None = None,
        noise: bool = False,
        seed: int = 0,
        precision: str | None = "auto",
        importer: str | None = None,
        backend: Any = None,
        target_error: float | None = None,
        workers: int | None = None,
        scheduler: Any = None,
        journal: str | Path | None = None,
        record: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> list[np.ndarray]:
        """Every output for a batch of inputs (arrays or tensors of the declared shapes), as numpy arrays.

        shots: None for exact values. noise: the device's own noise. precision: "f64" computes every float of the host
        program in float64, None as declared, "auto" in float64 unless the model spikes. importer: another framework
        that runs the artifacts, where the backend knows one. backend: something of your own that circuits run on in
        place of the simulator: a V2 estimator or sampler, a Qiskit BackendV2, a service, session or batch of
        qiskit-ibm-runtime, or "aer" for Aer's primitives; a batch of inputs is one PUB a circuit and measurement
        setting. target_error: the standard error that an estimator is asked for, 1/sqrt(shots) where left out.

        workers: spread the work over so many processes of this machine. scheduler: over the workers of a Dask cluster,
        by its address, its scheduler file or a `distributed.Client`. The outputs are the same however many there are.
        journal: a file that finished tasks are kept in; a run that was interrupted goes on from it. record: count what
        spiking neurons and their synapses do, into `activities`; a recorded run keeps no journal. progress: told of
        every launch that is done.

        Afterwards `standard_errors` holds the standard errors, where shots were drawn and something was measured: those
        of the measured values, with the covariances of those that were measured together where the backend knows them,
        carried through the host program to first order.
        Raises InputError where the inputs do not fit, MissingError where the backend's SDK or program is not there, or
        where workers are lost for good.
        """
        arrays = check_arrays(inputs, self.program.graph.inputs)
        _check_values(shots, noise, seed, precision, target_error)
        drawn = None if shots is None else int(shots)
        options = RunOptions(drawn, bool(noise), int(seed), importer, backend, target_error, record=bool(record))
        self._check_options(options)
        if backend is not None and (workers, scheduler, journal) != (None, None, None):
            raise InputError.of("O0002", "a backend of your own runs its own jobs: no workers, scheduler or journal")
        if record and journal is not None:
            raise InputError.of("O0002", "a recorded run keeps no journal", help="leave out record or journal")
        with naming_extras(), opened_journal(journal) as kept, opened(workers, scheduler) as engine:
            return self._run(arrays, options, precision, Conditions(engine, kept, progress))

    def _run(
        self, arrays: list[np.ndarray], options: RunOptions, precision: str | None, conditions: Conditions
    ) -> list[np.ndarray]:
        types = [v.type for v in self.program.graph.inputs]
        rows = next((a.shape[batch_axis(t)] for a, t in zip(arrays, types, strict=True) if t.batched), None)
        shared = conditions.engine.share(self)
        self.run_counts = {}
        self.run_remarks = [*lost_in_coding(self.program, arrays), *_samples_of_its_own(self.program, options.shots)]
        self.activities = {} if options.record else self.activities
        if rows is None:
            outputs, self.standard_errors = self._run_chunk(arrays, options, precision, conditions, shared)
            return outputs
        step = self._chunk_rows()
        chunks = [
            self._run_chunk(
                [rows_of(a, t, at, at + step) for a, t in zip(arrays, types, strict=True)],
                replace(options, seed=options.seed + at),
                precision,
                conditions,
                shared,
            )
            for at in range(0, max(rows, 1), step)
        ]
        axes = [batch_axis(value.type) for value in self.program.graph.outputs]
        self.standard_errors = _joined([errors for _, errors in chunks], axes)
        outputs = zip(*(outputs for outputs, _ in chunks), strict=True)
        return [np.concatenate(parts, axis=axis) for parts, axis in zip(outputs, axes, strict=True)]

    def verify(self, **options: Any) -> Verification:
        """Compiled against source and against the original framework. See `qsc.compiler.verification.verify_bundle`."""
        from .verification import verify_bundle

        return verify_bundle(self, **options)

    def report(self) -> str:
        """What was compiled and what it costs, as text."""
        from .report import text_report

        return text_report(self)

    def _repr_html_(self) -> str:
        from .report import html_fragment

        return html_fragment(self)

    def save(self, folder: str | Path) -> Path:
        """Write the bundle to `folder`, atomically. See `storage.write_folder` for the errors."""
        from .report import html_page

        files = {**self.files, REPORT: html_page(self).encode()}
        storage.write_folder(Path(folder), files, self.manifest)
        return Path(folder)

    # How it runs

    def _check_options(self, options: RunOptions) -> None:
        """InputError where an option asks for something that this model does not have."""
        noise, importer, backend = options.noise, options.importer, options.device
        launches = self.launches()
        measured = any(isinstance(n.op, Readout) for launch in launches for n in launch.body.walk())
        if (options.shots is not None or noise or backend is not None) and not measured:
            raise InputError.of("R0001", "shots and noise are for circuits on a device; this model has none there")
        others = sorted({self.backend_of(n).name for n in launches} - {"qiskit"}) if backend is not None else []
        if others:
            raise InputError.of(
                "R0001",
                f"circuits compiled for {' and '.join(others)} do not run on a backend of your own",
                help="compile for a target of the qiskit backend: `qsc targets` lists them",
            )
        if backend is not None and noise:
            raise InputError.of("R0001", "noise is the simulator's: a backend of your own has what it has")
        known = sorted({name for launch in launches for name in self.backend_of(launch).importers})
        if importer is not None and importer not in known:
            what = "no backend of this bundle has an importer" if not known else "known: " + ", ".join(known)
            raise InputError.of("O0002", f"nothing here for the importer {importer!r} to run", help=what)

    def _run_chunk(
        self,
        inputs: list[np.ndarray],
        options: RunOptions,
        precision: str | None,
        conditions: Conditions,
        shared: Shared,
    ) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """Outputs, and their standard errors. shared: this bundle, as the engine hands it to workers."""
        from ..ir.interpreter import evaluate

        launches = Launches(self, options, conditions, shared)
        chosen = self.default_precision if precision == "auto" else precision
        found = evaluate(self._ordered, inputs, precision=chosen, launch=launches, seed=options.seed)
        measured, counts, activities = launches.finish()
        for name, activity in activities.items():
            before = self.activities.get(name)
            self.activities[name] = activity if before is None else before.plus(activity)
        for key, count in counts.items():
            self.run_counts[key] = self.run_counts.get(key, 0) + count
        outputs = [o.detach().cpu().numpy() for o in found]
        return outputs, carried(self._ordered, inputs, outputs, measured, chosen, options.seed)

    @cached_property
    def _ordered(self) -> Module:
        return launches_first(self.program)

    @cached_property
    def digest(self) -> str:
        """sha256 of what a run depends on beside its inputs and options."""
        hashed = hashlib.sha256(__version__.encode())
        for path, data in sorted(self._runnable().items()):
            hashed.update(f"{path} {len(data)} ".encode() + data)
        return hashed.hexdigest()

    def _runnable(self) -> dict[str, bytes]:
        kept = {path: data for path, data in self.files.items() if path.startswith("artifacts/")}
        return kept | {name: self.files[name] for name in (PROGRAM, SOURCE, WEIGHTS)}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what runs: workers need neither the golden data nor what was read from the files so far."""
        return Bundle, ({"devices": self.manifest["devices"]}, self._runnable())

    @cached_property
    def default_precision(self) -> str | None:
        """ "f64", or None (as declared) for a model with spikes or membranes: a finer number could cross a threshold,
        and graphs and devices hold their weights as declared."""
        spiking = any(
            isinstance(node.op, Neuron) or any(v.type.dtype == "spike" for v in node.results)
            for node in self.source.nodes()
        )
        return None if spiking else "f64"

    def backend_of(self, launch: Launch) -> Backend:
        """The backend that runs a launch."""
        name = self.manifest["devices"][launch.device]
        if name not in self._backends:
            self._backends[name] = registry.find_backend(name)
        return self._backends[name]

    @cached_property
    def _backends(self) -> dict[str, Backend]:
        return {}

    def artifact(self, name: str) -> Mapping[str, bytes]:
        """The files of one launch, by their names below `artifacts/NAME/`."""
        prefix = f"artifacts/{name}/"
        return {path[len(prefix) :]: data for path, data in self.files.items() if path.startswith(prefix)}

    def launch_of(self, artifact: str) -> Launch:
        """The launch that runs an artifact."""
        return next(launch for launch in self.launches() if launch.artifact == artifact)

    def launches(self) -> list[Launch]:
        """Every launch of the program, in order."""
        return [node.op for node in self.program.nodes() if isinstance(node.op, Launch)]

    def _chunk_rows(self) -> int:
        sizes = [_row_bytes(v.type) for node in self.program.nodes() for v in node.results]
        return max(1, CHUNK_BYTES // max(1, 4 * max(sizes, default=1)))


def _samples_of_its_own(program: Module, shots: int | None) -> Iterator[str]:
    """A remark where a run's shots are not those of the model's samples, which are as many as it says."""
    stated = {node.op.shots for node in program.nodes() if isinstance(node.op, Samples | BitSamples | SampleOutcomes)}
    if shots is not None and stated - {shots}:
        counts = " and ".join(map(str, sorted(stated)))
        yield f"the model says how many samples it gives, {counts}: {shots} shots are for the values that it measures"


def load(folder: str | Path) -> Bundle:
    """The bundle in `folder`, every hash checked. InputError where it is missing, damaged or of a newer schema."""
    manifest, files = storage.read_folder(Path(folder))
    return Bundle(manifest, files)


def _check_values(shots: object, noise: object, seed: object, precision: object, target_error: object) -> None:
    """InputError R0001 for a value that no option of a run takes."""
    fine = target_error is None or (isinstance(target_error, int | float) and 0 < target_error < inf)
    for option, value, good, known in (
        (
            "shots",
            shots,
            shots is None or _at_least(1, shots),
            "a whole number of at least 1, or None for exact values",
        ),
        ("noise", noise, isinstance(noise, bool | np.bool_), "True or False"),
        ("seed", seed, _at_least(0, seed), "a whole number, 0 or more"),
        ("precision", precision, precision in ("auto", "f64", None), '"auto", "f64" or None'),
        ("target_error", target_error, fine, "a number above 0, or None"),
    ):
        if not good:
            raise InputError.of("R0001", f"{option} is {value!r}", user_line(), help=known)


def _at_least(least: int, value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _joined(chunks: Sequence[Sequence[np.ndarray | None]], axes: Sequence[int]) -> list[np.ndarray | None]:
    """Standard errors of consecutive chunks of a batch as those of the whole."""
    out: list[np.ndarray | None] = []
    for parts, axis in zip(zip(*chunks, strict=True), axes, strict=True):
        known = [part for part in parts if part is not None]
        out.append(np.concatenate(known, axis=axis) if len(known) == len(parts) else None)
    return out


def _row_bytes(t: Type) -> int:
    return 8 * int(np.prod([d for d in t.shape if d != DYNAMIC], dtype=np.int64))


def _numbered(arrays: Mapping[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    out = []
    while f"{prefix}.{len(out)}" in arrays:
        out.append(arrays[f"{prefix}.{len(out)}"])
    return out
