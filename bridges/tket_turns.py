"""Rotations by next to nothing, kept from pytket's passes.

Squashing runs of one-qubit gates drops what is left of a run below 6.3e-6 (the square of its sine under 1e-11),
two-qubit resynthesis rotations below 1e-7, and all passes take 1e-11 half-turns for none. A symbol in the place of such
an angle is not dropped; where a pass takes no symbols, barriers keep it from the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytket import Circuit as TketCircuit
from pytket import OpType

_MARK = "tiny turn"
_FENCE = {"type": "Barrier", "signature": ["Q"], "data": _MARK}


def with_numbers(circuit: TketCircuit, numbers: Mapping[Any, float]) -> TketCircuit:
    """The circuit with the symbols of `numbers` replaced, in half-turns; the same object where it has none of them."""
    used = circuit.free_symbols() & numbers.keys()
    if not used:
        return circuit
    out = circuit.copy()
    out.symbol_substitution({symbol: numbers[symbol] for symbol in used})
    return out


def fenced(circuit: TketCircuit, numbers: Mapping[Any, float]) -> TketCircuit:
    """As `with_numbers`, with barriers around the gates that had the symbols. `unfenced` takes them away."""
    if not circuit.free_symbols() & numbers.keys():
        return circuit
    table = with_numbers(circuit, numbers).to_dict()
    commands: list[dict[str, Any]] = []
    for command, entry in zip(circuit.get_commands(), table["commands"], strict=True):
        held = bool(command.op.free_symbols() & numbers.keys())
        fence = [{"args": [unit], "op": _FENCE} for unit in entry["args"]] if held else []
        commands += [*fence, entry, *fence]
    return TketCircuit.from_dict(table | {"commands": commands})


def unfenced(circuit: TketCircuit) -> TketCircuit:
    """The circuit without the barriers of `fenced`; the same object where it has none."""
    if not circuit.n_gates_of_type(OpType.Barrier):
        return circuit
    table = circuit.to_dict()
    kept = [command for command in table["commands"] if command["op"].get("data") != _MARK]
    return TketCircuit.from_dict(table | {"commands": kept})
