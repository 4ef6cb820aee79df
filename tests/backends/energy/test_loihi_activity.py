"""What a program of Loihi 2 did, counted again by hand."""

from __future__ import annotations

import numpy as np
from qsc.backends.activity import RASTER_NEURONS
from qsc.backends.energy import horowitz
from qsc.backends.loihi.activity import activity_of
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window

STEPS, ROWS = 5, 3


def fired(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.random((STEPS, ROWS, *shape)) < 0.3


def test_events_and_spikes_of_a_program():
    rng = np.random.default_rng(0)
    dense, sparse = rng.integers(1, 31, (4, 6)) * 8, rng.integers(1, 100, (4, 4)) * 2 * (rng.random((4, 4)) < 0.5)
    program = Program(
        (Source("in", (6,), message_bits=4),),
        (Population("h", (4,), du=2000, threshold=np.array([3, 4, 5, 6])),),
        (Connection("w", "in", "h", dense, weight_bits=6), Connection("r", "h", "h", sparse)),
        ("h",),
    )
    spikes = {"in": fired(rng, 6) * 7, "h": fired(rng, 4)}
    activity = activity_of(program, spikes, {"h": rng.integers(-9, 9, (STEPS, ROWS, 4))})
    w, r = activity.synapses
    assert (w.kind, w.binary, w.weight_bits, w.events) == ("dense", False, 6, np.count_nonzero(spikes["in"]) * 4)
    assert (r.kind, r.binary) == ("sparse", True)
    assert r.events == sum(np.count_nonzero(sparse[:, j]) for *_, j in np.argwhere(spikes["h"]))
    assert (activity.rows, activity.steps, activity.spikes) == (ROWS, STEPS, spikes["h"].sum())
    assert activity.neurons[0].states == 2
    raster = activity.rasters["h"].spikes
    assert raster is not None
    assert np.array_equal(raster, spikes["h"][:, 0])
    thresholds = activity.potentials["h"].thresholds
    assert thresholds is not None
    assert thresholds.tolist() == [192, 256, 320, 384]
    assert horowitz(activity).total_j > 0


def test_a_kernel_counts_where_it_lies_on_a_spike():
    rng = np.random.default_rng(1)
    kernel = rng.integers(1, 50, (2, 1, 3, 3)) * 2
    program = Program(
        (Source("in", (1, 4, 4)),),
        (Population("h", (2, 4, 4)),),
        (Connection("w", "in", "h", kernel, window=Window(padding=(1, 1))),),
        ("h",),
    )
    spikes = {"in": np.zeros((STEPS, ROWS, 1, 4, 4), bool), "h": fired(rng, 2, 4, 4)}
    spikes["in"][0, 0, 0, 0, 0] = spikes["in"][1, 2, 0, 1, 2] = True
    (w,) = activity_of(program, spikes).synapses
    # The corner lies under 4 places of the kernel, the inside under 9; two channels each.
    assert (w.kind, w.events, w.connections, w.kernel) == ("conv", 2 * (4 + 9), 18 * 16, 18)


def test_neurons_without_memory_keep_less():
    program = Program((), (Population("h", (2,), dv=0),), (), ("h",))
    (neurons,) = activity_of(program, {"h": np.zeros((STEPS, ROWS, 2), bool)}).neurons
    assert (neurons.states, neurons.leaks) == (1, False)


def test_large_layers_are_drawn_in_part():
    count = RASTER_NEURONS + 500
    program = Program((), (Population("h", (count,)),), (), ("h",))
    raster = activity_of(program, {"h": np.ones((STEPS, 1, count), bool)}).rasters["h"]
    assert raster.spikes is not None
    assert (raster.spikes.shape, raster.total) == ((STEPS, RASTER_NEURONS), count)
