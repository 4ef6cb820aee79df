"""Emitted circuits and devices as plain facts, for the check of legality."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from qiskit.circuit import ControlFlowOp, ParameterExpression, QuantumCircuit
from qiskit.transpiler import Target as SdkTarget

from ...bridges.qiskit import Step, Symbol
from ...ir.target import Target
from ..legality import DeviceRules, EmittedCircuit, Operation, Place

_STATEMENT = re.compile(r"\s*(if \(|while |for |switch |[a-z].*\$\d)")


def emitted_circuit(
    circuit: QuantumCircuit, file: str, text: str, angles: Mapping[str, str], read_later: Place = ()
) -> EmittedCircuit:
    """The operations of a circuit, each with its line in `text`, which is the OpenQASM of it that `file` holds.

    Those inside control flow follow it. angles: what the circuit's parameters stand for. read_later: see
    `EmittedCircuit`.
    """
    found = list(_operations(circuit, tuple(range(circuit.num_qubits)), conditional=False))
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _STATEMENT.match(line)]
    if len(lines) != len(found):
        lines = [0] * len(found)
    operations = [
        Operation(step.operation.name, qubits, _angles(step, angles), conditional, line)
        for (step, qubits, conditional), line in zip(found, lines, strict=True)
    ]
    return EmittedCircuit(file, circuit.num_qubits, circuit.num_clbits, operations, read_later)


def _operations(circuit: QuantumCircuit, places: Place, conditional: bool) -> Iterator[tuple[Step, Place, bool]]:
    for step in circuit.data:
        qubits = tuple(places[circuit.find_bit(q).index] for q in step.qubits)
        yield step, qubits, conditional
        if isinstance(step.operation, ControlFlowOp):
            for block in step.operation.blocks:
                yield from _operations(block, qubits, conditional=True)


def _angles(step: Step, meanings: Mapping[str, str]) -> tuple[float | str, ...]:
    return tuple(
        _told(p, meanings) if isinstance(p, ParameterExpression) and p.parameters else float(p)
        for p in step.operation.params
        if isinstance(p, int | float | ParameterExpression)
    )


def _told(angle: Symbol, meanings: Mapping[str, str]) -> str:
    """The expression, with what its parameters stand for."""
    names = sorted(p.name for p in angle.parameters)
    known = [f"{name} = {meanings[name]}" for name in names if name in meanings]
    return f"{angle} ({', '.join(known)})" if known else str(angle)


def device_rules(target: Target) -> DeviceRules:
    """What a device known to Qiskit takes."""
    sdk: SdkTarget = target.device.target
    bits = target.limits.get("classical_bits")
    return DeviceRules(
        int(target.limits["qubits"]),
        {name: _places(sdk, name) for name in sdk.operation_names},
        target.data.get("angles", {}),
        target.data.get("mid_circuit_measurement", True),
        None if bits is None else int(bits),
    )


def _places(sdk: SdkTarget, name: str) -> frozenset[Place] | None:
    table = None if isinstance(sdk.operation_from_name(name), type) else sdk[name]
    return None if not table or None in table else frozenset(table)
