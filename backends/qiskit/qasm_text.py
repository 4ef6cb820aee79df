"""OpenQASM 3 of an emitted circuit: the text that Qiskit's exporter gives, in less time."""

from __future__ import annotations

import re
from bisect import bisect
from functools import lru_cache
from itertools import pairwise
from math import pi
from typing import Any

from qiskit import qasm3
from qiskit.circuit import Bit, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit.tools.pi_check import MAX_FRAC, pi_check

_OTHERS = ("barrier", "reset", "measure")
"""Operations beside gates that are written here."""

_NEAR = 1e-8
"""More than the distance at which Qiskit takes an angle for a fraction of pi."""

_HEAD = ("OPENQASM 3.0;", 'include "stdgates.inc";')


def qasm_text(circuit: QuantumCircuit) -> str:
    """The circuit in OpenQASM 3 as `qiskit.qasm3.dumps` writes it, but on physical qubits: `$3` for `q[3]`.

    That is asked itself where the circuit is not flat: control flow, delays, gates other than Qiskit's standard ones,
    bits that are in no register or in two.
    """
    names: dict[Bit, str] = {
        bit: f"{register.name}[{k}]" for register in circuit.cregs for k, bit in enumerate(register)
    }
    in_one = len(names) == sum(map(len, circuit.cregs)) == circuit.num_clbits
    names |= {qubit: f"${k}" for k, qubit in enumerate(circuit.qubits)}
    if not in_one or not all(step.is_standard_gate() or step.name in _OTHERS for step in circuit.data):
        return _by_exporter(circuit)
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
    return "\n".join([*_HEAD, *declared, *body, ""])


def _by_exporter(circuit: QuantumCircuit) -> str:
    text = re.sub(r"\bq\[(\d+)\]", r"$\1", qasm3.dumps(circuit))
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("qubit["))


class _Angles(dict[Any, str]):
    """Angle -> its text, each made once."""

    def __missing__(self, angle: Any) -> str:
        plain = isinstance(angle, float) and not _may_be_of_pi(angle)
        text = self[angle] = f"{angle:#}" if plain else str(pi_check(angle, output="qasm"))
        return text


@lru_cache(maxsize=1)
def _fractions() -> list[float]:
    """All n/d that Qiskit writes as a multiple or a fraction of pi, sorted."""
    return sorted({0.0, *(n / d for d in range(1, MAX_FRAC + 1) for n in range(1, MAX_FRAC + 1))})


def _may_be_of_pi(angle: float) -> bool:
    """Whether Qiskit, which takes long to find out, may write the angle by pi."""
    return any(_near_fraction(abs(value)) for value in (angle / pi, angle * pi))


def _near_fraction(value: float) -> bool:
    known = _fractions()
    at = bisect(known, value)
    return any(abs(value - near) < _NEAR for near in known[max(at - 1, 0) : at + 1])


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
