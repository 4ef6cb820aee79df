"""What a user may hand to `qsc.compile` and to a bundle in Python: taken, or refused by one clear message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from pytket import Circuit as TketCircuit
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qsc.compiler.registry import find_target
from qsc.ir import InputError, Location, TargetError
from qsc.ir.ops import BitProbabilities, Expectation, Probabilities

NUMBER: Any = 3
"""Of a type that stands where others should, which no type checker would let pass."""

INPUTS = np.array([0.1, 0.7])
QUICK: dict[str, Any] = {"effort": "fast", "verify": False}


def circuit() -> qsc.Circuit:
    c = qsc.Circuit(2)
    c.ry(c.inputs("x"), 0)
    c.cx(0, 1)
    c.ry(0.3, 1)
    return c


@pytest.fixture(scope="module")
def bundle() -> qsc.Bundle:
    return qsc.compile(circuit(), "fake_nairobi", readout="Z0*Z1", **QUICK)


def refused(make: Any, code: str, message: str) -> None:
    """It raises one InputError of that code, whose text has the message."""
    with pytest.raises(InputError) as caught:
        make()
    (fault,) = caught.value.diagnostics
    assert fault.code == code
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"target": None}, "T0001", "option target is None"),
        ({"target": 3}, "T0001", "option target is 3"),
        ({"target": ["line:2", 3]}, "T0001", "option target is 3"),
        ({"target": []}, "T0001", "no target is given"),
        ({"readout": 3}, "P0005", "a readout is a text or a list of observables, not int: 3"),
        ({"readout": [3]}, "P0005", "3 in the readout is no observable"),
        ({"readout": ""}, "P0005", "the readout is empty"),
        ({"readout": []}, "P0005", "the readout is empty"),
        ({"readout": "Z0,,Z1"}, "P0005", "observable 2 of the readout 'Z0,,Z1' is empty"),
        ({"readout": "Z0*X0"}, "P0005", "a Pauli product names qubit 0 twice: Z0 and X0"),
        ({"readout": "prob"}, "P0005", "did you mean probs?"),
        ({"passes": 3}, "O0002", "option passes is 3"),
        ({"entry": 3}, "O0002", "option entry is 3"),
        ({"input_shape": "a"}, "O0002", "option input_shape is 'a'"),
        ({"input_shape": 1.5}, "O0002", "option input_shape is 1.5"),
        ({"max_circuits": -4}, "O0002", "option max-circuits of pass split-readouts is -4"),
        ({"max_circuits": [1, 2]}, "O0002", "option max-circuits of pass split-readouts is '1,2'"),
    ],
)
def test_values_that_no_option_of_a_compile_takes(options, code, message):
    given = {"target": "line:2", "readout": "Z0", **QUICK, **options}
    refused(lambda: qsc.compile(circuit(), **given), code, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "yes"}, "noise is 'yes'"),
        ({"noise": 1}, "noise is 1"),
        ({"shots": 0}, "shots is 0"),
        ({"shots": True}, "shots is True"),
        ({"shots": 1.5}, "shots is 1.5"),
        ({"seed": "a"}, "seed is 'a'"),
        ({"precision": "f16"}, "precision is 'f16'"),
        ({"target_error": -1}, "target_error is -1"),
        ({"backend": "aerr"}, "'aerr' is nothing to run circuits on"),
        ({"backend": 3}, "an object of type int is nothing to run circuits on"),
    ],
)
def test_values_that_no_option_of_a_run_takes(bundle, options, message):
    refused(lambda: bundle.run(INPUTS, **options), "R0001", message)


def test_an_unknown_option_of_a_run(bundle):
    refused(lambda: bundle.run(INPUTS, shot=5), "O0002", "run has no option 'shot'")
    refused(lambda: bundle.run(INPUTS, shot=5), "O0002", "did you mean shots?")
    assert bundle.outputs.__kwdefaults__.keys() == qsc.compiler.bundle.RUN_OPTIONS


def test_numbers_of_numpy_are_numbers(bundle):
    wanted = bundle.run(INPUTS, shots=100, seed=1, noise=True)
    found = bundle.run(INPUTS, shots=np.int64(100), seed=np.int64(1), noise=np.bool_(True))
    assert (found == wanted).all()


def test_places_are_the_users_lines(bundle):
    kernel = qsc.QuantumKernel(qsc.zz_feature_map(2), target=NUMBER)
    for make in (lambda: bundle.run(INPUTS, shots=0), lambda: kernel(np.zeros((2, 2)))):
        with pytest.raises(InputError) as caught:
            make()
        (fault,) = caught.value.diagnostics
        assert fault.location == Location(__file__, make.__code__.co_firstlineno)


def test_a_kernel_without_a_target_has_no_shots():
    kernel = qsc.QuantumKernel(qsc.zz_feature_map(2))
    with pytest.raises(InputError, match="no target"):
        kernel(np.zeros((2, 2)), shots=100)


def test_a_described_device_has_a_name_of_its_own(tmp_path: Path):
    table = 'backend = "qiskit"\nqubits = 2\nbasis = ["rz", "sx", "x", "cz"]\nname = "{}"\n'
    for name in ("fake_torino", "line:2", "mine"):
        (tmp_path / "chip.toml").write_text(table.format(name))
        if name == "mine":
            assert find_target(str(tmp_path / "chip.toml")).name == "mine"
            continue
        with pytest.raises(InputError, match="one that qsc brings"):
            find_target(str(tmp_path / "chip.toml"))


def test_a_seed_of_numpy_is_a_seed(tmp_path: Path):
    options: dict[str, Any] = QUICK | {"seed": np.int64(3)}
    assert qsc.compile(circuit(), "line:2", readout="Z0", **options).save(tmp_path / "out").is_dir()


def test_aer_by_name(bundle):
    assert np.abs(bundle.run(INPUTS, backend="aer") - bundle.run(INPUTS)).max() < 1e-9
    drawn = [bundle.run(INPUTS, backend="aer", shots=1000, seed=seed) for seed in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize("readout", ["Z0", "probs", "0.5"])
@pytest.mark.parametrize("target", ["fake_nairobi", "tket:fake_nairobi"])
def test_a_circuit_of_which_nothing_is_left_runs_with_noise(readout, target, capfd):
    c = qsc.Circuit(2)
    c.rz(c.inputs("x"), 0)
    constant = qsc.compile(c, target, readout=readout, **QUICK)
    drawn = constant.run(INPUTS, shots=2000, noise=True, seed=1)
    assert np.abs(drawn - constant.run(INPUTS)).max() < (0.2 if readout != "0.5" else 1e-12)
    assert capfd.readouterr().err == ""


# Circuits of the neighbours


def ansatz() -> QuantumCircuit:
    a = Parameter("a")
    qc = QuantumCircuit(2, 2)
    qc.ry(a, 0)
    qc.cx(0, 1)
    return qc


@pytest.mark.parametrize("readout", ["Z0*Z1", "probs", [qsc.Z(0), "X1"], qsc.Z(0)])
def test_a_circuit_of_qiskit_is_compiled_as_its_file(readout, tmp_path: Path):
    with (tmp_path / "circuit.qpy").open("wb") as file:
        qpy.dump(ansatz(), file)
    ours = qsc.compile(ansatz(), "line:2", readout=readout, **QUICK)
    theirs = qsc.compile(tmp_path / "circuit.qpy", "line:2", readout=readout, **QUICK)
    assert np.abs(ours.run(INPUTS) - theirs.run(INPUTS)).max() < 1e-12
    assert ours.source.circuits["circuit"].place.file == __file__


def test_a_circuit_of_qiskit_reads_what_it_measures():
    qc = ansatz()
    refused(lambda: qsc.compile(qc, "line:2"), "M0002", "the circuit measures nothing")
    qc.measure([0, 1], [0, 1])
    bundle = qsc.compile(qc, "line:2", **QUICK)
    (op,) = [node.op for node in bundle.source.nodes()]
    assert isinstance(op, Probabilities | BitProbabilities)
    wanted = np.stack([np.cos(INPUTS / 2) ** 2, 0 * INPUTS, 0 * INPUTS, np.sin(INPUTS / 2) ** 2], axis=1)
    assert np.abs(bundle.run(INPUTS) - wanted).max() < 1e-9


def test_a_circuit_of_pytket():
    tk = TketCircuit(2).H(0).CX(0, 1).SWAP(0, 1)
    tk.replace_SWAPs()
    bundle = qsc.compile(tk, "line:2", readout="Z0*Z1, X0", **QUICK)
    assert isinstance(next(bundle.source.nodes()).op, Expectation)
    assert np.abs(bundle.run() - [1.0, 0.0]).max() < 1e-9
    assert tk.implicit_qubit_permutation() != {q: q for q in tk.qubits}


def test_what_is_no_model():
    refused(lambda: qsc.compile(3, "line:2"), "M0007", "cannot compile an object of type int")
    refused(lambda: qsc.nn.Quantum(NUMBER, ["Z0"]), "P0005", "qsc.Circuit.from_qiskit")
    refused(lambda: qsc.nn.Quantum(circuit(), NUMBER), "P0005", "3 is not a readout")
    refused(lambda: qsc.nn.Quantum(circuit(), [NUMBER]), "P0005", "3 in the readout is no observable")


def test_what_the_device_cannot_hold_is_said_before_what_is_too_large_to_check():
    c = qsc.Circuit(40)
    for q, angle in enumerate(c.inputs("x", 40)):
        c.ry(angle, q)
    for q in range(39):
        c.cx(q, q + 1)
    options: dict[str, Any] = {"readout": "probs", "passes": "light-cone", "effort": "fast"}
    with pytest.raises(TargetError, match="error\\[T0002\\]: circuit circuit has 40 qubits, line:10 has 10"):
        qsc.compile(c, "line:10", **options)
    refused(lambda: qsc.compile(c, "line:40", **options), "R0005", "--no-verify (in Python verify=False)")
