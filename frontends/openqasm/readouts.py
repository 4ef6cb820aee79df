"""What a circuit file reads: the bits that it measures, or what the caller says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...bridges.bits import Bit
from ...ir import Circuit, InputError, Module
from ...ir.circuit import GateRow
from ...ir.conditions import bits_of
from ...ir.gates import OPCODES
from ...ir.ops import BitProbabilities, BitSamples, Readout
from ..readouts import Reading, module_around, readout_op, samples_of

_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]

MOST_PROBABILITIES = 12
"""With more measured bits than this, samples are read by default."""


@dataclass(frozen=True)
class Measured:
    """A circuit without its final measurements. qubits: foreign bit -> the qubit that it had measured."""

    circuit: Circuit
    qubits: dict[int, int]


def read_model(circuit: Circuit, bits: Sequence[Bit], reading: Reading | None) -> Module:
    """The model of a circuit file. bits: the value of each of the file's bits at the end. reading: None for what the
    file measures: the qubits of its final measurements, the lowest bit first, or its bits where some are written before
    the end. Raises InputError M0002 where it measures nothing.
    """
    measured = without_final(circuit, bits)
    everything = sorted(k for k, bit in enumerate(bits) if _written(circuit, bit))
    read = sorted(measured.qubits)
    if reading is not None and reading != "probs" and not samples_of(reading):
        return module_around(measured.circuit, readout_op(measured.circuit, reading))
    if not everything and reading is None:
        raise InputError.of(
            "M0002",
            "the circuit measures nothing, so it does not say what the model's output is",
            circuit.place,
            help='give a readout, "Z0, Z1*Z2", "probs" or "samples": by --readout, or in Python by readout=',
        )
    kind = reading if isinstance(reading, str) else ("probs" if len(everything) <= MOST_PROBABILITIES else "samples")
    if read != everything:
        return module_around(circuit, _bit_readout(circuit, kind, [bits[k] for k in everything]))
    qubits = [measured.qubits[k] for k in read] or None
    return module_around(measured.circuit, readout_op(measured.circuit, kind, qubits))


def without_final(circuit: Circuit, bits: Sequence[Bit]) -> Measured:
    """Finds the measurements after which nothing happens to their qubit and nothing writes their bit, so that the qubit
    may be read instead, and takes away those whose bit no condition reads."""
    foreign = {bit[1]: k for k, bit in enumerate(bits) if not isinstance(bit, bool) and bit[0] == "bit"}
    busy: set[int] = set()
    written: set[int] = set()
    qubits: dict[int, int] = {}
    keep = np.ones(len(circuit), bool)
    rows = circuit.rows()
    read = {bit for row in rows if row.condition >= 0 for bit in bits_of(circuit.conditions[row.condition])}
    for number in range(len(rows) - 1, -1, -1):
        row = rows[number]
        if row.opcode == _BARRIER:
            continue
        if _is_final(row, busy, written) and row.clbits[0] in foreign:
            qubits[foreign[row.clbits[0]]] = row.wires[0]
            keep[number] = row.clbits[0] in read
        busy.update(row.wires)
        written.update(row.clbits)
    stripped = _without_trailing_barriers(circuit.select(keep))
    quiet = not len(stripped.clbits) and not (stripped.condition >= 0).any()
    return Measured(replace(stripped, num_clbits=0) if quiet else stripped, qubits)


def _is_final(row: GateRow, busy: set[int], written: set[int]) -> bool:
    if row.opcode != _MEASURE or row.condition >= 0:
        return False
    return row.wires[0] not in busy and row.clbits[0] not in written


def _without_trailing_barriers(circuit: Circuit) -> Circuit:
    """Barriers before measurements that are gone hold nothing apart."""
    keep = np.ones(len(circuit), bool)
    for number in range(len(circuit) - 1, -1, -1):
        if circuit.opcode[number] != _BARRIER:
            break
        keep[number] = False
    return circuit if keep.all() else circuit.select(keep)


def _written(circuit: Circuit, bit: Bit) -> bool:
    if isinstance(bit, bool):
        return False
    written = set(circuit.clbits.tolist())
    return any(k in written for k in bits_of(bit))


def _bit_readout(circuit: Circuit, kind: str, values: Sequence[Bit]) -> Readout:
    plain = [value[1] for value in values if not isinstance(value, bool) and value[0] == "bit"]
    if len(plain) != len(values) or len(set(plain)) != len(plain):
        raise InputError.of(
            "M0005",
            "a classical bit of the circuit ends as an expression over several measurements, which cannot be read",
            circuit.place,
            help='give a readout of qubits, as "Z0, Z1*Z2": by --readout, or in Python by readout=',
        )
    if kind == "probs":
        return BitProbabilities(circuit.name, tuple(plain))
    return BitSamples(circuit.name, tuple(plain), samples_of(kind))
