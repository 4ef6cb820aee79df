"""What the environment holds, and what it may lack, said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from ..bridges.extras import EXTRA_OF, missing

TOOLS = ("numpy", "torch", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "nir", "snntorch")


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


def tool_versions() -> dict[str, str]:
    """Versions of the libraries that a bundle may depend on, those that are installed."""
    found: dict[str, str] = {}
    for name in TOOLS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
