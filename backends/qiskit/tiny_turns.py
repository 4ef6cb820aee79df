"""Rotations by next to nothing, kept from Qiskit's passes.

RemoveIdentityEquivalent, which the preset pass managers run, drops rotations by up to 2.4e-6, where the average
fidelity is 1 - 1e-12, whatever the approximation degree, and CommutativeCancellation what it merges to less than 1e-4.
Trained weights may be as small. A parameter in the place of such an angle is not dropped.
"""

from __future__ import annotations

from typing import Any

from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import PassManager

from ...bridges.tiny_turns import is_tiny

_TURNS = frozenset(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx", "crx", "cry", "crz", "cp"))
_TURNS |= {"r", "u", "u2", "u3", "cu3"}


def run_exactly(manager: PassManager, circuit: QuantumCircuit) -> QuantumCircuit:
    """What the pass manager makes of the circuit, tiny rotations kept, those under conditions too."""
    numbers: dict[Any, float] = {}
    held = _held(circuit, numbers)
    out = manager.run(held)
    if numbers:
        out.assign_parameters({p: v for p, v in numbers.items() if p in out.parameters}, inplace=True)
    return out


def _held(circuit: QuantumCircuit, numbers: dict[Any, float]) -> QuantumCircuit:
    """The circuit with a parameter for every tiny angle; the same object where it has none."""
    changed: dict[int, Any] = {}
    for k, step in enumerate(circuit.data):
        if step.name in _TURNS and any(is_tiny(value) for value in step.params):
            operation = type(step.operation)(*[_parameter(value, numbers) for value in step.params])
            changed[k] = step.replace(operation=operation)
        elif step.is_control_flow():
            blocks = [_held(block, numbers) for block in step.operation.blocks]
            if any(new is not old for new, old in zip(blocks, step.operation.blocks, strict=True)):
                changed[k] = step.replace(operation=step.operation.replace_blocks(blocks))
    if not changed:
        return circuit
    # Blocks can not be replaced in place.
    held = circuit.copy_empty_like()
    for k, step in enumerate(circuit.data):
        held.append(changed.get(k, step))
    return held


def _parameter(value: Any, numbers: dict[Any, float]) -> Any:
    if not is_tiny(value):
        return value
    parameter = Parameter(f"_tiny{len(numbers)}")
    numbers[parameter] = float(value)
    return parameter
