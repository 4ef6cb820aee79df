"""Circuit blocks and gate definitions -> circuits: names resolved, loops and definitions unrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

from ...ir import AngleInput, Circuit
from ...ir.angles import ZERO_ROW, Row
from ...ir.conditions import Condition, bits_of
from ...ir.diagnostics import did_you_mean
from ...ir.gates import GATES, OPCODES, Gate
from . import products
from .columns import Columns
from .exact import Affine, Scalar
from .expressions import Scope, bit_number, condition, evaluate, integer, span_of_range, whole
from .faults import Faults, Wrong
from .runs import GateRun, take_run
from .syntax import (
    AngleParameter,
    CircuitBlock,
    Expression,
    For,
    GateBlock,
    GateCall,
    If,
    Name,
    Number,
    Reference,
    Run,
    Slice,
    Span,
    Statement,
)

MOST_QUBITS = 1_000_000
MOST_VARIABLES = 10_000_000
MOST_STEPS = 2_000_000
"""Rounds of loops and gates that one block may unroll to."""

ELSEWHERE = {
    "cnot": "cx",
    "toffoli": "ccx",
    "fredkin": "cswap",
    "hadamard": "h",
    "u": "u3",
    "u1": "p",
    "cu1": "cp",
    "cphase": "cp",
}
"""Names that other languages have for gates of this one."""

ZERO = Affine.of(Scalar())


class Template(NamedTuple):
    """What a gate definition does: its gates on its own qubits 0, 1, ..., angles affine in its parameters."""

    qubits: int
    angles: int
    gates: list[tuple[int, tuple[int, ...], tuple[Affine, ...], str | None]]
    phase: Affine


@dataclass(frozen=True)
class Frame:
    """What surrounds a statement: names, the conditions of the blocks around it, and how qubits are called."""

    scope: Scope
    qubits: Callable[[Reference, Scope], tuple[list[int], bool]]
    conditions: tuple[Condition, ...] = ()
    rounds: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether a line means the same here as at the top of its circuit."""
        return not self.scope.integers and not self.conditions


class Body:
    """Lowers the statements of one block; a subclass says what happens with a gate."""

    def __init__(self, faults: Faults, definitions: Mapping[str, Template | None], runs: Sequence[GateRun]) -> None:
        self.faults = faults
        self.definitions = definitions
        self.runs = runs
        self.num_clbits = 0
        self.phase = ZERO
        self.steps = 0

    def emit(
        self,
        opcode: int,
        wires: tuple[int, ...],
        angles: tuple[Affine, ...],
        span: Span,
        *,
        clbits: tuple[int, ...] = (),
        pauli: str | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Append one gate."""
        raise TypeError(f"{type(self).__name__} does not say what becomes of a gate")

    def take_run(self, run: GateRun, frame: Frame) -> None:
        """Lower the lines that were taken out of the text."""
        self.lower([run.statement(k) for k in range(len(run))], frame)

    def lower(self, statements: Sequence[Statement], frame: Frame) -> None:
        """Lower every statement; a wrong one is recorded and the next one read."""
        for statement in statements:
            try:
                self._statement(statement, frame)
            except Wrong as wrong:
                self._record(wrong, frame)

    def _record(self, wrong: Wrong, frame: Frame) -> None:
        notes = (f"with {', '.join(frame.rounds)}",) if frame.rounds else ()
        self.faults.add(wrong.code, wrong.message, wrong.span, wrong.help, notes)

    def _statement(self, statement: Statement, frame: Frame) -> None:
        if isinstance(statement, GateCall):
            self._call(statement, frame)
        elif isinstance(statement, Run):
            self.take_run(self.runs[statement.number], frame)
        elif isinstance(statement, For):
            self._loop(statement, frame)
        else:
            self._if(statement, frame)

    def _loop(self, loop: For, frame: Frame) -> None:
        name = loop.name.text
        if name in frame.scope.integers or name in frame.scope.arrays:
            what = "a loop around this one" if name in frame.scope.integers else "an angle input"
            raise Wrong("P0003", f"{name} is already {what}", loop.name.span, "give the loop variable another name")
        _check_name(loop.name)
        for value in span_of_range(loop.range, frame.scope, MOST_STEPS):
            self._count(loop.name.span)
            scope = frame.scope.with_integer(name, value)
            self.lower(loop.body, replace(frame, scope=scope, rounds=(*frame.rounds, f"{name} = {value}")))

    def _if(self, block: If, frame: Frame) -> None:
        outer = condition(block.condition, frame.scope, self.num_clbits)
        self.lower(block.body, replace(frame, conditions=(*frame.conditions, outer)))

    def _count(self, span: Span) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            # Ends the reading: going on would only take time and memory.
            self.faults.add("P0004", f"the block unrolls to more than {MOST_STEPS} gates and loop rounds", span)
            raise self.faults.error()

    # Gates

    def _call(self, call: GateCall, frame: Frame) -> None:
        name = call.name.text
        when = self._condition(call, frame)
        if name == "phase":
            self._phase(call, frame, when)
        elif name in self.definitions:
            self._defined(call, frame, when)
        elif name in OPCODES:
            self._built_in(call, GATES[OPCODES[name]], frame, when)
        else:
            known = [*OPCODES, *self.definitions, "phase"]
            help = f"it is called {ELSEWHERE[name]} here" if name in ELSEWHERE else did_you_mean(name, known)
            raise Wrong("P0002", f"there is no gate {name}", call.name.span, help)

    def _condition(self, call: GateCall, frame: Frame) -> Condition | None:
        parts = list(frame.conditions)
        if call.condition is not None:
            parts.append(condition(call.condition, frame.scope, self.num_clbits))
        joined: Condition | None = None
        for part in parts:
            joined = part if joined is None else ("and", joined, part)
        return joined

    def _phase(self, call: GateCall, frame: Frame, when: Condition | None) -> None:
        if call.operands or call.targets or len(call.arguments) != 1:
            raise Wrong("P0005", "phase takes one angle and no qubits", call.name.span, "phase(pi/4);")
        if when is not None:
            raise Wrong("P0005", "a global phase has no condition", call.name.span)
        self.phase += evaluate(call.arguments[0], frame.scope)

    def _built_in(self, call: GateCall, gate: Gate, frame: Frame, when: Condition | None) -> None:
        pauli, arguments = _pauli_letters(call) if gate.name == "pauli" else (None, call.arguments)
        _check_angles(call.name, len(arguments), gate.angles)
        angles = self._angles(arguments, frame)
        targets = self._targets(call, gate, frame)
        opcode = OPCODES[gate.name]
        if gate.qubits < 0:
            operands = [frame.qubits(o, frame.scope)[0] for o in call.operands]
            wires = tuple(w for group in operands for w in group)
            if pauli is not None and len(pauli) != len(wires):
                message = f'"{pauli}" has {len(pauli)} letters for {len(wires)} qubits'
                raise Wrong("C0003", message, call.arguments[0].span, "one letter I, X, Y or Z for every qubit")
            placed = [wires]
        else:
            placed = _broadcast(call, gate.qubits, frame)
        if targets and len(targets) != len(placed):
            message = f"{len(placed)} qubits are measured into {len(targets)} bits"
            raise Wrong("C0003", message, call.targets[0].span)
        for wires in placed:
            _check_distinct(call, wires)
        for k, wires in enumerate(placed if angles is not None else ()):
            self._count(call.name.span)
            clbits = (targets[k],) if targets else ()
            self.emit(opcode, wires, angles or (), call.name.span, clbits=clbits, pauli=pauli, condition=when)

    def _angles(self, arguments: Sequence[Expression], frame: Frame) -> tuple[Affine, ...] | None:
        """The angles of a call; None after faults, which are recorded so that the qubits are still looked at."""
        out: list[Affine] = []
        for argument in arguments:
            try:
                out.append(evaluate(argument, frame.scope))
            except Wrong as wrong:
                self._record(wrong, frame)
        return tuple(out) if len(out) == len(arguments) else None

    def _targets(self, call: GateCall, gate: Gate, frame: Frame) -> list[int]:
        """The bits that a measurement writes."""
        if gate.name != "measure":
            if call.targets:
                raise Wrong("P0005", f"{gate.name} writes no bit, only measure does", call.targets[0].span)
            return []
        if len(call.targets) != 1:
            raise Wrong("C0003", "measure needs one target", call.name.span, "measure q[0] -> c[0];")
        target = call.targets[0]
        if target.name.text != "c":
            raise Wrong(
                "P0002", f"there is no bit {target.name.text}", target.span, "classical bits are c[0], c[1], ..."
            )
        bits = [bit_number(b, self.num_clbits, target.span) for b in _indices(target, self.num_clbits, frame.scope)[0]]
        read = {b for c in frame.conditions for b in bits_of(c)}
        if read.intersection(bits):
            raise Wrong("P0005", "this writes a bit that the if block around it reads", target.span)
        return bits

    def _defined(self, call: GateCall, frame: Frame, when: Condition | None) -> None:
        template = self.definitions[call.name.text]
        if template is None:
            return  # its definition is wrong, which is reported there
        if call.targets:
            raise Wrong("P0005", f"{call.name.text} writes no bit, only measure does", call.targets[0].span)
        _check_angles(call.name, len(call.arguments), template.angles)
        given = self._angles(call.arguments, frame)
        placed = _broadcast(call, template.qubits, frame)
        for wires in placed:
            _check_distinct(call, wires)
        if given is None:
            return
        if when is not None and template.phase != ZERO:
            message = f"{call.name.text} has a global phase, which cannot have a condition"
            raise Wrong("P0005", message, call.name.span)
        gates = [(code, at, tuple(a.substituted(given) for a in forms), p) for code, at, forms, p in template.gates]
        phase = template.phase.substituted(given)
        for wires in placed:
            for opcode, at, forms, pauli in gates:
                self._count(call.name.span)
                self.emit(opcode, tuple(wires[k] for k in at), forms, call.name.span, pauli=pauli, condition=when)
            self.phase += phase


class CircuitBody(Body):
    """The body of a circuit: gates become rows of columns."""

    def __init__(
        self,
        faults: Faults,
        definitions: Mapping[str, Template | None],
        runs: Sequence[GateRun],
        num_qubits: int,
        num_clbits: int,
    ) -> None:
        super().__init__(faults, definitions, runs)
        self.columns = Columns()
        self.num_qubits = num_qubits
        self.num_clbits = num_clbits

    def emit(
        self,
        opcode: int,
        wires: tuple[int, ...],
        angles: tuple[Affine, ...],
        span: Span,
        *,
        clbits: tuple[int, ...] = (),
        pauli: str | None = None,
        condition: Condition | None = None,
    ) -> None:
        columns = self.columns
        rows = tuple(columns.angles.add(_row(a, span)) for a in angles)
        columns.opcode.append(opcode)
        columns.wires.append(wires)
        columns.angle_rows.append(rows)
        columns.clbits.append(clbits)
        columns.payload.append(columns.payload_of(pauli))
        columns.condition.append(columns.condition_of(condition))
        columns.line.append(span.line)
        columns.column.append(span.column)

    def take_run(self, run: GateRun, frame: Frame) -> None:
        """Plain lines at the top of a circuit are taken as columns, except those that something is wrong with."""
        if not frame.plain:
            super().take_run(run, frame)
            return
        for k in take_run(run, self.columns, frame.scope, self.num_qubits, self.num_clbits):
            self.lower([run.statement(k)], frame)

    def _call(self, call: GateCall, frame: Frame) -> None:
        super()._call(products.written_out(call) if call.name.text == products.NAME else call, frame)

    def qubits(self, reference: Reference, scope: Scope) -> tuple[list[int], bool]:
        """The qubits that an operand names, and whether it is a group of them."""
        if reference.name.text != "q":
            raise Wrong(
                "P0002", f"there is no qubit {reference.name.text}", reference.span, "qubits are called q[0], q[1], ..."
            )
        numbers, many = _indices(reference, self.num_qubits, scope)
        for k in numbers:
            if not 0 <= k < self.num_qubits:
                last = self.num_qubits - 1
                known = f"q[0] to q[{last}]" if last > 0 else "q[0]" if last == 0 else "no qubit"
                raise Wrong("C0001", f"there is no qubit q[{k}]", reference.span, f"the circuit has {known}")
        return numbers, many


class GateBody(Body):
    """The body of a gate definition: gates become a template."""

    def __init__(
        self, faults: Faults, definitions: Mapping[str, Template | None], runs: Sequence[GateRun], block: GateBlock
    ) -> None:
        super().__init__(faults, definitions, runs)
        self.gates: list[tuple[int, tuple[int, ...], tuple[Affine, ...], str | None]] = []
        self.block = block
        self.formals = {name.text: k for k, name in enumerate(block.qubits)}

    def emit(
        self,
        opcode: int,
        wires: tuple[int, ...],
        angles: tuple[Affine, ...],
        span: Span,
        *,
        clbits: tuple[int, ...] = (),
        pauli: str | None = None,
        condition: Condition | None = None,
    ) -> None:
        self.gates.append((opcode, wires, angles, pauli))

    def _call(self, call: GateCall, frame: Frame) -> None:
        name = call.name.text
        if name in ("measure", "reset") or call.condition is not None:
            what = f"no {name}" if name in ("measure", "reset") else "no condition"
            help = "write it in the circuit itself"
            raise Wrong("P0005", f"a gate definition holds unitary gates, {what}", call.name.span, help)
        super()._call(call, frame)

    def _if(self, block: If, frame: Frame) -> None:
        help = "write it in the circuit itself"
        raise Wrong("P0005", "a gate definition holds unitary gates, no condition", block.condition.span, help)

    def qubits(self, reference: Reference, scope: Scope) -> tuple[list[int], bool]:
        """The qubit of the definition that an operand names."""
        name = reference.name.text
        if name not in self.formals:
            help = did_you_mean(name, self.formals) if self.formals else "the gate has no qubits"
            message = f"gate {self.block.name.text} has no qubit {name}"
            raise Wrong("P0002", message, reference.name.span, help)
        if reference.indices:
            raise Wrong("P0005", f"{name} is a single qubit, it has no index", reference.span)
        return [self.formals[name]], False


def _indices(reference: Reference, size: int, scope: Scope) -> tuple[list[int], bool]:
    """The numbers in `name[...]`, or all below `size` for the name alone."""
    if not reference.indices:
        return list(range(size)), True
    if len(reference.indices) != 1:
        raise Wrong("P0005", f"{reference.name.text} has one index", reference.span)
    index = reference.indices[0]
    if isinstance(index, Slice):
        return list(span_of_range(index, scope, size)), True
    return [integer(index, scope)], False


def _pauli_letters(call: GateCall) -> tuple[str, tuple[Expression, ...]]:
    """The letters of a `pauli` call, and its angle."""
    help = 'pauli("XYZ", angle) q[0], q[1], q[2];'
    first = call.arguments[0] if call.arguments else None
    if not isinstance(first, Reference) or not first.name.quoted or first.indices:
        span = call.name.span if first is None else first.span
        raise Wrong("P0005", "pauli needs its letters in quotes first", span, help)
    letters = first.name.text
    if not set(letters) <= set("IXYZ"):
        raise Wrong("P0005", f"{letters!r} is not made of the letters I, X, Y and Z", first.span, help)
    return letters, call.arguments[1:]


def _check_angles(name: Name, given: int, needed: int) -> None:
    if given != needed:
        plural = "angle" if needed == 1 else "angles"
        wanted = f"{needed} {plural}" if needed else "no angle"
        raise Wrong("C0003", f"{name.text} takes {wanted}, got {given}", name.span)


def _check_distinct(call: GateCall, wires: tuple[int, ...]) -> None:
    if len(set(wires)) != len(wires):
        span = call.operands[-1].span
        raise Wrong("C0002", f"{call.name.text} uses one qubit twice", span, "every operand needs a qubit of its own")


def _broadcast(call: GateCall, needed: int, frame: Frame) -> list[tuple[int, ...]]:
    """The qubits of every gate that a call makes: groups of qubits go side by side, single ones are repeated."""
    if len(call.operands) != needed:
        plural = "qubit" if needed == 1 else "qubits"
        span = call.operands[-1].span if call.operands else call.name.span
        raise Wrong("C0003", f"{call.name.text} acts on {needed} {plural}, got {len(call.operands)}", span)
    groups = [frame.qubits(o, frame.scope) for o in call.operands]
    sizes = {len(numbers) for numbers, many in groups if many}
    if not sizes:
        return [tuple(numbers[0] for numbers, _ in groups)]
    if len(sizes) > 1:
        message = f"the groups of qubits have different sizes: {', '.join(map(str, sorted(sizes)))}"
        raise Wrong("C0003", message, call.operands[-1].span)
    (size,) = sizes
    return list(zip(*(numbers if many else numbers * size for numbers, many in groups), strict=True))


def _row(form: Affine, span: Span) -> Row:
    try:
        return form.row()
    except OverflowError:
        raise Wrong("P0004", "an angle here is larger than every double", span) from None


# Blocks


def lower_definitions(
    blocks: Sequence[GateBlock], faults: Faults, runs: Sequence[GateRun]
) -> dict[str, Template | None]:
    """The gates that the file defines. A definition may use those before it. None: the definition is wrong."""
    definitions: dict[str, Template | None] = {}
    for block in blocks:
        name = block.name.text
        if name in definitions or name in OPCODES or name == "phase":
            what = "defined twice" if name in definitions else "already a gate of the language"
            faults.add("P0003", f"gate {name} is {what}", block.name.span, "give it another name")
        else:
            definitions[name] = _definition(block, definitions, faults, runs)
    return definitions


def _definition(
    block: GateBlock, known: Mapping[str, Template | None], faults: Faults, runs: Sequence[GateRun]
) -> Template | None:
    before = faults.count
    for name in [*repeated(block.qubits), *repeated(block.angles)]:
        faults.add("P0003", f"{name.text} is named twice", name.span)
    for name in block.angles:
        try:
            _check_name(name)
        except Wrong as wrong:
            wrong.record(faults)
    body = GateBody(faults, known, runs, block)
    scope = Scope({name.text: (k, ()) for k, name in enumerate(block.angles)})
    body.lower(block.body, Frame(scope, body.qubits))
    if faults.count > before:
        return None
    return Template(len(block.qubits), len(block.angles), body.gates, body.phase)


def _check_name(name: Name) -> None:
    """A name that stands in angles is not pi."""
    if name.text == "pi" and not name.quoted:
        raise Wrong("P0003", "pi is the number pi", name.span, 'give it another name, or quote it everywhere: "pi"')


def repeated(names: Sequence[Name]) -> list[Name]:
    """Every name that an earlier one equals."""
    seen: set[str] = set()
    return [name for name in names if name.text in seen or seen.add(name.text)]


def lower_circuit(
    block: CircuitBlock, definitions: Mapping[str, Template | None], faults: Faults, runs: Sequence[GateRun]
) -> Circuit:
    """The circuit of a block; where something is wrong in it, what is right of it."""
    inputs = _angle_inputs(block.inputs, faults)
    qubits = _size(block.qubits, "qubits", faults)
    bits = 0 if block.bits is None else _size(block.bits, "bits", faults)
    body = CircuitBody(faults, definitions, runs, qubits, bits)
    body.lower(block.body, Frame(Scope.of(inputs), body.qubits))
    try:
        phase = _row(body.phase, block.name.span)
    except Wrong as wrong:
        wrong.record(faults)
        phase = ZERO_ROW
    return body.columns.circuit(block.name.text, qubits, bits, inputs, phase, faults.location(block.key.span))


def _size(literal: Number, what: str, faults: Faults) -> int:
    try:
        return whole(literal, MOST_QUBITS, what)
    except Wrong as wrong:
        wrong.record(faults)
        return 0


def _angle_inputs(parameters: Sequence[AngleParameter], faults: Faults) -> tuple[AngleInput, ...]:
    for name in repeated([p.name for p in parameters]):
        faults.add("P0003", f"angle input {name.text} is declared twice", name.span)
    inputs: list[AngleInput] = []
    left = MOST_VARIABLES
    for p in parameters:
        try:
            _check_name(p.name)
            shape = tuple(whole(size, MOST_VARIABLES, "angles") for size in p.shape)
            array = AngleInput(p.name.text, shape, "weight" if p.weight else "input")
            # Sizes multiply to more than an int64 holds, so they are counted as Python numbers.
            left -= prod(shape)
            if left < 0:
                raise Wrong("P0004", f"the circuit has more than {MOST_VARIABLES} angles", p.name.span)
            inputs.append(array)
        except Wrong as wrong:
            wrong.record(faults)
    return tuple({a.name: a for a in inputs}.values())
