"""A module around one circuit: its angle inputs become the model's inputs, and what is read its output."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .. import ir
from ..ir import Graph, InputError, Module, Node, PauliSum, Value
from ..ir.diagnostics import did_you_mean
from ..ir.ops import Expectation, Probabilities, Readout, Samples
from ..ir.types import DYNAMIC, Type

Reading = str | PauliSum | Sequence[PauliSum | str]
"""Observables, or "probs", or "samples", which are 1024, or `samples{shots=4096}`; a text may hold observables with
commas between: `Z0, Z1*Z2`."""

SHOTS = 1024
_SAMPLES = re.compile(r"samples(?:\{shots=([1-9]\d*)\})?")


def module_of(circuit: ir.Circuit, reading: Reading, *, qubits: Sequence[int] | None = None) -> Module:
    """A model that reads `circuit`: inputs f64 of shape (batch, *shape) for data and of their own shape for weights.

    qubits: what "probs" and "samples" read, all of them in order where left out. Output `y` as the readout op gives it.
    Raises InputError P0005 for a reading that is none, C0005 for qubits that the circuit does not have.
    """
    return module_around(circuit, readout_op(circuit, reading, qubits))


def module_around(circuit: ir.Circuit, op: Readout) -> Module:
    """The model of one readout op of `circuit`, its inputs as `module_of` says."""
    inputs = tuple(
        Value(array.name, Type("f64", array.shape if array.role == "weight" else (DYNAMIC, *array.shape)))
        for array in circuit.inputs
    )
    bare = Module(circuit.name, circuits={circuit.name: circuit})
    (kind,) = op.result_types(tuple(v.type for v in inputs), bare)
    name = "y" if all(v.name != "y" for v in inputs) else "readout"
    node = Node(op, inputs, (Value(name, kind),), circuit.place)
    return bare.with_(graph=Graph(inputs, (node,), node.results))


def samples_of(reading: Reading | None) -> int:
    """How many samples a reading asks for, 0 where it asks for something else."""
    found = _SAMPLES.fullmatch(reading.strip()) if isinstance(reading, str) else None
    return int(found[1] or SHOTS) if found else 0


def readout_op(circuit: ir.Circuit, reading: Reading, qubits: Sequence[int] | None = None) -> Readout:
    """The readout op for a reading of `circuit`. Errors as `module_of`."""
    everything = tuple(range(circuit.num_qubits))
    chosen = everything if qubits is None else tuple(qubits)
    if reading == "probs":
        return Probabilities(circuit.name, chosen)
    if shots := samples_of(reading):
        return Samples(circuit.name, chosen, shots)
    observables = tuple(observable_of(part, circuit) for part in _parts(reading, circuit))
    for observable in observables:
        if not set(observable.qubits) <= set(everything):
            raise InputError.of(
                "C0005",
                f"the observable {observable} uses a qubit beyond the {circuit.num_qubits} of circuit {circuit.name}",
                circuit.place,
            )
    return Expectation(circuit.name, observables)


_HELP = 'give observables as "Z0, Z1*Z2", or "probs", or "samples{shots=1024}"'


def _parts(reading: Reading, circuit: ir.Circuit) -> Sequence[PauliSum | str]:
    """One part an observable; InputError for what is no reading."""
    if isinstance(reading, PauliSum):
        return [reading]
    if not isinstance(reading, str | Sequence):
        message = f"a readout is a text or a list of observables, not {type(reading).__name__}: {reading!r}"
        raise InputError.of("P0005", message, circuit.place, help=_HELP)
    parts = reading.split(",") if isinstance(reading, str) else reading
    empty = [k for k, part in enumerate(parts, 1) if isinstance(part, str) and not part.strip()]
    if not parts or len(empty) == len(parts):
        raise InputError.of("P0005", "the readout is empty", circuit.place, help=_HELP)
    if empty:
        message = f"observable {empty[0]} of the readout {reading!r} is empty"
        raise InputError.of("P0005", message, circuit.place, help="one comma between two observables")
    return parts


def observable_of(value: PauliSum | str, circuit: ir.Circuit) -> PauliSum:
    """The observable itself, or what a text says. InputError P0005 with the circuit's place for anything else."""
    if isinstance(value, PauliSum):
        return value
    if not isinstance(value, str):
        message = f"{value!r} in the readout is no observable"
        raise InputError.of("P0005", message, circuit.place, help="write qsc.Z(0), or its text, as Z0 or Z1*Z2")
    try:
        return PauliSum.parse(value.strip())
    except ValueError as fault:
        help_ = did_you_mean(value.strip(), ["probs", "samples"]) if value.strip().isalpha() else "write Z0, or Z1*Z2"
        raise InputError.of("P0005", f"{value.strip()!r} is no readout: {fault}", circuit.place, help=help_) from fault
