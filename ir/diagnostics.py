"""Places in the user's source, and the messages that name them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Location:
    """Where something came from: a file position, a path inside a torch model, or both.

    `line` and `column` count from 1; 0 means unknown. `path` is a dotted module path such as `features.0`.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        place = self.file
        if place and self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        if self.path:
            place = f"{place} ({self.path})" if place else self.path
        return place

    def __bool__(self) -> bool:
        return bool(self.file or self.path)


UNKNOWN = Location()


def join_locations(locations: Iterable[Location]) -> Location:
    """The place of something made from several things: the first known file position, with every distinct path."""
    known = [location for location in dict.fromkeys(locations) if location]
    if not known:
        return UNKNOWN
    paths = list(dict.fromkeys(location.path for location in known if location.path))
    return replace(known[0], path="+".join(paths))


_NOT_THE_USER = (__name__.partition(".")[0], "functools", "torch")
"""Packages that stand between the user's code and what it calls here."""


def user_line() -> Location:
    """The nearest line on the call stack that the user wrote; unknown where the command line called."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _NOT_THE_USER:
        frame = frame.f_back
    return UNKNOWN if _package(frame) == "click" else Location(frame.f_code.co_filename, frame.f_lineno)


def _package(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "").partition(".")[0]


@dataclass(frozen=True)
class Diagnostic:
    """One fault: what it is, where, and what would be right.

    `code` is a key of `qsc.ir.codes.CODES`. `length` is how many characters from `location` the caret underlines.
    """

    code: str
    message: str
    location: Location = UNKNOWN
    notes: tuple[str, ...] = ()
    help: str = ""
    length: int = 1
    excerpt: str | None = field(default=None, compare=False)

    def render(self) -> str:
        """The message as a terminal shows it: title, place, the source line with a caret, notes, help."""
        lines = [f"error[{self.code}]: {self.message}"]
        if self.location:
            lines.append(f"  --> {self.location}")
        source = self.excerpt if self.excerpt is not None else _source_line(self.location)
        if source is not None and self.location.line:
            number = str(self.location.line)
            gutter = " " * len(number)
            lines += [f" {gutter} |", f" {number} | {source}"]
            if self.location.column:
                pad = "".join("\t" if c == "\t" else " " for c in source[: self.location.column - 1])
                lines.append(f" {gutter} | {pad}{'^' * max(1, self.length)}")
        lines += [f"  = note: {note}" for note in self.notes]
        if self.help:
            lines.append(f"  = help: {self.help}")
        return "\n".join(lines)


def _source_line(location: Location) -> str | None:
    if not location.line or not location.file.endswith((".qsc", ".py", ".toml")):
        return None
    try:
        lines = Path(location.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[location.line - 1] if location.line <= len(lines) else None


class QscError(Exception):
    """A fault that is not a fault of qsc: carries one or more diagnostics and the exit code of its kind."""

    exit_code: ClassVar[int] = 2

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(d.render() for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Diagnostic, ...]]]:
        """Pickled by its diagnostics: a fault may come from another process."""
        return type(self), (self.diagnostics,)

    @classmethod
    def of(
        cls,
        code: str,
        message: str,
        location: Location = UNKNOWN,
        *,
        notes: Sequence[str] = (),
        help: str = "",
        length: int = 1,
    ) -> Self:
        """The error with a single diagnostic."""
        return cls(Diagnostic(code, message, location, tuple(notes), help, length))


class CheckError(QscError):
    """A check did not hold (exit code 1)."""

    exit_code = 1


class InputError(QscError):
    """The user's input is wrong (exit code 2)."""

    exit_code = 2


class TargetError(QscError):
    """The target cannot hold the model (exit code 3)."""

    exit_code = 3


class MissingError(QscError):
    """The environment lacks something: an extra, a program, disk (exit code 4)."""

    exit_code = 4


def counted(number: int, one: str, many: str = "") -> str:
    """The number and what there is of it, in the plural (`many`, or with an s) where it is not one."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that start with `name`, and those most like it, best first."""
    import difflib

    known = sorted(known)
    longer = [entry for entry in known if name and entry.startswith(name)]
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    return list(dict.fromkeys([*longer, *close]))[:count]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A help sentence with the nearest names, or the whole list when none is near."""
    known = sorted(known)
    close = nearest(name, known)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(known)
