"""What circuits may use of a device whose gates take angles in a range only."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

from qiskit.circuit import QuantumCircuit
from qiskit.transpiler import Target as SdkTarget

IBM_RANGES: Mapping[str, tuple[float, float]] = {"rzz": (0.0, pi / 2)}
"""Gate -> least and greatest angle, in radians, on IBM's devices."""

_WRAPPED = IBM_RANGES
"""Gate -> the range into which Qiskit itself brings any constant angle (its pass WrapAngles)."""


def constrained(device: SdkTarget, circuit: QuantumCircuit, ranges: Mapping[str, tuple[float, float]]) -> SdkTarget:
    """The device for a circuit, where some of its gates take angles in a range only (`ranges`, in radians).

    Such a gate is kept where Qiskit brings constant angles into its range and the circuit has no others: angles that
    are bound later cannot promise to be in it. The device itself where no gate of it has a range.
    """
    limited = {name: pair for name, pair in ranges.items() if name in device.operation_names}
    if not limited:
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
        elif name not in limited:
            kept.add_instruction(operation, device[name], name=name)
        elif not circuit.parameters and limited[name] == _WRAPPED.get(name):
            kept.add_instruction(operation, device[name], name=name, angle_bounds=[limited[name]])
    return kept


def without_free_rzz(device: SdkTarget, circuit: QuantumCircuit) -> SdkTarget:
    """An IBM device for a circuit: without its `rzz` where the circuit's angles are bound later."""
    return constrained(device, circuit, IBM_RANGES)
