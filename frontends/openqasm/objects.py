"""A circuit of Qiskit or pytket in memory -> module, as a file that holds it."""

from __future__ import annotations

import sys
from typing import Any

from ...ir.diagnostics import user_line
from ..base import Imported
from ..readouts import Reading
from .readouts import read_model


def is_circuit(source: Any) -> bool:
    """Whether it is a QuantumCircuit or a pytket Circuit; imports neither SDK."""
    return _is(source, "qiskit", "QuantumCircuit") or _is(source, "pytket", "Circuit")


def read_object(source: Any, readout: Reading | None = None) -> Imported:
    """The model of a circuit that `is_circuit` knows; readout and errors as for `reader.read_file`, with the user's
    line as the place."""
    place = user_line()
    if _is(source, "qiskit", "QuantumCircuit"):
        from ...bridges.qiskit_reading import read_circuit

        read = read_circuit(source, place=place)
        return Imported(read_model(read.circuit, read.bits, readout))
    from ...bridges.tket_reading import read_tket

    plain = source.copy()
    plain.replace_implicit_wire_swaps()
    made = read_tket(plain, place=place)
    return Imported(read_model(made.circuit, made.bits, readout))


def _is(source: Any, package: str, name: str) -> bool:
    sdk = sys.modules.get(package)
    return sdk is not None and isinstance(source, getattr(sdk, name))
