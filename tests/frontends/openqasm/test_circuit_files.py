"""OpenQASM, QPY and pytket JSON files as models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import qsc
from pytket import Circuit as TketCircuit
from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector
from qsc.compiler.cli import run
from qsc.frontends.openqasm import read_file
from qsc.frontends.text import read
from qsc.ir import InputError, PauliSum, print_module
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import BitProbabilities, Expectation, Probabilities, Samples

BELL_3 = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
input angle b;
qubit[3] q;
bit[2] c;
rx(2*a) q[0];
ry(b) q[2];
cx q[0], q[2];
barrier q;
c[1] = measure q[0];
c[0] = measure q[2];
"""

CUSTOM_2 = """// a comment
OPENQASM 2.0;
include "qelib1.inc";
include "own.inc";
qreg q[2]; qreg r[1];
creg c[2]; creg d[1];
own(pi/3) q[0], r[0];
if (c == 2) x q[1];
measure q -> c;
measure r -> d;
"""


@pytest.fixture
def written(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def probabilities(imported, *values):
    arrays = [np.asarray(v, float) for v in values]
    return evaluate(imported.module, arrays, precision="f64")[0].numpy()


def test_final_measurements_are_read_as_qubits_in_the_order_of_their_bits(written):
    imported = read_file(written("bell.qasm", BELL_3))
    (node,) = imported.module.graph.nodes
    assert node.op == Probabilities("bell", (2, 0))
    circuit = imported.module.circuits["bell"]
    assert (circuit.num_clbits, circuit.gate_counts()) == (0, {"cx": 1, "rx": 1, "ry": 1})
    assert [(a.name, a.shape) for a in circuit.inputs] == [("a", ()), ("b", ())]
    qc = QuantumCircuit(3)
    qc.rx(2 * 0.3, 0)
    qc.ry(0.8, 2)
    qc.cx(0, 2)
    wanted = Statevector(qc).probabilities([2, 0])
    assert np.abs(probabilities(imported, [0.3], [0.8])[0] - wanted).max() < 1e-12
    assert read(print_module(imported.module)) == imported.module


def test_openqasm_2_takes_includes_custom_gates_and_several_registers(written):
    written("own.inc", "gate own(t) a, b { h a; cu1(t) a, b; rzz(t/2) a, b; h a; }")
    imported = read_file(written("custom.qasm", CUSTOM_2))
    (node,) = imported.module.graph.nodes
    assert node.op == Probabilities("custom", (0, 1, 2))
    qc = QuantumCircuit(3)
    qc.h(0)
    qc.cp(np.pi / 3, 0, 2)
    qc.rzz(np.pi / 6, 0, 2)
    qc.h(0)
    assert np.abs(probabilities(imported) - Statevector(qc).probabilities()).max() < 1e-12


def test_bits_that_are_measured_before_the_end_are_read_as_bits(written):
    text = 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nry(0.7) q[0];\nc[0] = measure q[0];\n'
    text += "if (c[0]) { x q[1]; } else { ry(0.4) q[1]; }\nreset q[0];\nc[1] = measure q[1];\n"
    imported = read_file(written("mid.qasm", text))
    assert imported.module.graph.nodes[0].op == BitProbabilities("mid", (0, 1))
    one, other = np.sin(0.35) ** 2, np.sin(0.2) ** 2
    wanted = [(1 - one) * (1 - other), 0, (1 - one) * other, one]
    assert np.abs(probabilities(imported) - wanted).max() < 1e-12


@pytest.mark.parametrize(
    ("readout", "op"),
    [
        ("Z0, 0.5*X1*Z2", Expectation("bell", (PauliSum.parse("Z0"), PauliSum.parse("0.5*X1*Z2")))),
        ("probs", Probabilities("bell", (2, 0))),
        ("samples", Samples("bell", (2, 0), 1024)),
        ("samples{shots=7}", Samples("bell", (2, 0), 7)),
    ],
)
def test_readouts_that_the_caller_gives(written, readout, op):
    assert read_file(written("bell.qasm", BELL_3), readout=readout).module.graph.nodes[0].op == op


def test_a_circuit_that_measures_nothing_needs_a_readout(written):
    path = written("none.qasm", 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\n')
    with pytest.raises(InputError, match="--readout"):
        read_file(path)
    assert read_file(path, readout="probs").module.graph.nodes[0].op == Probabilities("none", (0, 1))


def parametrised() -> QuantumCircuit:
    x, t = ParameterVector("x", 2), Parameter("t")
    qc = QuantumCircuit(3, name="model", global_phase=t)
    qc.ry(x[0] - 0.5 * t, 0)
    qc.crz(x[1], 0, 1)
    qc.cswap(0, 1, 2)
    qc.u(t, x[0], 0.2, 2)
    return qc


def test_qpy_keeps_vectors_and_values(written, tmp_path):
    qc = parametrised()
    with (tmp_path / "model.qpy").open("wb") as file:
        qpy.dump([qc, QuantumCircuit(1, name="other")], file)
    with pytest.raises(InputError, match="model, other"):
        read_file(tmp_path / "model.qpy", readout="probs")
    imported = read_file(tmp_path / "model.qpy", entry="model", readout="Z0, X1*Y2")
    t, x = np.array([0.3]), np.array([[0.4, -1.1]])
    bound = Statevector(qc.assign_parameters([0.3, 0.4, -1.1]))
    wanted = [bound.expectation_value(SparsePauliOp(p)).real for p in ("IIZ", "YXI")]
    assert np.abs(probabilities(imported, t, x)[0] - wanted).max() < 1e-12


def test_pytket_json_is_read_with_its_swaps_and_bits(written):
    tk = TketCircuit(2, 2)
    tk.Rx(0.3, 0).CX(0, 1).SWAP(0, 1)
    tk.Measure(0, 1).Measure(1, 0)
    imported = read_file(written("tk.json", json.dumps(tk.to_dict())))
    assert imported.module.graph.nodes[0].op == Probabilities("tk", (1, 0))
    one = np.sin(0.15 * np.pi) ** 2
    assert np.abs(probabilities(imported) - [1 - one, 0, 0, one]).max() < 1e-12


@pytest.mark.parametrize("version", [2, 3])
def test_what_qiskit_writes_is_read_equal(written, version):
    qc = parametrised().assign_parameters([0.3, 0.4, -1.1])
    text = qasm2.dumps(qc) if version == 2 else qasm3.dumps(qc)
    imported = read_file(written("model.qasm", text), readout="probs")
    assert np.abs(probabilities(imported) - Statevector(qc).probabilities()).max() < 1e-9


def test_faults_in_an_included_file_are_placed_in_it(written):
    text = 'OPENQASM 2.0;\ninclude "qelib1.inc";\ninclude "own.inc";\nqreg q[1];\n  own(1 q[0];\n'
    for inner in ("gate own(t) a { nothing(t) a; }", "gate own(t) a { u1(t) a; }"):
        written("own.inc", f"// gates\n{inner}\n")
        with pytest.raises(InputError) as caught:
            read_file(written("outer.qasm", text), readout="probs")
        place = caught.value.diagnostics[0].location
        wanted = ("own.inc", 2, 17) if "nothing" in inner else ("outer.qasm", 5, 9)
        assert (place.file.rpartition("/")[2], place.line, place.column) == wanted


BROKEN = [
    ("syntax3.qasm", "OPENQASM 3.0;\nqubit[2] q;\nbit c = = 1;\n", "P0001", (3, 9)),
    ("name3.qasm", 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n  foo q[0];\n', "P0001", (4, 3)),
    ("name2.qasm", 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\n  foo q[0];\n', "P0001", (4, 3)),
    ("version.qasm", "OPENQASM 4.0;\n", "P0001", (0, 0)),
    ("empty.qasm", " \n", "P0001", (0, 0)),
    ("sums.qasm", "OPENQASM 3.0;\nqubit[3] q;\nfor int i in [0:1] { barrier q[i + 1]; }\n", "P0001", (0, 0)),
    ("text.qasm", b"OPENQASM 3.0;\n\xff", "P0006", (2, 0)),
    ("cut.qpy", b"QISKIT\x0d\x01\x02", "M0007", (0, 0)),
    ("no.qpy", b"hello", "M0007", (0, 0)),
    ("syntax.json", '{\n "a": 1,\n}', "P0001", (3, 1)),
    ("other.json", '{"a": 1}', "M0007", (0, 0)),
    ("odd.json", '{"bits": [], "commands": 3, "phase": "0", "qubits": []}', "M0007", (0, 0)),
    ("loop.qasm", "OPENQASM 3.0;\nqubit q;\nbit c;\nwhile (c) { U(1, 0, 0) q; }\n", "M0005", (0, 0)),
]


@pytest.mark.parametrize(("name", "content", "code", "place"), BROKEN, ids=lambda v: v if isinstance(v, str) else "")
def test_faults_name_the_place(written, name, content, code, place):
    with pytest.raises(InputError) as caught:
        read_file(written(name, content), readout="probs")
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.location.line, fault.location.column) == (code, *place)
    assert fault.location.file.endswith(name)
    assert ("^" in fault.render()) == (place[1] > 0)


def test_the_command_and_compile_take_a_readout(written, capsys, monkeypatch):
    path = written("bell.qasm", BELL_3)
    monkeypatch.chdir(path.parent)
    assert run(["inspect", "bell.qasm", "--readout", "Z0, Z1*Z2"]) == 0
    assert 'observables=["Z0", "Z1*Z2"]' in capsys.readouterr().out
    assert run(["inspect", "bell.qasm", "--readout", "Z7"]) == 2
    written("plain.qsc", "circuit one() on 1 qubits {\n  h q[0];\n}\n")
    assert run(["inspect", "plain.qsc", "--readout", "probs"]) == 2
    assert "takes no readout" in capsys.readouterr().err
    bundle = qsc.compile("bell.qasm", "all:3", readout="Z0*Z2", effort="fast")
    values = [np.array([0.3, 0.5]), np.array([0.8, -0.2])]
    assert np.abs(np.asarray(bundle.run(*values)).ravel() - np.cos(values[1])).max() < 1e-6
