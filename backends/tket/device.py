"""What pytket's passes and our checks have to know of a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytket import OpType
from pytket.architecture import Architecture
from pytket.circuit import Node

from ...bridges.tket_reading import OPTYPES
from ...ir.target import Target
from ..legality import DeviceRules, Place
from ..qiskit.emitted import device_rules

NAMES: dict[OpType, str] = {kind: name for name, kind in OPTYPES.items()} | {
    OpType.PhasedX: "r",
    OpType.U1: "p",
    OpType.U2: "u2",
    OpType.U3: "u",
    OpType.ZZMax: "zzmax",
    OpType.TK2: "tk2",
    OpType.Barrier: "barrier",
}
"""Op of pytket -> the operation's name, as Qiskit has it where it has one."""

_KINDS = {name: kind for kind, name in NAMES.items()} | {"u1": OpType.U1, "u3": OpType.U3}
_NOT_REBASED = ("id", "measure", "reset", "delay", "barrier", "zzmax", "tk2")

SYMMETRIC = frozenset({"cz", "rzz", "rxx", "ryy", "iswap", "swap", "zzmax", "tk2"})
"""Gates that are the same with their qubits exchanged."""


@dataclass(frozen=True)
class TketDevice:
    """A device. rules: what it takes. errors, by operation and qubits; uniform_errors, by operation, hold elsewhere.

    source: the device as Qiskit knows it. provider: pytket's own backend of it, never connected.
    """

    rules: DeviceRules
    errors: Mapping[tuple[str, Place], float] = field(default_factory=dict)
    uniform_errors: Mapping[str, float] = field(default_factory=dict)
    source: Target | None = None
    provider: Any = None

    def error(self, name: str, qubits: Place) -> float:
        """The calibrated error of an operation; 0 where there is none."""
        return self.errors.get((name, qubits), self.uniform_errors.get(name, 0.0))

    @property
    def calibrated(self) -> bool:
        return bool(self.errors or self.uniform_errors)

    @cached_property
    def gates(self) -> frozenset[OpType]:
        """Gates that circuits are brought into: those that take every angle."""
        names = [n for n in self.rules.places if n not in self.rules.angles and n not in _NOT_REBASED]
        return frozenset(_KINDS[n] for n in names if n in _KINDS)

    @cached_property
    def one_qubit_gates(self) -> frozenset[OpType]:
        return frozenset(kind for kind in self.gates if kind not in self._links)

    @cached_property
    def _links(self) -> dict[OpType, frozenset[Place] | None]:
        """Two-qubit gate -> where it is."""
        found = {
            _KINDS[n]: places for n, places in self.rules.places.items() if n in _KINDS and _KINDS[n] in self.gates
        }
        return {kind: places for kind, places in found.items() if _arity(kind, places) == 2}

    @cached_property
    def architecture(self) -> Architecture | None:
        """The couplings, in the direction in which the gates are; None where every pair is coupled both ways."""
        places = [pair for table in self._links.values() for pair in table or ()]
        full = self.rules.qubits * (self.rules.qubits - 1)
        if any(table is None for table in self._links.values()) or len(set(places)) == full:
            return None
        return Architecture([(Node(a), Node(b)) for a, b in sorted(set(places))])

    @cached_property
    def directed(self) -> bool:
        """Whether a gate that is not symmetric is there in one direction only."""
        tables = [table for kind, table in self._links.items() if table and NAMES[kind] not in SYMMETRIC]
        return any(pair[::-1] not in table for table in tables for pair in table)


def _arity(kind: OpType, places: frozenset[Place] | None) -> int:
    if places:
        return len(next(iter(places)))
    return 2 if NAMES[kind] in SYMMETRIC or kind in (OpType.CX, OpType.ECR) else 1


def of_target(known: Target) -> TketDevice:
    """The device of a target of the qiskit backend."""
    sdk = known.device.target
    errors = {
        (name, place): figures.error
        for name in sdk.operation_names
        if not isinstance(sdk.operation_from_name(name), type)
        for place, figures in (sdk[name] or {}).items()
        if place and figures is not None and figures.error is not None
    }
    return TketDevice(device_rules(known), errors, source=known)


def quantinuum(machine: str) -> TketDevice:
    """One of Quantinuum's machines, as pytket-quantinuum describes it offline: gates, and the mean errors of the
    machine's data sheet. A rotation about Z is a change of phase, which has no error."""
    from pytket.extensions.quantinuum.backends.api_wrappers import QuantinuumAPIOffline
    from pytket.extensions.quantinuum.backends.quantinuum import QuantinuumBackend

    offline: Any = QuantinuumAPIOffline()
    provider = QuantinuumBackend(machine, api_handler=offline)
    info = provider.backend_info
    assert info is not None
    specs = info.misc["noise_specs"]
    pair = specs["2q_gate_error"]["p2"]
    readout = (specs["spam_error"]["p_meas_0"] + specs["spam_error"]["p_meas_1"]) / 2
    uniform = {"r": specs["1q_gate_error"]["p1"], "rz": 0.0, "rzz": pair, "zzmax": pair, "measure": readout}
    places = dict.fromkeys([NAMES[kind] for kind in sorted(info.gate_set, key=lambda k: k.name) if kind in NAMES])
    if info.supports_fast_feedforward:
        places["if_else"] = None
    rules = DeviceRules(info.n_nodes, places, {}, info.supports_midcircuit_measurement)
    return TketDevice(rules, uniform_errors=uniform, provider=provider)
