"""The answers of finished tasks in a file, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...ir import InputError
from ..storage import cannot_write, pack_arrays, unpack_arrays
from .tasks import Answer

MAGIC = b"qsc journal 1\n"
_KEY, _LENGTH, _SUM = 32, 8, 32
_HEAD = _KEY + _LENGTH + _SUM


class Journal:
    """Key of a task -> its answer, appended to a file as they come.

    A record is the key, the length of the content in 8 bytes, its sha256, and the content as safetensors. What a killed
    run left half-written at the end is dropped when the file is opened again, as is everything behind a record that was
    damaged.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._places: dict[bytes, tuple[int, int]] = {}
        end = len(MAGIC)
        for key, at, length in self._records():
            self._places[key] = (at, length)
            end = at + length
        file.seek(end)
        file.truncate()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> Answer | None:
        """The answer of a task, None where it is not finished."""
        if key not in self._places:
            return None
        at, length = self._places[key]
        self._file.seek(at)
        return _unpacked(self._file.read(length))

    def put(self, key: bytes, answer: Answer) -> None:
        """Add an answer; it is on the disk when this returns. MissingError E0003 where it cannot be written."""
        content = _packed(answer)
        try:
            at = self._file.seek(0, os.SEEK_END)
            head = key + len(content).to_bytes(_LENGTH, "little") + hashlib.sha256(content).digest()
            self._file.write(head + content)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as fault:
            raise cannot_write(self._path, fault) from None
        self._places[key] = (at + _HEAD, len(content))

    def _records(self) -> Iterator[tuple[bytes, int, int]]:
        """(key, where the content begins, its length) of every whole record from the start."""
        self._file.seek(len(MAGIC))
        while len(head := self._file.read(_HEAD)) == _HEAD:
            at, length = self._file.tell(), int.from_bytes(head[_KEY : _KEY + _LENGTH], "little")
            content = self._file.read(length)
            if len(content) < length or hashlib.sha256(content).digest() != head[_KEY + _LENGTH :]:
                return
            yield head[:_KEY], at, length


@contextmanager
def opened_journal(path: str | Path | None) -> Iterator[Journal | None]:
    """The journal at `path`, made where there is none; None without a path.

    Raises InputError B0006 where the file is something else, or another run has it open; MissingError E0003 where it
    cannot be written.
    """
    if path is None:
        yield None
        return
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115 - closed by the `with` below
    except OSError as fault:
        raise cannot_write(path, fault) from None
    with file:
        _lock(file, path)
        start = file.read(len(MAGIC))
        if not MAGIC.startswith(start):
            raise InputError.of("B0006", f"{path} is not a journal of qsc", help="name another file")
        if start != MAGIC:
            file.seek(0)
            file.write(MAGIC)
            file.flush()
        yield Journal(file, path)


def _lock(file: BinaryIO, path: Path) -> None:
    """Hold the file for this process; the lock goes with it, however it ends."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        help = "wait until it ends, or name another file"
        raise InputError.of("B0006", f"another run is writing the journal {path}", help=help) from None


_PARTS = ("results", "errors", "covariances")


def _packed(answer: Answer) -> bytes:
    arrays = {f"{part}.{k}": array for part in _PARTS for k, array in enumerate(getattr(answer, part))}
    return pack_arrays(arrays | {"counts": np.frombuffer(json.dumps(answer.counts).encode(), np.uint8)})


def _unpacked(content: bytes) -> Answer:
    arrays = unpack_arrays(content)
    counts = json.loads(arrays.pop("counts").tobytes())
    results, errors, covariances = ([arrays[f"{part}.{k}"] for k in range(_count(arrays, part))] for part in _PARTS)
    return Answer(results, counts, errors, covariances)


def _count(arrays: dict[str, np.ndarray], part: str) -> int:
    return sum(name.startswith(f"{part}.") for name in arrays)
