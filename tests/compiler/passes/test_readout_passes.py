"""absorb-clifford, relabel-swaps and trim-ends: every readout stays what it was, with fewer gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp, Statevector
from qsc.compiler.contracts import check
from qsc.compiler.passes.absorb_clifford import AbsorbClifford
from qsc.compiler.passes.base import Context, Pass
from qsc.compiler.passes.light_cone import LightCone
from qsc.compiler.passes.relabel_swaps import RelabelSwaps
from qsc.compiler.passes.trim_ends import TrimEnds
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, PauliSum, Type, Z, ops, verify
from qsc.ir.circuit import GateRow
from qsc.ir.gates import OPCODES
from qsc.ir.interpreter import evaluate, max_error
from qsc.ir.measurement_settings import count_settings

SEEDS = st.integers(0, 2**32 - 1)
THOROUGH = settings(max_examples=60, deadline=None, derandomize=True)
PASSES = [AbsorbClifford(), RelabelSwaps(), TrimEnds()]
FAMILIES = [
    (),
    ("cx", "swap", "iswap", "x", "h", "rz", "rx"),
    ("cz", "cy", "s", "sx", "ecr", "pauli", "rzz", "cx", "h"),
]


def module_of(circuit: Circuit, readouts: Sequence[ops.CircuitOp]) -> Module:
    """A module that reads `circuit` in every way of `readouts`; the circuit's inputs are the module's."""
    module = Module("m", circuits={"c": replace(circuit, name="c")})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    results = [builder.add(op, *inputs)[0] for op in readouts]
    return module.with_(graph=builder.graph(*results))


def random_observable(rng: np.random.Generator, qubits: int, letters: str = "XYZ") -> PauliSum:
    terms = []
    for _ in range(int(rng.integers(1, 4))):
        chosen = sorted(rng.permutation(qubits)[: int(rng.integers(0, min(qubits, 3) + 1))].tolist())
        terms.append((tuple((str(rng.choice(list(letters))), q) for q in chosen), float(rng.normal())))
    return PauliSum.of(terms)


def random_readouts(rng: np.random.Generator, qubits: int) -> list[ops.Readout]:
    """Observables of Z or of all letters, probabilities, samples; sometimes two readouts."""

    def some() -> tuple[int, ...]:
        return tuple(rng.permutation(qubits)[: int(rng.integers(1, qubits + 1))].tolist())

    makers = [
        lambda: ops.Expectation("c", tuple(random_observable(rng, qubits, "Z") for _ in range(3))),
        lambda: ops.Expectation("c", tuple(random_observable(rng, qubits) for _ in range(2))),
        lambda: ops.Probabilities("c", some()),
        lambda: ops.Samples("c", some(), 30),
    ]
    return [makers[int(rng.integers(4))]() for _ in range(1 if rng.random() < 0.8 else 2)]


def random_module(make_circuit, seed: int, names: Sequence[str]) -> Module:
    rng = np.random.default_rng(seed)
    qubits = int(rng.integers(2, 5))
    circuit = make_circuit(seed, qubits, int(rng.integers(1, 25)), names, int(rng.integers(0, 3)) * (seed % 3 == 0))
    rows = circuit.rows()
    for _ in range(int(rng.integers(0, 3))):
        wires = tuple(rng.permutation(qubits)[: int(rng.integers(0, qubits + 1))].tolist())
        rows.insert(int(rng.integers(len(rows) + 1)), GateRow(OPCODES["barrier"], wires))
    return module_of(circuit.with_rows(rows), random_readouts(rng, qubits))


@pytest.mark.parametrize("pass_", PASSES, ids=lambda p: p.name)
def test_every_readout_stays(make_circuit, pass_: Pass):
    @THOROUGH
    @given(SEEDS, st.sampled_from(FAMILIES))
    def run(seed: int, names: Sequence[str]) -> None:
        before = random_module(make_circuit, seed, names)
        after = pass_.run(before, Context())
        verify(after)
        check(pass_, before, after, seed=seed)
        assert before == random_module(make_circuit, seed, names), "the given module is left as it is"

    run()


def test_all_together_against_qiskit(make_circuit, in_qiskit):
    @THOROUGH
    @given(SEEDS, st.sampled_from(FAMILIES))
    def run(seed: int, names: Sequence[str]) -> None:
        rng = np.random.default_rng(seed)
        qubits = int(rng.integers(2, 6))
        circuit = make_circuit(seed, qubits, int(rng.integers(1, 30)), names)
        observables = tuple(random_observable(rng, qubits) for _ in range(2))
        after = module_of(circuit, [ops.Expectation("c", observables)])
        for pass_ in rng.permutation(np.array(PASSES, object)).tolist():
            after = pass_.run(after, Context())
        verify(after)
        op = after.graph.nodes[0].op
        assert isinstance(op, ops.Expectation)
        assert count_settings(op.observables) <= count_settings(observables)
        values = rng.uniform(-7, 7, 4)
        old, new = (Statevector(in_qiskit(c, values)) for c in (circuit, after.circuits["c"]))
        for wanted, found in zip(observables, op.observables, strict=True):
            assert qiskit_expectation(found, new) == pytest.approx(qiskit_expectation(wanted, old), abs=1e-10)

    run()


def qiskit_expectation(observable: PauliSum, state: Statevector) -> float:
    terms = [("".join(p for p, _ in term), [q for _, q in term], coeff) for term, coeff in observable.terms]
    if not terms:
        return 0.0
    return state.expectation_value(SparsePauliOp.from_sparse_list(terms, state.num_qubits or 0)).real


@pytest.mark.parametrize("pass_", PASSES, ids=lambda p: p.name)
def test_each_fires_often(make_circuit, pass_: Pass):
    modules = [random_module(make_circuit, seed, FAMILIES[seed % 3]) for seed in range(90)]
    changed = [module for module in modules if pass_.run(module, Context()) is not module]
    assert len(changed) >= 9


@pytest.mark.parametrize("pass_", PASSES, ids=lambda p: p.name)
def test_what_has_nothing_to_do_gives_the_same_module(pass_: Pass):
    editor = CircuitEditor("c", 2)
    for q in range(2):
        editor.add("ry", [q], [0.3])
    editor.add("cx", [0, 1])
    for q in range(2):
        editor.add("ry", [q], [0.4])
    module = module_of(editor.circuit(), [ops.Expectation("c", (Z(0), Z(1)))])
    assert pass_.run(module, Context()) is module


# Counts that are published for other compilers


def strongly_entangling(qubits: int, layers: int) -> Circuit:
    editor = CircuitEditor("c", qubits)
    for layer in range(layers):
        for q in range(qubits):
            for k, gate in enumerate(("rz", "ry", "rz")):
                editor.add(gate, [q], [0.1 + layer + 0.3 * q + 0.7 * k])
        for q in range(qubits):
            editor.add("cx", [q, (q + 1 + layer % (qubits - 1)) % qubits])
    return editor.circuit()


def layered(qubits: int, layers: int, rotation: str, pairs: Sequence[tuple[int, int]], entangler: str) -> Circuit:
    editor = CircuitEditor("c", qubits)
    for layer in range(layers):
        for q in range(qubits):
            editor.add(rotation, [q], [0.1 + layer + 0.3 * q])
        for a, b in pairs:
            editor.add(entangler, [a, b])
    return editor.circuit()


def ring(qubits: int) -> list[tuple[int, int]]:
    return [(q, (q + 1) % qubits) for q in range(qubits)]


KNOWN = {
    "strongly entangling 6 x 4": (strongly_entangling(6, 4), 24, 15),
    "basic entangler 6 x 3": (layered(6, 3, "rx", ring(6), "cx"), 18, 12),
    "re-uploading 6 x 4": (layered(6, 4, "ry", ring(6), "cz"), 24, 18),
    "reverse linear 8 x 3": (layered(8, 3, "ry", [(q, q + 1) for q in range(6, -1, -1)], "cx"), 21, 14),
}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_counts(name: str):
    circuit, given_gates, wanted = KNOWN[name]
    before = module_of(circuit, [ops.Expectation("c", tuple(Z(q) for q in range(circuit.num_qubits)))])
    assert circuit.costs()["two_qubit_gates"] == given_gates
    after = before
    for pass_ in (TrimEnds(), RelabelSwaps(), AbsorbClifford()):
        after = pass_.run(after, Context())
    assert after.circuits["c"].costs()["two_qubit_gates"] == wanted
    op = after.graph.nodes[0].op
    assert isinstance(op, ops.Expectation)
    assert count_settings(op.observables) == 1
    assert max_error(evaluate(before, [])[0], evaluate(after, [])[0]) < 1e-12


# absorb-clifford

ABSORBED = {
    ("ry(x0) 0; ry(x1) 1; cx 0 1", "Z1"): ("ry(x[0]) q[0]; ry(x[1]) q[1]", "Z0*Z1"),
    ("ry(x0) 0; cz 0 1; rz(x1) 0", "Z0"): ("ry(x[0]) q[0]", "Z0"),
    ("ry(x0) 0; x 0", "Z0"): ("ry(x[0]) q[0]", "-Z0"),
    ("ry(x0) 0; h 0", "Z0"): ("ry(x[0]) q[0]", "X0"),
    ("ry(x0) 0; s 0", "Y0"): ("ry(x[0]) q[0]", "X0"),
    ("ry(x0) 0; rz(pi/2) 0", "Y0"): ("ry(x[0]) q[0]", "X0"),
    ("ry(x0) 0; ry(x1) 1; cx 0 1; rx(x0) 1", "Z0"): ("ry(x[0]) q[0]", "Z0"),
    ("ry(x0) 0; ry(x1) 1; cx 0 1; rx(x0) 1", "Z1"): ("ry(x[0]) q[0]; ry(x[1]) q[1]; rx(x[0]) q[1]", "Z0*Z1"),
    ("ry(x0) 0; ry(x1) 1; cx 0 1; ry(x0) 1", "Z1"): (
        "ry(x[0]) q[0]; ry(x[1]) q[1]; cx q[0], q[1]; ry(x[0]) q[1]",
        "Z1",
    ),
    ("ry(x0) 0; ry(x1) 1; ryy(x0) 0 1", "Z0*Z1"): ("ry(x[0]) q[0]; ry(x[1]) q[1]", "Z0*Z1"),
    ("ry(x0) 0; cx 0 1; barrier 0 1", "Z1"): ("ry(x[0]) q[0]; cx q[0], q[1]; barrier q[0], q[1]", "Z1"),
}


@pytest.mark.parametrize(("text", "observable"), ABSORBED)
def test_absorbed(text: str, observable: str, write_circuit, show_circuit):
    before = module_of(write_circuit(text, 2), [ops.Expectation("c", (PauliSum.parse(observable),))])
    after = AbsorbClifford().run(before, Context())
    left, read = ABSORBED[text, observable]
    assert show_circuit(after.circuits["c"]) == left
    op = after.graph.nodes[0].op
    assert isinstance(op, ops.Expectation)
    assert str(op.observables[0]) == read


def test_settings_never_grow_unless_asked(write_circuit):
    circuit = write_circuit("ry(x0) 0; ry(x1) 1; cz 0 1; x 0", 2)
    before = module_of(circuit, [ops.Expectation("c", (PauliSum.parse("X0"), PauliSum.parse("X1")))])
    kept = AbsorbClifford().run(before, Context())
    assert kept.circuits["c"].gate_counts() == {"ry": 2, "cz": 1}
    assert AbsorbClifford(1).run(before, Context()).circuits["c"].gate_counts() == {"ry": 2}


def test_one_gate_may_stay_where_others_go(write_circuit):
    circuit = write_circuit("ry(x0) 0; ry(x1) 1; ry(x0) 2; cz 0 1; cx 1 2; cx 0 1", 3)
    read = tuple(map(PauliSum.parse, ("X0", "X1", "X2")))
    before = module_of(circuit, [ops.Expectation("c", read)])
    after = AbsorbClifford().run(before, Context())
    assert after.circuits["c"].gate_counts() == {"ry": 3, "cz": 1}
    check(AbsorbClifford(), before, after)


def test_a_ghz_state_is_sampled_without_two_qubit_gates():
    editor = CircuitEditor("c", 5)
    editor.add("h", [0])
    for q in range(4):
        editor.add("cx", [q, q + 1])
    before = module_of(editor.circuit(), [ops.Samples("c", tuple(range(5)), 200)])
    context = Context()
    after = AbsorbClifford().run(before, context)
    assert after.circuits["c"].gate_counts() == {"h": 1}
    assert [node.op.mnemonic for node in after.graph.nodes] == ["samples", "linear_bits"]
    rows = {tuple(row) for row in evaluate(after, [])[0].tolist()}
    assert rows == {(False,) * 5, (True,) * 5}
    assert context.remarks[0].saved == {"gates": 4, "two_qubit_gates": 4}


def test_probabilities_are_relabelled_only_where_all_bits_are_read():
    circuit = layered(3, 1, "ry", [(0, 1), (1, 2)], "cx")
    whole = module_of(circuit, [ops.Probabilities("c", (2, 0, 1))])
    after = AbsorbClifford().run(whole, Context())
    assert after.circuits["c"].gate_counts() == {"ry": 3}
    assert max_error(evaluate(whole, [])[0], evaluate(after, [])[0]) < 1e-12
    part = module_of(circuit, [ops.Probabilities("c", (2,))])
    assert AbsorbClifford().run(part, Context()) is part


def test_two_readouts_of_one_circuit_are_both_pulled_back():
    circuit = layered(3, 1, "ry", [(0, 1), (1, 2)], "cx")
    before = module_of(circuit, [ops.Expectation("c", (Z(2), Z(1))), ops.Samples("c", (2,), 50)])
    after = AbsorbClifford().run(before, Context())
    assert after.circuits["c"].gate_counts() == {"ry": 3}
    check(AbsorbClifford(), before, after)


def test_classical_bits_that_are_read_stay(write_circuit):
    circuit = write_circuit("ry(x0) 0; ry(x1) 1; cz 0 1; measure 0 -> 0; cz 0 1; x 0 if c0; cy 1 0", 2, 1)
    read = ops.BitExpectation("c", (Z(0),)), ops.Expectation("c", (Z(1), Z(0)))
    before = module_of(circuit, read)
    after = AbsorbClifford().run(before, Context())
    assert after.circuits["c"].gate_counts() == {"ry": 2, "cz": 2, "measure": 1, "x": 1}
    check(AbsorbClifford(), before, after)
    bits = module_of(circuit, read[:1])
    assert AbsorbClifford().run(bits, Context()).circuits["c"].gate_counts() == {"ry": 1, "measure": 1}
    check(AbsorbClifford(), bits, AbsorbClifford().run(bits, Context()))


# relabel-swaps

RELABELLED = {
    "ry(x0) 0; swap 0 1; ry(x1) 0": "ry(x[0]) q[0]; ry(x[1]) q[1]",
    "ry(x0) 0; iswap 0 1; ry(x1) 0": "ry(x[0]) q[0]; s q[0]; s q[1]; cz q[0], q[1]; ry(x[1]) q[1]",
    "ry(x0) 0; cx 0 1; cx 1 0": "ry(x[0]) q[0]; cx q[1], q[0]",
    "ry(x0) 0; cx 0 1; cx 1 0; cx 0 1; ry(x1) 0": "ry(x[0]) q[0]; ry(x[1]) q[1]",
    "ry(x0) 0; cx 0 1; rz(x0) 0; rx(x1) 1; cx 1 0": "ry(x[0]) q[0]; rz(x[0]) q[0]; rx(x[1]) q[1]; cx q[1], q[0]",
    "ry(x0) 0; cx 0 1; rx(x0) 0; rz(x1) 1; cx 1 0": "ry(x[0]) q[0]; cx q[1], q[0]; rx(x[0]) q[1]; rz(x[1]) q[0]",
    "ry(x0) 0; cx 0 1; h 0; cx 1 0": "ry(x[0]) q[0]; cx q[0], q[1]; h q[0]; cx q[1], q[0]",
    "measure 0 -> 0; swap 0 1 if c0; ry(x0) 0": "measure q[0] -> c[0]; swap q[0], q[1] if c[0]; ry(x[0]) q[0]",
}


@pytest.mark.parametrize("text", RELABELLED)
def test_relabelled(text: str, write_circuit, show_circuit):
    before = module_of(write_circuit(text, 2, int("->" in text)), [ops.Expectation("c", (PauliSum.parse("X0 + Z1"),))])
    after = RelabelSwaps().run(before, Context())
    assert show_circuit(after.circuits["c"]) == RELABELLED[text]
    check(RelabelSwaps(), before, after)


# trim-ends

TRIMMED = {
    "rz(x0) 0; ry(x1) 0": "phase(-0.5*x[0]); ry(x[1]) q[0]",
    "x 0; p(x0) 0; ry(x1) 0": "phase(x[0]); x q[0]; ry(x[1]) q[0]",
    "h 0; rx(x0) 0; ry(x1) 0": "phase(-0.5*x[0]); h q[0]; ry(x[1]) q[0]",
    "ry(x0) 1; cx 0 1": "ry(x[0]) q[1]",
    "x 0; ry(x0) 1; cx 0 1": "x q[0]; ry(x[0]) q[1]; x q[1]",
    "ry(x0) 0; h 1; cx 0 1": "ry(x[0]) q[0]; h q[1]",
    "ry(x0) 0; rzz(x1) 0 1": "ry(x[0]) q[0]; rz(x[1]) q[0]",
    "ry(x0) 0; x 1; rzz(x1) 0 1": "ry(x[0]) q[0]; x q[1]; rz(-x[1]) q[0]",
    "x 0; ry(x0) 1; crx(x1) 0 1": "x q[0]; ry(x[0]) q[1]; rx(x[1]) q[1]",
    "x 0; ry(x0) 1; ry(x1) 2; ccx 1 0 2": "x q[0]; ry(x[0]) q[1]; ry(x[1]) q[2]; cx q[1], q[2]",
    "reset 0; h 0; h 1; swap 0 1; barrier 0 1": "h q[0]; h q[1]",
    "h 0; sdg 0; sx 0; ry(x0) 0": "h q[0]; sdg q[0]; sx q[0]; ry(x[0]) q[0]",
    "h 0; s 0; ry(pi/2) 0; rx(x0) 0": "phase(7*pi/4); h q[0]; s q[0]; rx(x[0]) q[0]",
    "ry(x0) 0; reset 0; z 0": "ry(x[0]) q[0]; reset q[0]",
}


@pytest.mark.parametrize("text", TRIMMED)
def test_trimmed(text: str, write_circuit, show_circuit):
    before = module_of(write_circuit(text, 3), [])
    after = TrimEnds().run(before, Context())
    check(TrimEnds(), before, after)
    assert show_circuit(after.circuits["c"]) == TRIMMED[text]


def test_circuits_that_stand_for_operators_do_not_start_in_zero(write_circuit):
    module = module_of(write_circuit("rz(x0) 0; ry(x1) 0", 1), [ops.LateAngles("c")])
    assert TrimEnds().run(module, Context()) is module


def test_products_with_an_odd_number_of_y_are_0_for_real_circuits(write_circuit):
    read = tuple(map(PauliSum.parse, ("Y0 + 2*Z1", "Y0*Y1", "X0*Y1")))
    real = module_of(write_circuit("ry(x0) 0; cx 0 1; measure 0 -> 0; h 1 if c0", 2, 1), [ops.Expectation("c", read)])
    context = Context()
    after = TrimEnds().run(real, context)
    op = after.graph.nodes[0].op
    assert isinstance(op, ops.Expectation)
    assert list(map(str, op.observables)) == ["2.0*Z1", "Y0*Y1", "0.0"]
    assert context.remarks[0].saved == {"terms": 2}
    check(TrimEnds(), real, after)
    other = module_of(write_circuit("ry(x0) 0; cx 0 1; rx(x1) 1", 2), [ops.Expectation("c", read)])
    assert TrimEnds().run(other, Context()) is other


def test_the_light_cone_takes_the_rest():
    circuit = layered(4, 2, "ry", ring(4), "cx")
    before = module_of(circuit, [ops.Expectation("c", (Z(0),))])
    after = before
    for pass_ in (TrimEnds(), RelabelSwaps(), AbsorbClifford(), LightCone()):
        after = pass_.run(after, Context())
    assert after.circuits["c"].costs()["two_qubit_gates"] <= 4
    assert max_error(evaluate(before, [])[0], evaluate(after, [])[0]) < 1e-12
