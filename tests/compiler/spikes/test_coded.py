"""What inputs lose on their way to a chip is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from qsc.compiler.check import check_bundle
from qsc.compiler.cli import run
from qsc.frontends.text import read

from .conftest import TEXT


def compiled(x: np.ndarray) -> qsc.Bundle:
    return qsc.compile(read(TEXT, "net"), target="loihi2", calibration=x)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def test_spikes_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spikes = (drawn(8, 4, 12) < 0.4).astype(np.float32)
    bundle = compiled(spikes)
    bundle.run(spikes)
    assert bundle.run_remarks == []
    twice = spikes.copy()
    twice[0, 0, :3] = 2
    bundle.run(twice)
    (remark,) = bundle.run_remarks
    assert remark.startswith("x: 3 of 384 values are no spikes (2) and are rounded to 0 or 1")
    np.save(tmp_path / "x.npy", twice)
    path = bundle.save(tmp_path / "chip")
    assert run(["run", str(path), "-i", str(tmp_path / "x.npy"), "--json"]) == 0
    told = capsys.readouterr()
    assert f"remark: {remark}" in told.err
    assert json.loads(told.out)["remarks"] == [remark]


def test_values_outside_the_range_of_the_calibration_data():
    given = drawn(8, 4, 12)
    bundle = compiled(given)
    bundle.run(given)
    assert bundle.run_remarks == []
    bundle.run(given * 3)
    (remark,) = bundle.run_remarks
    assert "values lie outside" in remark
    assert "are clamped to that" in remark


def test_nothing_is_told_where_nothing_is_coded():
    bundle = qsc.compile(read(TEXT, "net"), target="nir")
    bundle.run(5 * drawn(8, 4, 12))
    assert bundle.run_remarks == []


def test_weights_that_are_rounded_twice_are_told():
    def remarks(**options: Any) -> str:
        bundle = qsc.compile(read(TEXT, "net"), target="loihi2", calibration=drawn(8, 4, 12), **options)
        return " ".join(r["text"] for r in bundle.manifest["remarks"])

    assert "--weight-bits alone rounds them once" in remarks(bits=4)
    assert "rounds them once" not in remarks(weight_bits=4)


@pytest.mark.parametrize(("name", "words"), [("y.txt", "none of .npy, .npz, .csv"), ("y", "none of .npy")])
def test_where_outputs_cannot_go_is_said_before_they_are_computed(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
):
    np.save(tmp_path / "x.npy", drawn(8, 3, 12))
    assert run(["run", str(net), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / name)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "task" not in told


def test_a_chip_that_cannot_hold_a_program_is_told_of():
    bundle = compiled(drawn(8, 4, 12))
    assert check_bundle(bundle, "net").passed
    outcome = check_bundle(bundle, "net", "loihi1")
    assert not outcome.passed
    (finding,) = outcome.cases[0].findings
    assert finding.rule == "capacity"
    assert "loihi1 has binary spikes only" in finding.message
    with pytest.raises(qsc.QscError, match="xylo's rules are for networks in floats") as caught:
        check_bundle(bundle, "net", "xylo")
    assert "--target nir" in str(caught.value)


def test_a_bundle_with_nothing_on_its_target_fails_its_check():
    # A spike that changes nothing in the neuron has no counterpart on the chip.
    text = TEXT.replace('reset="zero"', 'reset="none"')
    bundle = qsc.compile(read(text, "net"), target="loihi2", calibration=drawn(8, 4, 12))
    assert bundle.launches() == []
    outcome = check_bundle(bundle, "net")
    assert not outcome.passed
    assert outcome.targets == ("loihi2",)
    assert "no part of the model runs on loihi2" in outcome.cases[0].findings[0].message
    with pytest.raises(qsc.QscError, match="nothing here for other frameworks to run"):
        bundle.verify(importer="all")
