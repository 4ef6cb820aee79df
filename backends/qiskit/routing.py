"""Fitting a circuit to a device: as it is where that is legal, else the best of several seeds of Qiskit's router."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, TypeAlias

from qiskit.circuit import (
    Barrier,
    ClassicalRegister,
    ControlFlowOp,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
)
from qiskit.transpiler import Target as SdkTarget
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager

Step: TypeAlias = Any
"""A qiskit CircuitInstruction, which type checkers do not see as a class."""

SEEDS = {"fast": 1, "default": 8, "max": 32}
"""How many seeds are tried at every effort."""

LEAST_SUCCESS = 1e-12
"""What an operation with a calibrated error of 1 (a broken calibration) counts as when candidates are compared."""

SILENT = frozenset({"barrier", "delay"})
"""Operations that no cost counts."""


TRIAL = "trial"
"""Name of the register of measurements that are there for the placement only."""


@dataclass(frozen=True)
class Routed:
    """A circuit in the device's own gates on its own qubits, one register `q` of all of them, without Qiskit's layout.

    initial, final: the physical qubit of each logical qubit before the first and after the last gate.
    log_fidelity: sum of log(1 - error) over its operations and the later readout, or None without calibration.
    """

    circuit: QuantumCircuit
    initial: tuple[int, ...]
    final: tuple[int, ...]
    log_fidelity: float | None


def route(
    circuit: QuantumCircuit, device: SdkTarget, seed: int, read: Sequence[int] = (), effort: str = "default"
) -> Routed:
    """The circuit on the device. `read`: logical qubits that are measured later; they are placed where the device reads
    well. The global phase is dropped: no readout sees it, and it would keep parameters that no gate uses.

    A circuit that is legal as it stands stays so where nothing tells one qubit from another: the device has no
    calibration, or couples every pair. Otherwise the best of `SEEDS[effort]` transpilations at optimization level 3.
    """
    if (not calibrated(device) or _couples_all(device)) and legal(circuit, device):
        places = tuple(range(circuit.num_qubits))
        wide = _widened(circuit, device)
        return Routed(_plain_copy(wide), places, places, log_fidelity(wide, device))
    trial = _with_trial(circuit, read)
    routed = [_route_once(trial, device, seed * SEEDS["max"] + k) for k in range(SEEDS[effort])]
    return min(routed, key=rank)


def _with_trial(circuit: QuantumCircuit, read: Sequence[int]) -> QuantumCircuit:
    """The circuit with measurements of `read` that are there for the placement only."""
    if not read:
        return circuit
    # The barrier keeps the measurements from simplifying gates before them: they stand for any observable.
    trial, bits = circuit.copy(), ClassicalRegister(len(read), TRIAL)
    trial.add_register(bits)
    trial.append(Barrier(len(read), label=TRIAL), list(read))
    trial.measure(list(read), bits)
    return trial


def _widened(circuit: QuantumCircuit, device: SdkTarget) -> QuantumCircuit:
    wide = QuantumCircuit(QuantumRegister(device.num_qubits or circuit.num_qubits, "q"), *circuit.cregs)
    wide.name = circuit.name
    wide.compose(circuit, range(circuit.num_qubits), circuit.clbits, inplace=True)
    return wide


def legal(circuit: QuantumCircuit, device: SdkTarget) -> bool:
    """Whether the device runs every operation of the circuit where it stands."""
    known = {(name, qubits) for name in device.operation_names for qubits in (device[name] or {})}
    everywhere = {name for name in device.operation_names if None in (device[name] or {None: None})}
    return all(
        (step.operation.name, qubits) in known or step.operation.name in everywhere or step.operation.name == "barrier"
        for step, qubits in steps(circuit)
    )


def _couples_all(device: SdkTarget) -> bool:
    coupling = device.build_coupling_map()
    size = device.num_qubits or 0
    return coupling is None or len(set(coupling.get_edges())) == size * (size - 1)


def rank(routed: Routed) -> tuple[float, int, int, int]:
    """Smaller is better: highest predicted fidelity, then fewest two-qubit gates, their depth, and fewest gates."""
    counts = circuit_costs(routed.circuit)
    loss = -(routed.log_fidelity or 0.0)
    return loss, counts["two_qubit_gates"], counts["two_qubit_depth"], counts["gates"]


def _route_once(circuit: QuantumCircuit, device: SdkTarget, seed: int) -> Routed:
    manager = generate_preset_pass_manager(optimization_level=3, target=device, seed_transpiler=seed)
    return routed_form(manager.run(circuit), device)


def routed_form(out: QuantumCircuit, device: SdkTarget) -> Routed:
    """What Qiskit's transpiler made, without its layout object and the trial measurements."""
    if out.layout is None:
        initial = final = tuple(range(out.num_qubits))
    else:
        initial = tuple(out.layout.initial_index_layout(filter_ancillas=True))
        final = tuple(out.layout.final_index_layout(filter_ancillas=True))
    return Routed(_plain_copy(out), initial, final, log_fidelity(out, device))


def _plain_copy(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same operations without trial measurements, phase and layout (QPY writes its registers in no fixed order)."""
    registers = [register for register in circuit.cregs if register.name != TRIAL]
    plain = QuantumCircuit(QuantumRegister(circuit.num_qubits, "q"), *registers, name=circuit.name)
    kept = set(plain.clbits)
    for step in circuit.data:
        if step.operation.label != TRIAL and kept.issuperset(step.clbits):
            qubits = [plain.qubits[circuit.find_bit(q).index] for q in step.qubits]
            plain.append(step.operation, qubits, step.clbits, copy=False)
    drop_phase(plain)
    return plain


def drop_phase(circuit: QuantumCircuit) -> None:
    """Set the global phase of a circuit, and of every block of its control flow, to zero."""
    circuit.global_phase = 0.0
    for index, step in enumerate(circuit.data):
        if isinstance(step.operation, ControlFlowOp):
            blocks = [block.copy() for block in step.operation.blocks]
            for block in blocks:
                drop_phase(block)
            circuit.data[index] = step.replace(operation=step.operation.replace_blocks(blocks))


def steps(circuit: QuantumCircuit) -> Iterator[tuple[Step, tuple[int, ...]]]:
    """Every operation with the circuit's qubits it acts on, those of control flow blocks after their owner."""
    for step in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in step.qubits)
        yield step, qubits
        if isinstance(step.operation, ControlFlowOp):
            for block in step.operation.blocks:
                for inner, positions in steps(block):
                    yield inner, tuple(qubits[p] for p in positions)


def active_qubits(circuit: QuantumCircuit) -> list[int]:
    """The qubits that some operation other than a barrier or delay acts on, sorted."""
    return sorted({q for step, qubits in steps(circuit) if step.operation.name not in SILENT for q in qubits})


def circuit_costs(circuit: QuantumCircuit) -> dict[str, int]:
    """`qubits` (physical ones in use), `gates`, `two_qubit_gates`, `depth`, `two_qubit_depth`.

    Gates inside control flow count; the control flow operation itself counts for the depth only.
    """
    gates = [
        (step.operation.name, qubits)
        for step, qubits in steps(circuit)
        if step.operation.name not in SILENT and not isinstance(step.operation, ControlFlowOp)
    ]
    return {
        "qubits": len(active_qubits(circuit)),
        "gates": len(gates),
        "two_qubit_gates": sum(len(qubits) >= 2 for _, qubits in gates),
        "depth": circuit.depth(lambda step: step.operation.name not in SILENT),
        "two_qubit_depth": circuit.depth(lambda step: len(step.qubits) >= 2 and step.operation.name not in SILENT),
    }


def log_fidelity(circuit: QuantumCircuit, device: SdkTarget) -> float | None:
    """Sum of log(1 - error) over every operation, measurements included; None without calibration."""
    if not calibrated(device):
        return None
    used = [(step.operation.name, qubits) for step, qubits in steps(circuit)]
    return sum(log(max(1.0 - operation_error(device, name, qubits), LEAST_SUCCESS)) for name, qubits in used)


def operation_error(device: SdkTarget, name: str, qubits: tuple[int, ...]) -> float:
    """The calibrated error of one operation; 0 where there is none."""
    properties = _properties(device, name, qubits)
    return 0.0 if properties is None or properties.error is None else properties.error


def _properties(device: SdkTarget, name: str, qubits: tuple[int, ...]) -> Any:
    if name not in device.operation_names:
        return None
    return (device[name] or {}).get(qubits)


def calibrated(device: SdkTarget) -> bool:
    """Whether the device states an error for any gate."""
    return any(
        p is not None and p.error is not None for name in device.operation_names for p in (device[name] or {}).values()
    )


def predicted_fidelity(routed: Routed) -> float | None:
    """Product of 1 - error over every operation, readout included; None without calibration."""
    return None if routed.log_fidelity is None else exp(routed.log_fidelity)


def parameters_of(circuit: QuantumCircuit) -> set[str]:
    """Names of the parameters that some operation still uses."""
    used: set[str] = set()
    for step, _ in steps(circuit):
        for value in step.operation.params:
            if isinstance(value, ParameterExpression):
                used.update(p.name for p in value.parameters)
    return used
