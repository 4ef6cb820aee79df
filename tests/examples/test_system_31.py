"""Row 31, excitation and inhibition: the layer of the equations, the same spikes, the sign of every weight."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch

pytest.importorskip("spikingjelly.activation_based")
FOLDER = "31-ei-normalisation"


def test_the_network_computes_its_equations_and_spikes_as_they_do(load_example):
    found, bundle = load_example(FOLDER, "evaluate").figures("nir")
    figures = dict(found)
    (layers,) = (k for k in figures if k.startswith("E-I layers"))
    assert "0 with a zero" not in layers.split(", ")
    assert float(figures[layers]) <= 1e-6
    assert figures["populations that only excite or only inhibit"] == "5 of 5"
    assert figures["bins of the second layer that differ from NumPy's"].startswith("0 of")
    right = [float(v) for k, v in found if k.startswith("accuracy") or k == "the same, PyTorch"]
    assert right[0] == right[1] > 0.9
    assert bundle.verify().passed


@pytest.mark.parametrize("weights", ["first.w_ee", "second.w_ei", "readout"])
def test_a_weight_of_the_other_sign_is_refused(load_example, weights):
    module = load_example(FOLDER)
    with torch.no_grad():
        dict(module.model.named_parameters())[weights][0, 0] = -0.1
    with pytest.raises(qsc.QscError) as caught:
        qsc.compile(module.model, target="nir", example_input=module.example_input, dale=True)
    assert "M0009" in str(caught.value)


def test_a_zero_as_divisor_becomes_the_second_minimum(load_example):
    module = load_example(FOLDER)
    given = torch.tensor([[0.0, 3.0, 2.0], [1.0, 5.0, 0.5], [0.0, 0.0, 7.0]])
    wanted = [[2.0, 3.0, 2.0], [1.0, 5.0, 0.5], [7.0, 7.0, 7.0]]
    np.testing.assert_array_equal(module.without_zeros(given).numpy(), wanted)
