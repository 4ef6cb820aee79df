"""Rotations by next to nothing, and next to a special gate, kept from Qiskit's passes.

RemoveIdentityEquivalent, which the preset pass managers run, drops rotations by up to 2.4e-6, where the average
fidelity is 1 - 1e-12, whatever the approximation degree, and CommutativeCancellation what it merges to less than 1e-4.
Trained weights may be as small. A parameter in the place of such an angle is not dropped.

TwoQubitPeepholeOptimization takes gates within an infidelity of 1e-9 for one another. That shows in what comes out:
where it is off, it is done again with parameters in the place of all numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import PassManager

from ...bridges.tiny_turns import is_near, is_odd, is_tiny
from .same_state import differs

Holds: TypeAlias = Callable[[object], bool]
"""Whether a parameter takes the place of this angle."""

_TURNS = frozenset(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx", "crx", "cry", "crz", "cp"))
_TURNS |= {"r", "u", "u2", "u3", "cu3"}


def run_exactly(manager: PassManager, circuit: QuantumCircuit) -> QuantumCircuit:
    """What the pass manager makes of the circuit without an error: tiny rotations are kept, those under conditions too.

    Errors of other kinds are found, and undone, in circuits that `differs` can compare.
    """
    out = _run(manager, circuit, is_tiny)
    if any(is_near(value) for step in circuit.data if step.name in _TURNS for value in step.params):
        return _run(manager, circuit, is_odd) if differs(circuit, out) else out
    return out


def _run(manager: PassManager, circuit: QuantumCircuit, holds: Holds) -> QuantumCircuit:
    """What the pass manager makes of the circuit with parameters in the place of the angles that `holds` names."""
    numbers: dict[Any, float] = {}
    held = _held(circuit, numbers, holds)
    out = manager.run(held)
    if numbers:
        out.assign_parameters({p: v for p, v in numbers.items() if p in out.parameters}, inplace=True)
    return out


def _held(circuit: QuantumCircuit, numbers: dict[Any, float], holds: Holds) -> QuantumCircuit:
    """The circuit with a parameter for every angle that `holds` names; the same object where it has none."""
    changed: dict[int, Any] = {}
    for k, step in enumerate(circuit.data):
        if step.name in _TURNS and any(map(holds, step.params)):
            operation = type(step.operation)(*[_parameter(value, numbers, holds) for value in step.params])
            changed[k] = step.replace(operation=operation)
        elif step.is_control_flow():
            blocks = [_held(block, numbers, holds) for block in step.operation.blocks]
            if any(new is not old for new, old in zip(blocks, step.operation.blocks, strict=True)):
                changed[k] = step.replace(operation=step.operation.replace_blocks(blocks))
    if not changed:
        return circuit
    # Blocks can not be replaced in place.
    held = circuit.copy_empty_like()
    for k, step in enumerate(circuit.data):
        held.append(changed.get(k, step))
    return held


def _parameter(value: Any, numbers: dict[Any, float], holds: Holds) -> Any:
    if not holds(value):
        return value
    parameter = Parameter(f"_tiny{len(numbers)}")
    numbers[parameter] = float(value)
    return parameter
