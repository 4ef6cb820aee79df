"""Fitting a circuit to a device: as it is where that is legal, else the best of several seeds of Qiskit's router.

What is asked again is remembered: pass managers by device and seed, what a device allows, and the best placements of
the last circuits, so that scoring a circuit and emitting it places it once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import exp, fsum, log, perm
from typing import Any, TypeAlias

from qiskit import qpy
from qiskit.circuit import (
    Barrier,
    ClassicalRegister,
    Parameter,
    QuantumCircuit,
    QuantumRegister,
)
from qiskit.transpiler import PassManager
from qiskit.transpiler import Target as SdkTarget
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager

from ...bridges.devices import constrained
from ...ir.target import Target
from .census import SILENT, Census, census, steps
from .tiny_turns import run_exactly

Rank: TypeAlias = tuple[float, int, int, int]
"""-log of the predicted fidelity (0 without calibration), two-qubit gates, their depth, gates."""

SEEDS = {"fast": 1, "default": 8, "max": 32}
"""How many seeds are tried at every effort."""

LEVELS = {"fast": 2, "default": 3, "max": 3}
"""Qiskit's optimization level at every effort. Level 3 takes twice the time of level 2 on circuits that are already
optimised, and of its last rounds it keeps the least depth, where others have fewer two-qubit gates."""

LEAST_SUCCESS = 1e-12
"""What an operation with a calibrated error of 1 (a broken calibration) counts as when candidates are compared."""

MOST_KEPT = 4
"""How many placements of one circuit are remembered."""

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

    @cached_property
    def census(self) -> Census:
        """What the circuit holds."""
        return census(self.circuit)


def route(
    circuit: QuantumCircuit, device: SdkTarget, seed: int, read: Sequence[int] = (), effort: str = "default"
) -> Routed:
    """The circuit on the device. `read`: logical qubits that are measured later; they are placed where the device reads
    well. The global phase is dropped: no readout sees it, and it would keep parameters that no gate uses.

    A circuit that is legal as it stands stays so where nothing tells one qubit from another: the device has no
    calibration, or couples every pair. Otherwise the best of `SEEDS[effort]` transpilations at level
    `LEVELS[effort]`.
    """
    return routings(circuit, device, seed, read, SEEDS[effort], LEVELS[effort])[0]


def routings(
    circuit: QuantumCircuit, device: SdkTarget, seed: int, read: Sequence[int], tries: int, level: int = 3
) -> Sequence[Routed]:
    """The best few of `tries` transpilations at a level, best first; one where the circuit stays as it is. As
    `route`."""
    if _may_stay(circuit, device):
        places = tuple(range(circuit.num_qubits))
        wide = without_phase(_widened(circuit, device))
        return [Routed(wide, places, places, log_fidelity(circuit, device))]
    return [routed_form(out, device) for _, out in _best(circuit, device, seed, read, tries, level)]


def best_rank(circuit: QuantumCircuit, device: SdkTarget, seed: int, read: Sequence[int], tries: int) -> Rank:
    """The rank of the first of `routings`, the measurements of `read` counted among its gates."""
    if _may_stay(circuit, device):
        return rank(_widened(circuit, device), device)
    return _best(circuit, device, seed, read, tries)[0][0]


def _may_stay(circuit: QuantumCircuit, device: SdkTarget) -> bool:
    """Whether the circuit is legal as it stands and no other placement of it can be better."""
    facts = facts_of(device)
    if facts.calibrated and not facts.couples_all:
        return False
    if device.num_qubits is not None and circuit.num_qubits > device.num_qubits:
        return False
    return facts.everywhere.issuperset(circuit.count_ops()) or legal(circuit, device)


def _best(
    circuit: QuantumCircuit, device: SdkTarget, seed: int, read: Sequence[int], tries: int, level: int = 3
) -> list[tuple[Rank, QuantumCircuit]]:
    tried = _Tried() if tries == 1 else _tried(_Same(device), _digest(circuit), tuple(read), seed, level)
    tried.extend(_with_trial(circuit, read), device, seed, tries, level)
    return tried.best


@dataclass
class _Tried:
    """What transpilations made of one circuit, the best kept. settled: no other one is to be expected."""

    number: int = 0
    best: list[tuple[Rank, QuantumCircuit]] = field(default_factory=list)
    settled: bool = False

    def extend(self, trial: QuantumCircuit, device: SdkTarget, seed: int, tries: int, level: int) -> None:
        """Try until `tries` seeds were; less where the first two seeds come to the same places at the same cost."""
        while self.number < tries and not self.settled:
            out = run_exactly(_manager(_Same(device), seed * SEEDS["max"] + self.number, level), trial)
            made = rank(out, device), out
            self.number += 1
            self.settled = self.number == 2 and made[0] == self.best[0][0] and _places(out) == _places(self.best[0][1])
            self.best = sorted([*self.best, made], key=lambda found: found[0])[:MOST_KEPT]


class _Same:
    """A key that is equal for the same object alone."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)


@lru_cache(maxsize=64)
def _tried(device: _Same, digest: bytes, read: tuple[int, ...], seed: int, level: int) -> _Tried:
    return _Tried()


def _digest(circuit: QuantumCircuit) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return hashlib.sha256(buffer.getvalue()).digest()


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
    """A copy of the circuit on all qubits of the device."""
    if circuit.num_qubits == device.num_qubits:
        return circuit.copy()
    wide = QuantumCircuit(QuantumRegister(device.num_qubits or circuit.num_qubits, "q"), *circuit.cregs)
    wide.name = circuit.name
    wide.compose(circuit, range(circuit.num_qubits), circuit.clbits, inplace=True)
    return wide


def fitted(target: Target, circuit: QuantumCircuit) -> SdkTarget:
    """The target's device for a circuit, without gates whose range of angles the circuit's parameters may leave."""
    ranges = {name: tuple(pair) for name, pair in target.data.get("angles", {}).items()}
    return _fitted(_Same(target.device.target), tuple(ranges.items()), bool(circuit.parameters))


@lru_cache(maxsize=16)
def _fitted(device: _Same, ranges: tuple[tuple[str, tuple[float, float]], ...], parametrised: bool) -> SdkTarget:
    probe = QuantumCircuit(1)
    if parametrised:
        probe.rz(Parameter("any"), 0)
    return constrained(device.it, probe, dict(ranges))


@dataclass(frozen=True)
class Facts:
    """What a device allows.

    places: (operation, qubits) that it runs. everywhere: operations that it runs on any qubits, barriers among them.
    errors: the calibrated error of an operation at its place, where it is known. couples_all: every pair is coupled.
    """

    places: frozenset[tuple[str, tuple[int, ...]]]
    everywhere: frozenset[str]
    errors: Mapping[tuple[str, tuple[int, ...]], float]
    couples_all: bool

    @property
    def calibrated(self) -> bool:
        return bool(self.errors)


def facts_of(device: SdkTarget) -> Facts:
    """The facts of a device, looked up once."""
    return _facts(_Same(device))


@lru_cache(maxsize=16)
def _facts(key: _Same) -> Facts:
    device: SdkTarget = key.it
    table: dict[str, Mapping[Any, Any]] = {name: device[name] or {None: None} for name in device.operation_names}
    local = {(name, qubits): p for name, row in table.items() for qubits, p in row.items() if qubits is not None}
    return Facts(
        frozenset(local),
        frozenset(name for name, row in table.items() if _is_everywhere(row, device.num_qubits or 0)) | {"barrier"},
        {place: p.error for place, p in local.items() if p is not None and p.error is not None},
        _couples_all(device),
    )


def legal(circuit: QuantumCircuit, device: SdkTarget) -> bool:
    """Whether the device runs every operation of the circuit where it stands."""
    facts = facts_of(device)
    return all(place in facts.places or place[0] in facts.everywhere for place in census(circuit).counts)


def _is_everywhere(row: Mapping[Any, Any], size: int) -> bool:
    """Whether an operation with these places stands on any qubits of `size` ones."""
    if None in row:
        return True
    widths = {len(place) for place in row}
    return len(widths) == 1 and len(row) == perm(size, widths.pop())


def _couples_all(device: SdkTarget) -> bool:
    coupling = device.build_coupling_map()
    size = device.num_qubits or 0
    return coupling is None or len(set(coupling.get_edges())) == size * (size - 1)


def rank(circuit: QuantumCircuit, device: SdkTarget) -> Rank:
    """Smaller is better: highest predicted fidelity, then fewest two-qubit gates, their depth, and fewest gates."""
    facts = facts_of(device)
    level = [0] * circuit.num_qubits
    loss, pairs, gates = 0.0, 0, 0
    for step, qubits in steps(circuit):
        name = step.name
        if name in SILENT or step.is_control_flow():
            continue
        gates += 1
        loss -= log(max(1.0 - facts.errors.get((name, qubits), 0.0), LEAST_SUCCESS))
        if len(qubits) >= 2:
            pairs += 1
            layer = max(level[q] for q in qubits) + 1
            for q in qubits:
                level[q] = layer
    return loss, pairs, max(level, default=0), gates


@lru_cache(maxsize=64)
def _manager(device: _Same, seed: int, level: int) -> PassManager:
    return generate_preset_pass_manager(optimization_level=level, target=device.it, seed_transpiler=seed)


def routed_form(out: QuantumCircuit, device: SdkTarget) -> Routed:
    """What Qiskit's transpiler made, without its layout object and the trial measurements."""
    plain = _plain_copy(out)
    return Routed(plain, *_places(out), log_fidelity(out, device))


def _places(out: QuantumCircuit) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The physical qubit of each logical qubit at the start and at the end."""
    if out.layout is None:
        return tuple(range(out.num_qubits)), tuple(range(out.num_qubits))
    initial = out.layout.initial_index_layout(filter_ancillas=True)
    return tuple(initial), tuple(out.layout.final_index_layout(filter_ancillas=True))


def _plain_copy(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same operations without trial measurements, phase and layout (QPY writes its registers in no fixed order)."""
    registers = [register for register in circuit.cregs if register.name != TRIAL]
    plain = QuantumCircuit(QuantumRegister(circuit.num_qubits, "q"), *registers, name=circuit.name)
    kept = set(plain.clbits)
    moved = None if plain.qubits == circuit.qubits else dict(zip(circuit.qubits, plain.qubits, strict=True))
    steps = [step for step in circuit.data if step.label != TRIAL and (not step.clbits or kept.issuperset(step.clbits))]
    if moved is not None:
        steps = [step.replace(qubits=tuple([moved[qubit] for qubit in step.qubits])) for step in steps]
    plain._data.extend(steps)
    return without_phase(plain)


def without_phase(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the global phase zero, in every block of its control flow too."""
    if not circuit.has_control_flow_op():
        circuit.global_phase = 0.0
        return circuit
    # A new circuit, since Qiskit 2.6 panics where a step of a copied one is replaced that has blocks.
    plain = circuit.copy_empty_like()
    plain.global_phase = 0.0
    plain._data.extend([_step_without_phase(step) for step in circuit.data])
    return plain


def _step_without_phase(step: Any) -> Any:
    if not step.is_control_flow():
        return step
    blocks = [without_phase(block.copy()) for block in step.operation.blocks]
    return step.replace(operation=step.operation.replace_blocks(blocks))


def active_qubits(circuit: QuantumCircuit) -> list[int]:
    """The qubits that some operation other than a barrier or delay acts on, sorted."""
    return census(circuit).active_qubits


def log_fidelity(circuit: QuantumCircuit, device: SdkTarget) -> float | None:
    """Sum of log(1 - error) over every operation, measurements included; None without calibration."""
    errors = facts_of(device).errors
    if not errors:
        return None
    held = census(circuit).counts.items()
    return fsum(count * log(max(1.0 - errors.get(place, 0.0), LEAST_SUCCESS)) for place, count in held)


def calibrated(device: SdkTarget) -> bool:
    """Whether the device states an error for any gate."""
    return facts_of(device).calibrated


def predicted_fidelity(routed: Routed) -> float | None:
    """Product of 1 - error over every operation, readout included; None without calibration."""
    return None if routed.log_fidelity is None else exp(routed.log_fidelity)
