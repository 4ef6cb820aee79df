"""Circuits in Qiskit's form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit.quantum_info import Operator, Statevector
from qsc.bridges.qiskit import to_qiskit
from qsc.ir import AngleInput, CircuitEditor
from qsc.ir.angles import AngleTable, make_row
from qsc.ir.interpreter import statevector


def bound(converted, values):
    angles = AngleTable.from_rows(converted.rows).bind(values[None])[0]
    return converted.circuit.assign_parameters(dict(zip(converted.parameters, angles, strict=True)))


def test_every_gate_is_the_same_matrix(lab):
    rng = np.random.default_rng(0)
    for gate in lab.unitary:
        if gate.matrix is None:
            continue
        editor = CircuitEditor("one", gate.qubits)
        angles = rng.normal(size=gate.angles).tolist()
        editor.add(gate.name, range(gate.qubits), angles)
        made = Operator(to_qiskit(editor.circuit()).circuit).data
        assert np.abs(made - gate.matrix(*angles)).max() < 1e-14, gate.name


@pytest.mark.parametrize("seed", range(12))
def test_state_with_its_phase_is_the_simulator_s(lab, seed):
    rng = np.random.default_rng(seed)
    circuit = lab.random_circuit(rng, 4, 40)
    values = rng.normal(size=5)
    state = statevector.simulate(circuit, torch.tensor(values[None]))[0].numpy()
    converted = to_qiskit(circuit)
    assert np.abs(Statevector(bound(converted, values)).data - state).max() < 1e-12


def test_one_parameter_for_every_distinct_row():
    editor = CircuitEditor("share", 2, 0, [AngleInput("x", (2,))])
    first, second = make_row(0, 0.0, [(0, 1.0)]), make_row(1, 0.0, [(0, 1.0)])
    for angle in (first, second, first, 0.5, make_row(0, 0.0, [(1, -1.0)])):
        editor.add("rx", [0], [angle])
        editor.add("rz", [1], [angle])
    converted = to_qiskit(editor.circuit())
    assert [p.name for p in converted.parameters] == ["a0", "a1", "a2"]
    assert converted.texts == ("x[0]", "pi + x[0]", "-x[1]")
    assert converted.circuit.num_parameters == 3
    again = to_qiskit(editor.circuit())
    assert [p.uuid for p in again.parameters] == [p.uuid for p in converted.parameters]


def test_rows_under_one_condition_share_a_block_until_its_bit_changes():
    editor = CircuitEditor("blocks", 2, 2)
    editor.add("measure", [0], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    editor.add("h", [1], condition=("bit", 0))
    editor.add("measure", [1], clbits=[0], condition=("bit", 0))
    editor.add("x", [0], condition=("bit", 0))
    blocks = [step.operation.blocks[0] for step in to_qiskit(editor.circuit()).circuit.data if step.name == "if_else"]
    assert [[step.name for step in block.data] for block in blocks] == [["x", "h", "measure"], ["x"]]
