"""Faults of one text, collected with their places and source lines."""

from __future__ import annotations

from ...ir import Diagnostic, InputError, Location
from .syntax import Span

MOST_FAULTS = 100
"""Faults beyond this many are not spelled out."""


class Faults:
    """The text that is read, and what is wrong in it."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        self._found: dict[tuple[str, Span], Diagnostic] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def count(self) -> int:
        """How many faults there are."""
        return len(self._found) + self._more

    def add(self, code: str, message: str, span: Span, help: str = "", notes: tuple[str, ...] = ()) -> None:
        """Record a fault; of several at one place with one code (a loop's rounds, say) the first is kept."""
        if len(self._found) >= MOST_FAULTS:
            self._more += 1
        elif (code, span) not in self._found:
            self._found[code, span] = self.diagnostic(code, message, span, help, notes)

    def diagnostic(
        self, code: str, message: str, span: Span, help: str = "", notes: tuple[str, ...] = ()
    ) -> Diagnostic:
        """The diagnostic with its source line."""
        line = self.lines[span.line - 1].rstrip("\r") if 0 < span.line <= len(self.lines) else ""
        length = span.length or len(line) - span.column + 1
        return Diagnostic(code, message, self.location(span), notes, help, max(1, length), line)

    def location(self, span: Span) -> Location:
        """The place in the file."""
        return Location(self.file, span.line, span.column)

    def error(self) -> InputError:
        """All faults, in the order of the text."""
        found = sorted(self._found.values(), key=lambda d: (d.location.line, d.location.column))
        if self._more:
            found.append(Diagnostic("P0001", f"{self._more} more faults are not shown", Location(self.file)))
        return InputError(found)


class Wrong(Exception):  # noqa: N818 - a fault of the text that is read, not of qsc
    """Ends the reading of one statement; whoever reads the next one records it."""

    def __init__(self, code: str, message: str, span: Span, help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.help = help

    def record(self, faults: Faults) -> None:
        faults.add(self.code, self.message, self.span, self.help)
