"""Several models in one command: each as its own command would have made it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qsc.compiler.cli import run
from qsc.compiler.execution.compilations import Job, compile_apart, jobs_of
from qsc.ir import InputError

MODEL = """
circuit chain(x[4]) on 4 qubits {
  ry(x[0]) q[0]; ry(x[1]) q[1]; ry(x[2]) q[2]; ry(x[3]) q[3];
  rzz(0.8) q[0], q[1]; rzz(0.8) q[1], q[2]; rzz(0.8) q[2], q[3]; rx(0.3) q[1]; rx(0.4) q[2];
}
main(x: f64[?,4]) { y = expectation(x, circuit="chain", observables=["Z0*Z3", "X1*Z2"]); return y; }
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "a.qsc").write_text(MODEL)
    (tmp_path / "b.qsc").write_text(MODEL.replace("0.8", "0.7"))
    (tmp_path / "bad.qsc").write_text("circuit (")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_every_bundle_is_that_of_its_own_command(models: Path, workers: list[str], capsys):
    if workers:
        pytest.importorskip("distributed")
    options = ["--target", "line:4", "--effort", "fast"]
    assert run(["compile", "a.qsc", "bad.qsc", "b.qsc", *options, *workers, "-o", "out"]) == 2
    told = capsys.readouterr()
    assert "out/a: " in told.out
    assert "out/b: " in told.out
    assert "bad:\nerror[P0001]" in told.err
    assert sorted(p.name for p in (models / "out").iterdir()) == ["a", "b"]
    for name in ("a", "b"):
        assert run(["compile", f"{name}.qsc", *options, "-o", f"alone/{name}", "--quiet"]) == 0
        assert files_of(models / "out" / name) == files_of(models / "alone" / name)


def test_a_sweep_compiles_every_combination(models: Path, capsys):
    command = ["compile", "a.qsc", "-t", "all:4", "--no-reuse", "--effort", "fast"]
    assert run([*command, "--sweep", "max-qubits=2,3", "--sweep", "seed=1", "-o", "out", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [f"a.max-qubits={q}.seed=1" for q in (2, 3)]
    assert all(row["costs"]["qubits"] <= width for row, width in zip(rows, (2, 3), strict=True))
    assert rows[0]["cuts"] != rows[1]["cuts"]
    assert [row["seed"] for row in rows] == [1, 1]
    assert all((models / "out" / row["name"] / "manifest.json").is_file() for row in rows)


def test_uses_that_make_no_sense(models: Path, capsys):
    (models / "sub").mkdir()
    (models / "sub" / "a.qsc").write_text(MODEL)
    for words, code, said in (
        (["a.qsc", "sub/a.qsc"], 2, "two of the models would be written to build/a"),
        (["a.qsc", "--sweep", "seed"], 2, "cannot sweep 'seed'"),
        (["a.qsc", "--sweep", "seed=1,,2"], 2, "cannot sweep 'seed=1,,2'"),
        (["a.qsc", "--sweep", "max-qubit=2,3"], 2, "'--max-qubits'"),
        (["a.qsc", "--sweep", "output=a,b"], 2, "No such option '--output'"),
        (["a.qsc", "b.qsc", "--print-after-all"], 2, "--print-after-all is for one model at a time"),
        (["a.qsc", "b.qsc", "--workers", "1", "--scheduler", "tcp://x:1"], 2, "exclude each other"),
        ([], 2, "Missing argument"),
    ):
        assert run(["compile", *words, "--target", "line:4"]) == code
        assert said in capsys.readouterr().err
    assert not (models / "build").exists()


def test_the_arguments_of_a_job():
    (job,) = jobs_of([Path("net/model.py")], ["bits=4"], ["--target", "nir"], Path("build"))
    assert job == Job(
        "net.bits=4",
        ("net/model.py", "--target", "nir", "--bits", "4", "--output", "build/net.bits=4"),
        Path("build/net.bits=4"),
    )
    with pytest.raises(InputError, match="O0002"):
        jobs_of([Path("a.py"), Path("b/a.py")], [], [], Path("build"))


def test_a_process_that_is_killed_is_not_an_answer(models: Path, monkeypatch):
    (models / "model.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    job = Job("model", ("model.py", "--target", "host", "--output", "out"), Path("out"))
    with pytest.raises(RuntimeError, match="ended by signal 9"):
        compile_apart(job, str(models))
