"""Wrong programs: every message whole, beside the program that causes it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qsc.frontends.text import read, read_file
from qsc.ir import InputError
from safetensors.numpy import save_file

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = sorted(path.stem for path in GOLDEN.glob("*.qsc"))


def message(text: str, file: str = "<text>") -> str:
    with pytest.raises(InputError) as caught:
        read(text, file)
    return str(caught.value)


@pytest.mark.parametrize("name", PROGRAMS)
def test_message(name: str, golden: Callable[[str, str], None]):
    text = (GOLDEN / f"{name}.qsc").read_text(encoding="utf-8")
    golden(f"{name}.err", message(text, f"{name}.qsc") + "\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_fault_has_its_place(name: str):
    text = (GOLDEN / f"{name}.qsc").read_text(encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(text, "file.qsc")
    lines = text.split("\n")
    for fault in caught.value.diagnostics:
        place = fault.location
        assert place.file == "file.qsc"
        assert 1 <= place.line <= len(lines)
        # A caret may stand behind the last character, where something is missing.
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        assert place.column + fault.length <= len(lines[place.line - 1]) + 2
        assert fault.excerpt == lines[place.line - 1]


def test_a_bundle_of_programs():
    assert len(PROGRAMS) >= 25


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("((" * 20000, "P0001"),
        ("circuit c() on 1 qubits { rz(" + "(" * 20000 + "1" + ")" * 20000 + ") q[0]; }", None),
        ("circuit c() on 1 qubits { rz(" + "-" * 20000 + "1) q[0]; }", "deeply"),
        ("circuit c() on 1 qubits { " + "if c[0] {" * 5000 + "}" * 5000 + "}", "no bit"),
        ("circuit c() on 1 qubits, 1 bits { h q if c[0]" + " & c[0]" * 5000 + "; }", "too long"),
        ("circuit c() on 1 qubits { " + "for i in 0..1 {" * 5000 + "}" * 5000 + "}", "already"),
        ("circuit c() on 1 qubits { rz(" + "9" * 5000 + ") q[0]; }", "too long"),
        ("circuit c() on 1 qubits { rz(1e-999999999) q[0]; }", None),
        ("circuit c() on 1 qubits { rz(1e999999999) q[0]; }", "larger"),
        ("circuit c() on 1 qubits { rz(2**4096*2**4096) q[0]; }", "larger"),
        ("main(x: f32[" + "9" * 5000 + "]) { return; }", "too large"),
        ("main(x: f32[3]) { y = slice(x, start=" + "9" * 5000 + "); return; }", "too long"),
        ("netlist f(" + ", ".join(f"a{k}" for k in range(3000)) + ") -> (y=a0) {}", None),
    ],
)
def test_hostile_texts_are_read_or_refused(text: str, word: str | None):
    if word is None:
        read(text)
    else:
        assert word in message(text)


def test_one_loop_is_one_message():
    text = "circuit c() on 2 qubits {\n  for i in 0..9 { for j in 0..9 { cz q[0], q[j+20]; } }\n}\n"
    with pytest.raises(InputError) as caught:
        read(text)
    assert len(caught.value.diagnostics) == 1
    assert caught.value.diagnostics[0].notes == ("with i = 0, j = 0",)


def test_unrolling_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qsc.frontends.text.circuits.MOST_STEPS", 1000)
    text = "circuit c() on 2 qubits {\n  for i in 0..100 { for j in 0..100 { h q; } }\n}\n"
    assert "more than 1000 gates and loop rounds" in message(text)


def test_faults_beyond_a_hundred_are_counted():
    text = "circuit c() on 2 qubits {\n" + "  h q[7];\n" * 250 + "}\n"
    with pytest.raises(InputError) as caught:
        read(text)
    assert len(caught.value.diagnostics) == 101
    assert "150 more faults" in caught.value.diagnostics[-1].message


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match=re.escape("error[M0001]")):
        read_file(tmp_path / "nowhere.qsc")
    with pytest.raises(InputError, match=re.escape("error[M0001]")):
        read_file(tmp_path)


def test_a_file_that_is_not_text(tmp_path: Path):
    path = tmp_path / "latin.qsc"
    path.write_bytes(b"# first line\n# caf\xe9\n")
    with pytest.raises(InputError) as caught:
        read_file(path)
    fault = caught.value.diagnostics[0]
    assert (fault.code, fault.location.line, fault.location.column) == ("P0006", 2, 6)
    assert "0xe9" in fault.message


def test_options_that_a_text_does_not_have(tmp_path: Path):
    path = tmp_path / "c.qsc"
    path.write_text("circuit c() on 1 qubits { h q[0]; }")
    with pytest.raises(InputError, match="O0002"):
        read_file(path, entry="model")
    with pytest.raises(InputError, match="O0002"):
        read_file(path, input_shape=(1, 2))


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64])
def test_a_weights_file_that_is_none(tmp_path: Path, content: bytes):
    (tmp_path / "w.safetensors").write_bytes(content)
    path = tmp_path / "m.qsc"
    path.write_text('weights "w.safetensors";\nmain() { return; }\n')
    with pytest.raises(InputError, match="M0007"):
        read_file(path)


def test_a_weight_of_a_type_that_the_ir_does_not_have(tmp_path: Path):
    save_file({"w": np.zeros(2, np.float16), "ok": np.zeros(2, np.float32)}, tmp_path / "w.safetensors")
    path = tmp_path / "m.qsc"
    path.write_text('weights "w.safetensors";\nmain() { return @ok; }\n')
    assert list(read_file(path).module.weights) == ["ok"]
    path.write_text('weights "w.safetensors";\nmain() { return @w, @ok; }\n')
    with pytest.raises(InputError, match="float16"):
        read_file(path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a superuser reads every file")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    path = tmp_path / "secret.qsc"
    path.write_text("main() { return; }")
    path.chmod(0)
    with pytest.raises(InputError, match="M0001"):
        read_file(path)
