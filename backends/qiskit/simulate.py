"""Running an emitted circuit with Aer: exact values, shots, and the device's own noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from zlib import crc32

import numpy as np
from qiskit.circuit import ClassicalRegister, Clbit, Measure, QuantumCircuit
from qiskit.quantum_info import Pauli
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue, SaveProbabilities
from qiskit_aer.noise import NoiseModel

from ...bridges.primitives import READOUT
from ...bridges.settings import Setting, constants, flip_readout, group, outcome_bits, undone_readout
from ...ir import InputError, TargetError
from ..base import RunOptions
from ..pub import Pub
from .census import steps
from .compact import compact, defer, is_dynamic, native_basis_change, with_measurement, without_measurement
from .noise import noise_model

STATEVECTOR_QUBITS = 24
"""Up to this many simulated qubits a state is kept as a vector, beyond it as a matrix product."""

DENSITY_QUBITS = 12
"""Up to this many simulated qubits noise is computed exactly, on a density matrix of 4^n numbers. Fewer shots than 2^n
are cheaper as sampled trajectories."""

SMALL_QUBITS = 8
"""Up to this many simulated qubits the density matrix is the cheaper one for any number of shots."""

TABLE_BITS = 14
"""Up to this many measured bits all outcome probabilities are computed, beyond it outcomes are sampled."""

BATCH_NUMBERS = 1 << 22
"""About how many amplitudes or probabilities one call of the simulator may return."""

MOST_TOGETHER = 64
"""Most numbers of one row whose covariances are kept."""

_NONE = np.zeros(0)

BIT_EXPECTATION = "bit_expectation"
"""The kind of an emitted readout whose observables are of the bits of the readout register."""


@dataclass
class Facts:
    """What a run cost. executions: circuits executed on bound angles, settings counted apart."""

    executions: int = 0
    shots: int = 0
    settings: int = 1
    simulated_qubits: int = 0
    method: str = ""
    standard_errors: list[np.ndarray] = field(default_factory=list)
    covariances: list[np.ndarray] = field(default_factory=list)
    """Of the means of one row, (batch, numbers, numbers); empty where that is not known."""


@dataclass(frozen=True)
class Outcomes:
    """Measured rows of bits with their relative frequencies: bits (rows, bits), weights (batch, rows)."""

    bits: np.ndarray
    weights: np.ndarray


class Runner:
    """One emitted circuit with one batch of parameter values, run as the options say."""

    def __init__(self, circuit: QuantumCircuit, pub: Pub, values: np.ndarray, options: RunOptions) -> None:
        self.in_bits = pub.kind == BIT_EXPECTATION
        read = {q for terms in pub.observables for _, qubits, _ in terms for q in qubits if not self.in_bits}
        read |= set(pub.measured)
        self.pub = pub
        self.options = options
        self.compact = compact(circuit, pub.parameters, sorted(read))
        self.values = self.compact.expressions.evaluate(values)
        self.facts = Facts(simulated_qubits=self.compact.circuit.num_qubits)
        self.seeds = np.random.SeedSequence([options.seed, crc32(np.ascontiguousarray(values).tobytes())])
        # Where nothing is left to run or to read, there is no noise either.
        if options.noise and not pub.calibration and (read or self.compact.circuit.data):
            raise InputError.of(
                "O0002",
                f"{pub.device} has no calibration, so there is no noise to simulate",
                help="compile for a device snapshot such as fake_torino, or run without --noise",
            )

    # The three readouts

    def expectations(self) -> np.ndarray:
        """Every observable for every sample, (batch, observables); shots and noise as the options say."""
        exact = self.options.shots is None and not self.options.noise
        return self._exact_expectations() if exact else self._measured_expectations()

    def probabilities(self) -> np.ndarray:
        """Outcome probabilities or frequencies of the measured bits, (batch, 2^bits)."""
        count = len(self.pub.measured)
        self._count(1)
        tables: list[np.ndarray] = []
        for outcomes in self._outcomes(None, self.options.shots):
            table = np.zeros((len(outcomes.weights), 1 << count))
            index = outcomes.bits.astype(np.int64) @ (1 << np.arange(count))
            for row, weights in zip(table, outcomes.weights, strict=True):
                np.add.at(row, index, weights)
            tables.append(table)
        out = np.concatenate(tables)
        if self.options.shots:
            self.facts.standard_errors = [np.sqrt(out * (1.0 - out) / self.options.shots)]
            if out.shape[1] <= MOST_TOGETHER:
                products = np.einsum("bn,bm->bnm", out, out)
                self.facts.covariances = [(np.eye(out.shape[1]) * out[:, None] - products) / self.options.shots]
        return out

    def samples(self, shots: int) -> np.ndarray:
        """Measured bits in a random order, (batch, shots, bits)."""
        self._count(1, shots)
        shuffle = np.random.default_rng(self.seeds.spawn(1)[0])
        rows: list[np.ndarray] = []
        for outcomes in self._outcomes(None, shots):
            for weights in outcomes.weights:
                counts = np.rint(weights * shots).astype(np.int64)
                rows.append(shuffle.permutation(np.repeat(outcomes.bits, counts, axis=0)))
        return np.stack(rows)

    # Expectations

    def _exact_expectations(self) -> np.ndarray:
        observables = self.pub.observables
        terms = list(dict.fromkeys((letters, qubits) for o in observables for letters, qubits, _ in o if letters))
        weights = np.zeros((len(terms), len(observables)))
        for k, observable in enumerate(observables):
            for letters, qubits, coeff in observable:
                if letters:
                    weights[terms.index((letters, qubits)), k] += coeff
        circuit, held = self._unitary(self.compact.circuit, dephase=not self.in_bits)
        place = self.compact.position
        if self.in_bits:
            place = {k: held[bit] for k, bit in enumerate(_readout_register(self.compact.circuit))}
        for k, (letters, qubits) in enumerate(terms):
            save = SaveExpectationValue(Pauli(letters[::-1]), label=f"t{k}")
            circuit.append(save, [place[q] for q in qubits])
        self._count(1)
        if not terms:
            return np.repeat(constants(observables)[None], len(self.values), axis=0)
        method = "statevector" if circuit.num_qubits <= STATEVECTOR_QUBITS else "matrix_product_state"
        rows = [[data[f"t{k}"] for k in range(len(terms))] for data in self._run(circuit, method, len(terms))]
        return constants(observables) + np.array(rows) @ weights

    def _measured_expectations(self) -> np.ndarray:
        settings = group(self.pub.observables)
        self._count(len(settings))
        total = np.repeat(constants(self.pub.observables)[None], len(self.values), axis=0)
        count = total.shape[1]
        together = bool(self.options.shots) and count <= MOST_TOGETHER
        variance, covariance = np.zeros_like(total), np.zeros((len(total), count, count) if together else 0)
        for setting in settings:
            parts = list(self._moments(setting, together))
            mean, squares, products = (np.concatenate(column) for column in zip(*parts, strict=True))
            total += mean
            variance += np.maximum(squares - mean**2, 0.0)
            if together:
                covariance += products - np.einsum("bn,bm->bnm", mean, mean)
        if self.options.shots:
            self.facts.standard_errors = [np.sqrt(variance / max(self.options.shots - 1, 1))]
            self.facts.covariances = [covariance / max(self.options.shots - 1, 1)] if together else []
        return total

    def _moments(self, setting: Setting, together: bool) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Means, means of squares, and where they are wanted of products of two, for consecutive parts of the batch."""
        readout = None
        if self.pub.correct_readout and self.options.noise:
            errors = [self.pub.calibration.readout_error(q) for q in setting.qubits]
            readout = [undone_readout(error, error) for error in errors]
        for outcomes in self._outcomes(None if self.in_bits else setting, self.options.shots):
            bits = outcomes.bits[:, list(setting.qubits)] if self.in_bits else outcomes.bits
            values = setting.values(bits, readout)
            products = (
                np.einsum("bo,on,om->bnm", outcomes.weights, values, values, optimize=True) if together else _NONE
            )
            yield outcomes.weights @ values, outcomes.weights @ values**2, products

    # Outcomes

    def _outcomes(self, setting: Setting | None, shots: int | None) -> Iterator[Outcomes]:
        """Outcomes of a setting, or of the circuit's own readout register, for consecutive parts of the batch.

        Without shots the weights are probabilities, else frequencies in `shots` draws.
        """
        noise = self.options.noise
        circuit = self._with_basis(setting) if setting else self.compact.circuit
        physical = setting.qubits if setting else self.pub.measured
        limit = DENSITY_QUBITS if noise else STATEVECTOR_QUBITS
        if noise and shots is not None:
            limit = min(limit, max(SMALL_QUBITS, shots.bit_length() - 1))
        prepared = self._readable(circuit, setting)
        if prepared and prepared[0].num_qubits <= limit and len(physical) <= TABLE_BITS:
            yield from self._tables(*prepared, physical, shots)
        elif shots is not None:
            yield from self._sampled(circuit, setting, shots)
        else:
            size = f"{prepared[0].num_qubits} qubits" if prepared else "a mid-circuit measurement"
            raise TargetError.of(
                "R0005",
                f"circuit {self.pub.circuit} has {size} and reads {len(physical)} bits; exact "
                f"{'noisy ' if noise else ''}outcomes are computed for at most {limit} qubits and {TABLE_BITS} bits"
                + (", without mid-circuit measurement" if noise else ""),
                help="run with a number of shots",
            )

    def _readable(self, circuit: QuantumCircuit, setting: Setting | None) -> tuple[QuantumCircuit, list[int]] | None:
        """A circuit without measurement whose qubits, in this order, hold the bits in the end; None where noise and
        mid-circuit measurement meet, which only sampling can tell."""
        place = self.compact.position
        if self.options.noise:
            if is_dynamic(circuit, measured_later=setting is not None):
                return None
            physical = setting.qubits if setting else self.pub.measured
            return without_measurement(circuit), [place[q] for q in physical]
        deferred, held = self._unitary(circuit, dephase=setting is not None)
        if setting:
            return deferred, [place[q] for q in setting.qubits]
        return deferred, [held[bit] for bit in _readout_register(circuit)]

    def _tables(
        self, circuit: QuantumCircuit, qubits: list[int], physical: Sequence[int], shots: int | None
    ) -> Iterator[Outcomes]:
        circuit.append(SaveProbabilities(len(qubits), label="p"), qubits)
        bits = outcome_bits(len(qubits))
        rng = np.random.default_rng(self.seeds.spawn(1)[0])
        noise = self.options.noise
        rows = self._run(circuit, "density_matrix" if noise else "statevector", len(bits))
        for probabilities in _stacked((data["p"] for data in rows), max(1, BATCH_NUMBERS // len(bits))):
            weights = np.clip(probabilities, 0.0, None)
            if noise:
                weights = flip_readout(weights, [self.pub.calibration.readout_error(q) for q in physical])
            weights /= weights.sum(axis=1, keepdims=True)
            yield Outcomes(bits, weights if shots is None else rng.multinomial(shots, weights) / shots)

    def _sampled(self, circuit: QuantumCircuit, setting: Setting | None, shots: int) -> Iterator[Outcomes]:
        place = self.compact.position
        if setting:
            circuit = with_measurement(circuit, [place[q] for q in setting.qubits], READOUT)
        where = [circuit.find_bit(bit).index for bit in _readout_register(circuit)]
        seed = int(np.random.default_rng(self.seeds.spawn(1)[0]).integers(2**31))
        method = "statevector" if circuit.num_qubits <= STATEVECTOR_QUBITS else "matrix_product_state"
        for data in self._run(circuit, method, shots, shots=shots, seed_simulator=seed):
            counts = {int(key, 16): count for key, count in data["counts"].items()}
            bits = np.array([[key >> at & 1 for at in where] for key in counts], np.bool_)
            yield Outcomes(bits.reshape(len(counts), len(where)), np.array([list(counts.values())]) / shots)

    def _with_basis(self, setting: Setting) -> QuantumCircuit:
        change = native_basis_change(setting.letters, self.pub.native)
        place = self.compact.position
        out = self.compact.circuit.copy()
        out.compose(change, [place[q] for q in setting.qubits], inplace=True)
        return out

    def _unitary(self, circuit: QuantumCircuit, dephase: bool) -> tuple[QuantumCircuit, dict[Clbit, int]]:
        """The circuit with measurements deferred, where it has any, and the qubit of every classical bit."""
        if not {"measure", "reset", "if_else"} & {s.operation.name for s, _ in steps(circuit)}:
            return circuit.copy(), {}
        deferred = defer(circuit, dephase)
        return deferred.circuit, deferred.bits

    # Aer

    def _run(self, circuit: QuantumCircuit, method: str, numbers: int, **options: int) -> Iterator[dict[str, Any]]:
        """The result data of every sample, in order. `numbers`: about how many numbers each returns."""
        self.facts.method = method
        self.facts.simulated_qubits = circuit.num_qubits
        model = self._noise(circuit) if self.options.noise else None
        # Aer's shot branching would be faster for noisy shots, but its results with bound parameters are wrong.
        # Its truncation of qubits that it takes for unneeded gives wrong expectation values (Aer 0.18.2).
        simulator = AerSimulator(method=method, noise_model=model, max_parallel_experiments=0, enable_truncation=False)
        wanted = circuit.parameters
        columns = [(k, p) for k, p in enumerate(self.compact.expressions.parameters) if p in wanted]
        if not columns:
            data = simulator.run(circuit, **options).result().data(0)
            yield from (
                [data] * len(self.values) if "shots" not in options else self._repeat(simulator, circuit, options)
            )
            return
        chunk = max(1, min(256, BATCH_NUMBERS // max(numbers, 1)))
        for part in range(ceil(len(self.values) / chunk)):
            rows = self.values[part * chunk : (part + 1) * chunk]
            binds = [{p: rows[:, k].tolist() for k, p in columns}]
            shifted = options | ({"seed_simulator": options["seed_simulator"] + part} if options else {})
            result = simulator.run(circuit, parameter_binds=binds, **shifted).result()
            yield from (result.data(k) for k in range(len(rows)))

    def _repeat(
        self, simulator: AerSimulator, circuit: QuantumCircuit, options: dict[str, int]
    ) -> Iterator[dict[str, Any]]:
        for k in range(len(self.values)):
            shifted = options | {"seed_simulator": options["seed_simulator"] + k}
            yield simulator.run(circuit, **shifted).result().data(0)

    def _noise(self, circuit: QuantumCircuit) -> NoiseModel:
        # A matrix stands for the gate that it is labelled with.
        operations = [step.operation for step, _ in steps(circuit)]
        kinds = {(o.label if o.name == "unitary" else o.name): o for o in operations}
        return noise_model(self.pub.calibration, {"measure": Measure()} | kinds, self.compact.position)

    def _count(self, settings: int, shots: int | None = None) -> None:
        shots = shots or self.options.shots
        self.facts.settings = settings
        self.facts.executions = settings * len(self.values)
        self.facts.shots = self.facts.executions * (shots or 0)


def _stacked(rows: Iterator[Sequence[float]], size: int) -> Iterator[np.ndarray]:
    """Consecutive rows as arrays of at most `size` rows."""
    held: list[Sequence[float]] = []
    for row in rows:
        held.append(row)
        if len(held) == size:
            yield np.array(held)
            held = []
    if held:
        yield np.array(held)


def _readout_register(circuit: QuantumCircuit) -> ClassicalRegister:
    return next(register for register in circuit.cregs if register.name == READOUT)
