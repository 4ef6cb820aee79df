"""Running an emitted pytket circuit: by pytket's own statevector where that is exact and cheap, else through Aer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import pi
from typing import Any

import numpy as np
import sympy
from pytket import Circuit as TketCircuit
from pytket import OpType, Qubit
from qiskit.circuit import ClassicalRegister, QuantumCircuit

from ...bridges.qiskit import Converted, to_qiskit
from ...bridges.settings import PhysicalTerm
from ...bridges.tket import from_tket
from ...ir.angles import Row
from ...ir.circuit import AngleInput, Circuit, empty_circuit
from ..base import RunOptions
from ..pub import Pub
from ..qiskit.simulate import READOUT, Runner

STATEVECTOR_QUBITS = 12
"""Up to this many qubits in use pytket's own simulator gives the state."""


@dataclass(frozen=True)
class Symbols:
    """What the symbols of an emitted circuit stand for, as `from_tket` wants it."""

    source: Circuit
    symbols: tuple[str, ...]
    rows: tuple[Row, ...]


def load(files: Mapping[str, bytes], circuit_file: str, pub_file: str) -> tuple[TketCircuit, Pub]:
    """The emitted circuit and what belongs to it, from the files of an emission; not to be changed."""
    return _load(files[circuit_file], files[pub_file])


@lru_cache(maxsize=8)
def _load(circuit: bytes, pub: bytes) -> tuple[TketCircuit, Pub]:
    return TketCircuit.from_dict(json.loads(circuit)), Pub.from_bytes(pub)


def without_readout(circuit: TketCircuit) -> TketCircuit:
    """The circuit without the measurements into the register `readout`."""
    table = circuit.to_dict()
    kept = [c for c in table["commands"] if not any(unit[0] == READOUT for unit in c["args"])]
    bits = [bit for bit in table["bits"] if bit[0] != READOUT]
    return TketCircuit.from_dict(table | {"commands": kept, "bits": bits})


def on_physical(circuit: TketCircuit, pub: Pub, width: int) -> Converted:
    """The circuit in Qiskit's form on `width` physical qubits, without the measurements of the readout."""
    plain = without_readout(circuit)
    plain.rename_units({qubit: Qubit("q", qubit.index[0]) for qubit in plain.qubits})
    present = {qubit.index[0] for qubit in plain.qubits}
    for missing in sorted(set(range(width)) - present):
        plain.add_qubit(Qubit("q", missing))
    inputs = [AngleInput(*entry) for entry in pub.inputs]
    like = Symbols(empty_circuit(pub.circuit, width, 0, inputs), pub.parameters, pub.rows)
    return to_qiskit(from_tket(plain, like).circuit)


def with_readout(circuit: QuantumCircuit, measured: Sequence[int]) -> QuantumCircuit:
    """The circuit followed by measurements of the physical qubits into the register `readout`."""
    if not measured:
        return circuit
    out, register = circuit.copy(), ClassicalRegister(len(measured), READOUT)
    out.add_register(register)
    out.measure(list(measured), register)
    return out


def runs_here(circuit: TketCircuit, pub: Pub, options: RunOptions) -> bool:
    """Whether pytket's own simulator can give the answer: exact, unitary, few qubits."""
    exact = options.shots is None and not options.noise and pub.kind != "samples"
    plain = without_readout(circuit)
    ends = (OpType.Measure, OpType.Reset)
    unitary = all(
        c.op.type is OpType.Barrier or (c.op.is_gate() and c.op.type not in ends) for c in plain.get_commands()
    )
    return exact and unitary and len(_active(circuit, pub)) <= STATEVECTOR_QUBITS


def _active(circuit: TketCircuit, pub: Pub) -> list[int]:
    """The physical qubits that a gate acts on or that are read."""
    used = {q.index[0] for command in circuit.get_commands() for q in command.qubits}
    return sorted(used | {q for terms in pub.observables for _, qubits, _ in terms for q in qubits} | set(pub.measured))


def statevectors(circuit: TketCircuit, pub: Pub, values: np.ndarray) -> np.ndarray:
    """The expectations or probabilities of a batch, by `Circuit.get_statevector`: values (batch, parameters) in
    radians, rows as they come. The result is (batch, observables) or (batch, 2^bits)."""
    qubits = _active(circuit, pub)
    place = {q: k for k, q in enumerate(qubits)}
    small = TketCircuit(len(qubits))
    for command in without_readout(circuit).get_commands():
        if command.op.type is OpType.Barrier:
            continue
        small.add_gate(command.op, [place[q.index[0]] for q in command.qubits])
    symbols = [sympy.Symbol(name) for name in pub.parameters]
    out: list[np.ndarray] = []
    for row in values:
        bound = small.copy()
        bound.symbol_substitution(dict(zip(symbols, (row / pi).tolist(), strict=True)))
        # Pytket's first qubit is the most significant bit.
        state = bound.get_statevector().reshape((2,) * len(qubits)).transpose().ravel()
        out.append(_read(state, pub, place))
    return np.array(out)


def _read(state: np.ndarray, pub: Pub, place: Mapping[int, int]) -> np.ndarray:
    if pub.observables or not pub.measured:
        return np.array([_mean(state, terms, place) for terms in pub.observables])
    count = len(place)
    table = (np.abs(state) ** 2).reshape((2,) * count)
    axes = [count - 1 - place[q] for q in reversed(pub.measured)]
    others = tuple(axis for axis in range(count) if axis not in axes)
    kept = [axis for axis in range(count) if axis in axes]
    return table.sum(axis=others).transpose([kept.index(axis) for axis in axes]).ravel()


def _mean(state: np.ndarray, terms: Sequence[PhysicalTerm], place: Mapping[int, int]) -> float:
    """<O> of a sum of Pauli products: P|x> is a phase times |x with the bits of X and Y flipped>."""
    index, total = np.arange(len(state)), 0.0
    for letters, qubits, coefficient in terms:
        flips, phase = 0, np.ones(len(state), complex)
        for letter, qubit in zip(letters, qubits, strict=True):
            sign = 1 - 2 * (index >> place[qubit] & 1)
            flips |= (letter != "Z") << place[qubit]
            phase = phase * {"X": 1, "Y": 1j * sign, "Z": sign}[letter]
        total += coefficient * float(np.vdot(state[index ^ flips], phase * state).real)
    return total


def by_aer(circuit: TketCircuit, pub: Pub, variables: np.ndarray, width: int, options: RunOptions) -> Runner:
    """The same circuit with the same batch for Aer: variables (batch, angle variables)."""
    converted = on_physical(circuit, pub, width)
    names = tuple(parameter.name for parameter in converted.parameters)
    told = replace(pub, parameters=names, rows=converted.rows, angles=converted.texts)
    return Runner(with_readout(converted.circuit, pub.measured), told, told.bind(variables), options)


def json_bytes(circuit: TketCircuit) -> bytes:
    """Pytket's own JSON of a circuit, its keys sorted."""
    table: dict[str, Any] = circuit.to_dict()
    return (json.dumps(table, sort_keys=True, indent=1) + "\n").encode()
