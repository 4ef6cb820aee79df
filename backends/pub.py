"""What `pub.json` says beside the emitted circuit: parameters, observables and measured bits, layout, calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import prod
from typing import Any

import numpy as np

from ..bridges.settings import PhysicalTerm
from ..ir import InputError, PauliSum
from ..ir.angles import AngleTable, Row

SCHEMA = 1


@dataclass(frozen=True)
class Calibration:
    """The device's own figures for the qubits that the circuit uses; empty where the device has none.

    qubits: physical qubit -> [T1, T2] in seconds (None: unknown). operations: [gate, qubits, duration in seconds or
    None, error or None].
    """

    qubits: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    operations: tuple[tuple[str, tuple[int, ...], float | None, float | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.operations)

    def readout_error(self, qubit: int) -> float:
        """The probability that a bit is read wrong; 0 where it is not known."""
        for name, qubits, _, error in self.operations:
            if name == "measure" and qubits == (qubit,):
                return error or 0.0
        return 0.0


@dataclass(frozen=True)
class Pub:
    """One compiled readout.

    inputs: (name, shape, role) of the angle arrays, flattened one after the other into `variables`.
    parameters: names of the circuit's parameters, parameters[k] is the angle rows[k] = pi*num/den + offset + sum of
    coefficient * variable. kind: "expectation", "probabilities", "samples" or "bit_expectation". observables: on
    physical qubits, for "bit_expectation" on the bits of the register `readout`. measured: physical qubit of each read
    bit, in the register `readout`. initial, final: physical qubit of each logical qubit before and after the circuit.
    scales, twirls, correct_readout: of a mitigated expectation, whose circuits lie beside the emitted one; no scales
    for any other.
    """

    circuit: str
    device: str
    kind: str
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    rows: tuple[Row, ...]
    angles: tuple[str, ...]
    observables: tuple[tuple[PhysicalTerm, ...], ...] = ()
    observable_texts: tuple[str, ...] = ()
    measured: tuple[int, ...] = ()
    shots: int = 0
    initial: tuple[int, ...] = ()
    final: tuple[int, ...] = ()
    native: tuple[str, ...] = ()
    calibration: Calibration = Calibration()
    scales: tuple[int, ...] = ()
    twirls: int = 0
    correct_readout: bool = False

    def to_bytes(self) -> bytes:
        """The JSON text, one key a line."""
        table = {"schema": SCHEMA} | {f.name: getattr(self, f.name) for f in fields(self)}
        table["calibration"] = {f.name: getattr(self.calibration, f.name) for f in fields(self.calibration)}
        lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Pub:
        """The inverse of `to_bytes`. InputError B0003 for another schema."""
        table: dict[str, Any] = json.loads(content)
        schema = table.pop("schema", None)
        if schema != SCHEMA:
            raise InputError.of("B0003", f"pub.json has schema {schema}, this version reads {SCHEMA}")
        calibration = table.pop("calibration")
        qubits = {int(q): (t1, t2) for q, (t1, t2) in calibration["qubits"].items()}
        values = {key: _tuples(value) for key, value in table.items()}
        return cls(**values, calibration=Calibration(qubits, _tuples(calibration["operations"])))

    def reading(self, chosen: Sequence[int] | None) -> Pub:
        """The same with these of the observables alone, by number; None for all."""
        if chosen is None:
            return self
        observables = tuple(self.observables[k] for k in chosen)
        return replace(self, observables=observables, observable_texts=tuple(self.observable_texts[k] for k in chosen))

    def flatten(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, bool]:
        """The angle variables of a batch, shape (batch, variables), and whether any array has a batch dimension.

        Arrays of the declared shape are repeated for every sample. InputError R0001 where a shape does not fit.
        """
        columns = [np.zeros((1, 0))]
        sizes: set[int] = set()
        for (name, shape, _), array in zip(self.inputs, arrays, strict=True):
            batched = array.ndim == len(shape) + 1
            if array.shape[batched:] != shape:
                raise InputError.of(
                    "R0001",
                    f"angle input {name} of circuit {self.circuit} has shape {list(shape)}, got {list(array.shape)}",
                    help=f"give {list(shape)}, or the same with a batch dimension first",
                )
            if batched:
                sizes.add(len(array))
            flat = array.astype(np.float64).reshape(len(array) if batched else 1, prod(shape))
            if not np.isfinite(flat).all():
                raise InputError.of("R0001", f"angle input {name} of circuit {self.circuit} is not finite everywhere")
            columns.append(flat)
        if len(sizes) > 1:
            raise InputError.of("R0001", f"the inputs of circuit {self.circuit} have batches of {sorted(sizes)}")
        any_batched, batch = bool(sizes), sizes.pop() if sizes else 1
        repeated = [np.broadcast_to(column, (batch, column.shape[1])) for column in columns]
        return np.concatenate(repeated, axis=1), any_batched

    def bind(self, variables: np.ndarray) -> np.ndarray:
        """Parameter values of a batch: (batch, variables) -> (batch, parameters), one sparse product."""
        return AngleTable.from_rows(self.rows).bind(variables)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def on_device(observable: PauliSum, layout: Sequence[int] | Mapping[int, int]) -> tuple[PhysicalTerm, ...]:
    """A Pauli sum on logical qubits as terms on the physical ones that hold them in the end."""
    return tuple(
        ("".join(letter for letter, _ in term), tuple(layout[q] for _, q in term), coeff)
        for term, coeff in observable.terms
    )
