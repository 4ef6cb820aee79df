"""What a bridge says of a circuit that it cannot take."""

from __future__ import annotations

from typing import TypeVar

from ..ir import InputError, Location
from ..ir.diagnostics import UNKNOWN


class UnconvertibleError(InputError):
    """The circuit has a part that the IR has no form for. A caller with other candidates may pass over this one."""


class NotAffineError(UnconvertibleError):
    """An angle is not affine in the circuit's parameters."""


def unconvertible(message: str, place: Location = UNKNOWN, help: str = "") -> UnconvertibleError:
    """The error M0005 with that message."""
    return UnconvertibleError.of("M0005", message, place, help=help)


Value = TypeVar("Value")


def known(value: Value | None, message: str) -> Value:
    """The value; UnconvertibleError with that message where it is None."""
    if value is None:
        raise unconvertible(message)
    return value
