"""The calibration of the qubits in use, and the Aer noise model that it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qiskit.circuit import Operation
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties
from qiskit.transpiler import Target as SdkTarget
from qiskit_aer.noise import NoiseModel
from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

from ..pub import Calibration
from .routing import calibrated


def read_calibration(device: SdkTarget, qubits: Sequence[int]) -> Calibration:
    """Errors and durations of every operation on `qubits`, with their T1 and T2; empty for an uncalibrated device."""
    if not calibrated(device):
        return Calibration()
    wanted = set(qubits)
    operations = [
        (name, pair, properties.duration, properties.error)
        for name in sorted(device.operation_names)
        if not isinstance(device.operation_from_name(name), type)
        for pair, properties in sorted((device[name] or {}).items(), key=lambda item: item[0] or ())
        if pair and wanted.issuperset(pair) and properties is not None
        if properties.error is not None or properties.duration is not None
    ]
    known: Sequence[QubitProperties | None] = device.qubit_properties or [None] * (device.num_qubits or 0)
    times: dict[int, tuple[float | None, float | None]] = dict.fromkeys(qubits, (None, None))
    times |= {q: (properties.t1, properties.t2) for q in qubits if (properties := known[q]) is not None}
    return Calibration(times, tuple(operations))


def noise_model(
    calibration: Calibration, operations: Mapping[str, Operation], position: Mapping[int, int]
) -> NoiseModel:
    """The model that `NoiseModel.from_backend` makes of the device, on the qubits of `position` only.

    operations: an instance of every gate the circuit uses, by name. position: physical qubit -> simulated qubit.
    Depolarising error and relaxation after every gate, and readout errors; idle qubits do not decay.
    """
    physical = sorted(position, key=lambda q: position[q])
    times = [calibration.qubits.get(q, (None, None)) for q in physical]
    device = SdkTarget(num_qubits=len(physical), qubit_properties=[QubitProperties(t1, t2) for t1, t2 in times])
    tables: dict[str, dict[tuple[int, ...], InstructionProperties]] = {}
    for name, qubits, duration, error in calibration.operations:
        if name in operations and position.keys() >= set(qubits):
            places = tuple(position[q] for q in qubits)
            tables.setdefault(name, {})[places] = InstructionProperties(duration, error)
    for name, table in tables.items():
        device.add_instruction(operations[name], table, name=name)
    # Aer complains on the console of a model that knows no gate, as of a circuit that only measures.
    model = NoiseModel(basis_gates=sorted({"id", *tables}))
    for qubits, error in basic_device_readout_errors(target=device):
        model.add_readout_error(error, qubits)
    for name, qubits, error in basic_device_gate_errors(target=device):
        model.add_quantum_error(error, name, qubits)
    return model
