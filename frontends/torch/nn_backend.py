"""A circuit layer run on a primitive: a batch is one PUB forward, and all its shifted circuits are one backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.providers import BackendV2
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from torch import Tensor
from torch.autograd.function import FunctionCtx

from ...bridges.devices import without_free_rzz
from ...bridges.primitives import (
    READOUT,
    Primitive,
    estimate,
    hardware_of,
    in_known_gates,
    observables_array,
    primitive_of,
    sample,
)
from ...bridges.qiskit import to_qiskit
from ...bridges.settings import PhysicalTerm, Setting, constants, group
from ...ir import Circuit, InputError
from ...ir.ops import Expectation, Probabilities, Samples
from .nn_shift import Shifts

Read = Expectation | Probabilities | Samples

NUMBERS = 1 << 24
"""About how many angles one gradient holds at a time."""

SEED = 0
"""Of the placement on a device."""


@dataclass
class Executions:
    """What a layer has run so far. executions: circuits on bound angles, settings counted apart."""

    pubs: int = 0
    executions: int = 0


class Runner:
    """Values and gradients of one readout of one circuit on a primitive.

    backend: "aer" (exact where no shots are asked for), or anything that `bridges.primitives.primitive_of` takes.
    shots: of every circuit; an estimator is asked for the precision 1/sqrt(shots). precision: the standard error that
    an estimator is asked for; its own default where neither is given.
    Raises InputError R0001 where the primitive cannot give the readout.
    """

    def __init__(
        self, circuit: Circuit, readout: Read, backend: Any, shots: int | None = None, precision: float | None = None
    ) -> None:
        self.readout = readout
        self.shots = shots
        self.precision = shots**-0.5 if precision is None and shots is not None else precision
        self.shifts = Shifts(circuit)
        self.counted = Executions()
        self.primitive = primitive_of(backend, estimates=isinstance(readout, Expectation))
        _check(circuit, readout, self.primitive)
        converted = to_qiskit(self.shifts.circuit)
        self._names = [parameter.name for parameter in converted.parameters]
        self._columns = [row[3][0][0] for row in converted.rows]
        terms = _terms(readout)
        self._constants = constants(terms)
        self._settings = group(terms)
        if isinstance(self.primitive, BaseEstimatorV2):
            (self._circuit,), self._layout = _fitted([converted.circuit], self.primitive)
            self._terms = [[(p, tuple(self._layout[q] for q in places), c) for p, places, c in o] for o in terms]
        else:
            self._circuits, _ = _fitted(_measured(converted.circuit, readout, self._settings), self.primitive)

    def __deepcopy__(self, memo: dict[int, Any]) -> Runner:
        """A device is not copied with the layer that uses it."""
        return self

    def values(self, variables: np.ndarray) -> np.ndarray:
        """(batch, variables) -> (batch, outputs), or bits (batch, shots, qubits) for samples."""
        angles = self.shifts.bind(variables)[:, None, :]
        if not isinstance(self.primitive, BaseEstimatorV2):
            return self._sampled(angles[:, 0])
        observables = observables_array(self._terms, self._circuit.num_qubits)
        return self._estimated(angles, observables) + self._constants

    def products(self, variables: np.ndarray, given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """The gradient of sum(given * values): given (batch, outputs) -> (batch, variables).

        wanted: which variables need it; the others get zero. For an estimator the outputs of a sample are one
        observable, weighted by `given`, so that every shifted circuit is executed once a measurement setting.
        """
        needed = self.shifts.needed(wanted)
        if not needed:
            return np.zeros_like(variables)
        angles = self.shifts.bind(variables)
        rows = max(1, NUMBERS // (len(needed) * max(len(self.shifts), 1)))
        parts = [
            self._weighted(self.shifts.shifted(angles[at : at + rows], needed), given[at : at + rows])
            for at in range(0, len(angles), rows)
        ]
        return self.shifts.gathered(np.concatenate(parts), needed)

    def _weighted(self, angles: np.ndarray, given: np.ndarray) -> np.ndarray:
        """sum_k given[b, k] * value k of the circuits with angles (batch, n, occurrences), as (batch, n)."""
        if isinstance(self.primitive, BaseEstimatorV2):
            return self._estimated(angles, self._joined(given))
        values = self._sampled(angles.reshape(-1, angles.shape[-1]))
        return np.einsum("bnk,bk->bn", values.reshape(*angles.shape[:2], -1), given)

    def _joined(self, given: np.ndarray) -> ObservablesArray:
        """One observable a sample, (batch, 1)."""
        sums: list[list[list[PhysicalTerm]]] = []
        for row in given.tolist():
            total: dict[tuple[str, tuple[int, ...]], float] = {}
            for weight, terms in zip(row, self._terms, strict=True):
                for letters, places, coeff in terms:
                    total[letters, places] = total.get((letters, places), 0.0) + weight * coeff
            sums.append([[(letters, places, coeff) for (letters, places), coeff in total.items()]])
        flat = observables_array([terms for (terms,) in sums], self._circuit.num_qubits)
        return flat.reshape(len(sums), 1)

    def _estimated(self, angles: np.ndarray, observables: ObservablesArray) -> np.ndarray:
        assert isinstance(self.primitive, BaseEstimatorV2)
        self._count(angles.shape[0] * angles.shape[1])
        values = angles[..., self._columns]
        return estimate(self.primitive, [self._circuit], self._names, values, observables, self.precision)[0][0]

    def _sampled(self, angles: np.ndarray) -> np.ndarray:
        """(rows, occurrences) -> (rows, outputs) or bits."""
        assert not isinstance(self.primitive, BaseEstimatorV2)
        self._count(len(angles))
        out: np.ndarray | None = None
        shots = self.readout.shots if isinstance(self.readout, Samples) else self.shots
        for k, rows, bits in sample(self.primitive, self._circuits, self._names, angles[:, self._columns], shots):
            part = self._read(k, bits)
            if out is None:
                out = np.zeros((len(angles), *part.shape[1:]), part.dtype)
            out[rows] += part
        if isinstance(self.readout, Expectation):
            return self._constants + (0.0 if out is None else out) + np.zeros((len(angles), 1))
        assert out is not None
        return out

    def _read(self, setting: int, bits: np.ndarray) -> np.ndarray:
        """What measured bits (rows, shots, bits) say of the outputs."""
        if isinstance(self.readout, Expectation):
            return self._settings[setting].values(bits).mean(axis=1)
        if isinstance(self.readout, Samples):
            return bits
        index = bits.astype(np.int64) @ (1 << np.arange(bits.shape[2]))
        counts = [np.bincount(row, minlength=1 << bits.shape[2]) for row in index]
        return np.stack(counts) / bits.shape[1]

    def _count(self, bindings: int) -> None:
        settings = max(1, len(self._settings)) if isinstance(self.readout, Expectation) else 1
        self.counted.pubs += 1 if isinstance(self.primitive, BaseEstimatorV2) else settings
        self.counted.executions += bindings * settings


def _check(circuit: Circuit, readout: Read, primitive: Primitive) -> None:
    if not isinstance(primitive, BaseEstimatorV2):
        return
    if not isinstance(readout, Expectation):
        raise InputError.of(
            "R0001", f"the {readout.mnemonic} of circuit {circuit.name} need a sampler, not an estimator"
        )
    if circuit.has_measurement:
        raise InputError.of(
            "R0001",
            f"circuit {circuit.name} measures inside, which estimators do not take",
            circuit.place,
            help="give a sampler",
        )


def _terms(readout: Read) -> list[list[PhysicalTerm]]:
    if not isinstance(readout, Expectation):
        return []
    return [
        [("".join(p for p, _ in term), tuple(q for _, q in term), coeff) for term, coeff in observable.terms]
        for observable in readout.observables
    ]


def _measured(circuit: QuantumCircuit, readout: Read, settings: Sequence[Setting]) -> list[QuantumCircuit]:
    """The circuits that a sampler runs: one a measurement setting."""
    if not isinstance(readout, Expectation):
        return [_with_readout(circuit, "Z" * len(readout.qubits), readout.qubits)]
    return [_with_readout(circuit, setting.letters, setting.qubits) for setting in settings]


def _with_readout(circuit: QuantumCircuit, letters: str, qubits: Sequence[int]) -> QuantumCircuit:
    out = circuit.copy()
    for letter, qubit in zip(letters, qubits, strict=True):
        if letter == "Y":
            out.sdg(qubit)
        if letter != "Z":
            out.h(qubit)
    bits = ClassicalRegister(len(qubits), READOUT)
    out.add_register(bits)
    out.measure(list(qubits), bits)
    return out


def _fitted(circuits: Sequence[QuantumCircuit], primitive: Primitive) -> tuple[list[QuantumCircuit], list[int]]:
    """The circuits in gates that the primitive's device has, and where each qubit of the first is in the end."""
    device = hardware_of(primitive)
    places = list(range(circuits[0].num_qubits)) if circuits else []
    if device is None:
        return [in_known_gates(circuit, primitive) for circuit in circuits], places
    made = [_placed(circuit, device) for circuit in circuits]
    if made and made[0].layout is not None:
        places = made[0].layout.final_index_layout(filter_ancillas=True)
    return made, places


def _placed(circuit: QuantumCircuit, device: BackendV2) -> QuantumCircuit:
    described: Any = device.target
    target = without_free_rzz(described, circuit)
    return generate_preset_pass_manager(1, target=target, seed_transpiler=SEED).run(circuit)


class _OnBackend(torch.autograd.Function):
    """(batch, variables) -> (batch, outputs) on a backend, with the gradient by parameter shift."""

    @staticmethod
    def forward(ctx: FunctionCtx, variables: Tensor, runner: Runner, wanted: Tensor) -> Tensor:
        ctx.save_for_backward(variables, wanted)
        ctx.runner = runner  # pyright: ignore[reportAttributeAccessIssue]
        return variables.new_tensor(runner.values(_numpy(variables)))

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        variables, wanted = ctx.saved_tensors
        found = ctx.runner.products(_numpy(variables), _numpy(given), wanted.numpy())
        return variables.new_tensor(found), None, None


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def run(runner: Runner, variables: Tensor, wanted: np.ndarray) -> Tensor:
    """The layer's outputs for angle variables (batch, variables); `wanted` says which of these need a gradient."""
    if isinstance(runner.readout, Samples):
        return torch.from_numpy(runner.values(_numpy(variables))).to(variables.device)
    found = _OnBackend.apply(variables, runner, torch.from_numpy(wanted))
    assert isinstance(found, Tensor)
    return found
