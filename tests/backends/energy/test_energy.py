"""Energies of counted spikes: by hand, and beside SpikingJelly's op_counter (spikingjelly.json)."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from qsc.backends.activity import Activity, NeuronCounts, SynapseCounts, sum_of
from qsc.backends.energy import SRAM, arithmetic_of, horowitz, lemaire, sram_j
from qsc.backends.nir.record import Recorder
from qsc.backends.nir.simulate import run_graph
from qsc.bridges.nir import read

GOLDEN = json.loads(Path(__file__).with_name("spikingjelly.json").read_text())
DENSE = [c for c in GOLDEN["cases"] if "sizes" in c]
CONV = [c for c in GOLDEN["cases"] if "channels" in c]
DT = 1e-3


def activity_of(case: dict[str, Any]) -> Activity:
    """The network of `make_spikingjelly.network` as a NIR graph, run here."""
    rng = np.random.default_rng(case["seed"])
    nodes: dict[str, Any] = {}
    conv = "channels" in case
    if conv:
        (a, b), size, kernel = case["channels"], case["size"], case["kernel"]
        shape, shapes = (a, size, size), [(b, a, kernel, kernel)]
        places = (size - kernel) // case["stride"] + 1
    else:
        size, places = 0, 0
        shape, shapes = (case["sizes"][0],), [(m, n) for n, m in pairwise(case["sizes"])]
    out = ()
    for k, weights in enumerate(shapes):
        weight = rng.normal(0.1, 1.5 / np.sqrt(np.prod(weights[1:])), weights).astype(np.float32)
        bias: Any = rng.normal(0.1, 0.1, weights[0]).astype(np.float32) if case["bias"] else None
        out = (weights[0], places, places) if conv else (weights[0],)
        if conv:
            nodes[f"w{k}"] = nir.Conv2d((size, size), weight, case["stride"], 0, 1, 1, bias)
        else:
            nodes[f"w{k}"] = nir.Linear(weight) if bias is None else nir.Affine(weight, bias)
        one, zero = np.ones(out, np.float32), np.zeros(out, np.float32)
        leaky = nir.LIF(4 * DT * one, 4 * one, zero, one, v_reset=zero)
        nodes[f"s{k}"] = leaky if case["leaky"] else nir.IF(one / DT, one, v_reset=zero)
    names = ["input", *nodes, "output"]
    ends = {"input": nir.Input({"input": np.array(shape)}), "output": nir.Output({"output": np.array(out)})}
    buffer: Any = io.BytesIO()
    made: Any = nir.NIRGraph(nodes=ends | nodes, edges=list(pairwise(names)))
    nir.write(buffer, made)
    graph = read(buffer.getvalue())
    x = rng.random((GOLDEN["steps"], GOLDEN["rows"], *shape))
    x = x < 0.4 if case["binary"] else x
    watch = Recorder(graph, GOLDEN["steps"], DT, {})
    run_graph(graph, GOLDEN["steps"], DT, torch.from_numpy(x.astype(np.float32)), sequence=True, watch=watch)
    return watch.activity()


@pytest.mark.parametrize("case", DENSE, ids=lambda c: str(c["seed"]))
def test_lemaire_agrees_with_spikingjelly(case: dict[str, Any]):
    activity = activity_of(case)
    assert [n.spikes for n in activity.neurons] == case["spikes"]
    energy, wanted = lemaire(activity), case["lemaire"]["breakdown_pj"]
    rows = GOLDEN["rows"]
    parts = {name: energy.part(f"{name}_j") * rows * 1e12 for name in ("operations", "addressing", "memory")}
    assert parts["operations"] == pytest.approx(wanted["ops_pj"], rel=1e-9)
    assert parts["addressing"] == pytest.approx(wanted["addressing_pj"], rel=1e-9)
    # Numbers that are no spikes wait in one memory for all steps there, in one for a step here.
    if case["binary"]:
        assert parts["memory"] == pytest.approx(wanted["memory_pj"], rel=1e-9)
        assert energy.total_j * rows * 1e12 == pytest.approx(case["lemaire"]["total_pj"], rel=1e-9)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: str(c["seed"]))
def test_what_memory_is_asked_for_agrees_with_spikingjelly(case: dict[str, Any]):
    activity = activity_of(case)
    asked = case["simple"]["memory_bytes"]
    assert [n.spikes for n in activity.neurons] == case["spikes"]
    wanted = sum(asked.values())
    assert horowitz(activity).part("memory_j") * GOLDEN["rows"] * 1e12 == pytest.approx(24.96 * wanted, rel=1e-9)


@pytest.mark.parametrize("case", CONV, ids=lambda c: str(c["seed"]))
def test_convolutions_count_what_lies_under_the_kernel(case: dict[str, Any]):
    (synapses,) = activity_of(case).synapses
    uses = case["simple"]["memory_bytes"]["weight_read_bytes"] / 4
    counted = synapses.events if synapses.binary else synapses.connections * GOLDEN["steps"] * GOLDEN["rows"]
    assert counted == uses
    # Lemaire's equations take every spike to meet the whole kernel, which those at the border do not.
    assert counted <= case["lemaire"]["counts"]["read_params_bytes"] / 4


def test_horowitz_by_hand():
    synapses = SynapseCounts("w", "dense", 6, 24, 1, 12, 12, 4, 3, 4, weight_bits=8)
    analog = SynapseCounts("a", "dense", 30, 120, 32, 12, 12, 0, 3, 4)
    neurons = NeuronCounts("n", 4, 5)
    energy = horowitz(Activity(2, 5, 1e-3, (synapses, analog), (neurons,)))
    w, a, n = energy.layers
    # 24 additions of 8 bits and 40 of a bias; 24 weights of 8 bits and 40 biases of 32 read; for two rows.
    assert w.operations_j == pytest.approx((24 + 40) * 0.03e-12 / 2)
    assert w.memory_j == pytest.approx((24 * 8 + 40 * 32) * 3.12e-12 / 2)
    assert a.operations_j == pytest.approx(12 * 10 * 4.6e-12 / 2)
    assert a.memory_j == pytest.approx(12 * 10 * 32 * 3.12e-12 / 2)
    assert n.operations_j == pytest.approx((40 * 4.6e-12 + 5 * 0.9e-12) / 2)
    assert n.memory_j == pytest.approx(2 * 40 * 32 * 3.12e-12 / 2)
    assert energy.total_j == pytest.approx(sum(layer.total_j for layer in energy.layers))


def test_the_points_of_the_tables():
    for size, joules in SRAM:
        assert sram_j(size) == pytest.approx(joules)
    assert sram_j(20 * 1024) == pytest.approx(15e-12)
    assert sram_j(2**30) == pytest.approx(100e-12)
    known = {bits: (a.add_j, a.mac_j) for bits in (32, 16, 8) for a in [arithmetic_of(bits)]}
    assert {b: tuple(round(j * 1e12, 6) for j in pair) for b, pair in known.items()} == {
        32: (0.9, 4.6),
        16: (0.4, 1.5),
        8: (0.03, 0.23),
    }


@given(st.integers(1, 30))
def test_wider_integers_cost_more(bits: int):
    if 16 not in (bits, bits + 1):
        assert arithmetic_of(bits).add_j < arithmetic_of(bits + 1).add_j
        assert arithmetic_of(bits).multiply_j < arithmetic_of(bits + 1).multiply_j


def test_runs_add_up_and_one_row_stays_one_row():
    first, second = (activity_of(DENSE[0]) for _ in range(2))
    both = sum_of([first, None, second])
    assert both is not None
    assert both.spikes == 2 * first.spikes
    assert horowitz(both).total_j == pytest.approx(horowitz(first).total_j)
    assert sum_of([None]) is None


def test_an_empty_run_costs_nothing():
    assert lemaire(Activity(0, 5, 1e-3, (), (NeuronCounts("n", 4, 0),))).total_j == 0.0
