"""Circuits of Qiskit as circuits of the IR."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit import library as lib
from qiskit.circuit.classical import expr
from qiskit.circuit.library import standard_gates as std
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector, random_clifford, random_unitary
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveStatevector
from qsc.bridges.faults import NotAffineError, UnconvertibleError
from qsc.bridges.qiskit import final_permutation, from_qiskit, to_qiskit, with_parameters
from qsc.ir import InputError

SHOTS = 4000


@pytest.mark.parametrize("seed", range(10))
def test_there_and_back_is_the_same_circuit(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.random_circuit(rng, 4, 40), rng.normal(size=lab.variables)
    made = to_qiskit(circuit)
    back = from_qiskit(made.circuit, like=made)
    assert (back.inputs, back.name) == (circuit.inputs, circuit.name)
    assert np.abs(lab.matrix(back, values) - lab.matrix(circuit, values)).max() < 1e-12
    if not circuit.gate_counts().get("pauli"):
        assert [row[:2] for row in back.rows()] == [row[:2] for row in circuit.rows()]


@pytest.mark.parametrize("seed", range(10))
def test_dynamic_circuits_there_and_back(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.dynamic_circuit(rng, 3, 20), rng.normal(size=lab.variables)
    made = to_qiskit(circuit)
    back = from_qiskit(made.circuit, like=made)
    assert np.abs(lab.outcomes(back, values) - lab.outcomes(circuit, values)).max() < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_own_parameters_survive(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.random_circuit(rng, 3, 30), rng.normal(size=lab.variables)
    theirs = with_parameters(circuit)
    back = from_qiskit(theirs, inputs=["x"], weights=["w"])
    assert back.inputs == circuit.inputs
    assert np.abs(lab.matrix(back, values) - lab.matrix(circuit, values)).max() < 1e-12


@pytest.mark.parametrize("level", [1, 2, 3])
def test_transpiled_circuits_come_back_with_the_rows(lab, level):
    rng = np.random.default_rng(level)
    circuit, values = lab.random_circuit(rng, 4, 25), rng.normal(size=lab.variables)
    made = to_qiskit(circuit)
    theirs = transpile(made.circuit, basis_gates=["rz", "sx", "x", "cx"], optimization_level=level, seed_transpiler=1)
    back, final = from_qiskit(theirs, like=made), final_permutation(theirs)
    states = [lab.matrix(c, values)[:, 0] for c in (circuit, back)]
    moved = [sum((index >> q & 1) << final[q] for q in range(4)) for index in range(16)]
    assert abs(np.vdot(states[0], states[1][moved])) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("controls", [4, 5])
def test_gates_with_many_controls_use_the_qubits_beside_them(controls):
    inner = QuantumCircuit(controls + 2, name="oracle")
    inner.h(0)
    inner.mcx(list(range(controls)), controls)
    inner.cp(0.3, 0, controls + 1)
    circuit = QuantumCircuit(controls + 2)
    circuit.append(inner.to_gate(), circuit.qubits)
    circuit.append(std.MCPhaseGate(0.4, controls), range(1, controls + 2))
    read = from_qiskit(circuit)
    made = to_qiskit(read).circuit
    assert Operator(made).equiv(Operator(circuit), atol=1e-10)
    counts = [
        transpile(c, basis_gates=["rz", "sx", "x", "cx"], optimization_level=3, qubits_initially_zero=False).count_ops()
        for c in (made, circuit)
    ]
    assert counts[0]["cx"] <= counts[1]["cx"]


@pytest.mark.parametrize("value", [-2.0, -1.5, 0.5])
def test_expressions_whose_parameters_are_bound_are_numbers(value):
    angle = Parameter("t")
    circuit = QuantumCircuit(1, global_phase=(angle * 1.0).assign(angle, value))
    circuit.rx((angle + 1).assign(angle, value), 0)
    assert Operator(to_qiskit(from_qiskit(circuit)).circuit).equiv(Operator(circuit.assign_parameters({})))


@pytest.mark.parametrize("value", [-2.0, -1.5, 0.5])
def test_expressions_whose_parameters_cancel_are_numbers(value):
    angle = Parameter("t")
    circuit, plain = QuantumCircuit(1, global_phase=angle - angle + value), QuantumCircuit(1, global_phase=value)
    circuit.rx(angle - angle + value, 0)
    plain.rx(value, 0)
    made = to_qiskit(from_qiskit(circuit)).circuit
    assert Operator(made.assign_parameters(dict.fromkeys(made.parameters, 0.7))) == Operator(plain)


T = Parameter("t")
GATES = [
    *(std.get_standard_gate_name_mapping()[name] for name in std.get_standard_gate_name_mapping()),
    std.CXGate(ctrl_state=0),
    std.CRXGate(T, ctrl_state=0),
    std.MCXGate(3, ctrl_state=2),
    std.MCPhaseGate(T, 2),
    std.RYGate(T).control(2, annotated=False),
    std.XGate().control(3, annotated=True),
    lib.PauliGate("XYZ"),
    lib.UnitaryGate(random_unitary(2, seed=1)),
    lib.UnitaryGate(random_unitary(4, seed=2)),
    lib.UnitaryGate(random_unitary(8, seed=3)),
    lib.PermutationGate([2, 0, 1]),
    lib.QFTGate(3),
    lib.DiagonalGate([1, -1, 1j, -1j]),
    lib.GlobalPhaseGate(T),
    lib.PauliEvolutionGate(SparsePauliOp(["XYZ", "IZZ", "ZII", "III"], np.array([0.3, 1, -2, 0.5])), time=T),
    lib.PauliProductRotationGate(Pauli("ZIYX"), T),
    random_clifford(3, seed=4),
    QuantumCircuit(2, global_phase=T / 3).to_gate(),
]


@pytest.mark.parametrize(
    "gate", [g for g in GATES if g.name not in ("measure", "reset", "delay")], ids=lambda g: g.name
)
def test_every_gate_of_the_library_with_its_phase(lab, gate):
    qc = QuantumCircuit(max(gate.num_qubits, 1), global_phase=T)
    qc.append(gate, list(reversed(range(gate.num_qubits))))
    values = np.random.default_rng(0).normal(size=qc.num_parameters)
    back = from_qiskit(qc)
    bound = qc.assign_parameters(dict(zip(sorted(qc.parameters, key=lambda p: p.name), values, strict=True)))
    assert np.abs(lab.matrix(back, values) - Operator(bound.decompose("PauliEvolution")).data).max() < 1e-9


def test_states_are_prepared():
    qc = QuantumCircuit(3)
    wanted = np.arange(1, 9) / np.linalg.norm(np.arange(1, 9))
    qc.prepare_state(Statevector(wanted), [2, 0, 1])
    made = to_qiskit(from_qiskit(qc)).circuit
    assert np.abs(Statevector(made).data - Statevector(qc).data).max() < 1e-10


def test_parameters_become_inputs_and_weights():
    x, w, t = ParameterVector("x", 2), ParameterVector("w", 3), Parameter("θ")
    qc = QuantumCircuit(1)
    for angle in (x[0] + np.pi / 2, 2 * (w[2] - x[1]) / 4, t, (t + 1) * 2 - t):
        qc.rx(angle, 0)
    plain = from_qiskit(qc)
    assert [(a.name, a.shape, a.role) for a in plain.inputs] == [
        ("w", (3,), "input"), ("x", (2,), "input"), ("θ", (), "input")
    ]  # fmt: skip
    chosen = from_qiskit(qc, inputs=[x], weights=[t, "w"])
    assert [(a.name, a.role) for a in chosen.inputs] == [("x", "input"), ("θ", "weight"), ("w", "weight")]
    assert [a.role for a in from_qiskit(qc, inputs=[x]).inputs] == ["input", "weight", "weight"]
    rows = chosen.angles.rows()
    assert rows[0] == (1, 2, 0.0, ((0, 1.0),))
    assert rows[1] == (0, 1, 0.0, ((1, -0.5), (5, 0.5)))
    assert rows[3] == (0, 1, 2.0, ((2, 1.0),))
    with pytest.raises(InputError, match="no parameter 'v'"):
        from_qiskit(qc, inputs=["v"])
    with pytest.raises(InputError, match="listed twice"):
        from_qiskit(qc, inputs=[x], weights=["x"])


def test_angles_that_are_not_affine_are_named():
    a, b = Parameter("a"), Parameter("b")
    qc = QuantumCircuit(1)
    qc.rz(a * b, 0)
    with pytest.raises(NotAffineError, match=r"a\*b of the gate rz is not affine in the parameter a and b"):
        from_qiskit(qc)


def counts_of(qc: QuantumCircuit) -> np.ndarray:
    """Share of every value of the classical bits, by Aer."""
    counts = AerSimulator(seed_simulator=7).run(qc, shots=SHOTS).result().get_counts()
    out = np.zeros(1 << qc.num_clbits)
    for text, count in counts.items():
        out[int(text.replace(" ", ""), 2)] = count / SHOTS
    return out


def superposed(bits: int = 3) -> QuantumCircuit:
    qc = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(bits, "c"))
    for qubit in range(3):
        qc.ry(0.7 + 0.5 * qubit, qubit)
    return qc


def else_branch(qc: QuantumCircuit) -> None:
    qc.measure(0, 0)
    with qc.if_test((0, 1)) as otherwise:
        qc.x(1)
    with otherwise:
        qc.h(2)


def nested(qc: QuantumCircuit) -> None:
    qc.measure([0, 1], [0, 1])
    with qc.if_test((qc.cregs[0], 1)):
        qc.h(0)
        qc.measure(0, 2)
        with qc.if_test((2, 0)) as otherwise:
            qc.x(2)
        with otherwise:
            qc.ry(0.3, 2)


def expressions(qc: QuantumCircuit) -> None:
    qc.measure([0, 1], [0, 1])
    register = qc.cregs[0]
    with qc.if_test(expr.bit_xor(qc.clbits[0], expr.logic_not(qc.clbits[1]))):
        qc.x(2)
    with qc.if_test(expr.less(register, 2)):
        qc.ry(0.4, 0)
    with qc.if_test(expr.greater_equal(expr.bit_and(register, 3), 2)):
        qc.ry(0.9, 1)


def switched(qc: QuantumCircuit) -> None:
    qc.measure([0, 1], [0, 1])
    with qc.switch(qc.cregs[0]) as case:
        with case(0, 2):
            qc.x(2)
        with case(1):
            qc.ry(0.4, 2)
        with case(case.DEFAULT):
            qc.h(2)


def looped(qc: QuantumCircuit) -> None:
    turn = Parameter("turn")
    with qc.for_loop(range(3), turn):
        qc.ry(0.2 * turn, 0)
        qc.measure(0, 0)
        with qc.if_test((0, 1)):
            qc.x(1)


def own_bit_changes(qc: QuantumCircuit) -> None:
    """The block goes on, and its else stays out, after the bit of its condition has changed."""
    qc.measure(0, 0)
    with qc.if_test((0, 1)) as otherwise:
        qc.measure(1, 0)
        qc.ry(1.1, 2)
        qc.x(0)
    with otherwise:
        qc.h(1)
        qc.measure(1, 0)
        qc.x(2)


def resets(qc: QuantumCircuit) -> None:
    qc.cx(0, 1)
    qc.reset(0)
    qc.h(0)
    qc.delay(10, 0)
    qc.initialize([0.6, 0.8], [2])


@pytest.mark.parametrize(
    "add", [else_branch, nested, expressions, switched, looped, own_bit_changes, resets], ids=lambda f: f.__name__
)
def test_control_flow_has_aer_s_distribution(lab, add):
    qc = superposed()
    add(qc)
    last = ClassicalRegister(3, "last")
    qc.add_register(last)
    qc.measure(range(3), last)
    back = from_qiskit(qc)
    exact = lab.outcomes(back, np.zeros(0))[: 1 << back.num_clbits]
    theirs = counts_of(qc)
    if add is own_bit_changes:
        exact, theirs = (_last(d, 3) for d in (exact, theirs))
    errors = np.abs(exact - theirs)
    assert (errors < 5 * np.sqrt(exact * (1 - exact) / SHOTS) + 1e-9).all()


def _last(distribution: np.ndarray, bits: int) -> np.ndarray:
    """Of the three bits that the last register was read into."""
    out = np.zeros(1 << bits)
    for index, value in enumerate(distribution):
        out[index >> 3 & 7] += value
    return out


def test_while_and_variables_are_refused():
    qc = superposed()
    with qc.while_loop((0, 0)):
        qc.h(0)
        qc.measure(0, 0)
    with pytest.raises(UnconvertibleError, match="while loop"):
        from_qiskit(qc)
    qc = superposed()
    qc.add_var("flag", expr.lift(True))
    with pytest.raises(UnconvertibleError, match="the variable flag"):
        from_qiskit(qc)


def test_instructions_without_a_definition_are_named():
    qc = superposed()
    qc.append(SaveStatevector(3), range(3))
    with pytest.raises(UnconvertibleError, match="save_statevector has no definition"):
        from_qiskit(qc)
