"""What is emitted for a launch."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm3, qpy
from qiskit.quantum_info import Operator
from qiskit_ibm_runtime.utils.utils import is_isa_circuit
from qsc.backends.pub import Pub
from qsc.backends.qiskit.backend import load
from qsc.backends.qiskit.devices import find
from qsc.backends.qiskit.routing import route, steps
from qsc.backends.qiskit.services import QiskitServices
from qsc.bridges.qiskit import to_qiskit
from qsc.ir import AngleInput, CircuitEditor, InputError, PauliSum, TargetError
from qsc.ir.angles import make_row
from qsc.ir.ops import Expectation, Probabilities, Relu, Samples

DEVICES = ("line:5", "grid:2x3", "heavy-hex:3", "all:5", "fake_torino", "fake_sherbrooke", "fake_nairobi")


def readouts(name):
    return (
        Expectation(name, (PauliSum.parse("Z0"), PauliSum.parse("0.5*X1*Y2 - Z3"))),
        Probabilities(name, (2, 0)),
        Samples(name, (1, 3), 16),
    )


def ansatz(qubits=4, layers=2):
    """Every angle stays in the routed circuit: nothing cancels."""
    editor = CircuitEditor("ansatz", qubits, 0, [AngleInput("x", (qubits,)), AngleInput("w", (layers, qubits))])
    for layer in range(layers):
        for q in range(qubits):
            editor.add("ry", [q], [make_row(0, 0.0, [(q, 1.0)])])
            editor.add("rx", [q], [make_row(0, 0.1, [(qubits * (1 + layer) + q, 1.0)])])
        for q in range(qubits - 1):
            editor.add("cx", [q, q + 1])
    return editor.circuit()


@pytest.mark.parametrize("device", DEVICES)
def test_emitted_circuits_run_on_the_device(lab, device):
    circuit = lab.random_circuit(np.random.default_rng(5), 4, 25)
    for op in readouts(circuit.name):
        job = lab.job(circuit, op, device)
        emitted, pub = load(job.emission.files)
        assert is_isa_circuit(emitted, job.target.device.target) == ""
        assert emitted.num_qubits == job.target.limits["qubits"]
        assert {p.name for p in emitted.parameters} == set(pub.parameters)
        assert Pub.from_bytes(pub.to_bytes()) == pub


@pytest.mark.parametrize("device", DEVICES)
def test_one_parameter_a_distinct_row_survives_routing(lab, device):
    circuit = ansatz()
    job = lab.job(circuit, readouts(circuit.name)[0], device)
    emitted, pub = load(job.emission.files)
    distinct = {row for row in circuit.angles.rows() if row[3]}
    assert emitted.num_parameters == len(pub.parameters) == len(distinct) == 12
    assert set(pub.rows) == distinct
    assert [p.uuid for p in emitted.parameters] == [p.uuid for p in to_qiskit(circuit).circuit.parameters]


@pytest.mark.parametrize("device", ["line:5", "fake_nairobi", "grid:2x3"])
def test_openqasm_reads_back_as_the_same_circuit(lab, device):
    rng = np.random.default_rng(8)
    circuit = lab.random_circuit(rng, 4, 25)
    job = lab.job(circuit, readouts(circuit.name)[0], device)
    emitted, pub = load(job.emission.files)
    text = job.emission.files["circuit.qasm"].decode()
    again = qasm3.loads(text)
    assert {p.name for p in again.parameters} == set(pub.parameters)
    assert f"// {pub.parameters[0]} = {pub.angles[0]}\n" in text
    values = dict(zip(pub.parameters, rng.normal(size=len(pub.parameters)), strict=True))
    used = again.num_qubits
    assert all(q < used for _, qubits in steps(emitted) for q in qubits)
    mine = again.copy_empty_like()
    mine.global_phase = 0.0
    for step in emitted.data:
        mine.append(step.operation, [emitted.find_bit(q).index for q in step.qubits])
    ours, theirs = (np.asarray(Operator(c.assign_parameters(values)).data) for c in (mine, again))
    assert np.abs(ours - theirs).max() < 1e-9


def test_openqasm_keeps_conditions_and_bits(lab):
    editor = CircuitEditor("branch", 2, 1, [AngleInput("x")])
    editor.add("ry", [0], [make_row(0, 0.0, [(0, 1.0)])])
    editor.add("measure", [0], clbits=[0])
    editor.add("ry", [1], [make_row(0, 0.0, [(0, 1.0)])], condition=("bit", 0))
    job = lab.job(editor.circuit(), Samples("branch", (0, 1), 8), "fake_torino")
    again = qasm3.loads(job.emission.files["circuit.qasm"].decode())
    emitted, _ = load(job.emission.files)
    assert [r.name for r in again.cregs] == ["c", "readout"]
    assert again.count_ops() == emitted.count_ops()
    assert again.count_ops()["if_else"] == 1


def digests(lab):
    """One line a file of several emissions."""
    lines = []
    for seed, device in enumerate(("fake_torino", "grid:2x3", "fake_nairobi", "grid:2x3")):
        circuit = lab.random_circuit(np.random.default_rng(seed), 4, 25)
        files = lab.job(circuit, readouts(circuit.name)[0], device).emission.files
        lines += [f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in sorted(files.items())]
    return lines


SCRIPT = """
import sys
sys.path += sys.argv[1:]
from conftest import Lab
from test_qiskit_emit import digests
print("\\n".join(digests(Lab())))
"""


def test_bytes_are_the_same_in_every_process(lab):
    here = Path(__file__).parent
    command = [sys.executable, "-c", SCRIPT, str(here), str(here.parent)]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    theirs = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")
    assert theirs[:-1] == digests(lab)
    assert len(theirs) == 13


def test_the_same_seed_gives_the_same_bytes_in_one_process(lab):
    circuit = lab.random_circuit(np.random.default_rng(2), 4, 25)
    first, second = (lab.job(circuit, readouts(circuit.name)[1], "fake_torino").emission.files for _ in range(2))
    assert first == second


def test_costs_are_those_of_the_emitted_circuit(lab):
    circuit = ansatz()
    op = Expectation(circuit.name, tuple(PauliSum.parse(t) for t in ("Z0", "Z1*Z2", "X0", "X0*X3", "Y1")))
    job = lab.job(circuit, op, "fake_torino")
    emitted, _ = load(job.emission.files)
    costs = job.emission.costs
    counts = emitted.count_ops()
    assert costs["two_qubit_gates"] == counts["cz"]
    assert costs["gates"] == sum(counts.values())
    assert costs["depth"] == emitted.depth()
    assert costs["two_qubit_depth"] == emitted.depth(lambda step: step.operation.num_qubits == 2)
    assert (costs["qubits"], costs["circuits"], costs["executions"]) == (4, 1, 2)
    sdk = job.target.device.target
    measured = Pub.from_bytes(job.emission.files["pub.json"]).final
    wanted = np.prod([1 - sdk["measure"][(q,)].error for q in measured])
    for step, qubits in steps(emitted):
        wanted *= 1 - sdk[step.operation.name][qubits].error
    assert costs["predicted_fidelity"] == pytest.approx(wanted)
    assert "predicted_fidelity" not in lab.job(circuit, op, "line:4").emission.costs


def test_placement_counts_the_readout(lab):
    circuit = ansatz()
    job = lab.job(circuit, Expectation(circuit.name, tuple(PauliSum.parse(f"Z{q}") for q in range(4))), "fake_torino")
    sdk = job.target.device.target
    blind = route(to_qiskit(circuit).circuit, sdk, 0)
    assert blind.log_fidelity is not None
    alone = np.exp(blind.log_fidelity) * np.prod([1 - sdk["measure"][(q,)].error for q in blind.final])
    assert job.emission.costs["predicted_fidelity"] > alone


def test_parametrised_rzz_is_not_left_to_the_hardware(lab):
    editor = CircuitEditor("zz", 2, 0, [AngleInput("x")])
    editor.add("h", [0])
    editor.add("h", [1])
    editor.add("rzz", [0, 1], [make_row(0, 0.0, [(0, 1.0)])])
    job = lab.job(editor.circuit(), Expectation("zz", (PauliSum.parse("X0"),)), "fake_fractional")
    emitted, _ = load(job.emission.files)
    assert "rzz" not in emitted.count_ops()
    assert any("rzz" in note for note in job.emission.notes)
    assert np.abs(job.run(np.array([[0.7]])) - np.cos(0.7)).max() < 1e-12


def test_a_broken_calibration_is_said(lab):
    circuit = ansatz()
    emission = lab.job(circuit, readouts(circuit.name)[0], "fake_kyoto").emission
    assert emission.costs["predicted_fidelity"] < 1e-9
    assert any("error 1" in note for note in emission.notes)


def test_too_wide_a_circuit(lab, golden):
    circuit = ansatz(9, 1)
    job = lab.job(circuit, Expectation("ansatz", (PauliSum.parse("Z0"),)), "fake_nairobi")
    with pytest.raises(TargetError) as caught:
        _ = job.emission
    assert caught.value.exit_code == 3
    golden("too_wide.err", str(caught.value) + "\n")


@pytest.mark.parametrize("device", ["all:5", "line:5", "fake_nairobi"])
def test_too_wide_a_circuit_scores_worst(device: str):
    target = find(device)
    assert target is not None
    assert QiskitServices(target).score(ansatz(8, 1), [0], 0, 1) == (float("inf"),) * 4


@pytest.mark.parametrize("device", ["all:2", "line:2", "fake_torino"])
def test_feed_forward_on_as_many_qubits_as_the_device_has(lab, device: str):
    editor = CircuitEditor("dynamic", 2, 1)
    editor.add("sx", [0])
    editor.add("measure", [0], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    job = lab.job(editor.circuit(), Samples("dynamic", (1,), 4), device)
    (circuit,) = qpy.load(io.BytesIO(job.emission.files["circuit.qpy"]))
    (step,) = [step for step in circuit.data if step.is_control_flow()]
    assert circuit.global_phase == 0.0
    assert [block.global_phase for block in step.operation.blocks] == [0.0]


def test_a_device_without_an_operation(lab, golden):
    editor = CircuitEditor("dynamic", 2, 1)
    editor.add("measure", [0], clbits=[0])
    editor.add("reset", [0])
    editor.add("x", [1], condition=("bit", 0))
    job = lab.job(editor.circuit(), Samples("dynamic", (1,), 4), "fake_melbourne")
    with pytest.raises(TargetError) as caught:
        _ = job.emission
    assert caught.value.exit_code == 3
    golden("lacking_operations.err", str(caught.value) + "\n")


def test_only_readouts_run_on_the_device(lab):
    circuit = ansatz()
    job = lab.job(circuit, readouts(circuit.name)[0], "line:5")
    (node,) = job.launch.body.nodes
    assert job.backend.unsupported(node, job.module, job.target) is None
    classical = type(node)(Relu(), node.operands[:1], node.results)
    assert job.backend.unsupported(classical, job.module, job.target) == "relu is a classical op and runs on the host"


def test_another_schema_is_refused(lab):
    circuit = ansatz()
    text = lab.job(circuit, readouts(circuit.name)[0], "line:5").emission.files["pub.json"].decode()
    with pytest.raises(InputError, match="B0003"):
        Pub.from_bytes(text.replace('"schema": 1', '"schema": 99').encode())


def test_qpy_holds_one_circuit_named_after_ours(lab):
    circuit = ansatz()
    files = lab.job(circuit, readouts(circuit.name)[0], "line:5").emission.files
    (only,) = qpy.load(io.BytesIO(files["circuit.qpy"]))
    assert only.name == circuit.name
