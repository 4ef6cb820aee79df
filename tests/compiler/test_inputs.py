"""What a user may give a compiled model, and what is said of the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from qsc.compiler.cli import run
from qsc.compiler.inputs import check_arrays, read_arrays
from qsc.frontends.text import read
from qsc.ir import DYNAMIC, InputError, Type, Value

SUM = """circuit pair(x[2], w[2]) on 2 qubits {
  ry(x[0]) q[0];
  ry(2*w[1]) q[1];
}
"""
BITS = "logic both(a, b) -> (y) { y = a & b; }"


@pytest.fixture(scope="module")
def pair() -> qsc.Bundle:
    return qsc.compile(read(SUM, "pair"), target="line:2")


@pytest.fixture(scope="module")
def both() -> qsc.Bundle:
    return qsc.compile(read(BITS, "both"), target="host")


def test_the_names_of_an_npz_choose_the_inputs(pair: qsc.Bundle, tmp_path: Path):
    x, w = np.full((2, 2), 0.3), np.full((2, 2), 0.9)
    names = [v.name for v in pair.program.graph.inputs]
    path, out = tmp_path / "in.npz", tmp_path / "out.npy"
    pair.save(tmp_path / "pair")
    for order in (("x", "w"), ("w", "x")):
        save: Any = np.savez
        save(path, **{name: {"x": x, "w": w}[name] for name in order})
        assert run(["run", str(tmp_path / "pair"), "-i", str(path), "-o", str(out), "-q"]) == 0
        assert np.array_equal(np.load(out), pair.run(x, w))
    np.savez(path, a=x, b=w)
    with pytest.raises(qsc.QscError, match="the model's inputs are x, w"):
        read_arrays(path, names)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[0.0, 2.0]], "bits are 0 or 1"),
        ([["a", "b"]], "holds <U1"),
        ([[1j, 0]], "complex"),
        ([[0, 1], [1]], "different lengths"),
        ([[0, 1, 1]], "the model takes bit"),
    ],
)
def test_inputs_that_do_not_fit(both: qsc.Bundle, given: list, words: str):
    with pytest.raises(qsc.QscError, match=words) as caught:
        both.run(given)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("shots", [0, -1, 1.5])
def test_shots_are_a_positive_whole_number(pair: qsc.Bundle, shots: float):
    with pytest.raises(qsc.QscError, match="shots"):
        pair.run(np.zeros((1, 2)), np.zeros((1, 2)), shots=shots)  # pyright: ignore[reportArgumentType]


def test_options_that_mean_nothing_are_refused(both: qsc.Bundle):
    bits = np.zeros((1, 2), bool)
    with pytest.raises(qsc.QscError, match="has none"):
        both.run(bits, shots=10)
    with pytest.raises(qsc.QscError, match="has none"):
        both.run(bits, noise=True)
    with pytest.raises(qsc.QscError, match="nothing here"):
        both.verify(importer="snntorch")


def test_calibration_of_the_wrong_shape(tmp_path: Path):
    with pytest.raises(qsc.QscError, match=r"\(3, 5\)"):
        qsc.compile(read(BITS, "both"), target="host", calibration=[np.zeros((3, 5), bool)])


def test_an_importer_that_the_backend_does_not_know(pair: qsc.Bundle):
    with pytest.raises(qsc.QscError, match="importer"):
        pair.verify(importer="snntorch")


@pytest.mark.parametrize(
    ("shape", "wanted", "words"),
    [
        ((4, 7), (DYNAMIC, 4, 3), "the first axis, written ?, is the batch"),
        ((4, 3), (DYNAMIC, 4, 3), "no batch axis, written ?: numpy.expand_dims(x, 0)"),
        ((8, 3), (8, DYNAMIC, 3), "no batch axis, written ?: numpy.expand_dims(x, 1)"),
        ((5, 8, 3), (8, DYNAMIC, 3), "numpy.swapaxes(x, 0, 1)"),
        ((5, 3), (8, DYNAMIC, 3), "no time axis"),
        ((5, 7, 3), (8, DYNAMIC, 3), "the first axis is time; the second, written ?, is the batch"),
    ],
)
def test_a_wrong_shape_is_told_with_what_is_probably_wrong(shape: tuple[int, ...], wanted: tuple[int, ...], words: str):
    value = Value("x", Type("f32", wanted))
    with pytest.raises(InputError, match=f"R0001[^$]*{re.escape(words)}"):
        check_arrays([np.zeros(shape, np.float32)], [value])
