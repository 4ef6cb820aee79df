"""What an emitted circuit holds, counted in one walk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from qiskit.circuit import QuantumCircuit

from ...bridges.qiskit import Step

SILENT = frozenset({"barrier", "delay"})
"""Operations that no cost counts."""

Place = tuple[int, ...]


def steps(circuit: QuantumCircuit) -> Iterator[tuple[Step, Place]]:
    """Every operation with the circuit's qubits it acts on, those of control flow blocks after their owner."""
    where = {qubit: k for k, qubit in enumerate(circuit.qubits)}
    for step in circuit.data:
        qubits = tuple([where[qubit] for qubit in step.qubits])
        yield step, qubits
        if step.is_control_flow():
            for block in step.operation.blocks:
                for inner, positions in steps(block):
                    yield inner, tuple([qubits[p] for p in positions])


@dataclass(frozen=True)
class Census:
    """How often each operation stands on each of the circuit's qubits, those inside control flow counted too.

    counts: (name, qubits) -> how often. flow: names of control flow operations.
    """

    circuit: QuantumCircuit
    counts: Mapping[tuple[str, Place], int]
    flow: frozenset[str]

    @cached_property
    def active_qubits(self) -> list[int]:
        """The qubits that some operation other than a barrier or delay acts on, sorted."""
        return sorted({q for name, qubits in self.counts if name not in SILENT for q in qubits})

    @cached_property
    def costs(self) -> dict[str, int]:
        """`qubits` (physical ones in use), `gates`, `two_qubit_gates`, `depth`, `two_qubit_depth`.

        Gates inside control flow count; the control flow operation itself counts for the depth only.
        """
        silent = SILENT | self.flow
        depth, two_qubit_depth = _depths(self.circuit)
        gates = [(len(qubits), count) for (name, qubits), count in self.counts.items() if name not in silent]
        return {
            "qubits": len(self.active_qubits),
            "gates": sum(count for _, count in gates),
            "two_qubit_gates": sum(count for width, count in gates if width >= 2),
            "depth": depth,
            "two_qubit_depth": two_qubit_depth,
        }


def census(circuit: QuantumCircuit) -> Census:
    """The circuit's operations counted."""
    counts: Counter[tuple[str, Place]] = Counter()
    flow: set[str] = set()
    for step, qubits in steps(circuit):
        counts[step.name, qubits] += 1
        if step.is_control_flow():
            flow.add(step.name)
    return Census(circuit, counts, frozenset(flow))


def _depths(circuit: QuantumCircuit) -> tuple[int, int]:
    """Depth in all operations, and in those on two qubits or more, as `QuantumCircuit.depth` counts: silent operations
    line up what they act on, control flow is one operation."""
    bits = [*circuit.qubits, *circuit.clbits]
    all_of, pairs_of = dict.fromkeys(bits, 0), dict.fromkeys(bits, 0)
    for step in circuit.data:
        used, counted = step.qubits, step.name not in SILENT
        pair = counted and len(used) >= 2
        if step.clbits:
            used = (*used, *step.clbits)
        if len(used) == 1:
            all_of[used[0]] += counted
            continue
        top = max([all_of[bit] for bit in used], default=0) + counted
        pairs = max([pairs_of[bit] for bit in used], default=0) + pair
        for bit in used:
            all_of[bit] = top
            pairs_of[bit] = pairs
    return max(all_of.values(), default=0), max(pairs_of.values(), default=0)
