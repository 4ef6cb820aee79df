"""Verification of outputs that are drawn, and of numbers of every size."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest
import qsc
from qsc.compiler.verification import compare, sampled_values, verify_bundle
from qsc.frontends.readouts import module_of


@pytest.fixture(scope="module")
def drawn() -> qsc.Bundle:
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    c.cx(1, 2)
    return qsc.compile(module_of(c.build("pairs"), "samples"), "all:3")


def test_drawn_bits_are_compared_by_frequencies(drawn: qsc.Bundle):
    found = verify_bundle(drawn)
    assert found.passed
    assert all("standard errors" in check.detail for check in found.checks)
    assert drawn.program.graph.outputs[0].name in sampled_values(drawn.program)


@pytest.mark.parametrize("fault", ["flipped", "exchanged", "uncorrelated"])
def test_a_wrong_distribution_is_found(drawn: qsc.Bundle, fault: str):
    (bits,) = drawn.golden[1]
    rng = np.random.default_rng(0)
    wrong = {
        "flipped": bits ^ np.array([True, False, False]),
        "exchanged": bits[..., [1, 0, 2]],
        # Each bit as often 1 as it was, but drawn on its own: only the parities tell.
        "uncorrelated": np.stack([rng.permuted(bits[..., k], axis=-1) for k in range(3)], axis=-1),
    }[fault]
    assert not compare("golden", [wrong], [bits], drawn).passed


@pytest.mark.parametrize("size", [0.1, 1.0, 300.0])
@pytest.mark.parametrize("synapse", [True, False], ids=["CubaLI", "LI"])
def test_membranes_are_as_exact_as_their_numbers_are_large(tmp_path, size: float, synapse: bool):
    rng = np.random.default_rng(0)
    one = np.ones(5, np.float32)
    cells = (
        nir.CubaLI(tau_mem=0.01 * one, tau_syn=0.005 * one, r=one, v_leak=0 * one, w_in=one)
        if synapse
        else nir.LI(tau=0.01 * one, r=one, v_leak=0 * one)
    )
    nodes = {
        "input": nir.Input({"input": np.array([8])}),
        "weights": nir.Linear((size * rng.normal(size=(5, 8))).astype(np.float32)),
        "cells": cells,
        "output": nir.Output({"output": np.array([5])}),
    }
    names = list(nodes)
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, list(pairwise(names))))
    bundle = qsc.compile(tmp_path / "net.nir", target="nir", dt=1e-3, input_shape=(40, 8))
    assert verify_bundle(bundle).passed
    given, wanted = bundle.run(bundle.golden[0][0]), bundle.golden[1][0]
    assert not compare("golden", [given * 1.001], [wanted], bundle).passed


@pytest.mark.parametrize(("shots", "told"), [(None, False), (64, False), (100, True)])
def test_shots_that_are_not_those_of_the_samples_are_told(shots: int | None, told: bool):
    circuit = qsc.Circuit(2)
    circuit.h(0)
    bundle = qsc.compile(circuit, readout="samples{shots=64}", target="line:2")
    assert bundle.run(shots=shots).shape == (64, 2)
    assert bool(bundle.run_remarks) is told
    assert all("64: 100 shots" in remark for remark in bundle.run_remarks)
