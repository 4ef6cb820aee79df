"""measure-controls: controls that are measured, gates that are fed forward, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.measure_controls import MeasureControls, outcomes
from qsc.compiler.passes.reuse_qubits import ReuseQubits
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, Type, X, Z, ops, verify
from qsc.ir.gates import GATES, OPCODES
from qsc.ir.interpreter import evaluate, max_error, random_inputs
from qsc.ir.target import Target


def module_of(circuit: Circuit, *readouts: ops.Readout) -> Module:
    module = Module("m", circuits={"c": circuit})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    return module.with_(graph=builder.graph(*[builder.add(op, *inputs)[0] for op in readouts]))


def fed(module: Module) -> Module:
    after = MeasureControls(feed_forward=True).run(module, Context())
    verify(after)
    inputs = random_inputs(module, 3)
    for a, b in zip(evaluate(module, inputs, precision="f64"), evaluate(after, inputs, precision="f64"), strict=True):
        assert max_error(a, b) < 1e-12
    return after


def test_a_published_kernel_needs_no_two_qubit_gate_and_one_qubit():
    """H and RY on each of 8 qubits, a staircase of CX, the last one read (arXiv 2501.06225)."""
    editor = CircuitEditor("c", 8)
    for q in range(8):
        editor.add("h", [q])
        editor.add("ry", [q], [0.1 * q + 0.2])
    for q in range(7):
        editor.add("cx", [q, q + 1])
    before = module_of(editor.circuit(), ops.Expectation("c", (Z(7),)))
    after = fed(before)
    assert after.circuits["c"].costs()["two_qubit_gates"] == 0
    alone = ReuseQubits(reuse=True).run(after, Context())
    assert alone.circuits["c"].num_qubits == 1
    assert max_error(evaluate(before, [])[0], evaluate(alone, [])[0]) < 1e-12


CASES = {
    "h 0; cx 0 1": "h q[0]; measure q[0] -> c[0]; x q[1] if c[0]",
    "h 0; rz(x0) 0; cx 0 1; t 0; cx 0 1": "h q[0]; measure q[0] -> c[0]; x q[1] if c[0]; x q[1] if c[0]",
    "h 0; ry(x0) 1; crx(x1) 0 1": "h q[0]; ry(x[0]) q[1]; measure q[0] -> c[0]; rx(x[1]) q[1] if c[0]",
    "h 0; h 1; cz 0 1; h 1": "h q[0]; h q[1]; measure q[0] -> c[0]; z q[1] if c[0]; h q[1]",
    "h 0; h 1; rzz(x0) 0 1; h 1": (
        "h q[0]; h q[1]; measure q[0] -> c[0]; rz(x[0]) q[1] if !c[0]; rz(-x[0]) q[1] if c[0]; h q[1]"
    ),
    "h 0; h 1; ccx 0 1 2": ("h q[0]; h q[1]; measure q[0] -> c[0]; measure q[1] -> c[1]; x q[2] if c[0] & c[1]"),
    "h 0; cx 0 1; h 0": "h q[0]; cx q[0], q[1]; h q[0]",
    "h 0; swap 0 1": "h q[0]; swap q[0], q[1]",
    "h 0; h 1; t 0": "h q[0]; h q[1]; t q[0]",
}


@pytest.mark.parametrize("text", CASES)
def test_known_case(text: str, write_circuit, show_circuit):
    after = fed(module_of(write_circuit(text, 3), ops.Probabilities("c", (0, 1, 2))))
    assert show_circuit(after.circuits["c"]) == CASES[text]


def test_a_condition_stays_beside_the_new_one(write_circuit, show_circuit):
    circuit = write_circuit("h 2; measure 2 -> 0; h 0; cx 0 1 if c0", 3, 1)
    after = fed(module_of(circuit, ops.Probabilities("c", (0, 1))))
    assert show_circuit(after.circuits["c"]).endswith("measure q[0] -> c[1]; x q[1] if c[0] & c[1]")


def test_a_control_that_is_read_in_x_stays(write_circuit):
    before = module_of(write_circuit("h 0; ry(x0) 1; cx 0 1", 2), ops.Expectation("c", (X(0), Z(1))))
    assert fed(before) is before


def test_it_is_off_unless_asked_for_and_where_the_target_cannot(write_circuit):
    before = module_of(write_circuit("h 0; cx 0 1", 2), ops.Expectation("c", (Z(1),)))
    assert MeasureControls().run(before, Context()) is before
    context = Context(target=Target("t", "quantum", "qiskit", native_ops=("measure", "cz")))
    assert MeasureControls(feed_forward=True).run(before, context) is before
    assert "t has no if_else" in context.remarks[0].message


@pytest.mark.parametrize("name", [g.name for g in GATES if g.matrix is not None and g.qubits > 1])
def test_outcomes_are_the_blocks_of_the_matrix(name: str):
    gate, angles = GATES[OPCODES[name]], (0.3, 0.9, -0.4)
    for place, axis in enumerate(gate.axes):
        forms = outcomes(OPCODES[name], place)
        assert (forms is not None) <= (axis == "Z")
        for value, form in enumerate(forms or ()):
            mine = [k for k in range(1 << gate.qubits) if (k >> place) & 1 == value]
            assert gate.matrix is not None
            block = gate.matrix(*angles[: gate.angles])[np.ix_(mine, mine)]
            other = GATES[form.opcode].matrix if form else None
            wanted = other(*(form.sign * a for a in angles[: gate.angles])) if form and other else np.eye(len(block))
            assert abs(abs(np.vdot(block, wanted)) - len(block)) < 1e-12
