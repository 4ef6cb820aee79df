"""Fitting a circuit to a device by pytket's passes: several presets and placements, the best is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, TypeAlias

from pytket import Circuit as TketCircuit
from pytket import OpType
from pytket.architecture import Architecture
from pytket.circuit import Node
from pytket.passes import (
    AutoRebase,
    AutoSquash,
    BasePass,
    CXMappingPass,
    DecomposeMultiQubitsCX,
    DecomposeSwapsToCXs,
    NaivePlacementPass,
    PlacementPass,
    RemoveBarriers,
    RemoveRedundancies,
    RoutingPass,
)
from pytket.placement import GraphPlacement, LinePlacement, NoiseAwarePlacement, Placement
from pytket.predicates import CompilationUnit

from ...bridges.faults import UnconvertibleError
from ...bridges.tket import ConvertedTket, from_tket, to_tket
from ...bridges.tket_presets import candidates
from ...bridges.tket_turns import with_numbers
from ...ir.circuit import Circuit
from ..base import Costs
from ..legality import SILENT, Operation, violations
from .device import TketDevice
from .emitted import emitted_circuit

Qubits: TypeAlias = tuple[int, ...]

MOST_GATES = 400
"""Larger circuits are not resynthesised by pytket's presets when they are emitted: only placed, routed and rebased."""

LEAST_SUCCESS = 1e-12
"""What an operation with a calibrated error of 1 counts as when candidates are compared."""

UNBOUNDED_MS = 600_000
"""Time limit of pytket's placements, so long that their bound on the number of matches decides."""

MATCHES = {"fast": 100, "default": 1000, "max": 5000}
"""How many placements pytket weighs at every effort."""


@dataclass(frozen=True)
class Compiled:
    """A circuit in the device's own gates on its own qubits. origin: preset and placement that made it.

    initial, final: the physical qubit of each qubit of the given circuit before the first and after the last gate.
    """

    origin: str
    circuit: TketCircuit
    converted: ConvertedTket
    initial: Qubits
    final: Qubits
    costs: Costs
    log_fidelity: float | None

    @property
    def rank(self) -> tuple[float, ...]:
        """Smaller is better: highest predicted fidelity, then fewest two-qubit gates, their depth, fewest gates."""
        keys = ("two_qubit_gates", "two_qubit_depth", "gates")
        return (-(self.log_fidelity or 0.0), *(self.costs[key] for key in keys))

    @property
    def predicted_fidelity(self) -> float | None:
        return None if self.log_fidelity is None else exp(self.log_fidelity)


def compiled(circuit: Circuit, device: TketDevice, seed: int, effort: str, read: Sequence[int]) -> list[Compiled]:
    """Every legal candidate whose angles are affine, the best one first; at effort `fast` one preset only.

    read: the circuit's qubits that are measured after it.
    """
    found = [
        made
        for origin, source, ends in _sources(circuit, seed, effort)
        for name, placement in _placements(device, effort)
        for made in _fitted(f"{origin}, {name}" if name else origin, source, ends, device, placement, read)
    ]
    return sorted(found, key=lambda made: made.rank)


def _sources(circuit: Circuit, seed: int, effort: str) -> Iterator[tuple[str, Circuit, Qubits]]:
    """Forms of the circuit, and where each leaves every qubit."""
    yield "as it is", circuit, tuple(range(circuit.num_qubits))
    if effort != "fast" and len(circuit) <= MOST_GATES:
        yield from ((found.origin, found.circuit, found.final) for found in candidates(circuit, effort, seed))


def _placements(device: TketDevice, effort: str) -> list[tuple[str, Placement | None]]:
    links = device.architecture
    if links is None:
        return [("", None)]
    limits = {"maximum_matches": MATCHES[effort], "timeout": UNBOUNDED_MS}
    found: list[tuple[str, Placement | None]] = [("GraphPlacement", GraphPlacement(links, **limits))]
    if device.calibrated:
        found.insert(0, ("NoiseAwarePlacement", _noise_aware(device, links, limits)))
    elif effort == "max":
        found.append(("LinePlacement", LinePlacement(links)))
    return found[:1] if effort == "fast" else found


def _noise_aware(device: TketDevice, links: Architecture, limits: dict[str, int]) -> Placement:
    def mean(size: int) -> dict[Qubits, float]:
        sums: dict[Qubits, list[float]] = {}
        for (name, place), error in device.errors.items():
            if len(place) == size and name not in ("measure", "reset", "delay", "id"):
                sums.setdefault(place, []).append(error)
        return {place: sum(errors) / len(errors) for place, errors in sums.items()}

    nodes = {Node(q): error for (q,), error in mean(1).items()}
    pairs = {(Node(a), Node(b)): error for (a, b), error in mean(2).items()}
    readout = {Node(q): device.error("measure", (q,)) for q in range(device.rules.qubits)}
    return NoiseAwarePlacement(links, nodes, pairs, readout, **limits)


def _fitted(
    origin: str,
    circuit: Circuit,
    ends: Qubits,
    device: TketDevice,
    placement: Placement | None,
    read: Sequence[int],
) -> Iterator[Compiled]:
    """The circuit by one preset and one placement; nothing where pytket cannot, or the result is not legal."""
    converted = to_tket(circuit, hold_tiny=True)
    unit = CompilationUnit(converted.circuit)
    try:
        for step in _passes(device, placement):
            step.apply(unit)
    except RuntimeError:
        # pytket's passes raise RuntimeError where their predicates or their own synthesis do not hold.
        return
    initial, final = (_indices(converted.circuit, where) for where in (unit.initial_map, unit.final_map))
    final = tuple(final[end] for end in ends)
    fitted = _without_phases(unit.circuit)
    for tidy in (_squashed, _protected, _plain):
        made = tidy(fitted, device)
        try:
            from_tket(made, converted)
        except UnconvertibleError:
            continue
        made = with_numbers(made, converted.tiny)
        emitted = emitted_circuit(made, "", {})
        if not violations(emitted, device.rules):
            later = [final[q] for q in read]
            costs = circuit_costs(made, emitted.operations)
            loss = log_fidelity(emitted.operations, device, later)
            yield Compiled(origin, made, converted, initial, final, costs, loss)
            return


def _passes(device: TketDevice, placement: Placement | None) -> list[BasePass]:
    links = device.architecture
    if links is None or placement is None:
        return [DecomposeMultiQubitsCX(), AutoRebase(set(device.gates)), RemoveRedundancies()]
    if device.directed:
        mapped: list[BasePass] = [
            AutoRebase({OpType.CX, OpType.Rz, OpType.SX}),
            CXMappingPass(links, placement, directed_cx=True, delay_measures=False),
        ]
    else:
        mapped = [
            DecomposeMultiQubitsCX(),
            PlacementPass(placement),
            RoutingPass(links),
            NaivePlacementPass(links),
            DecomposeSwapsToCXs(links, False),
        ]
    return [*mapped, RemoveRedundancies(), AutoRebase(set(device.gates)), RemoveRedundancies()]


def _indices(circuit: TketCircuit, where: Any) -> Qubits:
    """The physical qubit of each qubit of a circuit, in order."""
    places = {str(qubit): unit.index[0] for qubit, unit in where.items()}
    return tuple(places[str(qubit)] for qubit in circuit.qubits)


def _without_phases(circuit: TketCircuit) -> TketCircuit:
    """The circuit without global phases under conditions: the bits that they depend on are measured."""
    table = circuit.to_dict()
    kept = [c for c in table["commands"] if c["op"].get("conditional", c)["op"]["type"] != "Phase"]
    return circuit if len(kept) == len(table["commands"]) else TketCircuit.from_dict(table | {"commands": kept})


# Runs of one-qubit gates


def _plain(circuit: TketCircuit, device: TketDevice) -> TketCircuit:
    return circuit.copy()


def _squashed(circuit: TketCircuit, device: TketDevice) -> TketCircuit:
    """Every run as few gates; angles that are symbols may stop to be affine."""
    made = circuit.copy()
    AutoSquash(set(device.one_qubit_gates)).apply(made)
    RemoveRedundancies().apply(made)
    return made


def _protected(circuit: TketCircuit, device: TketDevice) -> TketCircuit:
    """As `_squashed` between gates with symbols, which stay as they are; a circuit with barriers stays as it is."""
    table = circuit.to_dict()
    if any(command["op"]["type"] == "Barrier" for command in table["commands"]):
        return circuit.copy()
    fenced: list[dict[str, Any]] = []
    for command, entry in zip(circuit.get_commands(), table["commands"], strict=True):
        alone = len(command.args) == 1 and bool(command.op.free_symbols())
        fence = [{"args": entry["args"], "op": {"type": "Barrier", "signature": ["Q"]}}] if alone else []
        fenced += [*fence, entry, *fence]
    made = TketCircuit.from_dict(table | {"commands": fenced})
    AutoSquash(set(device.one_qubit_gates)).apply(made)
    RemoveBarriers().apply(made)
    RemoveRedundancies().apply(made)
    return made


# How good


def circuit_costs(circuit: TketCircuit, operations: Sequence[Operation]) -> Costs:
    """`qubits` in use, `gates`, `two_qubit_gates`, `depth`, `two_qubit_depth`; no barriers, no control flow."""
    gates = [o for o in operations if o.name not in (*SILENT, "if_else")]
    return {
        "qubits": len({q for o in gates for q in o.qubits}),
        "gates": len(gates),
        "two_qubit_gates": sum(len(o.qubits) >= 2 for o in gates),
        "depth": circuit.depth(),
        "two_qubit_depth": _two_qubit_depth(gates),
    }


def _two_qubit_depth(gates: Sequence[Operation]) -> int:
    level: dict[int, int] = {}
    for gate in gates:
        if len(gate.qubits) >= 2:
            top = max(level.get(q, 0) for q in gate.qubits) + 1
            level.update(dict.fromkeys(gate.qubits, top))
    return max(level.values(), default=0)


def log_fidelity(operations: Sequence[Operation], device: TketDevice, later: Sequence[int]) -> float | None:
    """Sum of log(1 - error) over the operations and the readout of the qubits `later`; None without calibration."""
    if not device.calibrated:
        return None
    used = [(o.name, o.qubits) for o in operations if o.name not in (*SILENT, "if_else")]
    used += [("measure", (q,)) for q in later]
    return sum(log(max(1.0 - device.error(name, qubits), LEAST_SUCCESS)) for name, qubits in used)
