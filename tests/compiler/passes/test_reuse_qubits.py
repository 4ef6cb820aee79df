"""reuse-qubits: known families on few qubits, the same outcomes, and when it stays away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.light_cone import LightCone
from qsc.compiler.passes.reuse_qubits import ReuseQubits
from qsc.frontends.text import read
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, PauliSum, Type, X, Y, Z, ops, print_module, verify
from qsc.ir.circuit import AngleInput
from qsc.ir.interpreter import evaluate, max_error, random_inputs
from qsc.ir.target import Target


def module_of(circuit: Circuit, *readouts: ops.Readout) -> Module:
    module = Module("m", circuits={"c": circuit})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    return module.with_(graph=builder.graph(*[builder.add(op, *inputs)[0] for op in readouts]))


def all_z(qubits: int) -> ops.Expectation:
    return ops.Expectation("c", tuple(Z(q) for q in range(qubits)))


def staircase(qubits: int) -> Circuit:
    """The matrix-product form of a quantum convolutional network: a block on every pair of neighbours in turn."""
    editor = CircuitEditor("c", qubits, 0, [AngleInput("x", (qubits,))])
    for q in range(qubits):
        editor.add("ry", [q], [(0, 1, 0.1, ((q, 1.0),))])
    for q in range(qubits - 1):
        editor.add("cx", [q, q + 1])
        editor.add("ry", [q], [0.3])
        editor.add("ry", [q + 1], [0.2])
    return editor.circuit()


def tree(qubits: int) -> Circuit:
    """A tree tensor network."""
    editor, step = CircuitEditor("c", qubits), 1
    while step < qubits:
        for q in range(0, qubits, 2 * step):
            editor.add("ry", [q], [0.1 + q])
            editor.add("ry", [q + step], [0.2])
            editor.add("cx", [q + step, q])
        step *= 2
    editor.add("ry", [0], [0.1])
    return editor.circuit()


def efficient_su2(qubits: int, layers: int) -> Circuit:
    editor = CircuitEditor("c", qubits)
    for layer in range(layers + 1):
        for q in range(qubits):
            editor.add("ry", [q], [0.1 * q + layer])
            editor.add("rz", [q], [0.2 * q])
        for q in range(qubits - 1 if layer < layers else 0):
            editor.add("cx", [q, q + 1])
    return editor.circuit()


def qcnn(qubits: int) -> Circuit:
    """A convolutional network: two CX on every pair of neighbours, turns, and every other qubit is left, until one is.

    The shape of ucc-bench's QCNN: 388 CX in a depth of 26 for 100 qubits.
    """
    editor, active = CircuitEditor("c", qubits), list(range(qubits))
    for q in active:
        editor.add("h", [q])
    while len(active) > 1:
        for first in (0, 1):
            for a, b in zip(active[first::2], active[first + 1 :: 2], strict=False):
                editor.add("cx", [a, b])
                editor.add("rz", [a], [0.1])
                editor.add("rx", [b], [0.2])
                editor.add("cx", [b, a])
        for q in active:
            editor.add("rz", [q], [0.1])
            editor.add("rx", [q], [0.2])
        active = active[::2]
    return editor.circuit()


def reused(module: Module, **options) -> Module:
    after = ReuseQubits(reuse=True, **options).run(module, Context())
    verify(after)
    return after


FAMILIES: dict[str, tuple[Callable[[], Circuit], ops.Expectation, int]] = {
    "MPS of 8": (lambda: staircase(8), ops.Expectation("c", (Z(7),)), 2),
    "MPS of 50": (lambda: staircase(50), all_z(50), 2),
    "TTN of 8": (lambda: tree(8), ops.Expectation("c", (Z(0),)), 4),
    "EfficientSU2 of 20, 3 layers": (lambda: efficient_su2(20, 3), all_z(20), 4),
    "QCNN of 10": (lambda: qcnn(10), all_z(10), 5),
    "QCNN of 100": (lambda: qcnn(100), all_z(100), 12),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_live_qubits(family: str):
    make, readout, width = FAMILIES[family]
    after = reused(module_of(make(), readout))
    assert after.circuits["c"].num_qubits == width


def test_the_light_cone_of_one_observable_of_a_large_network():
    circuit = qcnn(100)
    costs = circuit.costs()
    assert (costs["two_qubit_gates"], costs["two_qubit_depth"]) == (388, 26)
    for qubit, gates, width in ((50, 24, 10), (99, 2, 2)):
        cut = LightCone().run(module_of(circuit, ops.Expectation("c", (Z(qubit),))), Context()).circuits["c"]
        assert (cut.costs()["two_qubit_gates"], cut.num_qubits) == (gates, width)


READOUTS: dict[str, tuple[ops.Readout, ...]] = {
    "expectations": (ops.Expectation("c", (Z(4), 0.5 * Z(0) * Z(4) + 1.5, PauliSum(()))),),
    "letters": (ops.Expectation("c", (X(0) * Y(2), Y(2) - 2.0 * X(0), Z(4))),),
    "probabilities": (ops.Probabilities("c", (3, 0)), ops.Probabilities("c", (1,))),
    "samples": (ops.Samples("c", (4, 1), 40), ops.Expectation("c", (Z(1),))),
}


@pytest.mark.parametrize("kind", READOUTS)
def test_every_kind_of_readout_keeps_its_values(kind: str):
    before = module_of(staircase(5), *READOUTS[kind])
    after = reused(before)
    assert after.circuits["c"].num_qubits == 2
    assert read(print_module(after)) == after
    inputs = random_inputs(before, 3)
    for a, b in zip(
        evaluate(before, inputs, precision="f64", seed=1), evaluate(after, inputs, precision="f64", seed=1), strict=True
    ):
        assert max_error(a, b) < 1e-12
    assert reused(after) == after


def test_many_bits_are_read_one_product_at_a_time():
    before = module_of(staircase(13), all_z(13))
    inputs = random_inputs(before, 2)
    assert max_error(evaluate(before, inputs)[0], evaluate(reused(before), inputs)[0]) < 1e-6


def test_barriers_measurements_and_conditions_stay_in_order(write_circuit, show_circuit):
    circuit = write_circuit("h 0; measure 0 -> 0; ry(x0) 1; x 1 if c0; barrier 0 1 2; ry(x1) 2; cx 2 3", 4, 1)
    before = module_of(circuit, ops.Expectation("c", (Z(1), Z(3))))
    after = reused(before)
    text = show_circuit(after.circuits["c"])
    assert text.index("x q") < text.index("barrier") < text.index("ry(x[1])")
    inputs = random_inputs(before, 3)
    assert max_error(evaluate(before, inputs)[0], evaluate(after, inputs)[0]) < 1e-12


def target(qubits: int, *native: str) -> Target:
    return Target("t", "quantum", "qiskit", limits={"qubits": qubits}, native_ops=native)


def test_it_stays_away_from_circuits_that_fit():
    before = module_of(staircase(6), ops.Expectation("c", (Z(5),)))
    fits = Context(target=target(6, "measure", "reset"))
    assert ReuseQubits().run(before, fits) is before
    assert ReuseQubits().run(before, Context()) is before
    assert ReuseQubits(max_qubits=5).run(before, fits).circuits["c"].num_qubits == 2
    assert ReuseQubits().run(before, Context(target=target(5, "measure", "reset"))).circuits["c"].num_qubits == 2


def test_it_says_why_it_cannot():
    before = module_of(staircase(6), ops.Expectation("c", (Z(5), X(5))))
    context = Context()
    assert ReuseQubits(reuse=True).run(before, context) is before
    assert "qubit 5 is read both in Z and in X" in context.remarks[0].message
    context = Context(target=target(4, "measure", "cz"))
    assert ReuseQubits().run(before, context) is before
    assert "t has no reset" in context.remarks[0].message


def test_nothing_to_win_is_left_alone():
    before = module_of(efficient_su2(3, 3), all_z(3))
    assert ReuseQubits(reuse=True).run(before, Context()) is before


def test_the_same_seed_gives_the_same_circuit():
    before = module_of(qcnn(20), all_z(20))
    a, b = (ReuseQubits(reuse=True).run(before, Context(seed=3)) for _ in range(2))
    assert a == b


def test_a_qubit_that_no_gate_touches_is_read_as_zero():
    editor = CircuitEditor("c", 3)
    editor.add("x", [0])
    before = module_of(editor.circuit(), ops.Probabilities("c", (0, 2)))
    after = reused(before)
    assert after.circuits["c"].num_qubits == 1
    np.testing.assert_allclose(evaluate(after, [])[0], [0, 1, 0, 0])
