"""Copies of a routed circuit for error mitigation: folded, twirled, padded with decoupling pulses.

They are made after routing, in the device's own gates and on the same qubits, and nothing optimises them afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import ceil, pi
from typing import Any

import numpy as np
from qiskit.circuit import Gate, QuantumCircuit
from qiskit.circuit.library import RZGate, XGate, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford, Pauli
from qiskit.transpiler import PassManager
from qiskit.transpiler import Target as SdkTarget
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDynamicalDecoupling
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager

from ...bridges.qiskit import Step
from ...ir import TargetError
from ...ir.ops import MitigatedExpectation
from ..base import RunOptions
from ..pub import Pub
from .census import SILENT
from .routing import active_qubits
from .simulate import Facts, Runner

_SEED_STEP = 1_000_003
"""Between the seeds of two circuits, so that their shots are drawn apart."""

SEQUENCES: dict[str, tuple[tuple[Gate, ...], tuple[float, ...]]] = {
    "XX": ((XGate(), XGate()), (0.25, 0.5, 0.25)),
    # Y is X then Z up to a phase, and Z takes no time.
    "XY4": (
        (XGate(), XGate(), RZGate(pi), XGate(), XGate(), RZGate(pi)),
        (0.125, 0.25, 0.0, 0.25, 0.25, 0.0, 0.125),
    ),
}
"""Decoupling pulses, and which part of an idle time lies before, between and after them."""


def variants(circuit: QuantumCircuit, op: MitigatedExpectation, device: SdkTarget) -> list[QuantumCircuit]:
    """A circuit for every scale and, within it, every twirl; the given one is routed and has no measurement.

    TargetError T0003 where the device has no durations to place pulses by.
    """
    rng = np.random.default_rng(op.seed)
    out = []
    for scale in op.scales:
        longer = folded(circuit, scale, op.folding, device)
        copies = [twirled(longer, rng, device) for _ in range(op.twirls)] or [longer]
        out += [padded(copy, op.decoupling, device) if op.decoupling else copy for copy in copies]
    return out


# Folding


def folded(circuit: QuantumCircuit, scale: int, folding: str, device: SdkTarget) -> QuantumCircuit:
    """G (G^dag G)^n with barriers between, or so every two-qubit gate; scale is 2n + 1. In the device's own gates."""
    times, out = (scale - 1) // 2, circuit.copy_empty_like()
    if folding == "local":
        for step in circuit.data:
            out.append(step)
            if len(step.qubits) > 1 and step.operation.name not in SILENT:
                for _ in range(times):
                    out.barrier(step.qubits)
                    _undo(out, step, device)
                    out.barrier(step.qubits)
                    out.append(step)
                out.barrier(step.qubits)
        return out
    wall = [circuit.qubits[q] for q in active_qubits(circuit)]
    for step in circuit.data:
        out.append(step)
    for _ in range(times):
        out.barrier(wall)
        for step in reversed(circuit.data):
            _undo(out, step, device)
        out.barrier(wall)
        for step in circuit.data:
            out.append(step)
    return out


def _undo(out: QuantumCircuit, step: Step, device: SdkTarget) -> None:
    """The inverse of one operation, appended in the device's own gates."""
    if step.operation.name in SILENT:
        out.append(step)
    elif step.operation.name == "rzz":
        # Devices take angles in [0, pi/2] only, so that the sign is turned by a pair of X.
        _pauli(out, "X", step.qubits[0], device)
        out.append(step)
        _pauli(out, "X", step.qubits[0], device)
    elif step.operation.name == "iswap":
        # Z on one qubit turns XX + YY round.
        _pauli(out, "Z", step.qubits[0], device)
        out.append(step)
        _pauli(out, "Z", step.qubits[0], device)
    else:
        opposite = step.operation.inverse()
        places = tuple(out.find_bit(q).index for q in step.qubits)
        if device.instruction_supported(opposite.name, places):
            out.append(opposite, step.qubits)
        else:
            _append_native(out, opposite, step.qubits, device)


def _append_native(out: QuantumCircuit, gate: Gate, qubits: Sequence[Any], device: SdkTarget) -> None:
    names = tuple(sorted(device.operation_names))
    known = gate.name in get_standard_gate_name_mapping()
    made = _native(gate.name, tuple(gate.params), names) if known else _translated(gate, names)
    for step in made.data:
        out.append(step.operation, [qubits[made.find_bit(q).index] for q in step.qubits])


@cache
def _native(name: str, params: tuple[Any, ...], names: tuple[str, ...]) -> QuantumCircuit:
    """As `_translated`, for a gate of Qiskit's library."""
    return _translated(type(get_standard_gate_name_mapping()[name])(*params), names)


def _translated(gate: Gate, names: tuple[str, ...]) -> QuantumCircuit:
    """One gate in a device's gates, up to a phase. TargetError T0003 where they cannot make it."""
    standard = get_standard_gate_name_mapping()
    source = QuantumCircuit(gate.num_qubits)
    source.append(gate, range(gate.num_qubits))
    basis = [known for known in names if known in standard]
    try:
        return generate_preset_pass_manager(1, basis_gates=basis, seed_transpiler=0).run(source)
    except TranspilerError as fault:
        gates = ", ".join(name for name in basis if isinstance(standard[name], Gate))
        raise TargetError.of(
            "T0003",
            f"mitigation needs the gate {gate.name}, which Qiskit cannot write by {gates}",
            help="choose a device with such gates as rz, sx, x and cz, or compile without zne and twirl",
        ) from fault


# Twirling


def twirled(circuit: QuantumCircuit, rng: np.random.Generator, device: SdkTarget) -> QuantumCircuit:
    """Random Pauli gates before every two-qubit Clifford gate, and those behind it that undo them.

    A coherent error of the gate becomes, on average over copies, a Pauli channel (Wallman and Emerson, arXiv
    1512.01098).
    """
    out = circuit.copy_empty_like()
    for step in circuit.data:
        table = _conjugates(step.operation.name) if len(step.qubits) == 2 and not step.operation.params else {}
        if not table:
            out.append(step)
            continue
        before = tuple(rng.choice(list("IXYZ"), 2).tolist())
        for letters, inside in ((before, True), (table[before], False)):
            for letter, qubit in zip(letters, step.qubits, strict=True):
                _pauli(out, letter, qubit, device)
            if inside:
                out.append(step)
    return out


def _pauli(out: QuantumCircuit, letter: str, qubit: Any, device: SdkTarget) -> None:
    for name in {"X": ("x",), "Z": ("z",), "Y": ("x", "z"), "I": ()}[letter]:
        _append_native(out, get_standard_gate_name_mapping()[name], [qubit], device)


@cache
def _conjugates(name: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Letters before a two-qubit gate -> letters behind it that undo them; empty where the gate is no Clifford."""
    gate = get_standard_gate_name_mapping().get(name)
    if gate is None or gate.num_qubits != 2 or gate.params or name in SILENT:
        return {}
    try:
        clifford = Clifford(gate)
    except QiskitError:
        return {}
    table = {}
    for first in "IXYZ":
        for second in "IXYZ":
            # Qiskit writes the letter of the higher qubit first.
            behind = Pauli(second + first).evolve(clifford, frame="s").to_label().lstrip("+-i")
            table[first, second] = (behind[1], behind[0])
    return table


# Decoupling


def padded(circuit: QuantumCircuit, sequence: str, device: SdkTarget) -> QuantumCircuit:
    """Pulses on qubits while they wait, by Qiskit's scheduler and `PadDynamicalDecoupling`."""
    gates, spacing = SEQUENCES[sequence]
    try:
        padding = PadDynamicalDecoupling(target=device, dd_sequence=list(gates), spacing=list(spacing))
        return PassManager([ALAPScheduleAnalysis(target=device), padding]).run(circuit)
    except TranspilerError as fault:
        raise TargetError.of(
            "T0003",
            f"decoupling {sequence} needs the pulse X and the durations of the device's gates: {fault.message}",
            help="choose a device snapshot such as fake_torino, or compile without dd",
        ) from fault


# Simulation


def simulated(
    circuits: Sequence[QuantumCircuit], pub: Pub, values: np.ndarray, options: RunOptions
) -> tuple[np.ndarray, Facts]:
    """Every circuit of `variants` run by the simulator, averaged over twirls: (batch, scales, observables).

    The shots of one scale are shared by its twirls.
    """
    copies = max(1, pub.twirls)
    shots = None if options.shots is None else ceil(options.shots / copies)
    means, errors, total = [], [], Facts()
    for k, circuit in enumerate(circuits):
        runner = Runner(circuit, pub, values, replace(options, shots=shots, seed=options.seed + _SEED_STEP * k))
        means.append(runner.expectations())
        errors += runner.facts.standard_errors
        total = replace(
            runner.facts,
            executions=total.executions + runner.facts.executions,
            shots=total.shots + runner.facts.shots,
            standard_errors=[],
            covariances=[],
        )
    shape = (len(pub.scales), copies, len(values), -1)
    if errors:
        spread = np.sqrt((np.stack(errors).reshape(shape) ** 2).sum(axis=1)) / copies
        total.standard_errors = [spread.swapaxes(0, 1)]
    return np.stack(means).reshape(shape).mean(axis=1).swapaxes(0, 1), total
