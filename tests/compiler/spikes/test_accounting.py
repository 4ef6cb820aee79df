"""Bundles say what spiked and what it costs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import qsc
from qsc.backends.energy import horowitz
from qsc.compiler.bundle import load
from qsc.compiler.spikes.accounting import pictures_of
from qsc.frontends.text import read


@pytest.fixture(scope="module")
def bundle(net: Path) -> qsc.Bundle:
    return load(net)


def test_costs_are_those_of_the_verified_run(bundle: qsc.Bundle):
    inputs = bundle.golden[0]
    spikes = bundle.run(*inputs, record=True)
    (activity,) = bundle.activities.values()
    assert activity.spikes == spikes.sum() > 0
    assert bundle.costs["spikes"] == spikes.sum() / inputs[0].shape[1]
    assert bundle.costs["energy_j"] == pytest.approx(horowitz(activity).total_j)
    assert bundle.costs_by_op["nir"]["spikes"] == bundle.costs["spikes"]


def test_the_report_says_what_was_counted_and_shows_it(net: Path, bundle: qsc.Bundle):
    report = bundle.report()
    assert "spikes are those of 16 random inputs, seed 0, 8 steps each" in report
    assert "energy by Horowitz, 45 nm" in report
    assert "linear  sparse, of numbers  12" in report
    page = (net / "report.html").read_text()
    pictures = pictures_of(bundle)
    assert sorted(pictures) == ["pictures/nir-potentials.svg", "pictures/nir-spikes.svg"]
    assert all(svg in page and ElementTree.fromstring(svg) is not None for svg in pictures.values())


def test_pictures_do_not_change_from_one_compilation_to_the_next(bundle: qsc.Bundle):
    again = qsc.compile(bundle.source, target="nir", calibration=bundle.golden[0])
    assert pictures_of(again) == pictures_of(bundle)
    assert "16 calibration inputs" in again.report()


def test_the_table_of_layers_adds_up(bundle: qsc.Bundle):
    facts = bundle.manifest["activity"]["nir"]
    assert sum(row["energy_j"] for row in facts["layers"]) == pytest.approx(bundle.costs["energy_j"])
    neurons = [row for row in facts["layers"] if row["kind"] == "neurons"]
    assert sum(row["spikes"] for row in neurons) == pytest.approx(bundle.costs["spikes"])
    assert neurons[0]["rate"] == pytest.approx(neurons[0]["spikes"] / 12 / 8)


def test_counts_do_not_depend_on_how_a_run_is_split(bundle: qsc.Bundle):
    x = (np.random.default_rng(1).random((8, 150, 12)) < 0.3).astype(np.float32)
    bundle.run(x, record=True)
    (whole,) = bundle.activities.values()
    assert (whole.rows, whole.synapses[0].events) == (150, x.sum())
    bundle.run(x)
    assert bundle.activities["nir"] is whole


def test_what_does_not_spike_is_as_before(tmp_path: Path):
    plain = qsc.compile(read("main(x: f32[?,3]) { return relu(x); }", "plain"), target="host")
    assert not pictures_of(plain)
    assert "activity" not in plain.manifest
    assert "energy_j" not in plain.costs


def test_without_verification_nothing_is_counted(bundle: qsc.Bundle):
    silent = qsc.compile(bundle.source, target="nir", verify=False)
    assert "spikes" not in silent.costs


def test_a_recorded_run_keeps_no_journal(bundle: qsc.Bundle, tmp_path: Path):
    with pytest.raises(qsc.QscError, match="keeps no journal"):
        bundle.run(*bundle.golden[0], record=True, journal=tmp_path / "j")


def test_loihi_counts_as_nir_does(bundle: qsc.Bundle):
    chip = qsc.compile(bundle.source, target="loihi2", calibration=bundle.golden[0])
    assert chip.costs["spikes"] > 0
    assert chip.costs["energy_j"] < bundle.costs["energy_j"]
    facts = chip.manifest["activity"]["loihi2"]
    kinds = {row["name"]: row["kind"] for row in facts["layers"]}
    assert "neurons" in kinds.values()
    assert facts["dt_s"] is None
    assert sorted(pictures_of(chip)) == ["pictures/loihi2-potentials.svg", "pictures/loihi2-spikes.svg"]
    assert "energy by Horowitz" in chip.report()
