"""NIR's own files of stimuli and recordings, written by the package nir and by us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qsc.compiler.spikes.event_files import write_events
from qsc.compiler.spikes.events import Grid, binned
from qsc.compiler.spikes.nir_data import read_nir_data
from qsc.ir import InputError

nir = pytest.importorskip("nir")

STEPS, ROWS, COUNT, DT = 12, 3, 5, 1e-3


def drawn(graded: bool = False) -> np.ndarray:
    rng = np.random.default_rng(2)
    spikes = (rng.random((STEPS, ROWS, COUNT)) < 0.3).astype(np.float32)
    return spikes * rng.integers(1, 4, spikes.shape) if graded else spikes


def save(path: Path, **nodes) -> Path:
    made = {name: nir.NIRNodeData({"spikes": data}) for name, data in nodes.items()}
    nir.write_data(path, nir.NIRGraphData(made))
    return path


@pytest.mark.parametrize("graded", [False, True])
def test_what_is_written_is_read_by_nir_and_by_us(tmp_path: Path, graded: bool):
    spikes, path = drawn(graded), tmp_path / "out.h5"
    write_events(path, spikes, DT)
    theirs = nir.read_data(path).nodes["output"].observables["spikes"]
    assert type(theirs).__name__ == ("ValuedEventData" if graded else "EventData")
    assert (theirs.n_neurons, theirs.n_samples) == (COUNT, ROWS)
    assert (theirs.idx >= 0).sum() == (spikes != 0).sum()
    array, _ = binned(read_nir_data(path), Grid(STEPS, (COUNT,), DT), "count")
    assert np.array_equal(array, spikes)


def test_events_and_grids_of_nir_are_read(tmp_path: Path):
    spikes = drawn()
    gridded = nir.TimeGriddedData(spikes.transpose(1, 0, 2).astype(bool), DT)
    for data in (gridded, gridded.to_event(40, DT / 2)):
        path = save(tmp_path / "x.h5", input=data, other=data)
        array, _ = binned(read_nir_data(path), Grid(STEPS, (COUNT,), DT), "count")
        assert np.array_equal(array, spikes)


def test_files_that_are_not_clear_are_refused(tmp_path: Path):
    data = nir.TimeGriddedData(drawn().transpose(1, 0, 2).astype(bool), DT)
    with pytest.raises(InputError, match=r"holds the observables a.spikes, b.spikes"):
        read_nir_data(save(tmp_path / "two.h5", a=data, b=data))
    (tmp_path / "no.h5").write_bytes(b"no")
    with pytest.raises(InputError, match="is no file of NIR data"):
        read_nir_data(tmp_path / "no.h5")
    with pytest.raises(InputError, match="there is no file"):
        read_nir_data(tmp_path / "none.h5")
    with pytest.raises(InputError, match="the length of a step is not known"):
        write_events(tmp_path / "out.h5", drawn(), None)
