"""`qsc run` with encoders and files of events."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qsc.compiler.cli import run
from qsc.compiler.spikes.encoders import Frame, Latency, Rate


def arguments(net: Path, given: Path, *more: str) -> list[str]:
    return ["run", str(net), "-i", str(given), *more]


def test_numbers_are_encoded(net: Path, tmp_path: Path):
    x = np.random.default_rng(0).random((3, 12)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    for text, encoder in (("latency{tau=2, clip}", Latency(tau=2, clip=True)), ("rate", Rate())):
        out = tmp_path / "y.npy"
        assert run(arguments(net, tmp_path / "x.npy", "--encode", text, "--seed", "4", "-o", str(out), "-q")) == 0
        assert np.array_equal(np.load(out), encoder.encode(x, Frame(8, seed=4)))


def test_events_go_in_and_out(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given, out = tmp_path / "in.csv", tmp_path / "out.npz"
    given.write_text("# rows 2\nt,neuron\n0.0,3\n0.0101,3\n0.0109,3\n0.079,11\n")
    code = run(arguments(net, given, "--dt", "0.01", "--same-bin", "clip", "--events", "-o", str(out), "--json"))
    assert code == 0
    told = capsys.readouterr()
    assert "remark: 2 of 4 events share a step" in told.err
    assert json.loads(told.out)["remarks"] == [told.err.strip().removeprefix("remark: ")]
    events = np.load(out)
    assert events["step"].tolist() == [0, 1, 7]
    assert events["neuron"].tolist() == [3, 3, 11]
    assert int(events["rows"]) == 2
    again = tmp_path / "again.csv"
    assert run(arguments(net, out, "-o", str(again), "-q")) == 0
    assert again.read_text() == "# rows 2\nrow,step,neuron\n0,0,3\n0,1,3\n0,7,11\n"


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((8, 3, 12), ["--encode", "latency"], "it has a time axis already"),
        ((3, 12), ["--encode", "delta"], "the encoder delta takes f32[8,?,12]"),
        ((3, 11), ["--encode", "rate"], "takes f32[?,12]"),
        ((3, 12), ["--encode", "rates"], "did you mean rate"),
        ((3, 12), ["--encode", "rate", "--seed", "-1"], "seed is -1"),
        ((3, 12), [], "the model takes f32[8,?,12]"),
        ((8, 3, 12), ["--events"], "name a file with -o"),
        ((8, 3, 12), ["-o", "y.npy", "--events"], "no picture of one or two channels"),
        ((8, 3, 12), ["-o", "y.txt", "--events"], "y.txt is none of .npy, .npz, .csv, .h5, .hdf5"),
    ],
)
def test_what_cannot_be(
    net: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int, ...],
    options: list[str],
    words: str,
):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    options = [str(tmp_path / word) if word.startswith("y.") else word for word in options]
    assert run(arguments(net, tmp_path / "x.npy", *options, "-q")) == 2
    assert words in capsys.readouterr().err


def test_events_are_not_encoded(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "e.csv").write_text("step,neuron\n0,1\n")
    assert run(arguments(net, tmp_path / "e.csv", "--encode", "rate")) == 2
    assert "leave --encode out" in capsys.readouterr().err
    assert run(arguments(net, tmp_path / "none.csv")) == 2
    assert "there is no file" in capsys.readouterr().err


def test_a_program_without_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import qsc
    from qsc.frontends.text import read

    qsc.compile(read("main(x: f32[?,3]) { return relu(x); }", "plain"), target="host").save(tmp_path / "plain")
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    (tmp_path / "e.csv").write_text("step,neuron\n0,1\n")
    assert run(arguments(tmp_path / "plain", tmp_path / "x.npy", "--encode", "rate")) == 2
    assert "nothing to encode" in capsys.readouterr().err
    assert run(arguments(tmp_path / "plain", tmp_path / "e.csv")) == 2
    assert "holds events" in capsys.readouterr().err
    assert run(arguments(tmp_path / "plain", tmp_path / "x.npy", "-o", str(tmp_path / "y.csv"))) == 2
    assert "not written as events" in capsys.readouterr().err
