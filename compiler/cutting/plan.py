"""What a cut does, said before it is done: fragments, cuts with their places and reasons, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...ir import Circuit, Node
from ...ir.diagnostics import counted
from ...ir.target import Target
from ..passes.base import Context
from ..passes.measure_controls import fed_forward
from ..passes.reuse_qubits import letters_of, read_letters, reads_bits, reused, unreadable
from .fragments import Bond, Cutting, cut
from .search import Found, NotFound, Widths, find
from .wires import wires_of

_LETTERS = {2: "I and {}", 3: "I, {} and {}", 4: "all letters"}


@dataclass(frozen=True)
class Plan:
    """A circuit's fragments and cuts, what the search says of them, and the readout that they are for."""

    circuit: Circuit
    cutting: Cutting
    found: Found

    def head(self) -> str:
        """One line: the fragments, the cuts and the cost."""
        wires = sum(bond.gate is None for bond in self.cutting.bonds)
        gates = len(self.cutting.bonds) - wires
        cost = self.found.cost
        widths = _listed([str(w) for w in cost.widths])
        known = "proven least" if self.found.proven else f"at least {_rounded(self.found.bound)} is needed"
        return (
            f"circuit {self.circuit.name}: {self.circuit.num_qubits} qubits in {len(cost.widths)} fragments of {widths}"
            f" by {counted(wires, 'wire cut')} and {counted(gates, 'gate cut')}, sampling overhead {cost.overhead:.4g} "
            f"({known})"
        )

    def lines(self) -> list[str]:
        """One line a cut, then the reasons of the search."""
        return [*(self._line(bond) for bond in self.cutting.bonds), *self.found.reasons]

    def _line(self, bond: Bond) -> str:
        row = self.cutting.wires.rows[bond.place]
        place = self.circuit.place_of(bond.place)
        where = f" ({place})" if place else ""
        sides = f"fragments {bond.fragments[0]} and {bond.fragments[1]}"
        if bond.gate is not None:
            qubits = _listed([str(w) for w in row.wires])
            return f"gate {row.gate.name} on qubits {qubits}{where} is cut between {sides}: gamma {bond.gate.gamma:.4g}"
        passes = _LETTERS[len(bond.letters)].format(*bond.letters[1:])
        return (
            f"qubit {bond.wire} is cut in front of gate {bond.place} {row.gate.name}{where} between {sides}: {passes} "
            f"pass, {counted(len(bond.letters) - 1 if len(bond.letters) > 2 else 1, 'basis', 'bases')}"
            f" and {counted(max(len(bond.letters), 2), 'state')}"
        )

    def to_json(self, executions: int) -> dict[str, Any]:
        """The plan as plain values. executions: measured circuits of all fragments for one input sample."""
        cost = self.found.cost
        devices = self.found.devices or (None,) * len(cost.widths)
        return {
            "circuit": self.circuit.name,
            "qubits": self.circuit.num_qubits,
            "fragments": [{"qubits": w, "device": d} for w, d in zip(cost.widths, devices, strict=True)],
            "cuts": [self._cut_json(bond) for bond in self.cutting.bonds],
            "executions": executions,
            "overhead": cost.overhead,
            "score": cost.score,
            "bound": self.found.bound,
            "proven": self.found.proven,
            "reasons": list(self.found.reasons),
        }

    def _cut_json(self, bond: Bond) -> dict[str, Any]:
        row = self.cutting.wires.rows[bond.place]
        return {
            "kind": "wire" if bond.gate is None else "gate",
            "gate": row.gate.name,
            "row": bond.place,
            "qubits": list(row.wires) if bond.wire < 0 else [bond.wire],
            "place": str(self.circuit.place_of(bond.place)),
            "letters": bond.letters if bond.gate is None else bond.gate.letters,
            "fragments": list(bond.fragments),
        }


def planned(
    node: Node,
    circuit: Circuit,
    widths: Widths,
    gate_cuts: bool,
    effort: str,
    seed: int,
    seconds: float | None = None,
) -> Plan | NotFound:
    """The cheapest cuts that were found for a readout. seconds: as `time_limit` of `find`."""
    wires = wires_of(circuit, node, gate_cuts)
    found = find(wires.problem, widths, effort, seed, seconds)
    return found if isinstance(found, NotFound) else Plan(circuit, cut(wires, found.fragment_of), found)


@dataclass(frozen=True)
class Uncut:
    """A way to run a circuit on few qubits without a cut. feed_forward: whether controls are measured for it."""

    qubits: int
    feed_forward: bool


def without_cut(node: Node, circuit: Circuit, context: Context) -> list[Uncut]:
    """What qubit reuse makes of a circuit on this target, without feed-forward and with it."""
    target, effort, seed = context.target, context.effort, context.seed
    if lacks(target, "measure", "reset") or unreadable((node,)) or not reads_bits(context):
        return []
    found: list[Uncut] = []
    plain = reused(circuit, letters_of((node,)), effort, seed)
    if plain is not None:
        found.append(Uncut(plain[0].num_qubits, False))
    if not lacks(target, "if_else"):
        turned = {qubit for letter, qubit in read_letters((node,)) if letter != "Z"}
        fed = fed_forward(circuit, [q for q in range(circuit.num_qubits) if q not in turned])
        smaller = reused(fed, letters_of((node,)), effort, seed) if fed is not circuit else None
        if smaller is not None and smaller[0].num_qubits < (found[0].qubits if found else circuit.num_qubits):
            found.append(Uncut(smaller[0].num_qubits, True))
    return found


def lacks(target: Target | None, *names: str) -> bool:
    """Whether the target is known and has not all of these operations."""
    if target is None:
        return False
    middle = target.data.get("mid_circuit_measurement", True)
    return not middle or any(name not in target.native_ops for name in names)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _rounded(value: float) -> str:
    return f"a score of {value:.3f}"
