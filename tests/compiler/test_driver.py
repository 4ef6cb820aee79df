"""From a model to a bundle and back, on every kind of target."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import qsc
import torch
from qsc.compiler.cli import run
from qsc.frontends.readouts import module_of
from qsc.frontends.text import read
from qsc.ir import print_module
from qsc.ir.interpreter import evaluate

CIRCUIT = """circuit ansatz(x[3], weight w[3]) on 3 qubits {
  for i in 0..3 { ry(x[i]) q[i]; }
  cx q[0], q[1];
  for i in 0..3 { rx(w[i]) q[i]; }
  cx q[1], q[2];
}

weight @w: f64[3] = [0.3, -1.1, 0.7];

main(x: f64[?,3]) {
  e = expectation(x, @w, circuit="ansatz", observables=["Z0", "0.5*X1*Z2"]);
  return e;
}
"""


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 2))


@pytest.fixture
def circuit_file(tmp_path: Path) -> Path:
    path = tmp_path / "ansatz.qsc"
    path.write_text(CIRCUIT)
    return path


def test_a_torch_model_from_python(net: torch.nn.Module, tmp_path: Path):
    x = torch.randn(7, 4)
    net.eval()
    bundle = qsc.compile(net, target="host", example_input=x, passes="fold-batchnorm", verify_each=True, max_error=1e-6)
    wanted = net.double()(x.double()).detach().numpy()
    net.float()
    assert np.abs(bundle.run(x) - wanted).max() < 1e-6
    assert bundle.manifest["verification"]["passed"]
    again = qsc.load(bundle.save(tmp_path / "net"))
    assert np.array_equal(again.run(x), bundle.run(x))
    assert again.verify().passed
    assert "fold-batchnorm" in bundle.report()
    assert "<table" in bundle._repr_html_() or "<ul>" in bundle._repr_html_()


def test_chunks_give_what_one_run_gives(net: torch.nn.Module, monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    bundle = qsc.compile(net.eval(), target="host", example_input=torch.from_numpy(x))
    whole = bundle.run(x)
    monkeypatch.setattr("qsc.compiler.bundle.CHUNK_BYTES", 2000)
    assert np.array_equal(bundle.run(x), whole)


def test_chunks_follow_the_batch_wherever_it_stands(monkeypatch: pytest.MonkeyPatch):
    text = "main(x: f32[5,?,3], w: f32[3]) { y = mul(x, w); z = sum(y, dims=[0]); return y, z; }"
    x, w = np.random.default_rng(0).normal(size=(5, 40, 3)).astype(np.float32), np.array([1, 2, 3], np.float32)
    bundle = qsc.compile(read(text), target="host", verify=False, calibration=[x, w])
    whole = bundle.run(x, w)
    monkeypatch.setattr("qsc.compiler.bundle.CHUNK_BYTES", 2000)
    for a, b in zip(bundle.run(x, w), whole, strict=True):
        assert np.array_equal(a, b)


def test_a_circuit_on_a_device(circuit_file: Path):
    bundle = qsc.compile(circuit_file, target="line:4", verify_each=True, keep_stages=True)
    x = np.random.default_rng(0).normal(size=(5, 3))
    wanted = evaluate(bundle.source, [x], precision="f64")[0].numpy()
    assert np.abs(bundle.run(x) - wanted).max() < 1e-9
    assert bundle.costs["two_qubit_gates"] >= 1
    sampled = bundle.run(x, shots=4096, seed=3)
    assert 0 < np.abs(sampled - wanted).max() < 0.15
    assert np.array_equal(sampled, bundle.run(x, shots=4096, seed=3))


def test_the_same_input_and_seed_give_the_same_bytes(circuit_file: Path, tmp_path: Path):
    for name in ("one", "two"):
        call = [sys.executable, "-m", "qsc", "compile", str(circuit_file), "-t", "fake_nairobi", "-q", "-o", name]
        subprocess.run(call, check=True, cwd=tmp_path)
    for path in sorted((tmp_path / "one").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path.name


def test_inspect_before_and_after_every_pass(circuit_file: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["inspect", str(circuit_file)]) == 0
    assert "circuit ansatz" in capsys.readouterr().out
    for when, name in (("--before", "bake-weights"), ("--after", "bake-weights"), ("--after", "partition")):
        assert run(["inspect", str(circuit_file), "--target", "line:4", when, name]) == 0
        shown = capsys.readouterr().out
        assert ("weight w[3]" in shown) == (when == "--before")
        assert ("launch" in shown) == (name == "partition")


def test_inspect_a_bundle(circuit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert run(["compile", str(circuit_file), "-t", "line:4", "-o", str(out), "--keep-stages", "-q"]) == 0
    assert run(["inspect", str(out), "--after", "light-cone"]) == 0
    assert "expectation" in capsys.readouterr().out
    assert run(["inspect", str(out), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["stage"] == "program"
    assert "frontend" in facts["stages"]
    assert run(["inspect", str(out), "--format", "dot"]) == 0
    assert capsys.readouterr().out.startswith("digraph")


def test_dumps_and_prints(circuit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    dump = tmp_path / "dump"
    line = ["compile", str(circuit_file), "-t", "line:4", "-o", str(tmp_path / "o"), "--dump-dir", str(dump)]
    assert run([*line, "--print-after", "cancel-gates", "--no-verify"]) == 0
    assert "# after cancel-gates" in capsys.readouterr().out
    names = [p.name for p in sorted(dump.glob("*.qsc"))]
    assert names[0] == "00-frontend.qsc"
    assert "04-light-cone.qsc" in " ".join(names) or any(n.endswith("light-cone.qsc") for n in names)
    rows = [json.loads(row) for row in (dump / "trace.jsonl").read_text().splitlines()]
    assert rows[0]["pass"] == "frontend"
    assert all(r["seconds"] >= 0 for r in rows)


def test_two_targets_of_different_kinds(circuit_file: Path, tmp_path: Path):
    logic = "logic both(a, b) -> (y) { y = a & b; }\n\n"
    main = 'main(x: f64[?,3], bits: bit[?,2]) {\n  y = logic(bits, netlist="both");'
    text = CIRCUIT.replace("return e;", "return e, y;").replace("main(x: f64[?,3]) {", logic + main)
    path = tmp_path / "two.qsc"
    path.write_text(text)
    bundle = qsc.compile(path, target=["line:4", "rsfq"], verify=False)
    assert set(bundle.manifest["devices"]) == {"line:4", "rsfq"}
    assert {launch.device for launch in bundle.launches()} == {"line:4", "rsfq"}
    x, bits = np.zeros((4, 3)), np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    _, y = bundle.run(x, bits)
    assert y.ravel().tolist() == [False, False, False, True]


def test_weights_can_be_kept(circuit_file: Path):
    bundle = qsc.compile(circuit_file, target="line:4", weights="keep")
    assert any(a.role == "weight" for c in bundle.program.circuits.values() for a in c.inputs)


def test_a_changed_artifact_is_caught_by_verification(circuit_file: Path):
    bundle = qsc.compile(circuit_file, target="line:4")
    inputs, outputs = bundle.golden
    from qsc.compiler import storage

    wrong = {"input.0": inputs[0], "output.0": outputs[0] + 1e-3}
    bundle.files["golden.safetensors"] = storage.pack_arrays(wrong)
    del bundle.golden
    outcome = bundle.verify()
    assert not outcome.passed
    assert [c.kind for c in outcome.checks if not c.passed] == ["golden"]
    with pytest.raises(qsc.QscError) as caught:
        outcome.require("model")
    assert caught.value.exit_code == 1


def test_program_text_reads_back(circuit_file: Path):
    bundle = qsc.compile(circuit_file, target="line:4")
    reread = qsc.Bundle(bundle.manifest, bundle.files)
    assert print_module(reread.program) == bundle.files["program.qsc"].decode()
    assert reread.program == bundle.program


def test_a_circuit_too_wide_to_simulate_compiles_without_verification():
    c = qsc.Circuit(60)
    for q in range(60):
        c.h(q)
    for k in range(3):
        for q in range(59):
            c.cx(q, q + 1)
            c.ry(0.3 + 0.01 * k, q + 1)
            c.rz(0.2, q)
    module = module_of(c.build("wide"), [qsc.Z(q) for q in range(60)])
    bundle = qsc.compile(module, "all:60", effort="fast", verify=False)
    assert bundle.costs["two_qubit_gates"] > 0
    with pytest.raises(qsc.QscError, match="R0005"):
        bundle.verify()


@pytest.mark.parametrize(
    "wrong", [{"max_error": float("nan")}, {"max_error": -1.0}, {"seed": -1}, {"effort": "mx"}, {"weights": "foo"}]
)
def test_values_that_no_option_takes(wrong):
    with pytest.raises(qsc.QscError, match=f"option {next(iter(wrong))} is"):
        qsc.compile(torch.nn.Linear(2, 2), "host", example_input=torch.ones(1, 2), **wrong)


@pytest.mark.parametrize("seed", [-1, "a"])
def test_seeds_that_no_run_takes(seed):
    bundle = qsc.compile(torch.nn.Linear(2, 2), "host", example_input=torch.eye(2))
    with pytest.raises(qsc.QscError, match="seed is"):
        bundle.run(np.ones((1, 2), np.float32), seed=seed)
