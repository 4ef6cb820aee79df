"""prune-angles: fewer rotations, and never more change than was allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.compiler.contracts import check
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.prune_angles import PruneAngles, pruned
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, PauliSum, Type, ops
from qsc.ir.angles import make_row
from qsc.ir.circuit import AngleInput
from qsc.ir.gates import GATES

SEEDS = st.integers(0, 2**32 - 1)
TURNING = [g.name for g in GATES if g.additive]


def noisy(seed: int, qubits: int, gates: int, spread: float) -> Circuit:
    """Rotations near multiples of pi/2, some with a variable, some conditioned."""
    rng = np.random.default_rng(seed)
    editor = CircuitEditor("c", qubits, 1, [AngleInput("x", (2,))])
    for k in range(gates):
        if k == gates // 2:
            editor.add("measure", [0], clbits=[0])
        name = str(rng.choice([*TURNING, "h", "cx"]))
        gate = next(g for g in GATES if g.name == name)
        wires = rng.permutation(qubits)[: gate.qubits if gate.qubits > 0 else 3].tolist()
        terms = [(0, 1.0)] if rng.random() < 0.2 else []
        angle = make_row(0, float(rng.integers(-8, 9) * np.pi / 2 + rng.normal() * spread), terms)
        pauli = "".join(rng.choice(list("XYZI"), 3)) if name == "pauli" else None
        condition = ("bit", 0) if rng.random() < 0.1 else None
        editor.add(name, wires, [angle] * gate.angles, pauli=pauli, condition=condition)
    return editor.circuit()


def module_of(circuit: Circuit, *readouts: ops.Readout) -> Module:
    module = Module("m", circuits={"c": replace(circuit, name="c")})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    return module.with_(graph=builder.graph(*[builder.add(op, *inputs)[0] for op in readouts]))


READOUTS = [
    ops.Expectation("c", (PauliSum.parse("2*Z0*X1 - 0.5*Y2 + 3"), PauliSum.parse("Z0"))),
    ops.Probabilities("c", (2, 0)),
    ops.Samples("c", (1,), 5),
]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS, st.sampled_from([1e-3, 1e-2, 0.1, 0.5]), st.sampled_from([1e-9, 1e-3, 0.05]), st.sampled_from(READOUTS))
def test_the_bound_holds(seed: int, bound: float, spread: float, readout: ops.Readout):
    before = module_of(noisy(seed, 3, 20, spread), readout)
    pass_ = PruneAngles(bound)
    after = pass_.run(before, Context())
    found = pass_.measured(before, after)
    assert found.value <= found.bound == bound
    check(pass_, before, after)


def test_it_fires_and_the_error_is_real():
    changes, errors = 0, []
    for seed in range(20):
        before = module_of(noisy(seed, 3, 20, 0.02), READOUTS[0])
        after = PruneAngles(0.2).run(before, Context())
        changes += after is not before
        errors.append(PruneAngles(0.2).measured(before, after).value)
    assert changes == 20
    assert max(errors) > 1e-3


@pytest.mark.parametrize("name", TURNING)
def test_one_gate_changes_a_state_by_its_bound_at_most(name: str):
    """The trace distance of two states that differ in one angle, the worst of many random states."""
    gate = next(g for g in GATES if g.name == name)
    if gate.matrix is None:
        return
    rng = np.random.default_rng(0)
    size = 1 << gate.qubits
    states = rng.normal(size=(2000, size)) + 1j * rng.normal(size=(2000, size))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    for delta in (0.01, 0.3, 1.2):
        turned = gate.matrix(0.7).conj().T @ gate.matrix(0.7 + delta)
        overlaps = np.abs(np.einsum("ki,ij,kj->k", states.conj(), turned, states))
        distance = np.sqrt(np.maximum(1 - overlaps**2, 0)).max()
        assert 0.5 * np.sin(delta / 2) < distance <= np.sin(delta / 2) + 1e-12


def test_what_goes_and_what_is_rounded(write_circuit, show_circuit):
    text = "rx(0.001) 0; rz(1.5710) 0; crx(0.002) 0 1; rzz(x0) 0 1; cp(3.1400) 0 1; ry(0.4) 1; rx(6.2830) 1"
    small, error = pruned(write_circuit(text, 2), 0.01, 2.0)
    assert show_circuit(small) == ("phase(pi); rz(pi/2) q[0]; rzz(x[0]) q[0], q[1]; cp(pi) q[0], q[1]; ry(0.4) q[1]")
    assert 0 < error <= 0.01


def test_off_unless_a_bound_is_given(write_circuit):
    before = module_of(write_circuit("rx(1e-9) 0", 1), ops.Probabilities("c", (0,)))
    assert PruneAngles().run(before, Context()) is before
    context = Context()
    assert len(PruneAngles(1e-6).run(before, context).circuits["c"]) == 0
    assert context.remarks[0].saved == {"gates": 1}


def test_wide_circuits_are_measured_by_their_bound():
    editor = CircuitEditor("c", 30)
    for q in range(30):
        editor.add("ry", [q], [1e-4])
    before = module_of(editor.circuit(), ops.Expectation("c", (PauliSum.parse("Z3"),)))
    pass_ = PruneAngles(1e-2)
    after = pass_.run(before, Context())
    assert len(after.circuits["c"]) == 0
    assert pass_.measured(before, after).value == pytest.approx(30 * 2 * np.sin(5e-5))
