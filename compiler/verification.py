"""Does the compiled model do what the model did? Against the original, the source, and the device's own checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends.base import MODEL
from ..bridges.environments import read_table
from ..ir import CheckError, Diagnostic, InputError, MissingError, Module, TargetError
from ..ir.types import DYNAMIC, Type
from .execution.engines import opened
from .execution.tasks import rows_of
from .spikes.given import is_sequence

if TYPE_CHECKING:
    from .bundle import Bundle

TOLERANCE = {"f64": 1e-9, None: 1e-5}
"""Largest error that counts as equal, by the precision of the host program; spikes and bits have to be equal. As
declared, it grows with the largest number of an output where that is over 1."""

FRESH_INPUTS = 16
"""How many fresh inputs are drawn for the check against the source."""


@dataclass(frozen=True)
class Check:
    """One check: the largest error and where it was. `kind` is golden, source, device or importer.

    notes: what is known of the cause, a sentence each. help: what would make it hold, where that is known.
    """

    kind: str
    passed: bool
    samples: int
    max_error: float = 0.0
    tolerance: float = 0.0
    worst_input: int = -1
    mismatches: int = 0
    vacuous: bool = False
    detail: str = ""
    notes: tuple[str, ...] = ()
    help: str = ""

    def __str__(self) -> str:
        return "\n  ".join([self.head, *self.notes])

    @property
    def head(self) -> str:
        """The check without its notes."""
        state = "vacuous" if self.vacuous else "ok" if self.passed and self.samples else "FAILED"
        if not self.samples:
            return f"{self.kind}: {'' if self.passed else 'FAILED, '}{self.detail}"
        text = f"{self.kind}: {state}, {self.samples} samples, max error {self.max_error:.3g}"
        text += f" (tolerance {self.tolerance:.3g})" if self.tolerance else f", {self.mismatches} unequal"
        if not self.passed and self.worst_input >= 0:
            text += f", worst at input {self.worst_input}"
        return text + (f"; {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Verification:
    """All checks of one bundle."""

    checks: tuple[Check, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return all(c.passed for c in self.checks)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))

    def to_json(self) -> dict[str, Any]:
        return {"passed": self.passed, "checks": [asdict(c) for c in self.checks]}

    def require(self, name: str) -> None:
        """Raises CheckError with every check that did not hold."""
        failed = [c for c in self.checks if not c.passed]
        if failed:
            raise CheckError(
                [Diagnostic("R0003" if c.vacuous else "R0002", f"{name}: {c.head}", help=_help(c)) for c in failed]
            )


_HELP = {
    True: "give inputs on which the outputs differ (--calibration X.npz, or example_input in the model file); "
    "--no-verify where the model gives the same for all",
    False: "compile with --verify-each to find the pass that changed the result, "
    "or with --max-error E where E is near enough",
}


def _help(check: Check) -> str:
    return check.help if check.kind == "importer" else _HELP[check.vacuous]


def verify_bundle(
    bundle: Bundle,
    *,
    seed: int = 1,
    importer: str | None = None,
    workers: int | None = None,
    scheduler: Any = None,
) -> Verification:
    """Compare the compiled bundle, run exactly, with the golden outputs and with the interpreter on `source.qsc`.

    importer: the name of another framework that the backend can hand its artifact to, whose outputs on some inputs are
    compared with ours too, or "all" for each that is installed. workers, scheduler: as for `Bundle.outputs`. A check
    whose outputs do not depend on the input is vacuous and fails.
    Raises InputError R0005 where the source is too large to simulate.
    """
    # After approximate passes it is the approximated program that the artifacts have to keep to.
    kind = "program" if bundle.manifest["approximate"] else "source"
    inputs, fresh = bundle.golden[0], fresh_inputs(bundle.source, bundle.golden[0], seed)
    with opened(workers, scheduler) as engine:
        shared = engine.share(bundle)
        wanted = engine.submit(f"the {kind} on fresh inputs", _interpreted, kind, fresh, shared=shared)
        devices = [
            engine.submit(f"{launch.artifact}, checks of its device", _device_checks, launch.artifact, shared=shared)
            for launch in bundle.launches()
        ]
        ours = bundle.outputs(*inputs, scheduler=engine, record=True)
        checks = [_golden_check(bundle, ours)] if bundle.golden[1] else []
        checks.append(compare(kind, bundle.outputs(*fresh, scheduler=engine), wanted.result(), bundle))
        checks += [check for found in devices for check in found.result()]
        checks = _borne_out(checks)
        for name in _importers(bundle, importer):
            checks.append(_importer_check(bundle, name, named=importer != "all"))
    return Verification(tuple(checks))


def _borne_out(checks: list[Check]) -> list[Check]:
    """A check that shows nothing holds beside one against the original that does: the model may be silent on inputs
    that are drawn."""
    shown = any(c.kind == "golden" and c.passed for c in checks)
    return [replace(c, passed=True, vacuous=False) if shown and c.vacuous and c.kind != "golden" else c for c in checks]


IMPORTER_ROWS = 8
"""Rows of the golden inputs that other frameworks are given."""


def _importers(bundle: Bundle, asked: str | None) -> list[str]:
    """The frameworks to ask; `all` is every one that may be used unasked."""
    if asked != "all":
        return [asked] if asked else []
    backends = [bundle.backend_of(launch) for launch in bundle.launches()]
    if not any(backend.importers for backend in backends):
        raise InputError.of("O0002", "there is nothing here for other frameworks to run", help=NOTHING_TO_RUN)
    return sorted({name for backend in backends for name in backend.importers if _unasked(name)})


NOTHING_TO_RUN = "compile for nir, loihi1 or loihi2, and with --strict, so that the model is there and not on the host"


def _unasked(importer: str) -> bool:
    return importer not in NAMED_ONLY and not importer.startswith(MODEL)


NAMED_ONLY = frozenset(name for name, spec in read_table().items() if spec.named_only)
"""Frameworks that are used only where the user names them."""


def _importer_check(bundle: Bundle, name: str, *, named: bool) -> Check:
    """What another framework makes of the artifacts beside what this one does: bins, spikes, agreement, causes.

    One that is not installed is an error where it was named; one that refuses the graph fails then. Else it is left
    out, and why.
    """
    inputs = [
        rows_of(x, v.type, 0, IMPORTER_ROWS) for x, v in zip(bundle.golden[0], bundle.program.graph.inputs, strict=True)
    ]
    try:
        given = bundle.outputs(*inputs, importer=name)
    except (CheckError, MissingError, TargetError) as fault:
        if named and isinstance(fault, MissingError):
            raise
        text = "; ".join([d.message for d in fault.diagnostics] + [d.help for d in fault.diagnostics if d.help])
        notes = (*_modelled(bundle, name, inputs, bundle.outputs(*inputs)), *_known(bundle, name))
        wrong = named or isinstance(fault, CheckError)
        detail = text if wrong else f"{name}: left out, {text}"
        return Check(
            "importer", not wrong, 0, detail=detail, notes=notes, help=_written_for(bundle, name) if wrong else ""
        )
    ours = bundle.outputs(*inputs)
    check = compare("importer", given, ours, bundle)
    drift = "; ".join(map(_drift, given, ours))
    notes = (*_modelled(bundle, name, inputs, given), *_known(bundle, name)) if check.mismatches else ()
    help = _written_for(bundle, name)
    return replace(check, detail="; ".join(filter(None, [f"run by {name}", drift])), notes=notes, help=help)


def _written_for(bundle: Bundle, name: str) -> str:
    """The target that writes a graph for an importer, where the bundle is not for it."""
    target = f"nir:{name.removeprefix(MODEL)}"
    targets = [t["name"] for t in bundle.manifest["targets"]]
    return f"compile with --target {target}" if "nir" in targets and target not in targets else ""


def _known(bundle: Bundle, name: str) -> list[str]:
    """What an importer is known to do with the artifacts, a sentence each."""
    return [
        note
        for launch in bundle.launches()
        for note in bundle.backend_of(launch).importer_notes(bundle.artifact(launch.artifact), name)
    ]


def _modelled(bundle: Bundle, name: str, inputs: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> list[str]:
    """How far outputs are from those of a model of what is known of an importer; nothing where there is no model."""
    if not any(MODEL + name in bundle.backend_of(launch).importers for launch in bundle.launches()):
        return []
    try:
        given = bundle.outputs(*inputs, importer=MODEL + name)
    except TargetError as fault:
        return [fault.diagnostics[0].message]
    return [f"a model of what is known of {name}: {drift}" for drift in map(_drift, given, wanted)]


def _drift(given: np.ndarray, wanted: np.ndarray) -> str:
    """Bins that differ, spikes, and how often the same output spikes most, of outputs (steps, batch, neurons)."""
    text = f"{float((given != wanted).mean()):.2%} of the bins differ, {given.sum():g} spikes for {wanted.sum():g}"
    if wanted.ndim != 3 or wanted.shape[2] < 2:
        return text
    agreed = float((given.sum(axis=0).argmax(axis=1) == wanted.sum(axis=0).argmax(axis=1)).mean())
    return f"{text}, {agreed:.0%} of the inputs have the same most active output"


def _golden_check(bundle: Bundle, ours: Sequence[np.ndarray]) -> Check:
    check = compare("golden", ours, bundle.golden[1], bundle)
    if bundle.manifest["approximate"] and not bundle.manifest["max_error"] and not check.vacuous:
        return replace(check, passed=True, tolerance=0.0, detail="approximate passes ran: measured, not limited")
    return check


def _interpreted(bundle: Bundle, kind: str, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the interpreter makes of the source or the program."""
    from ..ir.interpreter import evaluate

    module = bundle.program if kind == "program" else bundle.source
    return [o.numpy() for o in evaluate(module, inputs, precision=bundle.default_precision)]


def _device_checks(bundle: Bundle, artifact: str) -> list[Check]:
    launch = bundle.launch_of(artifact)
    found = bundle.backend_of(launch).self_checks(bundle.artifact(artifact), launch, bundle.program)
    return [Check("device", not f.failures, f.cases, mismatches=f.failures, detail=f.detail) for f in found]


def compare(kind: str, given: Sequence[np.ndarray], wanted: Sequence[np.ndarray], bundle: Bundle) -> Check:
    """The check of given against wanted outputs, typed as the program's outputs.

    Bits drawn by samples are compared by how often they and the parities of pairs of them are 1, within
    `SAMPLED_DEVIATIONS` standard errors: no two simulators draw the same shots.
    """
    values = bundle.program.graph.outputs
    types = [v.type for v in values]
    exact = all(t.dtype in ("spike", "bit") for t in types)
    tolerance = bundle.manifest["max_error"] or TOLERANCE[bundle.default_precision]
    # Numbers as declared, of 24 bits, are rounded in proportion to their size.
    rounded = not bundle.manifest["max_error"] and bundle.default_precision is None
    drawn = sampled_values(bundle.program)
    error, limit, worst, mismatches, samples, vacuous, detail = 0.0, 0.0 if exact else tolerance, -1, 0, 0, True, ""
    for a, b, value in zip(given, wanted, values, strict=True):
        t, allowed = value.type, 0.0 if exact else tolerance
        if rounded and t.dtype.startswith("f"):
            allowed *= max(1.0, float(np.abs(b).max(initial=0.0)))
        if value.name in drawn:
            if t.dtype != "bit":
                detail = f"{value.name} is computed from shots: not compared"
                continue
            a, b, allowed = _in_deviations(a, b)
            detail = f"frequencies of bits, in standard errors; limit {SAMPLED_DEVIATIONS:g}"
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
        if difference.size == 0:
            continue
        per_input = difference.max(axis=tuple(i for i in range(difference.ndim) if i != _axis(t)))
        samples = len(per_input) if t.batched else 1
        mismatches += int((difference > allowed).sum())
        if worst < 0 or float(per_input.max()) * (limit or 1) > error * (allowed or 1):
            error, limit, worst = float(per_input.max()), allowed, int(per_input.argmax())
        vacuous &= samples > 1 and _constant(b, t)
    if vacuous and mismatches == 0:
        detail = "every input gives the same outputs" + (
            ", in which all is 0" if not any(b.any() for b in wanted) else ""
        )
    passed = mismatches == 0 and not vacuous and samples > 0
    return Check(kind, passed, samples, error, limit, worst, mismatches, vacuous and mismatches == 0, detail)


SAMPLED_DEVIATIONS = 6.0
"""Standard errors by which two frequencies of drawn bits may differ: one pair in 5e8 does by chance."""


def sampled_values(module: Module) -> set[str]:
    """Names of the values of the main graph that depend on drawn shots."""
    drawn: set[str] = set()
    for node in module.graph.nodes:
        held = [node.op, *(n.op for body in node.op.bodies for n in body.walk())]
        if any(op.draws for op in held) or any(v.name in drawn for v in node.operands):
            drawn |= {v.name for v in node.results}
    return drawn


def _in_deviations(given: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Frequencies of every bit and parity of two, (..., shots, k) -> (..., k + k(k-1)/2), in standard errors of their
    difference, and the largest difference that is allowed."""
    shots, width = given.shape[-2:]
    pairs = [(i, j) for i in range(width) for j in range(i)]
    frequencies = []
    for bits in (given.astype(bool), wanted.astype(bool)):
        parities = [bits[..., i] ^ bits[..., j] for i, j in pairs]
        frequencies.append(np.concatenate([bits, *(p[..., None] for p in parities)], axis=-1).mean(axis=-2))
    pooled = (frequencies[0] + frequencies[1]) / 2
    deviation = np.sqrt(np.maximum(pooled * (1 - pooled), 1 / shots) * 2 / shots)
    return frequencies[0] / deviation, frequencies[1] / deviation, SAMPLED_DEVIATIONS


def _axis(t: Type) -> int:
    return t.shape.index(DYNAMIC) if t.batched else 0


def _constant(array: np.ndarray, t: Type) -> bool:
    rows = np.moveaxis(array, _axis(t), 0)
    return bool((rows == rows[:1]).all())


def fresh_inputs(module: Module, golden: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """New inputs: bits at random, spikes as often as in the golden inputs, numbers uniform between the smallest and
    largest golden value of each feature."""
    rng = np.random.default_rng(seed)
    out: list[np.ndarray] = []
    for value, known in zip(module.graph.inputs, golden, strict=True):
        shape = tuple(FRESH_INPUTS if d == DYNAMIC else d for d in value.type.shape)
        if known.dtype == np.bool_:
            out.append(rng.random(shape) < 0.5)
            continue
        if is_sequence(value.type) and np.isin(known, (0, 1)).all():
            out.append((rng.random(shape) < known.mean()).astype(known.dtype))
            continue
        axis = _axis(value.type)
        low, high = known.min(axis=axis, keepdims=True), known.max(axis=axis, keepdims=True)
        if not value.type.batched:
            low, high = known.min(), known.max()
        out.append((low + (high - low) * rng.random(shape)).astype(known.dtype))
    return out
