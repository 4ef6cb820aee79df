"""Targets of the tket backend: Quantinuum's machines, and `tket:NAME` for every device that the qiskit backend knows.

Listing them imports no SDK.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...bridges.extras import need
from ...ir import InputError
from ...ir.target import Target
from ..qiskit import devices as qiskit_devices

if TYPE_CHECKING:
    from .device import TketDevice

EXTRA = "tket"
PREFIX = "tket:"

QUANTINUUM = {"quantinuum_h1-1": "H1-1", "quantinuum_h2-1": "H2-1", "quantinuum_h2-2": "H2-2"}
"""Target -> the machine's name at Quantinuum; pytket-quantinuum describes these without a connection."""


def names() -> list[tuple[str, str]]:
    """(name, summary) of every target."""
    machines = [
        (name, f"Quantinuum {machine} by tket, native PhasedX Rz ZZPhase") for name, machine in QUANTINUUM.items()
    ]
    return [*machines, (f"{PREFIX}NAME", "any device of the qiskit backend by tket: tket:fake_torino, tket:line:8")]


def find(name: str) -> Target | None:
    """The target `name`, or None where it is none of these.

    MissingError E0001 without the tket extra; InputError T0001 for `tket:` before an unknown device.
    """
    if name in QUANTINUUM:
        need("pytket", EXTRA)
        need("pytket.extensions.quantinuum", EXTRA)
        return _machine(name)
    if not name.startswith(PREFIX):
        return None
    need("pytket", EXTRA)
    known = qiskit_devices.find(name.removeprefix(PREFIX))
    if known is None:
        raise InputError.of(
            "T0001", f"{name} is not a device", help="write tket: before a device such as fake_torino or line:8"
        )
    from .device import of_target

    return _target(known, name, of_target(known))


def _target(known: Target, name: str, device: TketDevice) -> Target:
    return replace(known, name=name, backend="tket", summary=f"{known.summary}, by tket", device=device)


def _machine(name: str) -> Target:
    from .device import quantinuum

    device = quantinuum(QUANTINUUM[name])
    limits: dict[str, Any] = {"qubits": device.rules.qubits}
    return Target(
        name=name,
        kind="quantum",
        backend="tket",
        summary=f"Quantinuum {QUANTINUUM[name]}, {device.rules.qubits} qubits, every pair coupled",
        limits=limits,
        native_ops=tuple(sorted(device.rules.places)),
        data={"median_errors": dict(device.uniform_errors)},
        device=device,
    )
