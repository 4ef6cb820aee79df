"""Events in steps of time: lists of (row, time, neuron, value), and the arrays that a network takes.

Step k holds the times from k dt up to, not including, (k + 1) dt; a time that rounding has put less than a millionth of
a step below a step's beginning counts as in it. A neuron is counted along the input's shape, without batch and time,
row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import InputError

ROUNDING = 1e-6
"""By how much of a step a time may lie below the step it belongs to."""

MOST_NUMBERS = 2**31
"""Largest array that events fill."""

SAME_BIN = ("count", "clip")
"""What becomes of several events of one neuron in one step: their values add up, or of the sum only the sign stays."""


@dataclass(frozen=True)
class Events:
    """Events in any order; arrays of one length.

    rows: which sample of the batch. neurons: numbers, or (x, y, polarity) as the columns of an array. values: 1 for
    spikes. Exactly one of steps and seconds is given. size: how many samples there are, None for as many as occur.
    name: what an event is called in a message, with {} for its number. lines: these numbers, 0, 1, ... where left out.
    """

    rows: np.ndarray
    neurons: np.ndarray
    values: np.ndarray
    steps: np.ndarray | None = None
    seconds: np.ndarray | None = None
    size: int | None = None
    name: str = "event {}"
    lines: np.ndarray | None = None

    def at(self, index: int) -> str:
        """What event number `index` of the arrays is called."""
        return self.name.format(index if self.lines is None else int(self.lines[index]))


@dataclass(frozen=True)
class Grid:
    """steps: how many. shape: of one step of one sample. dt: seconds of a step, None where nobody says."""

    steps: int
    shape: tuple[int, ...]
    dt: float | None = None

    @property
    def neurons(self) -> int:
        return int(np.prod(self.shape))


def binned(events: Events, grid: Grid, same_bin: str = "count") -> tuple[np.ndarray, list[str]]:
    """(float32 (steps, rows, *shape), remarks on what was joined).

    InputError R0004 names the first event that is outside of the grid, O0002 asks for dt where times need it, R0005
    says that the array would be too large.
    """
    steps = _steps(events, grid)
    neurons = _flat(events, grid)
    rows = _checked(events, events.rows, events.size, "row")
    size = events.size if events.size is not None else int(rows.max(initial=0)) + 1
    if grid.steps * size * grid.neurons > MOST_NUMBERS:
        numbers = f"{grid.steps} steps of {size} rows of {grid.neurons} neurons"
        help_ = "rows are numbered from 0 without gaps; or give fewer at a time"
        raise InputError.of("R0005", f"the events would fill {numbers}", help=help_)
    cells = (steps * size + rows) * grid.neurons + neurons
    total = np.bincount(cells, events.values, grid.steps * size * grid.neurons).astype(np.float32)
    often = np.bincount(cells, minlength=len(total))
    if same_bin == "clip":
        total = np.where(often > 1, np.sign(total), total)
    return total.reshape(grid.steps, size, *grid.shape), _remarks(often, total, same_bin)


def _remarks(often: np.ndarray, total: np.ndarray, same_bin: str) -> list[str]:
    joined = int(often[often > 1].sum())
    if not joined:
        return []
    done = "their values add up" if same_bin == "count" else "they are one event with the sign of the sum"
    largest = f"; the largest value is {np.abs(total).max():g}" if same_bin == "count" else ""
    return [f"{joined} of {int(often.sum())} events share a step with another of their neuron: {done}{largest}"]


def _steps(events: Events, grid: Grid) -> np.ndarray:
    if events.steps is not None:
        return _checked(events, events.steps, grid.steps, "step")
    assert events.seconds is not None
    if grid.dt is None:
        raise InputError.of("O0002", "events in seconds need the length of a time step", help="give --dt SECONDS")
    scaled = events.seconds / grid.dt
    outside = ~((scaled >= -ROUNDING) & (scaled < grid.steps - ROUNDING))
    if outside.any():
        at = int(outside.argmax())
        end = f"{grid.steps} steps of {grid.dt:g} s end at {grid.steps * grid.dt:g} s"
        raise InputError.of("R0004", f"{events.at(at)}: the time is {events.seconds[at]:g} s", help=end)
    return np.floor(scaled + ROUNDING).astype(np.int64)


def _flat(events: Events, grid: Grid) -> np.ndarray:
    """The number of each event's neuron."""
    if events.neurons.ndim == 1:
        return _checked(events, events.neurons, grid.neurons, "neuron")
    *channels, height, width = grid.shape if len(grid.shape) > 1 else (0, 0)
    if channels not in ([], [1], [2]) or not width:
        raise InputError.of(
            "R0004",
            f"events with x, y and polarity do not fit an input of shape {list(grid.shape)} a step",
            help="they fit (height, width), or (channels, height, width) with a channel or one for each polarity",
        )
    columns, rows, polarities = events.neurons.T
    _checked(events, columns, width, "x")
    _checked(events, rows, height, "y")
    _checked(events, polarities, 2, "polarity")
    plane = polarities if channels == [2] else 0
    return (plane * height + rows) * width + columns


def _checked(events: Events, numbers: np.ndarray, count: int | None, what: str) -> np.ndarray:
    """The whole numbers as int64, all from 0 to below count."""
    known = np.abs(numbers) < 2**53
    whole = np.where(known, numbers, -1).astype(np.int64)
    wrong = (whole != numbers) | (whole < 0) | (whole >= count if count is not None else False)
    if wrong.any():
        at = int(wrong.argmax())
        known = f"they go from 0 to {count - 1}" if count is not None else "they count from 0"
        raise InputError.of("R0004", f"{events.at(at)}: the {what} is {numbers[at]:g}", help=known)
    return whole


def merged_polarities(events: Events, grid: Grid) -> list[str]:
    """A remark where both polarities of a camera go to one neuron."""
    if events.neurons.ndim == 1 or grid.shape[:-2] == (2,):
        return []
    return ["the input has one channel: events of both polarities count alike"]


def listed(spikes: np.ndarray) -> Events:
    """The events of (steps, rows, ...): everything that is not zero, ordered by row, then step, then neuron."""
    flat = spikes.reshape(*spikes.shape[:2], -1)
    rows, steps, neurons = np.nonzero(flat.transpose(1, 0, 2))
    return Events(rows, neurons, flat[steps, rows, neurons], steps=steps, size=spikes.shape[1])
