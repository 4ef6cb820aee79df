"""What circuits with parameters may use of a device."""

from __future__ import annotations

from qiskit.circuit import QuantumCircuit
from qiskit.transpiler import Target as SdkTarget


def without_free_rzz(device: SdkTarget, circuit: QuantumCircuit) -> SdkTarget:
    """The device without its `rzz`, where the circuit's angles are bound later.

    Hardware takes rzz angles in [0, pi/2] only, which a parameter cannot promise.
    """
    if "rzz" not in device.operation_names or not circuit.parameters:
        return device
    kept = SdkTarget(
        description=device.description,
        num_qubits=device.num_qubits,
        dt=device.dt,
        qubit_properties=device.qubit_properties,
        concurrent_measurements=device.concurrent_measurements,
    )
    for name in device.operation_names:
        operation = device.operation_from_name(name)
        if isinstance(operation, type):
            kept.add_instruction(operation, name=name)
        elif name != "rzz":
            kept.add_instruction(operation, device[name], name=name)
    return kept
