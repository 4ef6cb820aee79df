"""Optional dependencies: one line that names the missing extra instead of an ImportError."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..ir import MissingError

EXTRA_OF = {
    "torch": "torch",
    "qiskit": "qiskit",
    "qiskit_aer": "qiskit",
    "qiskit_ibm_runtime": "qiskit",
    "qiskit_qasm3_import": "qiskit",
    "openqasm3": "qiskit",
    "antlr4": "qiskit",
    "pytket": "tket",
    "sympy": "tket",
    "nir": "nir",
    "h5py": "nir",
    "snntorch": "spiking",
    "nirtorch": "spiking",
    "sklearn": "examples",
    "distributed": "cluster",
    "dask": "cluster",
}
"""Import name of an optional package -> the extra that brings it."""


def missing(package: str, extra: str | None = None) -> MissingError:
    """The error E0001 for a package that is not installed. extra: what brings it, where the table does not say."""
    brings = EXTRA_OF.get(package, extra)
    help_ = f'pip install "qsc[{brings}]"' if brings else f"pip install {package}"
    return MissingError.of("E0001", f"the package {package} is not installed", help=help_)


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which comes with the extra `extra`. MissingError E0001 names the extra where it is absent."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        raise missing((fault.name or module).split(".")[0], extra) from fault
