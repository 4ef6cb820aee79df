"""Bad input: one clear message with its place, the right exit code, nothing half-written, no traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from qsc.compiler.cli import run

Golden = Callable[[str, str], None]

LINEAR = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 2)
example_input = torch.linspace(-1, 1, 12).reshape(4, 3)
"""
RAISES = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        raise RuntimeError("the cat sat on the keyboard")

model = Net()
example_input = torch.zeros(2, 3)
"""
NO_MODEL = """
import torch
modle = torch.nn.Linear(3, 2)
example_input = torch.zeros(2, 3)
"""
WRONG_SHAPE = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(5, 2))
example_input = torch.zeros(2, 3)
"""
UNSUPPORTED = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(3, 3)

    def forward(self, x):
        x = torch.cumsum(self.first(x), dim=1)
        return torch.special.bessel_j0(x)

model = Net()
example_input = torch.zeros(2, 3)
"""
NAN_WEIGHT = """
import torch
model = torch.nn.Linear(3, 2)
with torch.no_grad():
    model.weight[1, 2] = float("nan")
example_input = torch.zeros(2, 3)
"""
SYNTAX = """circuit c(x[2]) on 2 qubits {
  ry(x[0]) q[0];
  cx q[0] q[1];
}
"""
WIDE = """circuit wide(x[6]) on 6 qubits {
  for i in 0..6 { ry(x[i]) q[i]; }
  for i in 0..6 { for k in 0..i { cz q[k], q[i]; } }
  for i in 0..6 { rx(x[i]) q[i]; }
  for i in 0..6 { for k in 0..i { cz q[k], q[i]; } }
  for i in 0..6 { ry(x[i]) q[i]; }
}
"""
QUBIT_TWICE = """
import qsc
import torch
circuit = qsc.Circuit(2)
circuit.cx(0, 0)
model = qsc.nn.Quantum(circuit, ["Z0"])
example_input = torch.zeros(2, 0)
"""
FEATURE_MAP = """
import qsc
import torch

def model():
    return qsc.nn.Quantum(qsc.zz_feature_map(0).circuit, ["Z0"])

example_input = torch.zeros(2, 0)
"""
PLAIN = """OPENQASM 3.0;
include "stdgates.inc";
input float a;
qubit[2] q;
ry(a) q[0];
cx q[0], q[1];
"""
FILES = {
    "plain.qasm": PLAIN,
    "qubit_twice.py": QUBIT_TWICE,
    "feature_map.py": FEATURE_MAP,
    "linear.py": LINEAR,
    "raises.py": RAISES,
    "no_model.py": NO_MODEL,
    "wrong_shape.py": WRONG_SHAPE,
    "unsupported.py": UNSUPPORTED,
    "nan_weight.py": NAN_WEIGHT,
    "syntax.qsc": SYNTAX,
    "wide.qsc": WIDE,
    "model.onnx": "",
}

CASES: dict[str, tuple[int, str]] = {
    "missing_file": (2, "compile nowhere.py --target host -o out"),
    "unknown_kind": (2, "compile model.onnx --target host -o out"),
    "no_model": (2, "compile no_model.py --target host -o out"),
    "model_raises": (2, "compile raises.py --target host -o out"),
    "wrong_shape": (2, "compile wrong_shape.py --target host -o out"),
    "unsupported_layers": (2, "compile unsupported.py --target host -o out"),
    "nan_weight": (2, "compile nan_weight.py --target host -o out"),
    "syntax_error": (2, "compile syntax.qsc --target line:2 -o out"),
    "unknown_target": (2, "compile linear.py --target fake_torini -o out"),
    "unknown_pass": (2, "compile linear.py --target host --passes foldbatchnorm -o out"),
    "unknown_pass_to_print": (2, "compile linear.py --target host --print-after foldbatchnorm -o out"),
    "unknown_setting": (2, "compile linear.py --target host --set bitz=4 -o out"),
    "negative_setting": (2, "compile plain.qasm --readout Z0 --target line:2 --max-circuits -4 -o out"),
    "qubit_twice": (2, "compile qubit_twice.py --target line:2 -o out"),
    "feature_map": (2, "compile feature_map.py --target line:2 -o out"),
    "empty_readout": (2, "compile plain.qasm --readout= --target line:2 -o out"),
    "empty_observable": (2, "compile plain.qasm --readout Z0, --target line:2 -o out"),
    "no_readout": (2, "compile plain.qasm --target line:2 -o out"),
    "readout_of_a_wrong_model": (2, "compile raises.py --readout Z0 --target line:2 -o out"),
    "readout_of_a_model": (2, "compile linear.py --readout Z0 --target line:2 -o out"),
    "no_mitigation": (3, "compile plain.qasm --readout Z0 --target tket:line:2 --zne 1,3 -o out"),
    "unknown_entry": (2, "compile linear.py --target host --entry modell -o out"),
    "strict_host_parts": (3, "compile linear.py --target nir --strict -o out"),
    "too_wide": (3, "compile wide.qsc --target line:4 -o out"),
    "vacuous": (1, "compile linear.py --target host --calibration zeros.npy -o out"),
    "out_is_a_file": (2, "compile linear.py --target host -o linear.py --no-verify"),
    "out_cannot_be_written": (4, "compile linear.py --target host -o linear.py/out --no-verify"),
    "run_not_a_bundle": (2, "run . --input zeros.npy"),
    "run_missing_bundle": (2, "run nowhere --input zeros.npy"),
    "run_missing_input": (2, "run good --input nowhere.npy"),
    "run_wrong_shape": (2, "run good --input wide.npy"),
    "run_negative_seed": (2, "run good --input zeros.npy --seed -1"),
    "run_not_numpy": (2, "run good --input linear.py"),
    "run_nan_input": (2, "run good --input nan.npy"),
    "run_output_cannot_be_written": (4, "run good --input zeros.npy -o linear.py/y.npy"),
    "run_two_engines": (2, "run good --input zeros.npy --workers 1 --scheduler tcp://127.0.0.1:9"),
    "run_no_scheduler_file": (4, "run good --input zeros.npy --scheduler nowhere.json"),
    "run_not_a_journal": (2, "run good --input zeros.npy --journal linear.py"),
    "run_journal_cannot_be_written": (4, "run good --input zeros.npy --journal linear.py/journal"),
    "sweep_without_values": (2, "compile linear.py --target host --sweep bits"),
    "one_folder_for_two": (2, "compile linear.py ./linear.py --target host"),
    "truncated_bundle": (2, "run truncated --input zeros.npy"),
    "altered_bundle": (2, "verify altered"),
    "inspect_unknown_stage": (2, "inspect good --after light-cone"),
    "inspect_without_target": (2, "inspect linear.py --after light-cone"),
    "unknown_command": (2, "complie linear.py"),
    "bad_set": (2, "compile linear.py --target host --set bits"),
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are wrong in every way, and one good bundle with a truncated and an altered copy."""
    folder = tmp_path_factory.mktemp("cli")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    np.save(folder / "zeros.npy", np.zeros((4, 3), np.float32))
    np.save(folder / "wide.npy", np.zeros((4, 7), np.float32))
    np.save(folder / "nan.npy", np.full((4, 3), np.nan, np.float32))
    assert run(["compile", str(folder / "linear.py"), "--target", "host", "-o", str(folder / "good"), "--quiet"]) == 0
    for name in ("truncated", "altered"):
        shutil.copytree(folder / "good", folder / name)
    cut = folder / "truncated" / "weights.safetensors"
    cut.write_bytes(cut.read_bytes()[:20])
    (folder / "truncated" / "program.qsc").unlink()
    with (folder / "altered" / "program.qsc").open("a") as file:
        file.write("# harmless?\n")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_bad_input(
    name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden: Golden
):
    code, line = CASES[name]
    monkeypatch.chdir(workplace)
    before = sorted(p.name for p in workplace.iterdir())
    assert run([*line.split(), *(["--quiet"] if line.startswith(("compile", "run", "verify")) else [])]) == code
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert sorted(p.name for p in workplace.iterdir() if p.name != "__pycache__") == before
    text = shown.replace(str(workplace.resolve()), "FOLDER").replace(str(workplace), "FOLDER")
    golden(f"{name}.err", f"$ qsc {line}\nexit {code}\n{re.sub(r'[0-9]+[.][0-9]+[.][0-9]+', 'VERSION', text)}")


def test_a_bundle_for_the_host_alone_is_warned_of(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(workplace)
    line = "warning: idle: no part of the model runs on nir: the whole of it stays on the host"
    assert run(["compile", "linear.py", "--target", "nir", "-o", "idle", "--quiet"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, line in shown.err) == ("", True)
    assert run(["compile", "linear.py", "--target", "nir", "-o", "idle"]) == 0
    shown = capsys.readouterr()
    assert ("no part of the model runs on nir" in shown.out, "warning" in shown.err) == (True, False)
    shutil.rmtree("idle")


def test_a_full_disk_leaves_nothing(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "weights.safetensors":
            written(self, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return written(self, data)

    monkeypatch.chdir(workplace)
    before = sorted(workplace.iterdir())
    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(["compile", "linear.py", "--target", "host", "-o", "out", "--quiet"]) == 4
    assert "no space is left" in capsys.readouterr().err
    assert sorted(p for p in workplace.iterdir() if p.name != "__pycache__") == before


def test_a_fault_of_qsc_says_so(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    from qsc.compiler import driver

    def broken(*_: object) -> None:
        raise ZeroDivisionError("an internal slip")

    monkeypatch.chdir(workplace)
    monkeypatch.setattr(driver, "load_source", broken)
    assert run(["compile", "linear.py", "--target", "host", "-o", "out", "--quiet"]) == 70
    shown = capsys.readouterr().err
    assert "internal fault of qsc" in shown
    assert "Traceback" not in shown


def test_help_everywhere_with_an_example(capsys: pytest.CaptureFixture[str]):
    from qsc.compiler.cli import COMMANDS

    for words in ([], *([name] for name in COMMANDS)):
        assert run([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "Example:" in shown
        assert "qsc " + " ".join(words) in shown


def test_torch_threads_do_not_change_the_bytes(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(workplace)
    before = torch.get_num_threads()
    contents = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        assert run(f"compile linear.py --target host -o again{threads} --quiet".split()) == 0
        contents.append({p.name: p.read_bytes() for p in (workplace / f"again{threads}").iterdir() if p.is_file()})
        shutil.rmtree(workplace / f"again{threads}")
    torch.set_num_threads(before)
    assert contents[0] == contents[1]
