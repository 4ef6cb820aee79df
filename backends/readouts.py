"""The readout that a launch to a gate-model device holds, and whether the device can hold it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from ..ir import Node, TargetError
from ..ir.circuit import Circuit, split_groups
from ..ir.gates import GATES, OPCODES
from ..ir.ops import (
    BitExpectation,
    BitProbabilities,
    BitReadout,
    BitSamples,
    Expectation,
    Launch,
    Probabilities,
    Samples,
)
from ..ir.target import Target
from .legality import CONTROL_FLOW

Read: TypeAlias = Expectation | Probabilities | Samples | BitExpectation | BitProbabilities | BitSamples
"""Readouts that run on a device."""


def readout_of(launch: Launch) -> Node:
    """The launch's only node, a readout."""
    (node,) = launch.body.nodes
    return node


def op_of(node: Node) -> Read:
    """The readout of a launch's node."""
    if not isinstance(node.op, Read):
        raise TypeError(f"{node.op.mnemonic} is not a readout")
    return node.op


def read_qubits(op: Read) -> tuple[int, ...]:
    """The qubits that are read, in the order of the answer where it has one."""
    if isinstance(op, Expectation):
        return tuple(sorted({q for observable in op.observables for q in observable.qubits}))
    return op.qubits if isinstance(op, Probabilities | Samples) else ()


def read_bits(op: BitReadout) -> tuple[int, ...]:
    """The classical bits that are read, in the order of the answer where it has one."""
    if isinstance(op, BitExpectation):
        return tuple(sorted({b for observable in op.observables for b in observable.qubits}))
    return op.bits if isinstance(op, BitProbabilities | BitSamples) else ()


def check_fits(circuit: Circuit, node: Node, target: Target) -> None:
    """TargetError T0002 where the circuit is wider than the target, T0003 where the target lacks an operation."""
    limit = int(target.limits["qubits"])
    place = circuit.place or node.location
    if circuit.num_qubits > limit:
        over = circuit.num_qubits - limit
        raise TargetError.of(
            "T0002",
            f"circuit {circuit.name} has {circuit.num_qubits} qubits, {target.name} has {limit}: {over} too many",
            place,
            help=f"choose a wider device (`qsc targets` lists them), or cut the circuit: --max-qubits {limit}; "
            "the passes light-cone, reuse-qubits and cut make circuits narrower",
        )
    lacking = [name for name in _needed(circuit, node) if name not in target.native_ops]
    if not target.data.get("mid_circuit_measurement", True) and _measures_inside(circuit, read_qubits(op_of(node))):
        lacking.append("measurement in the middle of a circuit")
    if lacking:
        raise TargetError.of(
            "T0003",
            f"circuit {circuit.name} needs {' and '.join(lacking)}, which {target.name} does not have",
            place,
            help="choose a device that has it: `qsc targets` lists them",
        )


_NO_GATES = ("measure", "reset", "delay", *CONTROL_FLOW)


def misfit(circuit: Circuit, target: Target, said: str) -> str:
    """Why the target cannot hold the circuit however it is placed, or what its SDK said where that is not known."""
    reason = _uncoupled(circuit, target)
    if reason is None and said.startswith("Unable to translate"):
        gates = ", ".join(name for name in target.native_ops if name not in _NO_GATES)
        reason = f"Qiskit knows no way to write its gates by {gates}"
    return reason or said


def _uncoupled(circuit: Circuit, target: Target) -> str | None:
    multi = (circuit.opcode != OPCODES["barrier"]) & (np.diff(circuit.wire_ptr) > 1)
    if "coupling" not in target.data or not multi.any():
        return None
    if not target.data["coupling"]:
        name = GATES[circuit.opcode[np.flatnonzero(multi)[0]]].name
        return f"it has gates on two or more qubits ({name}), {target.name} has none"
    rows = split_groups(circuit.wire_ptr, circuit.wires)
    needed = _largest_part({row for row, wide in zip(rows, multi.tolist(), strict=True) if wide})
    there = _largest_part(target.data["coupling"])
    if needed <= there:
        return None
    return f"gates tie {needed} of its qubits together, at most {there} of {target.name} are coupled with each other"


def _largest_part(groups: Iterable[Sequence[int]]) -> int:
    """The most qubits that hang together where those of each group do."""
    part: dict[int, set[int]] = {}
    for group in groups:
        joined = set(group).union(*(part.get(q, ()) for q in group))
        part.update(dict.fromkeys(joined, joined))
    return max(map(len, part.values()), default=1)


def _needed(circuit: Circuit, node: Node) -> list[str]:
    used = set(circuit.opcode.tolist())
    needed = [name for name in ("measure", "reset") if OPCODES[name] in used]
    if not isinstance(node.op, Expectation) and "measure" not in needed:
        needed.append("measure")
    return needed + (["if_else"] if (circuit.condition >= 0).any() else [])


def _measures_inside(circuit: Circuit, read: Sequence[int]) -> bool:
    """Whether a qubit is used or read after it was measured, or a condition waits for a bit."""
    measured: set[int] = set()
    silent = (OPCODES["measure"], OPCODES["barrier"])
    for row in circuit.rows() if circuit.has_measurement else ():
        if row.condition >= 0 or (row.opcode not in silent and measured.intersection(row.wires)):
            return True
        if row.opcode == OPCODES["measure"]:
            measured.update(row.wires)
    return bool(measured.intersection(read))


def unmeasured(circuit: Circuit, op: BitReadout) -> str | None:
    """Why the classical bits that an op reads cannot be handed back; None where they can."""
    measures = (circuit.opcode == OPCODES["measure"]) & (circuit.condition < 0)
    written = set(circuit.clbits[circuit.clbit_ptr[:-1][measures]].tolist())
    missing = [bit for bit in read_bits(op) if bit not in written]
    return f"classical bits {missing} are not measured, or only under a condition" if missing else None
