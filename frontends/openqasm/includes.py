"""Included files, put into the text that includes them.

Qiskit's OpenQASM 3 reader takes none, and its OpenQASM 2 reader loses its place in one that holds an angle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ...ir import InputError, Location

_INCLUDE = re.compile(r'\s*include\s+"(?P<name>[^"]+)"\s*;\s*(?://.*)?')
_BUILT_IN = ("qelib1.inc", "stdgates.inc")


@dataclass
class Source:
    """The lines of a text with its includes, and the file and line that each came from."""

    lines: list[str] = field(default_factory=list)
    places: list[tuple[Path, int]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def place(self, line: int) -> tuple[Path, int]:
        """The file and line behind a line of the text, counted from 1; a line beyond the end is the last."""
        return self.places[min(line, len(self.places)) - 1]


def with_includes(path: Path, text: str) -> Source:
    """The text of `path` with every included file that lies beside it. InputError P0003 for a file that includes
    itself, P0006 for one that is not UTF-8."""
    source = Source()
    _add(source, path, text, (path,))
    return source


def _add(source: Source, path: Path, text: str, within: tuple[Path, ...]) -> None:
    for number, line in enumerate(text.splitlines() or [""], 1):
        found = _INCLUDE.fullmatch(line)
        inner = path.parent / found["name"] if found and found["name"] not in _BUILT_IN else None
        if inner is None or not inner.is_file():
            source.lines.append(line)
            source.places.append((path, number))
            continue
        if inner in within:
            raise InputError.of("P0003", f"{inner.name} includes itself", Location(str(path), number, 1))
        try:
            _add(source, inner, inner.read_text(encoding="utf-8-sig"), (*within, inner))
        except UnicodeDecodeError:
            raise InputError.of("P0006", "the file is not UTF-8", Location(str(inner))) from None
