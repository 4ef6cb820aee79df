"""Finding devices."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import qsc
from qsc.backends.qiskit import devices
from qsc.backends.qiskit.described import target_from_table
from qsc.bridges.extras import need
from qsc.ir import InputError, MissingError, TargetError


def test_every_snapshot_of_the_provider_is_listed():
    from qiskit_ibm_runtime import fake_provider

    classes = [c for c in vars(fake_provider).values() if isinstance(c, type)]
    known = {c.backend_name for c in classes if getattr(c, "backend_name", None)}
    listed = [name for name, _ in devices.names()]
    assert {name for name in listed if name.startswith("fake_")} == known
    assert len(known) >= 60
    assert listed[:4] == ["line:N", "grid:RxC", "heavy-hex:D", "all:N"]
    assert set(devices.vendor_tables()) < set(listed)
    assert ("fake_torino", "133 qubits, calibration snapshot of an IBM device") in devices.names()


def test_listing_imports_no_sdk():
    script = (
        "import sys; from qsc.backends.qiskit.devices import find, names; names(); find('nope');"
        "print(*(m for m in sys.modules if m.split('.')[0].startswith('qiskit')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("name", "qubits", "links"),
    [
        ("line:1", 1, 0),
        ("line:8", 8, 7),
        ("grid:4x4", 16, 24),
        ("heavy-hex:5", 57, 64),
        ("all:20", 20, 190),
        ("fake_nairobi", 7, 6),
        ("fake_torino", 133, 150),
    ],
)
def test_devices_are_what_their_name_says(name, qubits, links):
    target = devices.find(name)
    assert target is not None
    assert (target.name, target.kind, target.backend) == (name, "quantum", "qiskit")
    assert target.limits["qubits"] == qubits
    assert len({frozenset(pair) for pair in target.data["coupling"]}) == links
    assert {"rz", "sx", "x", "measure"} <= set(target.native_ops)
    errors = target.data["median_errors"]
    assert bool(errors) == name.startswith("fake_")
    assert all(0 <= e < 0.1 for e in errors.values())


@pytest.mark.parametrize("name", ["torino", "fake_nothing", "rsfq", "line", "ring:5"])
def test_other_names_are_not_devices(name):
    assert devices.find(name) is None


def test_wrong_sizes(golden):
    faults = []
    for name in ("line:x", "line:0", "grid:4", "heavy-hex:4", "all:5000", "line:-3"):
        with pytest.raises(InputError) as caught:
            devices.find(name)
        faults.append(str(caught.value))
    golden("device_sizes.err", "\n".join(faults) + "\n")


def test_a_missing_extra_is_named():
    with pytest.raises(MissingError) as caught:
        need("no_such_sdk.part", "qiskit")
    assert caught.value.exit_code == 4
    assert 'pip install "qsc[qiskit]"' in str(caught.value)


TABLE = {"backend": "qiskit", "qubits": 3, "basis": ["rz", "sx", "x", "cz"], "coupling": [[0, 1], [1, 2]]}


def test_a_described_device():
    target = target_from_table(TABLE | {"name": "mine", "two_qubit_error": 0.01, "readout_error": 0.02}, Path("c.toml"))
    assert (target.name, target.limits["qubits"]) == ("mine", 3)
    assert target.data["median_errors"] == {"cz": 0.01, "measure": 0.02}
    assert target.data["coupling"] == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert target_from_table(TABLE, Path("chips/c.toml")).name == "c"


FULL = """name = "mine"
backend = "qiskit"
qubits = 3
basis = ["rz", "sx", "x", "cz", "rzz"]
coupling = [[0, 1], [1, 2]]
directed = true
control_flow = ["if_else"]
reset = false
mid_circuit_measurement = false
classical_bits = 8
two_qubit_error = 0.01
readout_error = 0.02
t1 = [1.0e-4, 2.0e-4, 3.0e-4]

[angles]
rzz = [0.0, 1.5]

[[calibration]]
gate = "cz"
qubits = [1, 2]
error = 0.03
duration = 7.0e-8

[[calibration]]
gate = "measure"
qubits = [2]
error = 0.1
"""


def test_every_figure_of_a_described_device():
    target = target_from_table(tomllib.loads(FULL), Path("mine.toml"))
    sdk = target.device.target
    assert target.limits == {"qubits": 3, "classical_bits": 8}
    assert target.data["coupling"] == [[0, 1], [1, 2]]
    assert target.data["angles"] == {"rzz": (0.0, 1.5)}
    assert not target.data["mid_circuit_measurement"]
    assert "if_else" in target.native_ops
    assert not {"for_loop", "reset"} & set(target.native_ops)
    assert {pair: p.error for pair, p in sdk["cz"].items()} == {(0, 1): 0.01, (1, 2): 0.03}
    assert sdk["cz"][(1, 2)].duration == 7e-8
    assert [sdk["measure"][(q,)].error for q in range(3)] == [0.02, 0.02, 0.1]
    assert [p.t1 for p in sdk.qubit_properties] == [1e-4, 2e-4, 3e-4]


def test_figures_hold_both_ways_unless_directed():
    table = tomllib.loads(FULL) | {"directed": False}
    sdk = target_from_table(table, Path("mine.toml")).device.target
    assert [sdk["cz"][pair].error for pair in ((0, 1), (1, 0), (1, 2), (2, 1))] == [0.01, 0.01, 0.03, 0.03]


WRONG = {
    "qubits = 3": "qubits = 0",
    'basis = ["rz", "sx", "x", "cz", "rzz"]': 'basis = ["rz", "ccx"]',
    "coupling = [[0, 1], [1, 2]]": "coupling = [[0, 3]]",
    'control_flow = ["if_else"]': 'control_flow = ["goto"]',
    "t1 = [1.0e-4, 2.0e-4, 3.0e-4]": "t1 = [1.0e-4]",
    "rzz = [0.0, 1.5]": "rzz = [1.5, 0.0]",
    'gate = "measure"': 'gate = "mesure"',
    "qubits = [1, 2]": "qubits = [2, 1]",
    "error = 0.1": "error = 1.5",
    "classical_bits = 8": "clasical_bits = 8",
}


def test_a_wrong_table_names_the_line(tmp_path, monkeypatch, golden):
    monkeypatch.chdir(tmp_path)
    faults = []
    for right, wrong in WRONG.items():
        text = FULL.replace(right, wrong)
        Path("mine.toml").write_text(text)
        with pytest.raises(InputError) as caught:
            target_from_table(tomllib.loads(text), Path("mine.toml"))
        assert f"mine.toml:{1 + text[: text.index(wrong)].count(chr(10))}" in str(caught.value)
        faults.append(str(caught.value))
    golden("described_lines.err", "\n\n".join(faults) + "\n")


def test_a_wrong_description_names_every_fault(golden):
    table = {"qubit": 3, "basis": ["rz", "szz"], "coupling": [[0, 0]], "readout_error": 2}
    with pytest.raises(InputError) as caught:
        target_from_table(table, Path("chip.toml"))
    golden("described_device.err", str(caught.value) + "\n")


ISLANDS = """backend = "qiskit"
name = "islands"
qubits = 5
basis = ["rz", "sx", "x", "cz"]
coupling = [[0, 1], [2, 3]]
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ISLANDS, "gates tie 3 of its qubits together, at most 2 of islands are coupled"),
        (ISLANDS.replace(', "cz"', ""), "it has gates on two or more qubits (cz), islands has none"),
        (
            ISLANDS.replace('"cz"', '"csx"').replace("[2, 3]", "[1, 2]"),
            "Qiskit knows no way to write its gates by csx, rz, sx, x",
        ),
        (ISLANDS.replace("[[0, 1], [2, 3]]", "[]"), "it has gates on two or more qubits (cz), islands has none"),
    ],
)
def test_a_device_that_cannot_hold_a_circuit(tmp_path, text, reason):
    (tmp_path / "islands.toml").write_text(text)
    c = qsc.Circuit(3)
    for q, angle in enumerate(c.inputs("x", 3)):
        c.ry(angle, q)
    c.cz(0, 1)
    c.cz(1, 2)
    for q in range(3):
        c.ry(0.3, q)
    with pytest.raises(TargetError, match=re.escape(f"circuit circuit does not fit islands: {reason}")):
        qsc.compile(c, tmp_path / "islands.toml", readout="probs", passes="partition", effort="fast")
