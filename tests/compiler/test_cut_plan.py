"""`qsc cut plan`: the plan as text and JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qsc.compiler.cli import run

STAIRCASE = """
circuit c(x[6]) on 6 qubits {
  ry(x[0]) q[0]; ry(x[1]) q[1]; ry(x[2]) q[2]; ry(x[3]) q[3]; ry(x[4]) q[4]; ry(x[5]) q[5];
  cx q[0], q[1]; rx(0.3) q[1]; cx q[1], q[2]; rx(0.4) q[2]; rzz(0.5) q[2], q[3]; rx(0.6) q[3]; rx(0.2) q[2];
  cx q[3], q[4]; rx(0.7) q[4]; cx q[4], q[5];
}
main(x: f64[?,6]) { y = expectation(x, circuit="c", observables=["Z5", "X2*Y3"]); return y; }
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("stairs.qsc").write_text(STAIRCASE)
    return "stairs.qsc"


def test_the_plan_is_printed(model: str, golden, capsys: pytest.CaptureFixture[str]):
    assert run(["cut", "plan", model, "--max-qubits", "4", "--no-reuse"]) == 0
    golden("cut_plan.txt", capsys.readouterr().out)


def test_the_plan_as_json(model: str, capsys: pytest.CaptureFixture[str]):
    assert run(["cut", "plan", model, "--devices", "3,4", "--no-reuse", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (plan,) = found["cuts"]
    assert plan["qubits"] == 6
    assert {part["device"] for part in plan["fragments"]} == {0, 1}
    assert plan["bound"] <= plan["score"]
    assert all(cut["kind"] in ("wire", "gate") for cut in plan["cuts"])


def test_a_plan_may_be_too_expensive_to_run(model: str, capsys: pytest.CaptureFixture[str]):
    assert run(["cut", "plan", model, "--max-qubits", "1", "--no-reuse"]) == 0
    assert "6 qubits in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-qubits", "6"], "no circuit is wider than that"),
        ([], "give --max-qubits N, or --devices"),
        (["--devices", "2,x"], "it takes the qubits of every device"),
        (["--devices", "2,2"], "no cuts that leave fragments"),
        (["--max-qubits", "4", "--time-limit", "0"], "is not in the range x>0"),
        (["--max-qubits", "3", "--target", "nowhere"], "unknown target 'nowhere'"),
    ],
)
def test_what_there_is_to_say(model: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    code = run(["cut", "plan", model, *arguments])
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert code == (0 if "wider" in said else 3 if "leave" in said else 2)


def test_a_time_limit_is_among_the_reasons(model: str, capsys: pytest.CaptureFixture[str]):
    assert run(["cut", "plan", model, "--max-qubits", "4", "--no-reuse", "--time-limit", "1e-9"]) == 0
    shown = capsys.readouterr().out
    assert "the time limit ended local search" in shown
    assert "at least a score of" in shown
