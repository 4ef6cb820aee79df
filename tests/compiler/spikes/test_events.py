"""Events in steps of time, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.compiler.inputs import open_arrays
from qsc.compiler.spikes.event_files import from_arrays, from_records, read_csv, write_events
from qsc.compiler.spikes.events import Events, Grid, binned, merged_polarities
from qsc.ir import InputError

GRID = Grid(5, (2, 3), dt=0.1)
CAMERA = [("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")]


def times(seconds: list[float], **more) -> Events:
    count = len(seconds)
    given: dict[str, Any] = {"rows": np.zeros(count), "neurons": np.zeros(count), "values": np.ones(count)} | more
    return Events(seconds=np.array(seconds), **given)


def test_a_time_belongs_to_the_step_that_it_begins():
    # 0.3 / 0.1 is 2.9999999999999996.
    array, remarks = binned(times([0.0, 0.0999, 0.3, 0.49], neurons=np.array([0, 1, 2, 5])), GRID)
    assert np.argwhere(array).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [3, 0, 0, 2], [4, 0, 1, 2]]
    assert not remarks


@given(st.integers(1, 10**6), st.floats(1e-9, 1e3))
def test_every_beginning_of_a_step_is_in_it(step: int, dt: float):
    array, _ = binned(times([step * dt]), Grid(step + 1, (1,), dt))
    assert array[step, 0, 0] == 1


@pytest.mark.parametrize(("same_bin", "values"), [("count", [3.0, -1.0, 2.0]), ("clip", [1.0, -1.0, 2.0])])
def test_events_of_one_step(same_bin: str, values: list[float]):
    values_of = {"neurons": np.array([0, 0, 0, 1, 1, 1, 2]), "values": np.array([1, 1, 1, -1, 1, -1, 2])}
    given = times([0.0, 0.01, 0.02, 0.1, 0.11, 0.12, 0.2], **values_of)
    array, remarks = binned(given, GRID, same_bin)
    assert array[[0, 1, 2], 0, 0, [0, 1, 2]].tolist() == values
    assert remarks[0].startswith("6 of 7 events share a step")
    assert ("largest value is 3" in remarks[0]) == (same_bin == "count")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"neurons": np.array([0, 6])}, "event 1: the neuron is 6"),
        ({"neurons": np.array([0, -1])}, "event 1: the neuron is -1"),
        ({"neurons": np.array([0, 1.5])}, "event 1: the neuron is 1.5"),
        ({"rows": np.array([2, 0]), "size": 2}, "event 0: the row is 2"),
        ({"rows": np.array([-1, 0])}, "event 0: the row is -1"),
        ({"rows": np.array([0, np.nan])}, "event 1: the row is nan"),
        ({"neurons": np.array([0, 1e300])}, r"event 1: the neuron is 1e\+300"),
        ({"rows": np.array([0, 10**12])}, "5 steps of 1000000000001 rows of 6 neurons"),
    ],
)
def test_what_is_outside_is_named(wrong: dict, words: str):
    with pytest.raises(InputError, match=words):
        binned(times([0.0, 0.1], **wrong), GRID)


@pytest.mark.parametrize("time", [-0.1, 0.5, np.nan, np.inf])
def test_times_outside_are_named_with_the_end(time: float):
    with pytest.raises(InputError, match=r"event 1: the time is (.|\n)*5 steps of 0.1 s end at 0.5 s"):
        binned(times([0.0, time]), GRID)


def test_seconds_need_a_step():
    with pytest.raises(InputError, match="--dt SECONDS"):
        binned(times([0.0]), Grid(5, (2, 3)))


@pytest.mark.parametrize(
    ("shape", "where"), [((2, 3, 4), [1, 2, 0, 1]), ((1, 3, 4), [1, 0, 0, 1]), ((3, 4), [1, 0, 1])]
)
def test_records_of_a_camera(shape: tuple[int, ...], where: list[int]):
    records = np.array([(1, 0, 1, 150_000), (3, 2, 0, 0)], CAMERA)
    events = from_records(Path("e.npy"), records)
    array, _ = binned(events, Grid(2, shape, 0.1))
    assert array.shape == (2, 1, *shape)
    channel = [1] if len(shape) == 3 and shape[0] == 2 else [0] * (len(shape) - 2)
    assert array[(1, 0, *channel, 0, 1)] == 1
    assert array[(0, 0, *[0] * (len(shape) - 2), 2, 3)] == 1
    assert bool(merged_polarities(events, Grid(2, shape))) == (shape[0] != 2)


@pytest.mark.parametrize(
    ("shape", "record", "words"),
    [
        ((12,), (0, 0, 0, 0), "do not fit an input of shape"),
        ((3, 3, 4), (0, 0, 0, 0), "do not fit an input of shape"),
        ((2, 3, 4), (4, 0, 0, 0), "the x is 4"),
        ((2, 3, 4), (0, 3, 0, 0), "the y is 3"),
        ((2, 3, 4), (0, -1, 0, 0), "the y is -1"),
        ((2, 3, 4), (0, 0, 0, 200_000), "the time is 0.2 s"),
    ],
)
def test_records_that_do_not_fit(shape: tuple[int, ...], record: tuple, words: str):
    events = from_records(Path("e.npy"), np.array([record], CAMERA))
    with pytest.raises(InputError, match=f"event 0: {words}" if "fit" not in words else words):
        binned(events, Grid(2, shape, 0.1))


def test_records_without_a_field():
    with pytest.raises(InputError, match="no field p"):
        from_records(Path("e.npy"), np.zeros(3, [("x", int), ("y", int), ("t", int)]))


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@pytest.mark.parametrize("graded", [False, True])
def test_lists_read_back_what_was_written(tmp_path: Path, suffix: str, graded: bool):
    rng = np.random.default_rng(0)
    spikes = (rng.random((5, 4, 2, 3)) < 0.2).astype(np.float32)
    spikes[:, -1] = 0
    if graded:
        spikes *= rng.normal(size=spikes.shape).astype(np.float32)
    path = tmp_path / f"events{suffix}"
    write_events(path, spikes, None)
    if suffix == ".csv":
        events = read_csv(path)
    else:
        arrays = open_arrays(path)
        assert isinstance(arrays, dict)
        events = from_arrays(path, arrays)
    array, remarks = binned(events, Grid(5, (2, 3)))
    assert np.array_equal(array, spikes)
    assert not remarks


def test_records_read_back_what_was_written(tmp_path: Path):
    spikes = (np.random.default_rng(1).random((5, 1, 2, 3, 4)) < 0.2).astype(np.float32)
    write_events(tmp_path / "e.npy", spikes, 1e-3)
    records = open_arrays(tmp_path / "e.npy")
    assert isinstance(records, np.ndarray)
    assert binned(from_records(tmp_path / "e.npy", records), Grid(5, (2, 3, 4), 1e-3))[0].tolist() == spikes.tolist()


@pytest.mark.parametrize(
    ("shape", "dt", "words"),
    [
        ((5, 1, 12), 1e-3, "is no picture"),
        ((5, 2, 3, 4), 1e-3, "there are 2"),
        ((5, 1, 3, 4), None, "give --dt"),
        ((5, 1, 3, 4), 1.5e-6, "whole number of microseconds"),
    ],
)
def test_spikes_that_records_cannot_hold(tmp_path: Path, shape: tuple[int, ...], dt: float | None, words: str):
    with pytest.raises(InputError, match=words):
        write_events(tmp_path / "e.npy", np.ones(shape, np.float32), dt)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("row,neuron\n0,1\n", "an event list with row, neuron"),
        ("step,t,neuron\n0,0,1\n", "an event list with step, t, neuron"),
        ("step,nerve\n0,1\n", "line 1: the columns are step, nerve"),
        ("# from a camera\n\nstep,neuron\n0,1\n1,x\n", "line 5: neuron is 'x'"),
        ("step,neuron\n0,1\n1\n", "line 3: 1 numbers for 2 columns"),
        ("# rows many\nstep,neuron\n0,1\n", "rows is 'many'"),
        ("step,neuron,value\n0,1,inf\n", "line 2: the value is inf"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, text: str, words: str):
    path = tmp_path / "e.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_csv(path)


def test_the_line_of_an_event_is_that_of_the_file(tmp_path: Path):
    path = tmp_path / "e.csv"
    path.write_text("# rows 1\nstep,neuron\n0,1\n\n# late\n7,1\n")
    with pytest.raises(InputError, match=r"line 6: the step is 7"):
        binned(read_csv(path), GRID)


def test_arrays_of_different_lengths():
    with pytest.raises(InputError, match=r"neuron \[2\], t \[3\]"):
        from_arrays(Path("e.npz"), {"neuron": np.zeros(2), "t": np.zeros(3)})
