"""Primitives of the user's own: what may be handed over, and one circuit with many bindings run on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, BaseEstimatorV2, BaseSamplerV2, BitArray
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import BackendV2
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager

from ..ir import InputError
from ..ir.diagnostics import user_line
from .extras import need
from .settings import PhysicalTerm

Primitive: TypeAlias = BaseEstimatorV2 | BaseSamplerV2

READOUT = "readout"
"""Name of the classical register that holds the bits that are read after a circuit."""

MOST_BINDINGS = 4096
"""Most bindings in one PUB; a larger batch becomes several PUBs of one job."""

MOST_EXECUTIONS = 10_000_000
"""Most bindings times shots in one job, the limit of IBM's service for samplers; beyond it there are several jobs."""

MOST_BITS = 1 << 22
"""About how many measured bits are unpacked at a time."""

USUAL_SHOTS = 4096
"""The number of shots that a sampler is taken to draw where none is asked for, when jobs are parted."""


def primitive_of(backend: Any, device: str = "", *, estimates: bool = False) -> Primitive:
    """The primitive to run on: an estimator or sampler as it is, else a sampler on what was given.

    backend: "aer", which is an estimator where the circuit is read by one (`estimates`), a V2 primitive, a BackendV2,
    or a session, batch or service of qiskit-ibm-runtime; of a service the backend `device` is taken, where
    `fake_torino` means `ibm_torino` too. Jobs are made with the given object alone.
    InputError R0001 for anything else.
    """
    if isinstance(backend, BaseEstimatorV2 | BaseSamplerV2):
        return backend
    if is_aer(backend):
        return aer_primitive(estimates)
    if _is_runtime(backend, ("Session", "Batch", "IBMBackend")):
        from qiskit_ibm_runtime import SamplerV2

        return SamplerV2(mode=backend)
    if isinstance(backend, BackendV2):
        return BackendSamplerV2(backend=backend)
    if callable(getattr(backend, "backends", None)) and callable(getattr(backend, "backend", None)):
        return primitive_of(_of_service(backend, device))
    what = repr(backend) if isinstance(backend, str) else f"an object of type {type(backend).__name__}"
    raise InputError.of(
        "R0001",
        f"{what} is nothing to run circuits on",
        user_line(),
        help='give "aer", a V2 estimator or sampler, a Qiskit BackendV2, or a service, session or batch of '
        "qiskit-ibm-runtime",
    )


def is_aer(backend: Any) -> bool:
    """Whether Aer's own primitives are asked for, by name."""
    return isinstance(backend, str) and backend == "aer"


def aer_primitive(estimates: bool, seed: int | None = None) -> Primitive:
    """Aer's estimator, exact where it is asked for no precision, or its sampler. MissingError without Aer."""
    need("qiskit_aer", "qiskit")
    from qiskit_aer.primitives import EstimatorV2, SamplerV2

    # Aer's truncation of qubits that it takes for unneeded gives wrong expectation values (Aer 0.18.2).
    options = {"backend_options": {"enable_truncation": False}}
    return EstimatorV2(options=options) if estimates else SamplerV2(seed=seed)


def in_known_gates(circuit: QuantumCircuit, primitive: Primitive) -> QuantumCircuit:
    """The circuit in gates that the simulator behind a primitive has; as it is where it has them, or is not known."""
    simulator = getattr(primitive, "_backend", None)
    if not isinstance(simulator, BackendV2) or set(circuit.count_ops()) <= set(simulator.operation_names):
        return circuit
    gates = sorted(set(simulator.operation_names) & {"rz", "ry", "rx", "h", "cx", "cz", "p", "measure", "reset"})
    return generate_preset_pass_manager(0, basis_gates=gates).run(circuit)


def _is_runtime(thing: Any, names: Sequence[str]) -> bool:
    """Whether it is of one of these classes of qiskit-ibm-runtime, which is imported if it is."""
    runtime = sys.modules.get("qiskit_ibm_runtime")
    return runtime is not None and isinstance(thing, tuple(getattr(runtime, name) for name in names))


def _of_service(service: Any, device: str) -> Any:
    known = [found.name for found in service.backends()]
    for name in (device, device.replace("fake_", "ibm_", 1)):
        if name in known:
            return service.backend(name)
    raise InputError.of(
        "R0001",
        f"the service has no backend {device or '(none was named)'}",
        help=f"give one of its backends instead of the service: {', '.join(sorted(known)[:8])}",
    )


def hardware_of(primitive: Primitive) -> BackendV2 | None:
    """The device behind a primitive, with couplings that circuits have to respect; None for a plain simulator."""
    for name in ("backend", "_backend"):
        found = getattr(primitive, name, None)
        found = found() if callable(found) else found
        if isinstance(found, BackendV2):
            return None if found.coupling_map is None else found
    return None


# Estimators


def observables_array(observables: Sequence[Sequence[PhysicalTerm]], qubits: int) -> ObservablesArray:
    """Observables without their identity part, which needs no measurement; an empty one as 0 * Z."""
    made = np.empty(len(observables), dtype=object)
    for k, terms in enumerate(observables):
        kept = [(letters, list(places), c) for letters, places, c in terms if letters and c]
        made[k] = SparseObservable.from_sparse_list(kept or [("Z", [0], 0.0)], qubits)
    # Not validated, which would refuse a sum that is zero.
    return ObservablesArray(made, num_qubits=qubits, validate=False)


def estimator_pubs(
    circuit: QuantumCircuit,
    names: Sequence[str],
    values: np.ndarray,
    observables: ObservablesArray,
    precision: float | None,
) -> list[EstimatorPub]:
    """The fewest PUBs for a batch of bindings (rows, n, parameters).

    observables: of shape (k,), the same for every row, or (rows, k); n and k are broadcast against each other.
    """
    used = _used(circuit, names)
    if not used:
        return [EstimatorPub(circuit, observables, BindingsArray(), precision)]
    each = observables.ndim == 2
    return [
        EstimatorPub(
            circuit,
            observables[part] if each else observables,
            BindingsArray({tuple(names[k] for k in used): values[part][..., used]}),
            precision,
        )
        for part in _parts(len(values), max(1, MOST_BINDINGS // values.shape[1]))
    ]


def estimate(
    primitive: BaseEstimatorV2,
    circuits: Sequence[QuantumCircuit],
    names: Sequence[str],
    values: np.ndarray,
    observables: ObservablesArray,
    precision: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(values, standard errors) of every circuit, each (circuits, rows, max(n, k)), from one job.

    Bindings (rows, n, parameters) and observables as `estimator_pubs` takes them.
    """
    pubs = [estimator_pubs(circuit, names, values, observables, precision) for circuit in circuits]
    results: Any = iter(primitive.run([pub for group in pubs for pub in group]).result())
    wide = (len(values), max(values.shape[1], observables.shape[-1]))
    found = np.zeros((2, len(circuits), *wide))
    for k, group in enumerate(pubs):
        data = [next(results).data for _ in group]
        for at, key in enumerate(("evs", "stds")):
            found[at, k] = np.concatenate([np.atleast_2d(np.asarray(d[key], np.float64)) for d in data])
    return found[0], found[1]


# Samplers


def sample(
    primitive: BaseSamplerV2,
    circuits: Sequence[QuantumCircuit],
    names: Sequence[str],
    values: np.ndarray,
    shots: int | None = None,
) -> Iterator[tuple[int, slice, np.ndarray]]:
    """(circuit number, rows, bits) for every circuit and consecutive rows of the batch of bindings (rows, parameters).

    bits: (rows, shots, bits) of the register `readout`, bit i in column i. All PUBs are in one job where it takes
    them. A circuit without parameters is drawn once, and counts for every row.
    """
    room = max(1, MOST_EXECUTIONS // (shots or USUAL_SHOTS))
    pending: list[tuple[int, slice, SamplerPub]] = []
    taken = 0
    for k, circuit in enumerate(circuits):
        used = _used(circuit, names)
        for part in _parts(len(values) if used else 1, min(MOST_BINDINGS, room)):
            if taken + part.stop - part.start > room:
                yield from _sampled(primitive, pending)
                pending, taken = [], 0
            bindings = BindingsArray({tuple(names[c] for c in used): values[part][:, used]} if used else None)
            rows = part if used else slice(0, len(values))
            pending.append((k, rows, SamplerPub(circuit, bindings, shots)))
            taken += part.stop - part.start
    yield from _sampled(primitive, pending)


def _sampled(
    primitive: BaseSamplerV2, pending: Sequence[tuple[int, slice, SamplerPub]]
) -> Iterator[tuple[int, slice, np.ndarray]]:
    """One job."""
    results: Any = primitive.run([pub for _, _, pub in pending]).result() if pending else []
    for (k, rows, _), result in zip(pending, results, strict=True):
        measured: BitArray = result.data[READOUT]
        if not measured.shape:
            bits = measured.to_bool_array(order="little")
            yield k, rows, np.broadcast_to(bits, (rows.stop - rows.start, *bits.shape))
            continue
        step = max(1, MOST_BITS // max(1, measured.num_shots * measured.num_bits))
        for part in _parts(rows.stop - rows.start, step):
            found = slice(rows.start + part.start, rows.start + part.stop)
            yield k, found, measured[part].to_bool_array(order="little")


def _used(circuit: QuantumCircuit, names: Sequence[str]) -> list[int]:
    """The numbers of the parameters that the circuit still has."""
    known = {parameter.name for parameter in circuit.parameters}
    return [k for k, name in enumerate(names) if name in known]


def _parts(count: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, count)) for at in range(0, count, max(size, 1))]
