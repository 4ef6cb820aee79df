"""Rotations by next to nothing, kept from Qiskit's passes.

RemoveIdentityEquivalent, which the preset pass managers run, drops rotations by up to 2.4e-6, where the average
fidelity is 1 - 1e-12, whatever the approximation degree, and CommutativeCancellation those by up to 1e-5. Trained
weights may be as small. A parameter in the place of such an angle is not dropped.
"""

from __future__ import annotations

from math import pi
from typing import Any

from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import PassManager

_EXACT, _TINY = 1e-15, 1e-5
_TURNS = frozenset(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx", "crx", "cry", "crz", "cp"))


def run_exactly(manager: PassManager, circuit: QuantumCircuit) -> QuantumCircuit:
    """What the pass manager makes of the circuit, tiny rotations kept."""
    numbers: dict[Any, float] = {}
    tiny = [k for k, step in enumerate(circuit.data) if step.name in _TURNS and _is_tiny(step.params[0])]
    if not tiny:
        return manager.run(circuit)
    held = circuit.copy()
    for k in tiny:
        step = held.data[k]
        parameter = Parameter(f"_tiny{k}")
        numbers[parameter] = float(step.params[0])
        held.data[k] = step.replace(operation=type(step.operation)(parameter))
    out = manager.run(held)
    out.assign_parameters({p: v for p, v in numbers.items() if p in out.parameters}, inplace=True)
    return out


def _is_tiny(angle: object) -> bool:
    """Whether a number is next to a quarter turn and not on it: others around it may leave next to nothing."""
    if not isinstance(angle, int | float):
        return False
    off = abs(angle - pi / 2 * round(angle / (pi / 2)))
    return _EXACT * max(1.0, abs(angle)) < off < _TINY
