"""What the environment may lack, said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..bridges.extras import EXTRA_OF, missing


@contextmanager
def naming_extras() -> Iterator[None]:
    """Turns the ImportError of an optional package into MissingError E0001, which names the extra."""
    try:
        yield
    except ModuleNotFoundError as fault:
        package = (fault.name or "").split(".")[0]
        if package not in EXTRA_OF:
            raise
        raise missing(package) from None
