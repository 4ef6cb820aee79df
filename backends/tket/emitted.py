"""Circuits of pytket as plain facts, for costs and for the check of legality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import pi
from typing import Any

from pytket import Circuit as TketCircuit
from pytket import OpType

from ..legality import EmittedCircuit, Operation, Place
from .device import NAMES

_CLASSICAL = (
    OpType.SetBits,
    OpType.CopyBits,
    OpType.RangePredicate,
    OpType.ExplicitPredicate,
    OpType.ExplicitModifier,
    OpType.ClExpr,
    OpType.ClassicalTransform,
    OpType.MultiBit,
)


def emitted_circuit(
    circuit: TketCircuit, file: str, angles: Mapping[str, str], read_later: Place = ()
) -> EmittedCircuit:
    """The operations of a circuit whose qubits have the numbers of physical ones. A gate under a condition follows an
    `if_else`. angles: what the circuit's symbols stand for. read_later: see `EmittedCircuit`."""
    operations = list(_operations(circuit, angles))
    width = max((q + 1 for o in operations for q in o.qubits), default=0)
    return EmittedCircuit(file, width, circuit.n_bits, operations, read_later)


def _operations(circuit: TketCircuit, angles: Mapping[str, str]) -> Iterator[Operation]:
    for command in circuit.get_commands():
        op: Any = command.op
        if op.type in _CLASSICAL:
            continue
        qubits = tuple(qubit.index[0] for qubit in command.qubits)
        conditional = op.type is OpType.Conditional
        if conditional:
            yield Operation("if_else", qubits)
            op = op.op
            if op.type in _CLASSICAL:
                continue
        name = NAMES.get(op.type) or str(op.type.name).lower()
        yield Operation(name, qubits, _angles(op, angles), conditional)


def _angles(op: Any, meanings: Mapping[str, str]) -> tuple[float | str, ...]:
    if op.type is OpType.Barrier:
        return ()
    symbols = sorted(symbol.name for symbol in op.free_symbols())
    if not symbols:
        return tuple(float(value) * pi for value in op.params)
    known = ", ".join(f"{name} = {meanings[name]}" for name in symbols if name in meanings)
    return tuple(f"pi * ({value})" + (f" ({known})" if known else "") for value in op.params)
