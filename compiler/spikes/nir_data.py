"""NIR's own files of stimuli and recordings (.h5, `nir.write_data`): the observables of nodes, on a grid or as events.

A file that is read holds one observable, or that of a node `input`. What is written is the observable `spikes` of a
node `output`, as events, which are discrete: `ValuedEventData` where a spike is not 1.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...bridges.extras import need
from ...ir import InputError
from .events import Events, listed

SUFFIXES = (".h5", ".hdf5")
INPUT, OUTPUT, SPIKES = "input", "output", "spikes"


def read_nir_data(path: Path) -> Events:
    """The events of a file; a grid's are in its steps. InputError R0004 where it is no such file."""
    nir = need("nir", "nir")
    if not path.is_file():
        raise InputError.of("R0004", f"there is no file {path}")
    try:
        data = nir.read_data(path)
    except (OSError, KeyError, ValueError, TypeError) as fault:
        raise InputError.of(
            "R0004", f"{path} is no file of NIR data: {fault}", help="nir.write_data writes one"
        ) from None
    found = dict(_observables(data, ""))
    chosen = found if len(found) == 1 else {k: v for k, v in found.items() if k.split(".")[0] == INPUT}
    if len(chosen) != 1:
        names = ", ".join(found) or "none"
        help = f"one observable, or one of the node {INPUT}"
        raise InputError.of("R0004", f"{path} holds the observables {names}", help=help)
    (observable,) = chosen.values()
    name = f"{path}: event {{}}"
    if hasattr(observable, "dt"):
        rows, steps, neurons = np.nonzero(observable.data)
        values = observable.data[rows, steps, neurons].astype(np.float64)
        return Events(rows, neurons, values, steps=steps, size=observable.n_samples, name=name)
    rows, places = np.nonzero((observable.idx >= 0) & np.isfinite(observable.time))
    values = getattr(observable, "value", np.ones(observable.idx.shape))[rows, places].astype(np.float64)
    seconds = observable.time[rows, places].astype(np.float64)
    return Events(rows, observable.idx[rows, places], values, seconds=seconds, size=len(observable.idx), name=name)


def _observables(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, node in data.nodes.items():
        if hasattr(node, "nodes"):
            yield from _observables(node, f"{path}{name}.")
        else:
            yield from ((f"{path}{name}.{kind}", observable) for kind, observable in node.observables.items())


def nir_data_bytes(path: Path, spikes: np.ndarray, dt: float | None) -> bytes:
    """A file of (steps, rows, ...) as events. InputError O0002 where the length of a step is not known."""
    nir = need("nir", "nir")
    if dt is None:
        raise InputError.of("O0002", f"{path} holds times, and the length of a step is not known", help="give --dt")
    events, rows = listed(spikes), spikes.shape[1]
    assert events.steps is not None
    counts = np.bincount(events.rows, minlength=rows)
    order = np.lexsort((events.steps, events.rows))
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = (rows, int(counts.max(initial=0)))
    idx, time, value = np.full(size, -1), np.full(size, np.inf), np.zeros(size)
    at = (events.rows[order], place)
    idx[at], time[at], value[at] = events.neurons[order], events.steps[order] * dt, events.values[order]
    facts = {"n_neurons": int(np.prod(spikes.shape[2:])), "t_max": len(spikes) * dt}
    if (events.values == 1).all():
        data = nir.EventData(idx, time, **facts)
    else:
        data = nir.ValuedEventData(idx=idx, time=time, value=value, **facts)
    buffer = io.BytesIO()
    nir.write_data(buffer, nir.NIRGraphData({OUTPUT: nir.NIRNodeData({SPIKES: data})}), compression=None)
    return buffer.getvalue()
