"""The builder takes and gives circuits of Qiskit and pytket."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import qsc
import sympy
from pytket import Circuit as TketCircuit
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Operator
from qsc.ir import MissingError
from qsc.ir.interpreter.compare import unitary


def encoder() -> qsc.Circuit:
    circuit = qsc.Circuit(3)
    x, w, t = circuit.inputs("x", 2), circuit.weights("w", (2, 2)), circuit.inputs("t")
    circuit.ry(2 * x[0] + 0.3, 0)
    circuit.crz(w[1, 0] - t, 0, 2)
    circuit.pauli(w[0, 1] / 2, "XYZ", [2, 0, 1])
    circuit.phase(x[1])
    return circuit


def test_qiskit_there_and_back_keeps_the_parameters():
    circuit, values = encoder(), np.random.default_rng(0).normal(size=7)
    theirs = circuit.to_qiskit()
    assert sorted(p.name for p in theirs.parameters) == ["t", "w[1]", "w[2]", "x[0]", "x[1]"]
    back = qsc.Circuit.from_qiskit(theirs, inputs=["x", "t"], weights=["w"])
    built = back.build()
    assert [(a.name, a.shape, a.role) for a in built.inputs] == [
        ("x", (2,), "input"),
        ("t", (), "input"),
        ("w", (4,), "weight"),
    ]
    moved = values[[0, 1, 6, 2, 3, 4, 5]]
    assert np.abs(unitary(built, moved) - unitary(circuit.build(), values)).max() < 1e-12
    names = dict(zip(circuit.variable_names, values, strict=True))
    names |= {f"w[{k}]": values[2 + k] for k in range(4)}
    bound = theirs.assign_parameters({p: names[p.name] for p in theirs.parameters})
    assert np.abs(Operator(bound).data - unitary(circuit.build(), values)).max() < 1e-12


def test_tket_there_and_back_keeps_the_symbols():
    circuit, values = encoder(), np.random.default_rng(0).normal(size=7)
    theirs = circuit.to_tket()
    assert {str(s) for s in theirs.free_symbols()} == {"t", "w_0_1", "w_1_0", "x_0", "x_1"}
    built = qsc.Circuit.from_tket(theirs).build()
    names = {
        n.replace("[", "_").replace(",", "_").rstrip("]"): v
        for n, v in zip(circuit.variable_names, values, strict=True)
    }
    assert (
        np.abs(unitary(built, [names[a.name] for a in built.inputs]) - unitary(circuit.build(), values)).max() < 1e-12
    )


def test_a_taken_circuit_can_be_gone_on_with():
    x, t = ParameterVector("x", 2), Parameter("t")
    qc = QuantumCircuit(2, 1)
    qc.ry(x[1], 0)
    qc.rzz(t, 0, 1)
    qc.measure(0, 0)
    with qc.if_test((0, 1)):
        qc.x(1)
    circuit = qsc.Circuit.from_qiskit(qc, weights=[t])
    extra = circuit.inputs("extra")
    circuit.rx(extra, 1, condition=circuit.bit(0))
    built = circuit.build()
    assert [(a.name, a.role) for a in built.inputs] == [("x", "input"), ("t", "weight"), ("extra", "input")]
    assert built.gate_counts() == {"measure": 1, "rx": 1, "ry": 1, "rzz": 1, "x": 1}
    assert built.conditions == (("bit", 0),)
    assert built.place.file == __file__


def test_implicit_swaps_of_tket_become_gates():
    tk = TketCircuit(2)
    tk.Rx(sympy.Symbol("a"), 0).SWAP(0, 1)
    tk.replace_SWAPs()
    assert qsc.Circuit.from_tket(tk).build().gate_counts()["swap"] == 1


@pytest.mark.parametrize(("package", "extra"), [("qiskit", "qiskit"), ("pytket", "tket")])
def test_a_missing_sdk_is_named_with_its_extra(monkeypatch, package, extra):
    for name in [n for n in sys.modules if n == package or n.startswith((f"{package}.", f"qsc.bridges.{extra}"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=rf"{package} is not installed.*\n.*qsc\[{extra}\]"):
        getattr(encoder(), "to_qiskit" if extra == "qiskit" else "to_tket")()
