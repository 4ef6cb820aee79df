"""light-cone: what no readout needs goes, and every readout stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp, Statevector
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.light_cone import LightCone
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, PauliSum, Type, X, Y, Z, ops, verify
from qsc.ir.graph import Graph
from qsc.ir.interpreter import evaluate, max_error

SEEDS = st.integers(0, 2**32 - 1)
THOROUGH = settings(max_examples=100, deadline=None, derandomize=True)
Readouts = Sequence[ops.Readout]


def module_of(circuit: Circuit, readouts: Readouts) -> Module:
    """A module that reads `circuit` in every way of `readouts`; the circuit's inputs are the module's."""
    module = Module("m", circuits={"c": replace(circuit, name="c")})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    results = [builder.add(op, *inputs)[0] for op in readouts]
    return module.with_(graph=builder.graph(*results))


def random_observable(rng: np.random.Generator, qubits: int) -> PauliSum:
    terms = []
    for _ in range(int(rng.integers(1, 3))):
        chosen = sorted(rng.permutation(qubits)[: int(rng.integers(1, min(qubits, 3) + 1))].tolist())
        terms.append((tuple((str(rng.choice(list("XYZ"))), q) for q in chosen), float(rng.normal())))
    return PauliSum.of(terms)


def qiskit_expectation(observable: PauliSum, state: Statevector) -> float:
    terms = [("".join(p for p, _ in term), [q for _, q in term], coeff) for term, coeff in observable.terms]
    return state.expectation_value(SparsePauliOp.from_sparse_list(terms, state.num_qubits or 0)).real


def density_expectation(observable: PauliSum, rho: np.ndarray, qubits: int) -> float:
    terms = [("".join(p for p, _ in term), [q for _, q in term], coeff) for term, coeff in observable.terms]
    return float(np.trace(SparsePauliOp.from_sparse_list(terms, qubits).to_matrix() @ rho).real)


@THOROUGH
@given(SEEDS, st.integers(3, 5), st.integers(1, 30), st.booleans())
def test_expectations_are_those_of_the_whole_circuit(
    make_circuit, in_qiskit, seed: int, qubits: int, gates: int, drop: bool
):
    rng = np.random.default_rng(seed)
    circuit = make_circuit(seed, qubits, gates)
    observables = [random_observable(rng, qubits) for _ in range(2)]
    read = [q for q in range(qubits) if rng.random() < 0.3]
    readouts = [ops.Expectation("c", (o,)) for o in observables] + (
        [ops.Probabilities("c", tuple(read))] if read else []
    )
    before = module_of(circuit, readouts)
    after = LightCone(drop).run(before, Context())
    verify(after)
    small = after.circuits["c"]
    assert len(small) <= len(circuit)
    assert drop or small.num_qubits == qubits
    values = rng.uniform(-7, 7, 4)
    whole, cut = (Statevector(in_qiskit(c, values)) for c in (circuit, small))
    for node, observable in zip(after.graph.nodes, observables, strict=False):
        assert isinstance(node.op, ops.Expectation)
        wanted, found = qiskit_expectation(observable, whole), qiskit_expectation(node.op.observables[0], cut)
        assert found == pytest.approx(wanted, abs=1e-10)
    if read:
        last = after.graph.nodes[-1].op
        assert isinstance(last, ops.Probabilities)
        np.testing.assert_allclose(cut.probabilities(list(last.qubits)), whole.probabilities(read), atol=1e-10)
    assert LightCone(drop).run(after, Context()) == after


@THOROUGH
@given(SEEDS)
def test_measured_circuits(make_circuit, mixture_by_table, seed: int):
    rng = np.random.default_rng(seed)
    circuit = make_circuit(seed, 3, 20, ["h", "x", "s", "cx", "cz", "ry", "rz", "swap", "crx", "pauli"], bits=2)
    observable = random_observable(rng, 3)
    after = LightCone().run(module_of(circuit, [ops.Expectation("c", (observable,))]), Context())
    verify(after)
    op = after.graph.nodes[0].op
    assert isinstance(op, ops.Expectation)
    values = rng.uniform(-7, 7, 4)
    wanted, found = (
        density_expectation(o, np.sum(list(mixture_by_table(c, values).values()), axis=0), c.num_qubits)
        for c, o in ((circuit, observable), (after.circuits["c"], op.observables[0]))
    )
    assert found == pytest.approx(wanted, abs=1e-10)
    assert LightCone().run(after, Context()) == after


def test_a_product_in_which_each_qubit_needs_another_letter():
    """Qiskit 2.6.2's LightCone drops the rz here and gives 0.6154."""
    editor = CircuitEditor("c", 2)
    editor.add("ry", [0], [0.7])
    editor.add("ry", [1], [0.3])
    editor.add("rz", [0], [0.9])
    before = module_of(editor.circuit(), [ops.Expectation("c", (X(0) * Z(1),))])
    after = LightCone().run(before, Context())
    assert len(after.circuits["c"]) == 3
    assert float(evaluate(after, [])[0]) == pytest.approx(np.sin(0.7) * np.cos(0.9) * np.cos(0.3), abs=1e-12)


PROJECTOR = 0.25 * (Z(0) + 1.0) * (-Z(1) + 1.0)
SETS = {
    "X0*Z1": (X(0) * Z(1),),
    "one by one and together": (X(0), Z(1), X(0) * Z(1), Y(0) * Z(1)),
    "sums": (0.5 * X(0) * Z(1) - Y(0), Z(0) + 2.0 * X(1)),
    "projectors": (PROJECTOR, X(2) * PROJECTOR, 0.5 * (X(0) + 1.0) * Z(1)),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_of_sums_and_projectors_on_the_circuit_that_qiskit_cuts_wrongly(name: str):
    editor = CircuitEditor("c", 3)
    for gate, qubit, angle in (("ry", 0, 0.7), ("ry", 1, 0.3), ("rz", 0, 0.9), ("ry", 2, 1.1)):
        editor.add(gate, [qubit], [angle])
    before = module_of(editor.circuit(), [ops.Expectation("c", SETS[name])])
    after = LightCone().run(before, Context())
    # Every qubit by itself: <X>, <Y>, <Z> of a Bloch vector.
    bloch = {
        0: (np.sin(0.7) * np.cos(0.9), np.sin(0.7) * np.sin(0.9), np.cos(0.7)),
        1: (np.sin(0.3), 0.0, np.cos(0.3)),
        2: (np.sin(1.1), 0.0, np.cos(1.1)),
    }
    wanted = [
        sum(c * np.prod([bloch[q]["XYZ".index(p)] for p, q in term]) for term, c in observable.terms)
        for observable in SETS[name]
    ]
    np.testing.assert_allclose(evaluate(after, [])[0], wanted, atol=1e-12)


def test_classical_bits_that_are_read(write_circuit, show_circuit):
    circuit = write_circuit("h 0; h 1; measure 0 -> 0; measure 1 -> 1; cx 0 2", 3, 2)
    before = module_of(circuit, [ops.BitExpectation("c", (Z(1),))])
    after = LightCone().run(before, Context())
    assert show_circuit(after.circuits["c"]) == "h q[0]; measure q[0] -> c[1]"
    assert after.graph == before.graph


CASES = {
    ("rz(x0) 0", "Z0"): "",
    ("rz(x0) 0", "X0"): "rz(x[0]) q[0]",
    ("h 0; cx 0 1", "Z0"): "h q[0]",
    ("h 0; cx 0 1", "Z1"): "h q[0]; cx q[0], q[1]",
    ("h 0; h 1; cx 0 1", "X1"): "h q[1]",
    ("h 0; cx 0 1", "X0"): "h q[0]; cx q[0], q[1]",
    ("ry(x0) 0; ry(x1) 1; swap 0 1", "Z1"): "ry(x[0]) q[0]; swap q[0], q[1]",
    ("ry(x0) 0; ry(x1) 1; cz 0 1; crz(x0) 1 0; rzz(x1) 0 1", "Z0*Z1"): "ry(x[0]) q[0]; ry(x[1]) q[1]",
    ("ry(x0) 0; ccx 0 1 2; z 2", "Z0"): "ry(x[0]) q[0]",
    ("h 0; measure 0 -> 0", "Z0"): "h q[0]",
    ("h 0; measure 0 -> 0", "X0"): "h q[0]; measure q[0] -> c[0]",
    ("h 0; measure 0 -> 0; x 1 if c0", "Z1"): "h q[0]; measure q[0] -> c[0]; x q[1] if c[0]",
    ("h 0; measure 0 -> 0; x 1 if c0", "Z0"): "h q[0]",
    ("h 0; measure 0 -> 0; measure 1 -> 0; x 1 if c0", "Z1"): "measure q[1] -> c[0]; x q[1] if c[0]",
    ("h 0; reset 0; rx(x0) 0", "Z0"): "reset q[0]; rx(x[0]) q[0]",
    ("h 0; cx 0 1; reset 0", "Z1"): "h q[0]; cx q[0], q[1]",
    ("h 0; barrier 0 1; h 1", "X0"): "h q[0]; barrier q[0]",
    ("h 0; h 1", "2.5"): "",
}


@pytest.mark.parametrize(("text", "observable"), CASES)
def test_known_case(text: str, observable: str, write_circuit, show_circuit):
    before = module_of(
        write_circuit(text, 3, 2 * ("->" in text)), [ops.Expectation("c", (PauliSum.parse(observable),))]
    )
    after = LightCone(drop_qubits=False).run(before, Context())
    assert show_circuit(after.circuits["c"]) == CASES[text, observable]


def ring_layers(qubits: int, layers: int) -> Circuit:
    """Data re-uploading: rotations on every qubit, then a ring of cz, in layers."""
    editor = CircuitEditor("c", qubits)
    for layer in range(layers):
        for q in range(qubits):
            editor.add("ry", [q], [0.1 + q + layer])
        for q in range(qubits):
            editor.add("cz", [q, (q + 1) % qubits])
    return editor.circuit()


def test_a_trailing_ring_of_diagonal_gates_is_not_needed_for_z():
    context = Context()
    before = module_of(ring_layers(6, 2), [ops.Expectation("c", (Z(2),))])
    after = LightCone().run(before, context)
    assert after.circuits["c"].costs()["two_qubit_gates"] == 2
    assert after.circuits["c"].num_qubits == 3
    assert "outside the light cone" in context.remarks[0].message
    assert context.remarks[0].saved == {"gates": 18, "two_qubit_gates": 10, "qubits": 3}
    assert max_error(evaluate(before, [])[0], evaluate(after, [])[0]) < 1e-12


def test_all_readouts_of_a_circuit_share_one_cone_and_one_numbering():
    inner = ops.Expectation("c", (Z(5) * X(2),))
    before = module_of(ring_layers(7, 1), [inner, ops.Probabilities("c", (5, 3)), ops.Samples("c", (2,), 7)])
    after = LightCone().run(before, Context())
    assert after.circuits["c"].num_qubits == 4
    kinds = [node.op for node in after.graph.nodes]
    assert kinds == [
        ops.Expectation("c", (Z(3) * X(1),)),
        ops.Probabilities("c", (3, 2)),
        ops.Samples("c", (1,), 7),
    ]
    for a, b in zip(evaluate(before, [], seed=3), evaluate(after, [], seed=3), strict=True):
        assert max_error(a, b) < 1e-12


def test_readouts_in_bodies_are_renumbered_too():
    module = Module("m", circuits={"c": ring_layers(5, 1)})
    body = GraphBuilder(module)
    state = body.input("state", Type("f64", ()))
    read = body.add(ops.Expectation("c", (Z(4),)))[0]
    one = body.add(ops.Slice(0, 0, 1, squeeze=True), read)[0]
    builder = GraphBuilder(module)
    start = builder.add(ops.Constant(0.0, (), "f64"))[0]
    total = builder.add(ops.Scan(3, body.graph(body.add(ops.Add(), state, one)[0]), 1), start)[0]
    before = module.with_(graph=builder.graph(total))
    verify(before)
    after = LightCone().run(before, Context())
    assert after.circuits["c"].num_qubits == 1
    assert float(evaluate(after, [])[0]) == pytest.approx(float(evaluate(before, [])[0]), abs=1e-12)


def test_a_circuit_that_nothing_reads_stays(make_circuit):
    before = Module("m", Graph((), (), ()), circuits={"c": make_circuit(0, 4, 20)})
    assert LightCone().run(before, Context()) == before
