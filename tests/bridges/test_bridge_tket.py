"""Circuits in pytket's form and back."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import sympy
from pytket import Circuit, OpType
from pytket.circuit import (
    CircBox,
    DiagonalBox,
    PauliExpBox,
    QControlBox,
    Unitary1qBox,
    Unitary2qBox,
    Unitary3qBox,
)
from pytket.circuit.logic_exp import reg_eq, reg_lt
from pytket.passes import AutoRebase, CliffordSimp, FullPeepholeOptimise, KAKDecomposition, SynthesiseTket
from pytket.pauli import Pauli
from qiskit.quantum_info import Operator, random_unitary
from qsc.bridges.faults import UnconvertibleError
from qsc.bridges.tket import NotAffineError, from_tket, to_tket, with_symbols
from qsc.ir import InputError
from qsc.ir.angles import AngleTable, make_row

A, B = sympy.symbols("a b")


def matrix_of(tk: Circuit, values: dict) -> np.ndarray:
    """Pytket's unitary with the symbols bound, qubit 0 the least significant bit."""
    bound = tk.copy()
    bound.symbol_substitution(values)
    order = [int(format(index, f"0{tk.n_qubits}b")[::-1], 2) for index in range(1 << tk.n_qubits)]
    return bound.get_unitary()[np.ix_(order, order)]


def random_matrix(size: int) -> np.ndarray:
    return np.asarray(Operator(random_unitary(size, seed=size)).data)


def bound_rows(made, values: np.ndarray) -> dict:
    angles = AngleTable.from_rows(made.rows).bind(values[None])[0] / np.pi
    return {sympy.Symbol(name): angle for name, angle in zip(made.symbols, angles, strict=True)}


@pytest.mark.parametrize("seed", range(10))
def test_unitaries_both_ways(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.random_circuit(rng, 4, 40), rng.normal(size=lab.variables)
    wanted = lab.matrix(circuit, values)
    made = to_tket(circuit)
    assert np.abs(matrix_of(made.circuit, bound_rows(made, values)) - wanted).max() < 1e-12
    back, final = from_tket(made.circuit, made)
    assert (back.inputs, back.name, final) == (circuit.inputs, circuit.name, (0, 1, 2, 3))
    assert np.abs(lab.matrix(back, values) - wanted).max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_own_symbols_survive(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.random_circuit(rng, 3, 30), rng.normal(size=lab.variables)
    back, _ = from_tket(with_symbols(circuit), weights=["w_0", "w_1"])
    assert [(a.name, a.role) for a in back.inputs] == [
        *((f"x_{k}", "input") for k in range(3)),
        ("w_0", "weight"),
        ("w_1", "weight"),
    ]
    assert np.abs(lab.matrix(back, values) - lab.matrix(circuit, values)).max() < 1e-12


@pytest.mark.parametrize("pass_", [SynthesiseTket, KAKDecomposition, CliffordSimp, FullPeepholeOptimise])
@pytest.mark.parametrize("symbols", [False, True])
def test_what_passes_make_comes_back_with_the_rows_and_the_permutation(lab, pass_, symbols):
    rng = np.random.default_rng(2)
    circuit, values = lab.random_circuit(rng, 4, 12), rng.normal(size=lab.variables)
    if not symbols:
        numbers = circuit.angles.bind(values[None])[0].tolist()
        table = AngleTable.from_rows([make_row(0, number) for number in numbers])
        circuit, values = replace(circuit, inputs=(), angles=table), np.zeros(0)
    made = to_tket(circuit)
    rebase = AutoRebase({OpType.CX, OpType.Rz, OpType.Rx, OpType.H})
    for step in (rebase, pass_(), rebase):
        step.apply(made.circuit)
    try:
        back, final = from_tket(made.circuit, made)
    except NotAffineError:
        # Squashing rotations about several axes gives arc tangents of symbols.
        assert symbols
        assert pass_ is not KAKDecomposition
        return
    ours, theirs = lab.matrix(circuit, values)[:, 0], lab.matrix(back, values)[:, 0]
    moved = [sum((index >> q & 1) << final[q] for q in range(4)) for index in range(16)]
    assert abs(np.vdot(ours, theirs[moved])) == pytest.approx(1, abs=1e-9)


def test_a_permutation_of_three_wires_is_read_where_they_end():
    swapped = Circuit(3).X(0).SWAP(0, 1).SWAP(1, 2)
    swapped.replace_SWAPs()
    circuit, final = from_tket(swapped)
    (row,) = circuit.rows()
    # The bit that X set is that of qubit 2 in the end.
    assert row.wires == (final[2],)


GATES = [
    *((kind, 1, 0) for kind in ["Z", "X", "Y", "S", "Sdg", "T", "Tdg", "V", "Vdg", "SX", "SXdg", "H", "noop"]),
    *((kind, 1, 1) for kind in ["Rx", "Ry", "Rz", "U1", "GPI", "GPI2"]),
    *((kind, 1, 2) for kind in ["U2", "PhasedX"]),
    *((kind, 1, 3) for kind in ["U3", "TK1"]),
    *((kind, 2, 0) for kind in ("CX", "CY", "CZ", "CH", "CV", "CVdg", "CSX", "CSXdg", "CS", "CSdg")),
    *((kind, 2, 0) for kind in ("ECR", "SWAP", "ZZMax", "Sycamore", "ISWAPMax")),
    *((kind, 2, 1) for kind in ["CRx", "CRy", "CRz", "CU1", "XXPhase", "YYPhase", "ZZPhase", "ISWAP", "ESWAP"]),
    *((kind, 2, 2) for kind in ["FSim", "PhasedISWAP"]),
    *((kind, 2, 3) for kind in ["CU3", "TK2", "AAMS"]),
    *((kind, 3, 0) for kind in ["CCX", "CSWAP", "BRIDGE", "CnX", "CnY", "CnZ"]),
    *((kind, 3, 1) for kind in ["CnRx", "CnRy", "CnRz", "XXPhase3", "PhaseGadget"]),
    ("NPhasedX", 3, 2),
    ("CnX", 5, 0),
]


@pytest.mark.parametrize(("kind", "qubits", "angles"), GATES, ids=lambda v: str(v))
def test_every_gate_with_its_phase(lab, kind, qubits, angles):
    tk = Circuit(qubits)
    tk.add_phase(A / 3)
    given = [0.3 + 0.7 * A, B - A / 3, 0.2][:angles]
    tk.add_gate(getattr(OpType, kind), given, [*range(qubits)][::-1])
    values = dict(zip(sorted(tk.free_symbols(), key=str), (0.37, -1.21), strict=False))
    back, final = from_tket(tk)
    assert final == tuple(range(qubits))
    assert np.abs(lab.matrix(back, np.array(list(values.values()))) - matrix_of(tk, values)).max() < 1e-9


def test_boxes(lab):
    inner = Circuit(2)
    inner.Rz(A, 0).CX(0, 1).add_phase(B)
    tk = Circuit(3)
    tk.add_circbox(CircBox(inner), [2, 0])
    tk.add_pauliexpbox(PauliExpBox([Pauli.X, Pauli.Y, Pauli.Z], A * 0.5), [2, 0, 1])
    tk.add_qcontrolbox(QControlBox(CircBox(inner), 1), [0, 2, 1])
    tk.add_unitary1qbox(Unitary1qBox(random_matrix(2)), 0)
    tk.add_unitary2qbox(Unitary2qBox(random_matrix(4)), 0, 1)
    tk.add_unitary3qbox(Unitary3qBox(random_matrix(8)), 0, 1, 2)
    tk.add_diagonal_box(DiagonalBox(np.exp(1j * np.arange(4))), [1, 2])
    values = {A: 0.4, B: -0.7}
    back, _ = from_tket(tk)
    assert "pauli" in back.gate_counts()
    assert np.abs(lab.matrix(back, np.array([0.4, -0.7])) - matrix_of(tk, values)).max() < 1e-9


def test_angles_stay_exact():
    tk = Circuit(1)
    for angle in (0.5, 1 / 3, A / 4 + 0.25, 2 * (A + 1) - A, 0.1234):
        tk.Rz(angle, 0)
    made = to_tket(from_tket(tk).circuit)
    rows = [from_tket(made.circuit, made).circuit.angles.row(k) for k in range(5)]
    assert rows[0] == (1, 2, 0.0, ())
    assert rows[1] == (1, 3, 0.0, ())
    assert (rows[2][:3], rows[3][:3]) == ((1, 4, 0.0), (2, 1, 0.0))
    assert rows[4][2] == pytest.approx(0.1234 * np.pi, abs=1e-15)


@pytest.mark.parametrize("angle", [A * B, sympy.atan2(A, B), A**2, 1 / A])
def test_angles_that_are_not_affine_are_named(angle):
    tk = Circuit(1)
    tk.Rz(angle, 0)
    with pytest.raises(NotAffineError, match=r"of the gate Rz\(.* is not affine"):
        from_tket(tk)


def test_symbols_have_roles():
    tk = Circuit(1)
    tk.Rz(A, 0).Rx(B, 0)
    assert [(i.name, i.role) for i in from_tket(tk, inputs=[B]).circuit.inputs] == [("b", "input"), ("a", "weight")]
    with pytest.raises(InputError, match="no parameter 'c'"):
        from_tket(tk, weights=["c"])


@pytest.mark.parametrize("seed", range(10))
def test_dynamic_circuits_there_and_back(lab, seed):
    rng = np.random.default_rng(seed)
    circuit, values = lab.dynamic_circuit(rng, 3, 20), rng.normal(size=lab.variables)
    made = to_tket(circuit)
    back = from_tket(made.circuit, made).circuit
    size = 1 << circuit.num_qubits
    ours, theirs = lab.outcomes(circuit, values), lab.outcomes(back, values)
    assert np.abs(ours[-size:] - theirs[-size:]).max() < 1e-12


def test_conditions_and_logic_follow_every_outcome(lab):
    """Bits are set by X, then measured: each of the eight inputs has one outcome, which Python computes too."""
    for bits in product((0, 1), repeat=3):
        tk = Circuit(4, 3)
        register, target = tk.add_c_register("r", 2), 3
        for k, bit in enumerate(bits):
            if bit:
                tk.X(k)
            tk.Measure(k, k)
        wanted = 0
        tk.X(target, condition_bits=[0, 1], condition_value=2)
        wanted ^= not bits[0] and bits[1]
        tk.add_c_setbits([True], [register[1]])
        tk.add_c_copybits([tk.bits[2]], [register[0]])
        tk.X(target, condition=reg_eq(register, 3))
        wanted ^= bits[2]
        tk.X(target, condition=reg_lt(register, 3))
        wanted ^= not bits[2]
        tk.add_c_xor(tk.bits[0], tk.bits[1], tk.bits[2])
        tk.X(target, condition=tk.bits[2])
        wanted ^= bits[0] ^ bits[1]
        tk.add_clexpr_from_logicexp(tk.bits[0] & tk.bits[2], [register[0]])
        tk.X(target, condition=register[0] ^ tk.bits[1])
        wanted ^= (bits[0] & (bits[0] ^ bits[1])) ^ bits[1]
        back = from_tket(tk).circuit
        outcome = lab.outcomes(back, np.zeros(0))[-16:]
        assert outcome[sum(bit << k for k, bit in enumerate((*bits, wanted)))] == pytest.approx(1), bits


def test_arithmetic_on_registers_is_refused():
    tk = Circuit(1)
    a, b = tk.add_c_register("a", 2), tk.add_c_register("b", 2)
    tk.add_clexpr_from_logicexp(a + b, a.to_list())
    with pytest.raises(UnconvertibleError, match="RegAdd"):
        from_tket(tk)
