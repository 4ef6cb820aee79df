"""Whether an emitted circuit is legal on a device as it stands, and why not. Knows no SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Angle = float | str
"""Radians, or the text of an angle that is bound later."""

Place = tuple[int, ...]

TOLERANCE = 1e-10
"""Radians by which an angle may leave its range: what qiskit-ibm-runtime allows for rounding."""

CONTROL_FLOW = ("if_else", "for_loop", "while_loop", "switch_case")
SILENT = ("barrier", "store")
"""Operations that every device takes."""

RULES: dict[str, str] = {
    "width": "the circuit is wider than the device",
    "classical-bits": "the circuit has more classical bits than the device",
    "native-gate": "the device does not have the gate",
    "coupling": "the device does not couple the qubits",
    "direction": "the device has the gate in the other direction only",
    "place": "the device does not have the gate on the qubit",
    "angle-range": "the angle is, or may be, outside the range that the device takes",
    "control-flow": "the device has no such control flow",
    "reset": "the device cannot reset",
    "mid-circuit-measurement": "the device measures only at the end",
}
"""What may be illegal -> what it means."""


@dataclass(frozen=True)
class Operation:
    """One operation of an emitted circuit: the name as Qiskit has it, physical qubits, its line in the text form."""

    name: str
    qubits: Place
    angles: tuple[Angle, ...] = ()
    conditional: bool = False
    line: int = 0


@dataclass(frozen=True)
class EmittedCircuit:
    """A circuit as it was emitted.

    file: the text form that `line` counts in. read_later: qubits that are measured after it, in any basis.
    """

    file: str
    qubits: int
    classical_bits: int
    operations: Sequence[Operation]
    read_later: Place = ()


@dataclass(frozen=True)
class DeviceRules:
    """What a device takes. places: operation -> the qubits it acts on, None for all. angles: least and greatest, in
    radians, of the gate's first angle."""

    qubits: int
    places: Mapping[str, frozenset[Place] | None]
    angles: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mid_circuit_measurement: bool = True
    classical_bits: int | None = None


@dataclass(frozen=True)
class Violation:
    """One way in which a circuit is illegal. count: how often; operation, line: where first (0: nowhere)."""

    rule: str
    message: str
    operation: int = 0
    line: int = 0
    count: int = 1


def violations(circuit: EmittedCircuit, rules: DeviceRules) -> list[Violation]:
    """Every way in which the circuit is illegal under the rules, each once, in the order of the circuit."""
    found: dict[tuple[str, str], list[tuple[int, Operation]]] = {}
    for number, operation, rule, message in _illegal(circuit, rules):
        found.setdefault((rule, message), []).append((number, operation))
    return [
        *_too_large(circuit, rules),
        *(
            Violation(rule, message, where[0][0], where[0][1].line, len(where))
            for (rule, message), where in found.items()
        ),
    ]


def _too_large(circuit: EmittedCircuit, rules: DeviceRules) -> Iterator[Violation]:
    if circuit.qubits > rules.qubits:
        yield Violation("width", f"the circuit has {circuit.qubits} qubits, the device has {rules.qubits}")
    if rules.classical_bits is not None and circuit.classical_bits > rules.classical_bits:
        text = f"the circuit has {circuit.classical_bits} classical bits, the device has {rules.classical_bits}"
        yield Violation("classical-bits", text)


def _illegal(circuit: EmittedCircuit, rules: DeviceRules) -> Iterator[tuple[int, Operation, str, str]]:
    inside = set() if rules.mid_circuit_measurement else _measured_inside(circuit)
    for number, operation in enumerate(circuit.operations, 1):
        if operation.name in SILENT:
            continue
        fault = _misplaced(operation, rules) or _out_of_range(operation, rules)
        if fault:
            yield number, operation, *fault
        if number in inside:
            text = f"qubit {operation.qubits[0]} is measured before the end of the circuit"
            yield number, operation, "mid-circuit-measurement", text


def _misplaced(operation: Operation, rules: DeviceRules) -> tuple[str, str] | None:
    name, qubits = operation.name, operation.qubits
    if name not in rules.places:
        if name in CONTROL_FLOW:
            return "control-flow", f"the device has no {name}"
        if name == "reset":
            return "reset", "the device cannot reset a qubit"
        return "native-gate", f"the device does not have the gate {name}"
    places = rules.places[name]
    if places is None or qubits in places:
        return None
    if len(qubits) == 1:
        return "place", f"the device does not have {name} on qubit {qubits[0]}"
    pair = ", ".join(map(str, qubits))
    if qubits[::-1] in places:
        return "direction", f"the device has {name} on the qubits {', '.join(map(str, qubits[::-1]))}, not on {pair}"
    return "coupling", f"the device does not have {name} on the qubits {pair}"


def _out_of_range(operation: Operation, rules: DeviceRules) -> tuple[str, str] | None:
    if operation.name not in rules.angles or not operation.angles:
        return None
    (low, high), angle = rules.angles[operation.name], operation.angles[0]
    taken = f"the device takes {operation.name} from {low:.6g} to {high:.6g}"
    if isinstance(angle, str):
        return "angle-range", f"{taken}; the angle {angle} is bound later and may leave that range"
    if low - TOLERANCE <= angle <= high + TOLERANCE:
        return None
    return "angle-range", f"{taken}; an angle is {angle:.6g}"


def _measured_inside(circuit: EmittedCircuit) -> set[int]:
    """Numbers of the measurements after which their qubit is used or read again, or a condition waits."""
    inside: set[int] = set()
    open_at: dict[int, int] = {}
    for number, operation in enumerate(circuit.operations, 1):
        if operation.name in SILENT or operation.name == "delay":
            continue
        if operation.conditional or operation.name in CONTROL_FLOW:
            inside.update(open_at.values())
        inside.update(open_at[q] for q in operation.qubits if q in open_at)
        if operation.name == "measure":
            open_at[operation.qubits[0]] = number
    return inside | {open_at[q] for q in circuit.read_later if q in open_at}
