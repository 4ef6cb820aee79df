"""The tket backend: emitted circuits are legal, mean what the interpreter says, and agree with the Qiskit route."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import pi

import numpy as np
import pytest
from pytket import Circuit as TketCircuit
from pytket import OpType
from qiskit import qasm3
from qsc.backends.base import RunOptions
from qsc.backends.legality import violations
from qsc.backends.pub import Pub
from qsc.backends.tket.compile import compiled
from qsc.backends.tket.emitted import emitted_circuit
from qsc.backends.tket.simulate import runs_here
from qsc.compiler.registry import find_target
from qsc.ir import Circuit, CircuitEditor, InputError, PauliSum, TargetError
from qsc.ir.ops import Expectation, Parities, Probabilities, Readout, Samples
from scipy import stats

DEVICES = (
    "quantinuum_h1-1",
    "tket:line:4",
    "tket:fake_nairobi",
    "tket:fake_sherbrooke",
    "tket:ionq_forte_36",
    "tket:iqm_crystal_5",
    "tket:rigetti_ankaa_84",
)
OBSERVABLES = (PauliSum.parse("Z0 + 0.5*X1*Y2 - 0.25"), PauliSum.parse("Y0*Z1*X2"), PauliSum.parse("Z2"))
READOUTS: tuple[Readout, ...] = (Expectation("random", OBSERVABLES), Probabilities("random", (2, 0)))


def loaded(job) -> TketCircuit:
    return TketCircuit.from_dict(json.loads(job.emission.files["circuit.json"]))


@pytest.mark.parametrize("device", DEVICES)
def test_emitted_circuits_are_legal_and_right(lab, device):
    rng = np.random.default_rng(len(device))
    values = rng.uniform(-3, 3, (3, 5))
    for op in READOUTS:
        job = lab.job(lab.random_circuit(rng, 3, 10), op, device, dtype="f64")
        np.testing.assert_allclose(job.run(values), job.reference(values), atol=1e-9)
        assert job.backend.last_facts.method == "pytket statevector"
        (emitted,) = job.backend.emitted(job.emission.files)
        assert violations(emitted, job.backend.rules(job.target)) == []
        assert job.emission.costs["two_qubit_gates"] == sum(len(o.qubits) == 2 for o in emitted.operations)


@pytest.mark.parametrize("device", ["quantinuum_h2-1", "tket:line:5", "tket:fake_nairobi"])
def test_measurement_reset_and_conditions(lab, device):
    rng = np.random.default_rng(3)
    values = rng.uniform(-3, 3, (3, 5))
    for op in (Expectation("dynamic", OBSERVABLES), Probabilities("dynamic", (2, 0))):
        job = lab.job(lab.dynamic_circuit(rng, 3, 14), op, device, dtype="f64")
        np.testing.assert_allclose(job.run(values), job.reference(values), atol=1e-9)
        (emitted,) = job.backend.emitted(job.emission.files)
        assert violations(emitted, job.backend.rules(job.target)) == []


@pytest.mark.parametrize("name", ["quantinuum_h1-1", "quantinuum_h2-1", "quantinuum_h2-2"])
def test_verdicts_are_those_of_pytket_quantinuum(lab, name):
    rng = np.random.default_rng(2)
    target = find_target(name)
    provider, rules = target.device.provider, target.device.rules
    job = lab.job(lab.random_circuit(rng, 3, 8), READOUTS[1], name)
    bound = loaded(job)
    bound.symbol_substitution(dict.fromkeys(bound.free_symbols(), 0.3))
    assert provider.valid_circuit(bound)
    legal = 0
    for trial in range(30):
        circuit = TketCircuit(22 if trial % 5 == 0 else 3, 2)
        for _ in range(3):
            kind = (OpType.Rz, OpType.ZZPhase, OpType.ZZMax, OpType.Reset, OpType.H, OpType.CX)[
                rng.integers(4 + 2 * (rng.random() < 0.3))
            ]
            wires = rng.permutation(3)[: 2 if kind in (OpType.ZZPhase, OpType.ZZMax, OpType.CX) else 1].tolist()
            circuit.add_gate(kind, [0.3] if kind in (OpType.Rz, OpType.ZZPhase) else [], wires)
        circuit.Rz(0.1, circuit.n_qubits - 1)
        ours = not violations(emitted_of(circuit), rules)
        assert ours == provider.valid_circuit(circuit)
        legal += ours
    assert 5 < legal < 30


def emitted_of(circuit: TketCircuit):
    return emitted_circuit(circuit, "circuit.json", {})


@pytest.mark.parametrize("device", ["fake_nairobi", "line:4", "ionq_aria_25"])
def test_the_qiskit_route_agrees(lab, device):
    rng = np.random.default_rng(8)
    values = rng.uniform(-3, 3, (4, 5))
    circuit = lab.random_circuit(rng, 3, 10)
    for op in READOUTS:
        ours = lab.job(circuit, op, f"tket:{device}", dtype="f64").run(values)
        np.testing.assert_allclose(ours, lab.job(circuit, op, device, dtype="f64").run(values), atol=1e-9)


def test_open_qasm_means_the_same(lab):
    rng = np.random.default_rng(4)
    job = lab.job(lab.random_circuit(rng, 3, 8), READOUTS[1], "tket:line:4", dtype="f64")
    text = job.emission.files["circuit.qasm"].decode()
    names = re.findall(r"input float\[64\] (\w+);", text)
    assert [line.split()[1] for line in text.splitlines()[1:] if line.startswith("//")] == names
    body = re.sub(r"\$(\d)", r"q[\1]", text).replace('"stdgates.inc";', '"stdgates.inc";\nqubit[4] q;')
    read = qasm3.loads(body)
    assert {p.name for p in read.parameters} == set(names)
    emitted = loaded(job)
    assert read.count_ops()["cz"] == emitted.n_gates_of_type(OpType.CZ)
    assert read.count_ops()["measure"] == emitted.n_gates_of_type(OpType.Measure) == 2


def test_shots_follow_the_probabilities(lab):
    rng = np.random.default_rng(6)
    values = rng.uniform(-3, 3, (2, 5))
    circuit = lab.random_circuit(rng, 3, 10)
    job = lab.job(circuit, Probabilities("random", (0, 1, 2)), "quantinuum_h1-1", dtype="f64")
    exact = job.reference(values)
    drawn = job.run(values, shots=4000, seed=3)
    assert stats.chisquare(drawn[0] * 4000 + 1e-9, exact[0] * 4000 + 1e-9).pvalue > 1e-4
    assert job.backend.last_counts == {"executions": 2, "shots": 8000}
    np.testing.assert_array_equal(drawn, job.run(values, shots=4000, seed=3))
    bits = lab.job(circuit, Samples("random", (1, 0), 500), "quantinuum_h1-1").run(values)
    assert bits.shape == (2, 500, 2)


def test_noise_is_that_of_the_calibration(lab):
    rng = np.random.default_rng(7)
    values = rng.uniform(-3, 3, (2, 5))
    circuit = lab.random_circuit(rng, 3, 10)
    errors = {}
    for device in ("quantinuum_h1-1", "tket:fake_nairobi"):
        job = lab.job(circuit, READOUTS[0], device, dtype="f64")
        errors[device] = np.abs(job.run(values, noise=True) - job.reference(values)).max()
        assert 0 < job.emission.costs["predicted_fidelity"] < 1
    assert 1e-5 < errors["quantinuum_h1-1"] < errors["tket:fake_nairobi"] < 0.9


def test_large_circuits_run_through_aer(lab):
    editor = CircuitEditor("wide", 14, 0, lab.inputs)
    for q in range(14):
        editor.add("ry", [q], [(1, 3, 0.0, ((q % 5, 1.0),))])
    for q in range(13):
        editor.add("cx", [q, q + 1])
    job = lab.job(editor.circuit(), Expectation("wide", (PauliSum.parse("Z13 + X0*Z7"),)), "tket:all:14", dtype="f64")
    values = np.random.default_rng(1).uniform(-1, 1, (2, 5))
    np.testing.assert_allclose(job.run(values), job.reference(values), atol=1e-9)
    assert job.backend.last_facts.method == "statevector"


def test_an_empty_batch_and_single_samples(lab):
    rng = np.random.default_rng(9)
    job = lab.job(lab.random_circuit(rng, 3, 6), READOUTS[0], "tket:line:4", dtype="f64")
    assert job.run(np.zeros((0, 5))).shape == (0, 3)


def test_symbols_stand_for_the_rows(lab):
    rng = np.random.default_rng(12)
    job = lab.job(lab.random_circuit(rng, 3, 8), READOUTS[0], "quantinuum_h1-1")
    pub = json.loads(job.emission.files["pub.json"])
    assert {s.name for s in loaded(job).free_symbols()} == set(pub["parameters"])
    assert {kind.type for kind in loaded(job).get_commands() for kind in [kind.op]} <= job.target.device.gates


@pytest.mark.parametrize("effort", ["fast", "default", "max"])
def test_the_best_form_is_first(lab, effort):
    rng = np.random.default_rng(13)
    made = compiled(lab.random_circuit(rng, 4, 14), find_target("tket:fake_nairobi").device, 0, effort, (0, 1))
    assert made == sorted(made, key=lambda m: m.rank)
    assert len(made) == 1 if effort == "fast" else len(made) > 3


def test_what_does_not_fit(lab, golden: Callable[[str, str], None]):
    rng = np.random.default_rng(1)
    faults = []
    for device, circuit in (("tket:line:2", lab.random_circuit(rng, 3, 4)), ("tket:iqm_crystal_5", resetting(lab))):
        with pytest.raises(TargetError) as caught:
            _ = lab.job(circuit, Expectation(circuit.name, OBSERVABLES[2:]), device).emission
        faults.append(str(caught.value))
    with pytest.raises(InputError) as unknown:
        find_target("tket:rsfq")
    job = lab.job(lab.random_circuit(rng, 3, 4), READOUTS[0], "tket:line:3")
    with pytest.raises(InputError) as handed:
        job.run(np.zeros((1, 5)), device=object())
    golden("tket.err", "\n".join([*faults, str(unknown.value), str(handed.value)]) + "\n")


def resetting(lab) -> Circuit:
    editor = CircuitEditor("resetting", 3, 0, lab.inputs)
    editor.add("reset", [2])
    return editor.circuit()


def test_other_readouts_stay_on_the_host(lab):
    job = lab.job(lab.random_circuit(np.random.default_rng(1), 3, 4), READOUTS[0], "tket:line:3")
    (node,) = job.launch.body.nodes
    assert job.backend.unsupported(node, job.module, job.target) is None
    assert not runs_here(TketCircuit(1).Reset(0), pub_of(job), RunOptions())
    assert Parities.mnemonic in (job.backend.unsupported(parities(node), job.module, job.target) or "")


def pub_of(job):
    return Pub.from_bytes(job.emission.files["pub.json"])


def parities(node):
    return replace(node, op=Parities(((0,),)))


SCRIPT = """
import hashlib
import qsc
c = qsc.Circuit(3)
x = c.inputs("x", 3)
for q in range(3): c.ry(x[q], q)
for q in range(3): c.crx(x[q], q, (q + 1) % 3)
digests = []
for target in ("quantinuum_h2-2", "tket:fake_nairobi"):
    b = qsc.compile(c, target=target, readout=[qsc.Z(0) * qsc.X(1)], passes="partition", verify=False)
    parts = b"".join(b.files[k] for k in sorted(b.files) if k.startswith("artifacts"))
    digests.append(hashlib.sha256(parts).hexdigest())
"""


def test_bytes_are_the_same_in_every_process(tmp_path):
    here: dict[str, list[str]] = {}
    exec(SCRIPT, here)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + "print(*digests)"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == here["digests"]


def test_listing_imports_no_sdk():
    script = (
        "import sys; from qsc.backends.tket.devices import find, names; names(); find('nope');"
        "print(*(m for m in sys.modules if m.split('.')[0] in ('pytket', 'qiskit')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_angles_are_told_in_radians():
    operation, *_ = emitted_of(TketCircuit(2).ZZPhase(0.25, 0, 1)).operations
    assert operation.angles == (0.25 * pi,)
