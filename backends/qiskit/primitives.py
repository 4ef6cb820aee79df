"""Handing an emitted circuit to a primitive of the user's own: a real device, or any other V2 estimator or sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, BitArray
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.quantum_info import SparsePauliOp

from ...bridges.settings import PhysicalTerm
from ...ir import InputError
from ..pub import Pub
from .backend import load
from .simulate import READOUT


def estimator_pub(
    files: Mapping[str, bytes], inputs: Sequence[np.ndarray], precision: float | None = None
) -> EstimatorPub:
    """One PUB for a whole batch: bindings (batch, 1) against the observables, so the values are (batch, observables).

    inputs: one array an angle input of the circuit, each of its shape or with a batch dimension first.
    """
    circuit, pub = load(files)
    observables = ObservablesArray([_operator(terms, circuit.num_qubits) for terms in pub.observables])
    return EstimatorPub(circuit, observables, _bindings(pub, inputs, (-1, 1)), precision)


def sampler_pub(files: Mapping[str, bytes], inputs: Sequence[np.ndarray], shots: int | None = None) -> SamplerPub:
    """One PUB for a whole batch; the bits come in the classical register `readout`."""
    circuit, pub = load(files)
    return SamplerPub(circuit, _bindings(pub, inputs, (-1,)), shots or pub.shots or None)


def submit(
    files: Mapping[str, bytes],
    inputs: Sequence[np.ndarray],
    primitive: BaseEstimatorV2 | BaseSamplerV2,
    *,
    precision: float | None = None,
    shots: int | None = None,
) -> np.ndarray:
    """Run one emission (`Emission.files`) for a batch of inputs on a V2 primitive, and wait for the result.

    Expectations need an estimator and give (batch, observables); probabilities and samples need a sampler and give
    (batch, 2^bits) or (batch, shots, bits). Unbatched inputs count as a batch of one. InputError R0001 where the
    inputs or the kind of primitive do not fit.
    """
    _, pub = load(files)
    variables, _ = pub.flatten(inputs)
    batch = len(variables)
    if isinstance(primitive, BaseEstimatorV2) != (pub.kind == "expectation"):
        wanted = "an estimator" if pub.kind == "expectation" else "a sampler"
        raise InputError.of(
            "R0001", f"the {pub.kind} of circuit {pub.circuit} needs {wanted}, got {type(primitive).__name__}"
        )
    if isinstance(primitive, BaseEstimatorV2):
        result = primitive.run([estimator_pub(files, inputs, precision)]).result()[0]
        return np.broadcast_to(np.asarray(result.data["evs"], np.float64), (batch, len(pub.observables)))
    result = primitive.run([sampler_pub(files, inputs, shots)]).result()[0]
    bits = _bits(result.data[READOUT], batch)
    if pub.kind == "samples":
        return bits
    index = bits.astype(np.int64) @ (1 << np.arange(bits.shape[2]))
    counts = np.stack([np.bincount(row, minlength=1 << bits.shape[2]) for row in index])
    return counts / bits.shape[1]


def _bits(measured: BitArray, batch: int) -> np.ndarray:
    bits = measured.to_bool_array(order="little")
    return np.broadcast_to(bits, (batch, *bits.shape[-2:]))


def _bindings(pub: Pub, inputs: Sequence[np.ndarray], shape: tuple[int, ...]) -> BindingsArray:
    if not pub.parameters:
        return BindingsArray()
    values = pub.bind(pub.flatten(inputs)[0])
    return BindingsArray({pub.parameters: values.reshape(*shape, len(pub.parameters))})


def _operator(terms: Sequence[PhysicalTerm], qubits: int) -> SparsePauliOp:
    return SparsePauliOp.from_sparse_list([(letters, list(places), c) for letters, places, c in terms], qubits)
