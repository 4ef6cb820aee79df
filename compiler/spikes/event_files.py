"""Files of events: .csv and .npz lists, and .npy records of an event camera.

A list has the columns `neuron`, one of `step` (whole steps) and `t` (seconds), and maybe `row` (sample of the batch, 0
where there is none) and `value` (1 where there is none). A .csv file names them in its first line; lines that begin
with # are skipped but for `# rows N`, which says how many samples there are. A .npz file has an array for each, and
maybe `rows`. Records have the fields x, y, p and t in whole microseconds, as tonic gives them, and are one sample.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ...ir import InputError
from ..storage import write_file
from .events import Events, listed
from .nir_data import SUFFIXES, nir_data_bytes

COLUMNS = ("row", "step", "t", "neuron", "value")
RECORD = ("x", "y", "p", "t")
MICROSECOND = 1e-6
HELP = "an event list has the columns neuron, step or t (seconds), and maybe row and value"


def from_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Events:
    """The events of a .npz file's arrays. InputError R0004 where they are no event list."""
    known = {name: array for name, array in arrays.items() if name in COLUMNS}
    lengths = {array.shape for array in known.values()}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in known.items())
        raise InputError.of("R0004", f"{path}: the arrays of events have different shapes: {shapes}", help=HELP)
    for name, array in known.items():
        if array.dtype.kind not in "biuf":
            raise InputError.of("R0004", f"{path}: {name} holds {array.dtype}, not numbers", help=HELP)
    size = int(arrays["rows"]) if "rows" in arrays and arrays["rows"].shape == () else None
    return _events(path, known, size, f"{path}: event {{}}")


def is_event_list(names: object) -> bool:
    """Whether arrays of these names are an event list."""
    return isinstance(names, list | set | tuple) and "neuron" in names and bool({"t", "step"} & set(names))


def from_records(path: Path, records: np.ndarray) -> Events:
    """The events of an array with the fields x, y, p and t. InputError R0004 where a field is missing."""
    missing = [name for name in RECORD if name not in (records.dtype.names or ())]
    if missing:
        raise InputError.of(
            "R0004", f"{path}: the records have no field {', '.join(missing)}", help="an event has x, y, p and t"
        )
    flat = records.reshape(-1)
    places = np.stack([flat[name].astype(np.int64) for name in RECORD[:3]], axis=1)
    seconds = flat["t"].astype(np.float64) * MICROSECOND
    rows, ones = np.zeros(len(flat), np.int64), np.ones(len(flat), np.float32)
    return Events(rows, places, ones, seconds=seconds, size=1, name=f"{path}: event {{}}")


def read_csv(path: Path) -> Events:
    """The events of a .csv file. InputError R0004 with the line where it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError.of("R0004", f"there is no file {path}") from None
    except OSError as fault:
        raise InputError.of("R0004", f"cannot read {path}: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise InputError.of("R0004", f"{path} is not text in UTF-8", help=HELP) from None
    size, rows = None, list(_csv_rows(text))
    for number, row in rows:
        words = row[0].removeprefix("#").split()
        if row[0].startswith("#") and words[:1] == ["rows"]:
            size = _count(path, number, words[1:])
    rows = [(number, row) for number, row in rows if not row[0].startswith("#")]
    if not rows:
        raise InputError.of("R0004", f"{path} is empty", help=HELP)
    header = [name.strip() for name in rows[0][1]]
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) < len(header):
        raise InputError.of("R0004", f"{path}: line {rows[0][0]}: the columns are {', '.join(header)}", help=HELP)
    table = np.empty((len(rows) - 1, len(header)))
    for at, (number, row) in enumerate(rows[1:]):
        if len(row) != len(header):
            message = f"{path}: line {number}: {len(row)} numbers for {len(header)} columns"
            raise InputError.of("R0004", message, help=HELP)
        table[at] = [_number(path, number, name, word) for name, word in zip(header, row, strict=True)]
    known = dict(zip(header, table.T, strict=True))
    lines = np.array([number for number, _ in rows[1:]], np.int64)
    return _events(path, known, size, f"{path}: line {{}}", lines)


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text))
    for row in reader:
        if row:
            yield reader.line_num, row


def _count(path: Path, line: int, words: list[str]) -> int:
    if len(words) != 1 or not words[0].isdecimal():
        raise InputError.of("R0004", f"{path}: line {line}: rows is {' '.join(words)!r}", help="write it as # rows 32")
    return int(words[0])


def _number(path: Path, line: int, name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError.of("R0004", f"{path}: line {line}: {name} is {word!r}", help="it is a number") from None


def _events(
    path: Path, known: Mapping[str, np.ndarray], size: int | None, name: str, lines: np.ndarray | None = None
) -> Events:
    if "neuron" not in known or ("step" in known) == ("t" in known):
        found = ", ".join(known) or "none of its columns"
        raise InputError.of("R0004", f"{path}: an event list with {found}", help=HELP)
    count = len(known["neuron"])
    values = known.get("value", np.ones(count)).astype(np.float64)
    events = Events(
        known.get("row", np.zeros(count, np.int64)),
        known["neuron"],
        values,
        known.get("step"),
        known["t"].astype(np.float64) if "t" in known else None,
        size,
        name,
        lines=lines,
    )
    if not np.isfinite(values).all():
        at = int((~np.isfinite(values)).argmax())
        raise InputError.of("R0004", f"{events.at(at)}: the value is {values[at]:g}", help="values are finite")
    return events


def write_events(path: Path, spikes: np.ndarray, dt: float | None) -> None:
    """Write (steps, rows, ...) as events: a .csv or .npz list, or .npy records.

    InputError O0002 for another kind of file, and where records cannot hold them: they take one sample of one or two
    channels (channels, height, width), binary spikes, and a dt of whole microseconds. MissingError E0003 where the
    file cannot be written.
    """
    if path.suffix not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise InputError.of("O0002", f"{path} is no file of events", help=f"name a file of the kinds {known}")
    write_file(path, _WRITERS[path.suffix](path, spikes, dt))


def _csv_bytes(path: Path, spikes: np.ndarray, dt: float | None) -> bytes:
    columns = _columns(spikes)
    lines = [f"# rows {spikes.shape[1]}", ",".join(columns)]
    lines += [",".join(f"{number:.9g}" for number in row) for row in zip(*columns.values(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _npz_bytes(path: Path, spikes: np.ndarray, dt: float | None) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, rows=np.int64(spikes.shape[1]), **_columns(spikes))
    return buffer.getvalue()


def _columns(spikes: np.ndarray) -> dict[str, np.ndarray]:
    events = listed(spikes)
    assert events.steps is not None
    columns = {"row": events.rows, "step": events.steps, "neuron": events.neurons}
    return columns if (events.values == 1).all() else columns | {"value": events.values}


def _record_bytes(path: Path, spikes: np.ndarray, dt: float | None) -> bytes:
    *channels, height, width = spikes.shape[2:] if spikes.ndim > 3 else (0, 0)
    ticks = 0.0 if dt is None else dt / MICROSECOND
    reasons = [
        reason
        for reason, wrong in (
            (f"an output of shape {list(spikes.shape[2:])} is no picture of one or two channels",
             channels not in ([], [1], [2]) or not width),
            (f"they hold one sample, and there are {spikes.shape[1]}", spikes.shape[1] != 1),
            ("they hold binary spikes", bool(((spikes != 0) & (spikes != 1)).any())),
            ("the length of a step is not known: give --dt SECONDS", dt is None),
            (f"a step of {dt} s is not a whole number of microseconds", abs(ticks - round(ticks)) > 1e-9),
        )
        if wrong
    ]  # fmt: skip
    if reasons:
        raise InputError.of(
            "O0002", f"{path} cannot hold these spikes as records: {reasons[0]}", help="name a .npz file"
        )
    events = listed(spikes)
    assert events.steps is not None
    plane, place = np.divmod(events.neurons, height * width)
    records = np.empty(len(events.rows), [("x", "<i2"), ("y", "<i2"), ("p", "<i1"), ("t", "<i8")])
    records["y"], records["x"] = np.divmod(place, width)
    records["p"], records["t"] = plane, events.steps * round(ticks)
    buffer = io.BytesIO()
    np.save(buffer, records, allow_pickle=False)
    return buffer.getvalue()


_WRITERS = {".csv": _csv_bytes, ".npz": _npz_bytes, ".npy": _record_bytes} | dict.fromkeys(SUFFIXES, nir_data_bytes)
