"""bake-weights: readouts of bound circuits give what the weights gave."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from qsc.compiler.passes.bake_weights import BakeWeights, exact_pi
from qsc.compiler.passes.base import Context
from qsc.ir import AngleInput, CircuitEditor, GraphBuilder, Module, PauliSum, Type, Z, ops, verify
from qsc.ir.angles import make_row
from qsc.ir.interpreter import evaluate, max_error

BOTH = (PauliSum.parse("Z0*X1 + 0.5*Y2"), Z(1))


def two_input_circuit():
    """ry(2 x[k] + pi/3) on every qubit, then rz(w[0,k]) and rx(w[1,k] - x[k])."""
    editor = CircuitEditor("c", 3, inputs=[AngleInput("w", (2, 3), "weight"), AngleInput("x", (3,))])
    for k in range(3):
        editor.add("ry", [k], [make_row(Fraction(1, 3), 0.0, [(6 + k, 2.0)])])
    for k in range(3):
        editor.add("cx", [k, (k + 1) % 3])
        editor.add("rz", [k], [make_row(0, 0.0, [(k, 1.0)])])
        editor.add("rx", [k], [make_row(0, 0.25, [(3 + k, 1.0), (6 + k, -1.0)])])
    editor.phase = make_row(0, 0.0, [(5, 0.5)])
    return editor.circuit()


def weights(dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=(2, 3)).astype(dtype), "b": rng.normal(size=(2, 3)).astype(dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_of_inputs_with_weights(dtype: type):
    kind = "f32" if dtype == np.float32 else "f64"
    module = Module("m", circuits={"c": two_input_circuit()}, weights=weights(dtype))
    builder = GraphBuilder(module)
    x = builder.input("x", Type(kind, (-1, 3)))
    results = [
        builder.add(ops.Expectation("c", BOTH), builder.weight("a"), x)[0],
        builder.add(ops.Probabilities("c", (2, 0)), builder.weight("b"), x)[0],
        builder.add(ops.Samples("c", (1,), 20), builder.weight("a"), x)[0],
    ]
    before = module.with_(graph=builder.graph(*results))
    context = Context()
    after = BakeWeights().run(before, context)
    verify(after)
    assert list(after.circuits) == ["c", "c_baked"]
    assert [n.op.circuit for n in after.graph.nodes] == ["c", "c_baked", "c"]  # pyright: ignore[reportAttributeAccessIssue]
    assert not after.weights
    assert [a.name for a in after.circuits["c"].inputs] == ["x"]
    assert str(context.remarks[0]) == "bake-weights: circuit c: bound 6 weights (angle_variables -6)"
    given = [np.random.default_rng(1).normal(size=(5, 3)).astype(dtype)]
    for a, b in zip(evaluate(before, given, precision="f64"), evaluate(after, given, precision="f64"), strict=True):
        assert max_error(a, b) < 1e-12
    assert BakeWeights().run(after, Context()) == after


def test_a_circuit_of_weights_alone_keeps_its_type():
    circuit = replace(two_input_circuit(), inputs=(AngleInput("w", (2, 3), "weight"), AngleInput("v", (3,), "weight")))
    module = Module("m", circuits={"c": circuit}, weights=weights(np.float32) | {"v": np.ones(3, np.float32)})
    builder = GraphBuilder(module)
    read = builder.add(ops.Expectation("c", BOTH), builder.weight("a"), builder.weight("v"), name="e")[0]
    before = module.with_(graph=builder.graph(builder.add(ops.Neg(), read)[0]))
    after = BakeWeights().run(before, Context())
    verify(after)
    assert [n.op.mnemonic for n in after.graph.nodes] == ["expectation", "cast", "neg"]
    assert after.graph.outputs == before.graph.outputs
    assert max_error(evaluate(before, [], precision="f64")[0], evaluate(after, [], precision="f64")[0]) < 1e-12


def test_what_is_made_from_weights_is_bound_too():
    module = Module("m", circuits={"c": two_input_circuit()}, weights={"flat": np.linspace(-1, 1, 6, dtype=np.float32)})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32", (-1, 3)))
    shaped = builder.add(ops.Reshape((2, 3)), builder.weight("flat"))[0]
    doubled = builder.add(ops.Mul(2.0), shaped)[0]
    before = module.with_(graph=builder.graph(*builder.add(ops.Expectation("c", BOTH), doubled, x)))
    after = BakeWeights().run(before, Context())
    verify(after)
    assert [n.op.mnemonic for n in after.graph.nodes] == ["expectation"]
    assert not after.weights
    given = [np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)]
    assert max_error(*(evaluate(m, given, precision="f64")[0] for m in (before, after))) < 1e-12


def test_data_and_computed_angles_stay():
    module = Module("m", circuits={"c": two_input_circuit()}, weights={"used": np.ones(3, np.float32)})
    builder = GraphBuilder(module)
    x, w = builder.input("x", Type("f32", (-1, 3))), builder.input("w", Type("f32", (2, 3)))
    added = builder.add(ops.Add(), x, builder.weight("used"))[0]
    before = module.with_(graph=builder.graph(*builder.add(ops.Expectation("c", BOTH), w, added)))
    assert BakeWeights().run(before, Context()) is before


def test_a_circuit_that_is_also_read_with_data_keeps_its_name():
    module = Module("m", circuits={"c": two_input_circuit()}, weights=weights(np.float32))
    builder = GraphBuilder(module)
    x, w = builder.input("x", Type("f32", (-1, 3))), builder.input("w", Type("f32", (2, 3)))
    first = builder.add(ops.Expectation("c", BOTH), builder.weight("a"), x)[0]
    second = builder.add(ops.Expectation("c", BOTH), w, x)[0]
    before = module.with_(graph=builder.graph(first, second))
    after = BakeWeights().run(before, Context())
    verify(after)
    assert list(after.circuits) == ["c", "c_baked"]
    assert after.circuits["c"] == before.circuits["c"]
    assert list(after.weights) == ["b"]


def test_loops_bind_in_their_bodies():
    module = Module("m", circuits={"c": two_input_circuit()}, weights=weights(np.float64))
    body = GraphBuilder(module)
    state = body.input("state", Type("f64", (-1, 3)))
    read = body.add(ops.Expectation("c", (Z(0), Z(1), Z(2))), body.weight("a"), state)[0]
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, 3)))
    before = module.with_(graph=builder.graph(*builder.add(ops.Scan(3, body.graph(read), 1), x)))
    after = BakeWeights().run(before, Context())
    verify(after)
    assert len(after.circuits["c"].inputs) == 1
    given = [np.random.default_rng(1).normal(size=(4, 3))]
    assert max_error(evaluate(before, given)[0], evaluate(after, given)[0]) < 1e-12


def test_multiples_of_pi_only_where_exactly_written():
    assert exact_pi(np.pi) == 1
    assert exact_pi(-3 * np.pi / 4) == Fraction(-3, 4)
    assert exact_pi(float(np.float32(np.pi))) is None
    assert exact_pi(0.0) is None
    assert exact_pi(0.3) is None
    editor = CircuitEditor("c", 1, inputs=[AngleInput("w", (2,), "weight")])
    editor.add("rz", [0], [make_row(Fraction(1, 2), 0.0, [(0, 1.0)])])
    editor.add("rz", [0], [make_row(0, 0.0, [(1, 1.0)])])
    module = Module("m", circuits={"c": editor.circuit()}, weights={"w": np.array([np.pi / 2, 0.3])})
    builder = GraphBuilder(module)
    read = builder.add(ops.Expectation("c", (Z(0),)), builder.weight("w"))[0]
    after = BakeWeights().run(module.with_(graph=builder.graph(read)), Context())
    assert after.circuits["c"].angles.rows() == [make_row(1), make_row(0, 0.3)]
