"""What the environment may lack, said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..ir import MissingError

EXTRA_OF = {
    "torch": "torch",
    "qiskit": "qiskit",
    "qiskit_aer": "qiskit",
    "qiskit_ibm_runtime": "qiskit",
    "qiskit_qasm3_import": "qiskit",
    "nir": "nir",
    "h5py": "nir",
    "snntorch": "spiking",
    "nirtorch": "spiking",
    "sklearn": "examples",
}
"""Import name of an optional package -> the extra that brings it."""


@contextmanager
def naming_extras() -> Iterator[None]:
    """Turns the ImportError of an optional package into MissingError E0001, which names the extra."""
    try:
        yield
    except ModuleNotFoundError as fault:
        package = (fault.name or "").split(".")[0]
        if package not in EXTRA_OF:
            raise
        raise MissingError.of(
            "E0001", f"the package {package} is not installed", help=f'pip install "qsc[{EXTRA_OF[package]}]"'
        ) from None
