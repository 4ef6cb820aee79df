"""qsc check: verdicts against Qiskit's own check, budgets, exit codes, and the formats for CI."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import pi
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import qsc
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import CXGate, CZGate, HGate, RXGate, RZGate, RZZGate, SXGate, XGate
from qiskit_ibm_runtime.utils.utils import is_isa_circuit
from qsc.backends.legality import DeviceRules, EmittedCircuit, Operation, violations
from qsc.backends.qiskit import devices
from qsc.backends.qiskit.described import target_from_table
from qsc.backends.qiskit.emitted import device_rules, emitted_circuit
from qsc.compiler.check import Outcome, check_bundle
from qsc.compiler.check_formats import junit, sarif
from qsc.compiler.cli import run
from qsc.ir import InputError
from qsc.ir.target import Target

Golden = Callable[[str, str], None]


def found(name: str) -> Target:
    target = devices.find(name)
    assert target is not None
    return target


DEVICES = ("fake_fractional", "fake_nairobi", "line:5", "iqm_crystal_5", "ionq_aria_25")


def random_circuit(target: Target, rng: np.random.Generator, wrong: float) -> QuantumCircuit:
    """Operations of the device, each replaced by any other gate on any qubits with the probability `wrong`."""
    sdk = target.device.target
    circuit = QuantumCircuit(sdk.num_qubits, 2)
    gates = [n for n in sdk.operation_names if n != "delay" and not isinstance(sdk.operation_from_name(n), type)]
    others = (HGate(), SXGate(), XGate(), RZGate(0.3), RXGate(1.0), CXGate(), CZGate(), RZZGate(0.4), RZZGate(2.0))
    for _ in range(6):
        inside = rng.random() < 0.3
        block = QuantumCircuit(circuit.qubits, circuit.clbits) if inside else circuit
        name = gates[rng.integers(len(gates))]
        operation, places = sdk.operation_from_name(name), sorted(sdk[name] or {})
        place = places[rng.integers(len(places))]
        if rng.random() < wrong:
            operation = others[rng.integers(len(others))]
            place = tuple(rng.permutation(sdk.num_qubits)[: operation.num_qubits].tolist())
        if operation.params:
            operation = operation.base_class(*rng.uniform(0, pi / 2, len(operation.params)))
        if operation.name == "measure":
            block.measure(place[0], 0)
        else:
            block.append(operation, place)
        if inside:
            circuit.if_test((circuit.clbits[0], True), block, circuit.qubits, circuit.clbits)
    return circuit


@pytest.mark.parametrize("name", DEVICES)
def test_verdicts_are_those_of_qiskit_ibm_runtime(name):
    rng = np.random.default_rng(11)
    target = found(name)
    rules = device_rules(target)
    legal = 0
    for trial in range(60):
        circuit = random_circuit(target, rng, (0.0, 0.1)[trial % 2])
        theirs = is_isa_circuit(circuit, target.device.target)
        ours = violations(flat(circuit), rules)
        assert bool(ours) == bool(theirs), (theirs, ours)
        legal += not ours
    if "if_else" in target.native_ops:
        assert 15 < legal < 60


def flat(circuit: QuantumCircuit) -> EmittedCircuit:
    """The circuit's operations. Control flow owns only the qubits of its block, as emitted circuits have it."""
    return emitted_circuit(circuit, "circuit.qasm", "", {})


def test_angles_out_of_range_and_unknown_ones():
    rules = device_rules(found("fake_fractional"))
    pair = found("fake_fractional").data["coupling"][0]
    for angle, legal in ((0.0, True), (pi / 2, True), (pi / 2 + 1e-6, False), (-0.1, False), (Parameter("a0"), False)):
        circuit = QuantumCircuit(5)
        circuit.rzz(angle, *pair)
        (first, *_) = [*violations(flat(circuit), rules), None]
        assert (first is None) == legal
        assert first is None or first.rule == "angle-range"
        if not isinstance(angle, Parameter):
            assert bool(is_isa_circuit(circuit, found("fake_fractional").device.target)) != legal


RULES = DeviceRules(
    3,
    {"x": frozenset({(0,), (1,)}), "cz": frozenset({(0, 1)}), "measure": None, "rzz": frozenset({(0, 1)})},
    {"rzz": (0.0, 1.0)},
    mid_circuit_measurement=False,
    classical_bits=2,
)
CASES: list[tuple[str, list[Operation]]] = [
    ("", [Operation("x", (0,)), Operation("cz", (0, 1)), Operation("barrier", (0, 1, 2)), Operation("measure", (0,))]),
    ("native-gate", [Operation("h", (0,))]),
    ("place", [Operation("x", (2,))]),
    ("coupling", [Operation("cz", (0, 2))]),
    ("direction", [Operation("cz", (1, 0))]),
    ("angle-range", [Operation("rzz", (0, 1), (1.1,))]),
    ("angle-range", [Operation("rzz", (0, 1), ("a0 / 2",))]),
    ("control-flow", [Operation("if_else", (0,))]),
    ("reset", [Operation("reset", (0,))]),
    ("mid-circuit-measurement", [Operation("measure", (0,)), Operation("x", (0,))]),
    ("mid-circuit-measurement", [Operation("measure", (0,)), Operation("x", (1,), conditional=True)]),
    ("mid-circuit-measurement", [Operation("measure", (2,))]),
]


@pytest.mark.parametrize(("rule", "operations"), CASES)
def test_every_rule(rule, operations):
    later = (2,) if operations[0].qubits == (2,) and operations[0].name == "measure" else ()
    named = [v.rule for v in violations(EmittedCircuit("f", 3, 2, operations, later), RULES)]
    assert named == ([rule] if rule else [])


def test_sizes_and_counts():
    circuit = EmittedCircuit("f", 4, 3, [Operation("h", (0,), line=n) for n in (5, 6, 9)])
    rules = [(v.rule, v.operation, v.line, v.count) for v in violations(circuit, RULES)]
    assert rules == [("width", 0, 0, 1), ("classical-bits", 0, 0, 1), ("native-gate", 1, 5, 3)]


# Bundles


def chain(constant: bool = False) -> qsc.Circuit:
    circuit = qsc.Circuit(3)
    x = circuit.inputs("x", 3)
    for q in range(3):
        circuit.ry(x[q], q)
    for q in range(2):
        circuit.rzz(0.4 if constant else x[q], q, q + 1)
        circuit.rx(x[q], q)
    return circuit


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    bundle = qsc.compile(chain(), target="line:3", readout=[qsc.Z(0) * qsc.Z(1), qsc.X(2)])
    bundle.save(folder / "chain")
    budgets = {
        "good": "two_qubit_gates = 40\npredicted = 1\n".replace("predicted = 1\n", "depth = {min = 1, max = 100}\n"),
        "tight": "two_qubit_gates = 0\ndepth = {min = 1000}\n",
        "wrong": 'two_qubit_gate = 1\ndepth = "deep"\ngates = {min = 3, max = 1}\n',
        "empty": "",
    }
    for name, text in budgets.items():
        (folder / f"{name}.toml").write_text(text)
    table = (
        'backend = "qiskit"\nname = "mine"\nqubits = 3\nbasis = ["rz", "sx", "x", "cz"]\ncoupling = [[0, 1], [0, 2]]\n'
    )
    (folder / "mine.toml").write_text(table + "directed = true\n")
    qsc.compile(chain(), folder / "mine.toml", readout="probs", effort="fast", verify=False).save(folder / "own")
    return folder


RUNS: dict[str, tuple[int, str]] = {
    "own": (0, "check chain"),
    "other": (0, "check chain --target fake_nairobi --budget good.toml"),
    "illegal": (1, "check chain --target fake_athens"),
    "directions": (1, "check chain --target mine.toml"),
    "file_not_named": (2, "check own"),
    "file_named": (0, "check own --target mine.toml"),
    "over": (1, "check chain --budget tight.toml"),
    "no_bundle": (2, "check nowhere"),
    "no_target": (2, "check chain --target fake_torini"),
    "other_kind": (2, "check chain --target rsfq"),
    "no_budget": (2, "check chain --budget nowhere.toml"),
    "wrong_budget": (2, "check chain --budget wrong.toml"),
    "empty_budget": (2, "check chain --budget empty.toml"),
}
RUNS["other"] = (0, "check chain --target all:5 --budget good.toml")


@pytest.mark.parametrize("name", RUNS)
def test_exit_codes_and_messages(name, workplace, monkeypatch, capsys, golden: Golden):
    code, line = RUNS[name]
    monkeypatch.chdir(workplace)
    assert run(line.split()) == code
    shown = capsys.readouterr()
    golden(f"check_{name}.txt", shown.out + shown.err)


def outcome(workplace: Path, target: str, budget: str | None = None) -> Outcome:
    path = workplace / f"{budget}.toml" if budget else None
    return check_bundle(qsc.load(workplace / "chain"), "build/chain", target, path)


def test_lines_are_those_of_the_operations(workplace):
    (case, *_) = outcome(workplace, "fake_athens").cases
    text = (workplace / "chain" / case.findings[-1].file).read_text().splitlines()
    for finding in case.findings:
        if finding.line:
            gate = re.findall(r"have (?:the gate )?(\w+)", finding.message)[0]
            assert text[finding.line - 1].startswith(gate)


def test_json_has_the_same_facts(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    assert run(["check", "chain", "--target", "fake_athens", "--budget", "tight.toml", "--format", "json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert not facts["passed"]
    assert [case["kind"] for case in facts["cases"]] == ["circuit", "budget", "budget"]
    assert facts["cases"][0]["findings"][0]["rule"] in ("native-gate", "coupling", "place")


def test_junit(workplace):
    made = outcome(workplace, "fake_athens", "tight")
    root = ElementTree.fromstring(junit(made))
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    assert root.tag == "testsuites"
    assert [case.get("name") for case in cases] == [case.subject for case in made.cases]
    assert all(case.get("classname") for case in cases)
    assert int(suite.get("tests", "")) == len(cases)
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == 3
    assert all(failure.get("message") and failure.text for failure in suite.findall("testcase/failure"))
    assert not ElementTree.fromstring(junit(outcome(workplace, "all:5"))).findall(".//failure")


PROPERTIES = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"results"}),
    "driver": ({"name"}, {"version", "rules"}),
    "rule": ({"id"}, {"shortDescription"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations", "occurrenceCount"}),
    "location": (set(), {"physicalLocation", "logicalLocations"}),
    "physical": ({"artifactLocation"}, {"region"}),
}
"""Object of SARIF 2.1.0 -> the properties that the standard requires, and those of its optional ones that we use; the
standard allows no others."""


def allowed(kind: str, value: dict) -> dict:
    needed, optional = PROPERTIES[kind]
    assert needed <= set(value) <= needed | optional
    return value


@pytest.mark.parametrize(("target", "budget"), [("fake_athens", "tight"), ("all:5", "good"), ("mine.toml", None)])
def test_sarif_is_of_its_schema(workplace, monkeypatch, target, budget):
    monkeypatch.chdir(workplace)
    made = outcome(workplace, target, budget)
    log = allowed("log", json.loads(sarif(made)))
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    driver = allowed("run", one)["tool"]["driver"]
    rules = [allowed("rule", rule)["id"] for rule in allowed("driver", driver)["rules"]]
    assert len(set(rules)) == len(rules)
    assert len(one["results"]) == sum(len(case.findings) for case in made.cases)
    for result in one["results"]:
        allowed("result", result)
        assert result["message"]["text"]
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        for place in result["locations"]:
            physical = allowed("physical", allowed("location", place)["physicalLocation"])
            assert re.fullmatch(r"[\w\-./%]+", physical["artifactLocation"]["uri"])
            assert physical.get("region", {"startLine": 1})["startLine"] >= 1
            assert all(logical["fullyQualifiedName"] for logical in place["logicalLocations"])


def test_a_described_range_is_checked_and_kept():
    table = {
        "backend": "qiskit",
        "qubits": 3,
        "basis": ["rz", "sx", "x", "cz", "rzz"],
        "angles": {"rzz": [0.0, pi / 2]},
    }
    target = target_from_table(table, Path("ranges.toml"))
    assert target.data["angles"] == {"rzz": (0.0, pi / 2)}
    circuit = QuantumCircuit(3)
    circuit.rzz(2.0, 0, 1)
    assert [v.rule for v in violations(flat(circuit), device_rules(target))] == ["angle-range"]


def test_a_target_file_that_is_gone_is_named(workplace):
    bundle = qsc.compile(chain(constant=True), target=str(workplace / "mine.toml"), readout=[qsc.Z(0)])
    with pytest.raises(InputError, match=r"FILE\.toml"):
        check_bundle(bundle, "b")
    assert check_bundle(bundle, "b", str(workplace / "mine.toml")).passed


def test_a_graph_that_holds_its_states_is_legal(tmp_path):
    model = Path(__file__).parents[2] / "examples" / "digits_snn" / "model.py"
    qsc.compile(model, target="nir", verify=False).save(tmp_path / "snn")
    assert run(["check", str(tmp_path / "snn")]) == 0
