"""Running an emission on something of the user's own: a real device, or any other V2 estimator or sampler."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from qiskit import qpy
from qiskit.circuit import QuantumCircuit, QuantumRegister
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.providers import BackendV2

from ...bridges.primitives import (
    aer_primitive,
    estimate,
    estimator_pubs,
    hardware_of,
    in_known_gates,
    is_aer,
    observables_array,
    primitive_of,
    sample,
)
from ...bridges.settings import BitValues, PhysicalTerm, Setting, constants, group, undone_readout
from ...ir import InputError, TargetError
from ..pub import Pub
from . import routing
from .census import SILENT
from .compact import native_basis_change, with_measurement
from .simulate import BIT_EXPECTATION, READOUT, Facts

VARIANTS_FILE = "variants.qpy"
"""The circuits of a mitigated readout, scale by scale and within it twirl by twirl."""


def load(files: Mapping[str, bytes]) -> tuple[QuantumCircuit, Pub]:
    """The emitted circuit and what belongs to it, from the files of an emission; not to be changed."""
    return _load(files["circuit.qpy"], files["pub.json"])


@lru_cache(maxsize=8)
def _load(circuit: bytes, pub: bytes) -> tuple[QuantumCircuit, Pub]:
    return qpy.load(io.BytesIO(circuit))[0], Pub.from_bytes(pub)


def load_variants(files: Mapping[str, bytes]) -> list[QuantumCircuit]:
    """The circuits that a run executes: those of a mitigated readout, else the emitted one."""
    return list(qpy.load(io.BytesIO(files[VARIANTS_FILE if VARIANTS_FILE in files else "circuit.qpy"])))


@dataclass(frozen=True)
class Answer:
    """values: (batch, observables) or (batch, scales, observables) of expectations, (batch, 2^bits) of probabilities,
    bits (batch, shots, bits) of samples. facts: with standard errors of the same shape, except for samples."""

    values: np.ndarray
    facts: Facts


def estimator_pub(
    files: Mapping[str, bytes], inputs: Sequence[np.ndarray], precision: float | None = None
) -> EstimatorPub:
    """One PUB for a whole batch: bindings (batch, 1) against the observables, so the values are (batch, observables).

    inputs: one array an angle input of the circuit, each of its shape or with a batch dimension first. The observables
    are without their identity part.
    """
    circuit, pub = load(files)
    values = pub.bind(pub.flatten(inputs)[0])[:, None, :]
    observables = observables_array(pub.observables, circuit.num_qubits)
    return estimator_pubs(circuit, pub.parameters, values, observables, precision)[0]


def submit(
    files: Mapping[str, bytes],
    inputs: Sequence[np.ndarray],
    backend: Any,
    *,
    precision: float | None = None,
    shots: int | None = None,
) -> np.ndarray:
    """The values of `run`, for one emission (`Emission.files`) and a batch of inputs."""
    pub = load(files)[1]
    return run(files, pub.flatten(inputs)[0], backend, precision=precision, shots=shots).values


def run(
    files: Mapping[str, bytes],
    variables: np.ndarray,
    backend: Any,
    *,
    precision: float | None = None,
    shots: int | None = None,
    seed: int | None = None,
) -> Answer:
    """Run one emission for a batch of angle variables (batch, variables), and wait for the result.

    backend: see `bridges.primitives.primitive_of`; "aer" is an estimator for exact expectations and a sampler for all
    else, with that seed. An estimator gives expectations, a sampler everything: expectations
    by one circuit a measurement setting. precision: the standard error that an estimator is asked for, 1/sqrt(shots)
    where left out. shots: of every circuit; the primitive's own default where left out.
    InputError R0001 where the kind of primitive does not fit; TargetError T0003 where its device cannot run the
    circuit.
    """
    circuits, pub = load_variants(files), load(files)[1]
    if is_aer(backend):
        shots = shots if precision is None else ceil(precision**-2)
        exact = pub.kind == "expectation" and not pub.correct_readout and shots is None
        primitive = aer_primitive(exact, seed)
    else:
        primitive = primitive_of(backend, pub.device)
    placed = _Placed.on(hardware_of(primitive), circuits, pub)
    if is_aer(backend):
        placed = replace(placed, circuits=[in_known_gates(c, primitive) for c in placed.circuits])
    values = pub.bind(variables)
    if isinstance(primitive, BaseEstimatorV2):
        _check_estimator(primitive, pub)
        wanted = shots**-0.5 if precision is None and shots is not None else precision
        return _estimated(primitive, placed, pub, values, wanted)
    if pub.kind == "expectation":
        return _read_by_settings(primitive, placed, pub, values, shots)
    return _sampled(primitive, placed, pub, values, shots)


@dataclass(frozen=True)
class _Placed:
    """Circuits as the device of a primitive has them, and where it has each physical qubit of the emission."""

    circuits: list[QuantumCircuit]
    position: Mapping[int, int]

    @classmethod
    def on(cls, device: BackendV2 | None, circuits: Sequence[QuantumCircuit], pub: Pub) -> _Placed:
        if device is not None:
            _check_legal(circuits, device, pub)
            return cls(list(circuits), {q: q for q in range(circuits[0].num_qubits)})
        read = {q for terms in pub.observables for _, places, _ in terms for q in places if pub.kind == "expectation"}
        qubits = sorted({*read, *pub.measured, *(q for c in circuits for q in routing.active_qubits(c))}) or [0]
        return cls([_narrowed(c, qubits) for c in circuits], {q: k for k, q in enumerate(qubits)})


def _narrowed(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The circuit on some of its qubits, the others being idle; without delays, which no simulator needs."""
    out = QuantumCircuit(QuantumRegister(len(qubits), "q"), *circuit.cregs)
    place = {q: k for k, q in enumerate(qubits)}
    for step in circuit.data:
        if step.name not in SILENT:
            out.append(step.operation, [place[circuit.find_bit(q).index] for q in step.qubits], step.clbits)
    return out


def _check_legal(circuits: Sequence[QuantumCircuit], device: BackendV2, pub: Pub) -> None:
    described: Any = device.target
    if circuits[0].num_qubits > described.num_qubits or not all(routing.legal(c, described) for c in circuits):
        raise TargetError.of(
            "T0003",
            f"circuit {pub.circuit} was compiled for {pub.device}, and {device.name} cannot run it as it is",
            help=f"compile for {device.name}, or run on {pub.device}",
        )


def _check_estimator(primitive: BaseEstimatorV2, pub: Pub) -> None:
    if pub.kind != "expectation":
        raise InputError.of(
            "R0001", f"the {pub.kind} of circuit {pub.circuit} needs a sampler, got {type(primitive).__name__}"
        )
    if pub.correct_readout:
        raise InputError.of(
            "R0001",
            f"the readout of circuit {pub.circuit} is corrected from measured bits, which estimators do not give",
            help="give a sampler or a backend",
        )


# Expectations


def _estimated(
    primitive: BaseEstimatorV2, placed: _Placed, pub: Pub, values: np.ndarray, precision: float | None
) -> Answer:
    terms = [_moved(observable, placed.position) for observable in pub.observables]
    observables = observables_array(terms, placed.circuits[0].num_qubits)
    means, errors = estimate(primitive, placed.circuits, pub.parameters, values[:, None, :], observables, precision)
    settings = len(group(terms))
    facts = Facts(executions=settings * len(values) * len(placed.circuits), settings=settings, method="estimator")
    return _by_scale(means + constants(terms), errors, pub, facts)


def _moved(terms: Sequence[PhysicalTerm], position: Mapping[int, int]) -> list[PhysicalTerm]:
    return [(letters, tuple(position[q] for q in places), coeff) for letters, places, coeff in terms]


def _by_scale(means: np.ndarray, errors: np.ndarray, pub: Pub, facts: Facts) -> Answer:
    """(variants, batch, observables) averaged over twirls; the scales become the second dimension."""
    copies = max(1, pub.twirls)
    grouped = means.reshape(-1, copies, *means.shape[1:]).mean(axis=1)
    spread = np.sqrt((errors.reshape(-1, copies, *errors.shape[1:]) ** 2).sum(axis=1)) / copies
    if pub.scales:
        facts.standard_errors = [spread.swapaxes(0, 1)]
        return Answer(grouped.swapaxes(0, 1), facts)
    facts.standard_errors = [spread[0]]
    return Answer(grouped[0], facts)


def _read_by_settings(
    primitive: BaseSamplerV2, placed: _Placed, pub: Pub, values: np.ndarray, shots: int | None
) -> Answer:
    settings = group(pub.observables)
    circuits = [_with_setting(c, s, placed, pub) for c in placed.circuits for s in settings]
    extra = _calibrating(settings, placed, pub) if pub.correct_readout else []
    corrected = _measured_readout(primitive, extra, settings, shots) if extra else {}
    means = np.zeros((len(placed.circuits), len(values), len(pub.observables)))
    means += constants(pub.observables)
    variance, drawn = np.zeros_like(means), shots or 0
    for k, rows, bits in sample(primitive, circuits, pub.parameters, values, shots):
        variant, number = divmod(k, len(settings))
        setting = settings[number]
        readout = [corrected[q] for q in setting.qubits] if corrected else None
        seen = setting.values(bits, readout)
        means[variant, rows] += seen.mean(axis=1)
        drawn = bits.shape[1]
        variance[variant, rows] += seen.var(axis=1) / max(drawn - 1, 1)
    facts = Facts(
        executions=len(circuits) * len(values) + len(extra),
        shots=(len(circuits) * len(values) + len(extra)) * drawn,
        settings=len(settings),
        method="sampler",
    )
    return _by_scale(means, np.sqrt(variance), pub, facts)


def _with_setting(circuit: QuantumCircuit, setting: Setting, placed: _Placed, pub: Pub) -> QuantumCircuit:
    places = [placed.position[q] for q in setting.qubits]
    out = circuit.copy()
    out.compose(native_basis_change(setting.letters, pub.native), places, inplace=True)
    return with_measurement(out, places, READOUT)


def _read_qubits(settings: Sequence[Setting]) -> list[int]:
    return sorted({q for setting in settings for q in setting.qubits})


def _calibrating(settings: Sequence[Setting], placed: _Placed, pub: Pub) -> list[QuantumCircuit]:
    """Two circuits that read every qubit in use as 0, and as 1."""
    places = [placed.position[q] for q in _read_qubits(settings)]
    low = placed.circuits[0].copy_empty_like()
    high = low.copy()
    for place in places:
        high.x(place)
    return [with_measurement(c, places, READOUT) for c in (low, high)] if places else []


def _measured_readout(
    primitive: BaseSamplerV2, circuits: Sequence[QuantumCircuit], settings: Sequence[Setting], shots: int | None
) -> dict[int, BitValues]:
    """Physical qubit -> what its bits count, from the circuits of `_calibrating`."""
    ones = {k: bits[0].mean(axis=0) for k, _, bits in sample(primitive, circuits, (), np.zeros((1, 0)), shots)}
    rates = zip(_read_qubits(settings), ones[0].tolist(), ones[1].tolist(), strict=True)
    return {q: undone_readout(low, 1.0 - high) for q, low, high in rates}


# Probabilities, samples, classical bits


def _sampled(primitive: BaseSamplerV2, placed: _Placed, pub: Pub, values: np.ndarray, shots: int | None) -> Answer:
    shots = pub.shots if pub.kind == "samples" else shots
    parts, errors, drawn = [np.zeros((0, 0))], [np.zeros((0, 0))], 1
    for _, _, bits in sample(primitive, placed.circuits, pub.parameters, values, shots):
        drawn = bits.shape[1]
        if pub.kind == "samples":
            parts.append(bits)
            continue
        means, variances = _bit_means(bits, pub) if pub.kind == BIT_EXPECTATION else _frequencies(bits)
        parts.append(means)
        errors.append(np.sqrt(variances / max(drawn - 1, 1)))
    facts = Facts(executions=len(values), shots=len(values) * drawn, method="sampler")
    facts.standard_errors = [np.concatenate(errors[1:])] if errors[1:] else []
    return Answer(np.concatenate(parts[1:]), facts)


def _frequencies(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, variance) of every outcome: bits (rows, shots, n) -> (rows, 2^n) each."""
    index = bits.astype(np.int64) @ (1 << np.arange(bits.shape[2]))
    shares = np.stack([np.bincount(row, minlength=1 << bits.shape[2]) for row in index]) / bits.shape[1]
    return shares, shares * (1.0 - shares)


def _bit_means(bits: np.ndarray, pub: Pub) -> tuple[np.ndarray, np.ndarray]:
    """(mean, variance) of every observable on classical bits: bits (rows, shots, n) -> (rows, observables) each."""
    seen = np.zeros((*bits.shape[:2], len(pub.observables))) + constants(pub.observables)
    for setting in group(pub.observables):
        seen += setting.values(bits[..., list(setting.qubits)])
    return seen.mean(axis=1), seen.var(axis=1)
