"""Spikes between cores beside first-fit and halving, on small nets of the makes in `benchmarks/loihi_nets.py`."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qsc.backends.loihi.mapping import Mapping, load_limits, map_program, violations
from qsc.backends.loihi.mapping.placement import place
from qsc.backends.loihi.mapping.result import routes_of, used_of
from qsc.backends.loihi.mapping.synapses import fans_of

pytest.importorskip("mtkahypar")
BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
LIMITS = load_limits("loihi1")


@pytest.fixture(scope="module")
def nets():
    """The benchmark's makers of nets and its baselines."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("loihi_nets")
    finally:
        sys.path.remove(str(BENCHMARKS))
        sys.modules.pop("loihi_nets", None)


def test_fewer_spikes_leave_their_core(nets):
    made = (
        nets.mlp(2, (128, 300, 300, 300, 20)),
        nets.conv(4, (2, 16, 16), ((8, 1, 1), (16, 2, 1)), 10),
        nets.communities(8, 1500, 8, 0.3, 0.0005),
        nets.near(9, 800, 3, 0.08, 0.9),
    )
    ratios = []
    for program, rates in made:
        mapping = map_program(program, LIMITS, rates)
        assert violations(mapping) == []
        others = (nets.first_fit(program, LIMITS), nets.halved(program, LIMITS))
        spikes = [nets.off_core(program, LIMITS, core_of, rates) for core_of in others]
        ratios.append([mapping.off_core_spikes / count for count in spikes])
    assert np.max(ratios) < 1.0
    assert np.exp(np.mean(np.log(ratios), axis=0)).max() <= 0.7


def test_the_baselines_are_legal(nets):
    """What is compared with keeps the limits of a core by the independent checker too."""
    program, rates = nets.mlp(2, (128, 300, 300, 300, 20))
    for core_of in (nets.first_fit(program, LIMITS), nets.halved(program, LIMITS)):
        cores = 1 + max(int(row.max()) for row in core_of.values())
        routes = routes_of(program, fans_of(program, LIMITS), core_of, cores, rates)
        used = used_of(program, LIMITS, core_of, cores, routes)
        mapping = Mapping(program, LIMITS, core_of, *place(LIMITS, routes, cores), routes, used, rates)
        assert violations(mapping) == []
        assert violations(replace(mapping, limits=replace(LIMITS, neurons=9)))
