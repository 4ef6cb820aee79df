"""Row 39, learnt delays: whole delays, the same spikes in the NIR graph, a task that needs delays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("DCLS.construct.modules")
pytest.importorskip("spikingjelly.activation_based")
FOLDER = "39-dcls-delays"


def test_the_graph_spikes_as_the_convolution_and_tells_the_classes(load_example):
    evaluate = load_example(FOLDER, "evaluate")
    found, bundle = evaluate.figures("nir", 300)
    figures = dict(found)
    assert figures["bins that differ from the convolution's"].startswith("0 of")
    assert float(figures["accuracy on 300 fresh patterns, compiled"]) >= 0.95
    assert bundle.verify().passed


def test_delays_are_whole_and_lie_from_0_to_24(load_example):
    delays = load_example(FOLDER, "evaluate").whole_delays()
    assert (delays == np.round(delays)).all()
    assert delays.min() >= 0
    assert delays.max() <= 24


def test_without_its_delays_the_network_guesses(load_example):
    module = load_example(FOLDER)
    bare = module.Delays()
    bare.load_state_dict(module.model.state_dict())
    for synapses in bare.delays:
        torch.nn.init.constant_(synapses.P, module.PLACES // 2)
    bare.round_positions()
    spikes, classes = module.patterns(500, 2000)
    with torch.no_grad():
        assert (bare.eval()(spikes).sum(0).argmax(1) == classes).float().mean() < 0.4
