"""What qiskit-addon-cutting makes of one of our modules: its cuts, its subexperiments, its coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from qsc.bridges.qiskit import to_qiskit
from qsc.ir import Module, ops


class RefusedError(Exception):
    """The peer finds nothing that can be run: the reason."""


@dataclass(frozen=True)
class Cut:
    """Subexperiments and observables of each fragment, by its label."""

    experiments: dict[Any, list[Any]]
    coefficients: Any
    observables: dict[Any, Any]
    overhead: float

    @property
    def executions(self) -> int:
        return sum(map(len, self.experiments.values()))

    def exact_values(self) -> np.ndarray:
        """What the peer reconstructs from exact probabilities of its subexperiments: one value an observable."""
        from qiskit.primitives import SamplerResult
        from qiskit_addon_cutting import reconstruct_expectation_values

        results: Any = {
            label: SamplerResult([exact_outcomes(c) for c in circuits], [{} for _ in circuits])
            for label, circuits in self.experiments.items()
        }
        return np.array(reconstruct_expectation_values(results, self.coefficients, self.observables))


def exact_outcomes(circuit: Any) -> Any:
    """The distribution of a circuit's classical bits, by its state: what is measured or reset goes to a fresh qubit."""
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Statevector
    from qiskit.result import QuasiDistribution

    measured, resets = circuit.count_ops().get("measure", 0), circuit.count_ops().get("reset", 0)
    unitary = QuantumCircuit(circuit.num_qubits + measured + resets)
    fresh, qubit_of = circuit.num_qubits, dict[int, int]()
    for instruction in circuit.data:
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if instruction.operation.name == "measure":
            unitary.cx(qubits[0], fresh)
            qubit_of[circuit.find_bit(instruction.clbits[0]).index] = fresh
        elif instruction.operation.name == "reset":
            unitary.swap(qubits[0], fresh)
        else:
            unitary.append(instruction.operation, qubits)
            continue
        fresh += 1
    bits = sorted(qubit_of)
    probabilities = Statevector(unitary).probabilities([qubit_of[bit] for bit in bits]) if bits else np.ones(1)
    outcomes = (sum((k >> place & 1) << bit for place, bit in enumerate(bits)) for k in range(len(probabilities)))
    return QuasiDistribution(dict(zip(outcomes, probabilities, strict=True)))


def cut_by_addon(module: Module, width: int, x: np.ndarray, most_overhead: float, seed: int = 0) -> Cut:
    """The cut of circuit `c` at one input sample `x: f64[1,n]`, its angles numbers; raises `RefusedError`."""
    from qiskit.quantum_info import PauliList
    from qiskit_addon_cutting import cut_wires, expand_observables, generate_cutting_experiments, partition_problem
    from qiskit_addon_cutting.automated_cut_finding import DeviceConstraints, OptimizationParameters, find_cuts

    source = module.circuits["c"]
    converted = to_qiskit(source)
    weights = [module.weights[array.name].ravel() for array in source.inputs if array.role == "weight"]
    angles = source.angles.bind(np.concatenate([x[0], *weights])[None])[0]
    numbers = {source.angles.row(k): float(angles[k]) for k in range(len(source.angles))}
    given = {p: numbers[row] for p, row in zip(converted.parameters, converted.rows, strict=True)}
    circuit = converted.circuit.assign_parameters({p: v for p, v in given.items() if p in converted.circuit.parameters})
    terms = PauliList(_terms(module, circuit.num_qubits))
    found, facts = find_cuts(circuit, OptimizationParameters(seed=seed), DeviceConstraints(qubits_per_subcircuit=width))
    overhead = float(facts["sampling_overhead"])
    if overhead > most_overhead:
        raise RefusedError(f"overhead {overhead:.3g}")
    wires = cut_wires(found)
    problem: Any = partition_problem(circuit=wires, observables=expand_observables(terms, circuit, wires))
    if max(c.num_qubits for c in problem.subcircuits.values()) > width:
        raise RefusedError("its fragments are too wide")
    experiments: Any
    experiments, coefficients = generate_cutting_experiments(
        circuits=problem.subcircuits, observables=problem.subobservables, num_samples=inf
    )
    return Cut(experiments, coefficients, problem.subobservables, overhead)


def _terms(module: Module, qubits: int) -> list[str]:
    """The Pauli products that are read, in Qiskit's letters: qubit 0 is the last."""
    read = next(node.op for node in module.nodes() if isinstance(node.op, ops.Expectation))
    terms = []
    for observable in read.observables:
        ((term, _),) = observable.terms
        letters = ["I"] * qubits
        for letter, qubit in term:
            letters[qubits - 1 - qubit] = letter
        terms.append("".join(letters))
    return terms
