"""The text of emitted circuits is that of Qiskit's exporter, and what is counted is what Qiskit counts."""

import re

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.circuit import ClassicalRegister, Gate, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qsc.backends.qiskit.census import SILENT, census
from qsc.backends.qiskit.qasm_text import qasm_text

KINDS = [gate for gate in get_standard_gate_name_mapping().values() if isinstance(gate, Gate) and gate.num_qubits <= 5]


def random_circuit(seed: int) -> QuantumCircuit:
    """Any of Qiskit's standard gates with all kinds of angles, measurements, resets and barriers."""
    rng = np.random.default_rng(seed)
    free = [Parameter(f"a{k:02d}") for k in range(12)]

    def angle():
        one, other = rng.choice(12, 2, replace=False)
        kinds = [rng.normal(), np.pi * int(rng.integers(-8, 9)) / 4, free[one], free[one] / 2 + np.pi / 2, -1e-6]
        return [*kinds, 0.3 * free[one] - free[other]][rng.integers(6)]

    circuit = QuantumCircuit(QuantumRegister(5, "q"), ClassicalRegister(2, "c"), ClassicalRegister(3, "readout"))
    for _ in range(rng.integers(0, 25)):
        wires = [int(k) for k in rng.permutation(5)]
        what = rng.integers(10)
        if what == 0:
            circuit.measure(wires[0], int(rng.integers(5)))
        elif what == 1:
            circuit.reset(wires[0])
        elif what == 2:
            circuit.barrier(wires[: rng.integers(1, 5)])
        else:
            gate = KINDS[rng.integers(len(KINDS))]
            circuit.append(type(gate)(*[angle() for _ in gate.params]), wires[: gate.num_qubits])
    return circuit


def exported(circuit: QuantumCircuit) -> str:
    """By Qiskit's exporter, on physical qubits."""
    text = re.sub(r"\bq\[(\d+)\]", r"$\1", qasm3.dumps(circuit))
    return re.sub(r"^qubit\[.*\n", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("seed", range(60))
def test_text_is_the_exporters(seed):
    circuit = random_circuit(seed)
    assert qasm_text(circuit) == exported(circuit)


def test_text_of_what_is_not_flat_is_the_exporters():
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(1, "c"))
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], True)):
        circuit.x(1)
    assert qasm_text(circuit) == exported(circuit)
    delayed = QuantumCircuit(1)
    delayed.delay(10, 0)
    assert qasm_text(delayed) == exported(delayed)


@pytest.mark.parametrize("seed", range(60))
def test_census_counts_as_qiskit_does(seed):
    circuit = random_circuit(seed)
    with circuit.if_test((circuit.clbits[0], True)):
        circuit.cx(3, 1)
        circuit.x(2)
    circuit.barrier(0, 4)
    circuit.h(4)
    found = census(circuit)
    assert found.costs["depth"] == circuit.depth(lambda step: step.operation.name not in SILENT)
    pairs = circuit.depth(lambda step: len(step.qubits) >= 2 and step.operation.name not in SILENT)
    assert found.costs["two_qubit_depth"] == pairs
    flat = [step for step in circuit.data if step.operation.name not in {*SILENT, "if_else"}]
    assert found.costs["gates"] == len(flat) + 2
    assert found.costs["two_qubit_gates"] == sum(len(step.qubits) >= 2 for step in flat) + 1
    assert {1, 2, 3, 4} <= set(found.active_qubits)
