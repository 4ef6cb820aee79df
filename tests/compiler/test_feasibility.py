"""`qsc check --target xylo|speck|spinnaker2`: the layers of a compiled network against a chip's published rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qsc
from qsc.backends.feasibility import reasons_against
from qsc.backends.outlines import outline_of
from qsc.bridges.networks import make_network
from qsc.compiler.check import check_bundle
from qsc.ir import InputError

pytest.importorskip("h5py")

CNN = Path(__file__).parents[1] / "bridges" / "nir_files" / "data" / "paper_02_cnn_cnn_sinabs.nir"


@pytest.fixture(scope="module")
def published() -> qsc.Bundle:
    """The convolutional network of the NIR paper, which its authors ran on a Speck chip."""
    return qsc.compile(CNN, target="nir", input_shape=(10,), dt=1.0, verify=False)


def test_the_outline_is_the_network(published: qsc.Bundle):
    launch = published.launches()[0]
    outline = outline_of(make_network(launch.body, published.program))
    assert [(layer.kind, layer.neuron, layer.pool) for layer in outline.layers] == [
        ("conv", "IF", ""),
        ("conv", "IF", "sum"),
        ("conv", "IF", "sum"),
        ("dense", "IF", ""),
        ("dense", "IF", ""),
    ]
    assert [layer.shape for layer in outline.layers] == [(16, 16, 16), (16, 16, 16), (8, 8, 8), (256,), (10,)]
    assert [layer.sources for layer in outline.layers][:2] == [("input",), (outline.layers[0].name,)]
    assert outline.input_shape == (2, 34, 34)


def test_what_ran_on_a_speck_could_run_there(published: qsc.Bundle):
    outcome = check_bundle(published, "cnn", "speck")
    assert outcome.passed
    assert outcome.targets == ("speck",)


def test_rules_that_are_broken_are_told_with_their_numbers(published: qsc.Bundle):
    outcome = check_bundle(published, "cnn", "xylo")
    assert not outcome.passed
    text = " ".join(finding.message for case in outcome.cases for finding in case.findings)
    assert "2312 inputs, 16 is the most: 2296 too many" in text
    assert "8960 hidden neurons, 1000 is the most" in text


def bundle_of(tmp_path: Path, nodes: dict, **options) -> qsc.Bundle:
    from itertools import pairwise

    from qsc.bridges.nir import NirGraph, write

    (tmp_path / "net.nir").write_bytes(write(NirGraph(nodes, list(pairwise(nodes)))))
    return qsc.compile(tmp_path / "net.nir", target="nir", input_shape=(5, 2), verify=False, **options)


@pytest.mark.parametrize(
    ("v_reset", "bias", "broken"),
    [(0.0, 0.0, {"resets", "layers_least"}), (-0.5, 0.1, {"resets", "layers_least", "weight_biases"})],
)
def test_biases_and_resets_count_as_what_they_hold(tmp_path: Path, v_reset: float, bias: float, broken: set[str]):
    from qsc.bridges.nir import NirNode

    one = np.ones(3, np.float32)
    lif = {"tau": 0.01 * one, "r": one, "v_leak": 0 * one, "v_threshold": one, "v_reset": v_reset * one}
    nodes = {
        "input": NirNode("Input", {"shape": np.array([2])}),
        "w": NirNode("Affine", {"weight": np.ones((3, 2), np.float32), "bias": bias * one}),
        "n": NirNode("LIF", lif),
        "output": NirNode("Output", {"shape": np.array([3])}),
    }
    bundle = bundle_of(tmp_path, nodes)
    outline = outline_of(make_network(bundle.launches()[0].body, bundle.program))
    assert {reason.rule for reason in reasons_against(outline, "xylo")} == broken


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_a_graph_is_not_checked_against_what_it_was_not_compiled_for(published: qsc.Bundle, chip: str):
    with pytest.raises(InputError, match=f"O0002.*nothing of it can be checked on {chip}[^$]*--target {chip}"):
        check_bundle(published, "cnn", chip)


def test_chips_that_nothing_is_compiled_for_say_what_they_are_for():
    with pytest.raises(InputError, match=r"T0001.*compiles nothing for xylo[^$]*--target nir, then: qsc check"):
        qsc.compile(CNN, target="xylo")


def test_a_recurrent_layer_is_one(tmp_path: Path):
    from qsc.bridges.nir import NirGraph, NirNode, write

    one = np.ones(3, np.float32)
    cuba = dict.fromkeys(("tau_syn", "tau_mem"), 0.01 * one)
    cuba |= {"r": one, "w_in": one, "v_leak": 0 * one, "v_threshold": one}
    nodes = {
        "input": NirNode("Input", {"shape": np.array([2])}),
        "w": NirNode("Linear", {"weight": np.ones((3, 2), np.float32)}),
        "n": NirNode("CubaLIF", cuba),
        "r": NirNode("Linear", {"weight": np.eye(3, dtype=np.float32)}),
        "output": NirNode("Output", {"shape": np.array([3])}),
    }
    edges = [("input", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "output")]
    (tmp_path / "r.nir").write_bytes(write(NirGraph(nodes, edges)))
    bundle = qsc.compile(tmp_path / "r.nir", target="nir", input_shape=(5,), verify=False)
    (layer,) = outline_of(make_network(bundle.launches()[0].body, bundle.program)).layers
    assert (layer.neuron, layer.recurrent, layer.sources, layer.weight) == ("CubaLIF", True, ("input",), (3, 2))


def test_a_program_of_the_chip_is_legal_there(published: qsc.Bundle):
    x = (np.random.default_rng(0).random((10, 2, 2, 34, 34)) < 0.2).astype(np.float32)
    bundle = qsc.compile(CNN, target="loihi2", input_shape=(10,), dt=1.0, calibration=[x], verify=False, effort="fast")
    assert check_bundle(bundle, "cnn").passed
