"""OpenQASM 3 of an emitted circuit: the text that Qiskit's exporter gives, in less time."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

from qiskit import qasm3
from qiskit.circuit import Bit, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit.tools import pi_check

_OTHERS = ("barrier", "reset", "measure")
"""Operations beside gates that are written here."""

_HEAD = ("OPENQASM 3.0;", 'include "stdgates.inc";')


def qasm_text(circuit: QuantumCircuit) -> str:
    """The circuit in OpenQASM 3 as `qiskit.qasm3.dumps` writes it.

    That is asked itself where the circuit is not flat: control flow, delays, gates other than Qiskit's standard ones,
    bits that are in no register or in two.
    """
    registers = [*circuit.cregs, *circuit.qregs]
    names: dict[Bit, str] = {bit: f"{register.name}[{k}]" for register in registers for k, bit in enumerate(register)}
    in_one = len(names) == sum(map(len, registers)) == circuit.num_qubits + circuit.num_clbits
    if not in_one or not all(step.is_standard_gate() or step.name in _OTHERS for step in circuit.data):
        return qasm3.dumps(circuit)
    angles, body = _Angles(), list[str]()
    calls = {name: (name, ()) if name in _OTHERS else _written(name) for name in circuit.count_ops()}
    used: dict[str, None] = {}
    for step in circuit.data:
        name, params = step.name, step.params
        used[name] = None
        target = f"{names[step.clbits[0]]} = " if step.clbits else ""
        given = f"({', '.join([angles[angle] for angle in params])})" if params else ""
        body.append(f"{target}{calls[name][0]}{given} {', '.join([names[qubit] for qubit in step.qubits])};")
    declared = [f"input float[64] {parameter.name};" for parameter in circuit.parameters]
    declared += dict.fromkeys(block for name in used for block in calls[name][1])
    declared += [f"bit[{len(register)}] {register.name};" for register in circuit.cregs]
    declared += [f"qubit[{len(register)}] {register.name};" for register in circuit.qregs]
    return "\n".join([*_HEAD, *declared, *body, ""])


class _Angles(dict[Any, str]):
    """Angle -> its text, each made once."""

    def __missing__(self, angle: Any) -> str:
        text = self[angle] = str(pi_check(angle, output="qasm"))
        return text


@lru_cache(maxsize=64)
def _written(name: str) -> tuple[str, tuple[str, ...]]:
    """What a standard gate is called, and the definitions that a call needs, as Qiskit's exporter has them."""
    gate = get_standard_gate_name_mapping()[name]
    circuit = QuantumCircuit(QuantumRegister(gate.num_qubits, "q"))
    circuit.append(gate, circuit.qubits)
    lines = [line for line in qasm3.dumps(circuit).splitlines() if not line.startswith(("input ", *_HEAD, "qubit["))]
    starts = [k for k, line in enumerate(lines) if line.startswith("gate ")]
    blocks = tuple("\n".join(lines[a:b]) for a, b in pairwise([*starts, len(lines) - 1]))
    return re.split(r"[( ]", lines[-1])[0], blocks
