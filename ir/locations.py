"""Many places as columns: one file position a row, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .diagnostics import UNKNOWN, Location


@dataclass(frozen=True, eq=False)
class LocationTable:
    """Row i is `files[file[i]]:line[i]:column[i]` with the module path `paths[path[i]]`."""

    files: tuple[str, ...]
    paths: tuple[str, ...]
    file: np.ndarray
    line: np.ndarray
    column: np.ndarray
    path: np.ndarray

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, index: int) -> Location:
        if not 0 <= index < len(self):
            return UNKNOWN
        return Location(
            self.files[self.file[index]], int(self.line[index]), int(self.column[index]), self.paths[self.path[index]]
        )

    @classmethod
    def of(cls, locations: Iterable[Location]) -> LocationTable:
        rows = list(locations)
        files = {name: i for i, name in enumerate(dict.fromkeys(r.file for r in rows))}
        paths = {name: i for i, name in enumerate(dict.fromkeys(r.path for r in rows))}
        return cls(
            tuple(files),
            tuple(paths),
            np.array([files[r.file] for r in rows], np.int32),
            np.array([r.line for r in rows], np.int32),
            np.array([r.column for r in rows], np.int32),
            np.array([paths[r.path] for r in rows], np.int32),
        )

    @classmethod
    def in_file(cls, file: str, line: np.ndarray, column: np.ndarray) -> LocationTable:
        """One row per entry of `line` and `column`, all in one file."""
        zeros = np.zeros(len(line), np.int32)
        return cls((file,), ("",), zeros, line.astype(np.int32), column.astype(np.int32), zeros)


NO_LOCATIONS = LocationTable.of(())
