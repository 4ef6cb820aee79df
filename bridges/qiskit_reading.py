"""Qiskit's circuits as circuits of the IR."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from qiskit.circuit import (
    Barrier,
    BoxOp,
    Clbit,
    ControlFlowOp,
    ControlledGate,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Operation,
    QuantumCircuit,
    Qubit,
    Reset,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.controlflow import CASE_DEFAULT
from qiskit.circuit.library import GlobalPhaseGate, PauliEvolutionGate, PauliProductRotationGate
from qiskit.synthesis import LieTrotter
from qiskit.transpiler.passes import HighLevelSynthesis

from ..ir import Circuit, Location
from ..ir.angles import Row
from ..ir.diagnostics import UNKNOWN
from ..ir.gates import OPCODES
from .bits import Bit, both, either, negated
from .faults import unconvertible
from .qiskit_angles import Angles, Named, Symbol, declare
from .qiskit_bits import equals, test_of, word_of
from .writer import BitChanged, Writer

Step: TypeAlias = Any
"""A qiskit CircuitInstruction, which type checkers do not see as a class."""

_RENAMED = {"u": "u3", "u1": "p", "cu1": "cp"}
_NOT_GATES = ("pauli", "measure", "reset", "barrier")

OPCODE_OF = {name: code for name, code in OPCODES.items() if name not in _NOT_GATES}
OPCODE_OF |= {theirs: OPCODES[ours] for theirs, ours in _RENAMED.items()}
"""Name of a standard gate of Qiskit -> opcode of the gate with the same matrix, qubit order and angle order."""

_KEPT_WHOLE = ("measure", "reset", "barrier", "delay", "unitary", "PauliEvolution", "pauli_product_rotation")
"""Operations that are taken as they are, or whose definition is right."""

_LONGEST_LOOP = 1 << 16
_NUMBERED = re.compile(r"^circuit-\d+$")
"""Names that Qiskit makes by counting circuits, which differ from run to run."""


class Rows(Protocol):
    """What `to_qiskit` said of a circuit: the circuit, its parameters, and the angle row of each."""

    @property
    def source(self) -> Circuit: ...
    @property
    def parameters(self) -> tuple[Symbol, ...]: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...


@dataclass(frozen=True)
class Read:
    """A circuit, and the value of each of the foreign circuit's bits at its end over the bits of this one."""

    circuit: Circuit
    bits: tuple[Bit, ...]


def from_qiskit(
    qc: QuantumCircuit,
    *,
    inputs: Iterable[Named] | None = None,
    weights: Iterable[Named] | None = None,
    like: Rows | None = None,
    name: str | None = None,
) -> Circuit:
    """The same circuit in the IR, its registers flattened in order, global phase and classical control kept.

    inputs, weights: ParameterVectors, Parameters or their names that are data or trainable; without either all are
    data, with only one of them the rest is of the other role. A ParameterVector becomes an array, any other parameter
    a scalar. like: what `to_qiskit` gave, for a circuit that Qiskit has made of that one: parameters become the rows
    they stand for, and the result has the same angle inputs. Gates that the IR lacks are taken by their definitions,
    `for` loops are unrolled, delays are dropped.

    Raises UnconvertibleError (M0005) for angles that are not affine in the parameters (NotAffineError), `while`,
    variables other than bits, and instructions without a definition; InputError P0002 and P0003 for wrong `inputs` and
    `weights`.
    """
    return read_circuit(qc, inputs=inputs, weights=weights, like=like, name=name).circuit


def read_circuit(
    qc: QuantumCircuit,
    *,
    inputs: Iterable[Named] | None = None,
    weights: Iterable[Named] | None = None,
    like: Rows | None = None,
    name: str | None = None,
    place: Location = UNKNOWN,
) -> Read:
    """As `from_qiskit`, with the values of the bits. place: the source of the circuit."""
    if like is None:
        arrays, rows = declare(qc, inputs, weights)
    else:
        arrays, rows = like.source.inputs, dict(zip(like.parameters, like.rows, strict=True))
    label = name or (like.source.name if like is not None else _NUMBERED.sub("circuit", qc.name))
    qc = _without_wide_controls(qc)
    try:
        writer = _written(qc, rows, fresh=False)
    except BitChanged:
        writer = _written(qc, rows, fresh=True)
    return Read(writer.circuit(label, arrays, place), tuple(writer.bits))


def final_permutation(qc: QuantumCircuit) -> tuple[int, ...]:
    """Where a transpiled circuit leaves each qubit of the circuit that it was made of: qubit q ends on `final[q]`."""
    if qc.layout is None:
        return tuple(range(qc.num_qubits))
    return tuple(qc.layout.final_index_layout())


def _written(qc: QuantumCircuit, rows: Mapping[Symbol, Row], fresh: bool) -> Writer:
    writer = Writer(qc.num_qubits, qc.num_clbits, fresh)
    reader = _Reader(writer, Angles(writer.angles, rows))
    scope = _Scope({qubit: k for k, qubit in enumerate(qc.qubits)}, {bit: k for k, bit in enumerate(qc.clbits)})
    reader.circuit(qc, scope)
    return writer


@dataclass(frozen=True)
class _Scope:
    """What the qubits and bits of a circuit or a block are, as numbers."""

    wires: Mapping[Qubit, int]
    bits: Mapping[Clbit, int]

    def of(self, inner: QuantumCircuit, step: Step) -> _Scope:
        """The scope of a definition or block of an instruction."""
        wires = {ours: self.wires[theirs] for ours, theirs in zip(inner.qubits, step.qubits, strict=True)}
        return _Scope(wires, {ours: self.bits[theirs] for ours, theirs in zip(inner.clbits, step.clbits, strict=True)})


class _Reader:
    """Appends Qiskit's instructions to a writer."""

    def __init__(self, writer: Writer, angles: Angles) -> None:
        self.writer = writer
        self.angles = angles

    def circuit(self, qc: QuantumCircuit, scope: _Scope) -> None:
        for variable in qc.iter_vars():
            raise unconvertible(
                f"the circuit {qc.name} has the variable {variable.name} of type {variable.type}",
                help="only classical bits and registers are taken",
            )
        if qc.global_phase != 0:
            self.writer.turn(self.angles.row(qc.global_phase, "global_phase"))
        wires, add, index = scope.wires, self.writer.add, self.angles.index
        for step in qc.data:
            name = step.name
            opcode = OPCODE_OF.get(name)
            if opcode is None or not step.is_standard_gate():
                self._other(step, scope)
                continue
            angles = tuple([index(angle, name) for angle in step.params])
            add(opcode, tuple([wires[qubit] for qubit in step.qubits]), angles)

    def _other(self, step: Step, scope: _Scope) -> None:
        operation = step.operation
        handler = next((_HANDLERS[kind] for kind in type(operation).__mro__ if kind in _HANDLERS), None)
        if handler is None or not handler(self, step, operation, scope):
            inner = _definition(operation)
            self.circuit(inner, scope.of(inner, step))

    def _measure(self, step: Step, _: Any, scope: _Scope) -> bool:
        self.writer.measure(scope.wires[step.qubits[0]], scope.bits[step.clbits[0]])
        return True

    def _reset(self, step: Step, _: Any, scope: _Scope) -> bool:
        self.writer.add(OPCODES["reset"], (scope.wires[step.qubits[0]],))
        return True

    def _barrier(self, step: Step, _: Any, scope: _Scope) -> bool:
        with self.writer.always():
            self.writer.add(OPCODES["barrier"], tuple(scope.wires[q] for q in step.qubits))
        return True

    def _nothing(self, step: Step, _: Any, scope: _Scope) -> bool:
        return True

    def _phase(self, step: Step, operation: GlobalPhaseGate, _: _Scope) -> bool:
        self.writer.turn(self.angles.row(operation.params[0], operation.name))
        return True

    def _rotation(self, step: Step, operation: PauliProductRotationGate, scope: _Scope) -> bool:
        pauli = operation.pauli()
        label: str = pauli.to_label()
        letters = label.lstrip("+-")[::-1]
        wires = tuple(scope.wires[q] for q in step.qubits)
        angle = -operation.params[0] if label.startswith("-") else operation.params[0]
        self.writer.pauli(letters, wires, self.angles.index(angle, operation.name))
        return True

    def _evolution(self, step: Step, operation: PauliEvolutionGate, scope: _Scope) -> bool:
        """A product formula gives its rotations itself; the ladders of CX in its definition hide them."""
        formula = operation.synthesis
        if type(formula) is not LieTrotter or formula.settings.get("insert_barriers"):
            return False
        for letters, qubits, angle in formula.expand(operation):
            wires = tuple(scope.wires[step.qubits[q]] for q in qubits)
            self.writer.pauli(letters, wires, self.angles.index(angle, operation.name))
        return True

    # Control flow

    def _if(self, step: Step, operation: IfElseOp, scope: _Scope) -> bool:
        test = test_of(operation.condition, self._values(scope))
        return self._cases(zip((test, negated(test)), operation.blocks, strict=False), step, scope)

    def _switch(self, step: Step, operation: SwitchCaseOp, scope: _Scope) -> bool:
        target = word_of(operation.target, self._values(scope))
        cases: list[tuple[Bit, QuantumCircuit]] = []
        taken: Bit = False
        for labels, block in operation.cases_specifier():
            here: Bit = False
            for label in labels:
                here = True if label is CASE_DEFAULT else either(here, equals(target, int(label)))
            cases.append((both(here, negated(taken)), block))
            taken = either(taken, here)
        return self._cases(cases, step, scope)

    def _cases(self, cases: Iterable[tuple[Bit, QuantumCircuit]], step: Step, scope: _Scope) -> bool:
        """Blocks whose tests were all read at this point."""
        start = len(self.writer.rows)
        for test, block in cases:
            with self.writer.under(test, start) as possible:
                if possible:
                    self._block(block, step, scope)
        return True

    def _for(self, step: Step, operation: ForLoopOp, scope: _Scope) -> bool:
        steps, parameter, body = operation.params
        if len(steps) > _LONGEST_LOOP:
            raise unconvertible(f"a for loop of {len(steps)} turns is too long to be unrolled")
        for value in steps:
            bound = parameter is not None and parameter in body.parameters
            turn = body.assign_parameters({parameter: value}) if bound else body
            self._block(turn, step, scope)
        return True

    def _box(self, step: Step, operation: BoxOp, scope: _Scope) -> bool:
        self._block(operation.blocks[0], step, scope)
        return True

    def _while(self, step: Step, operation: WhileLoopOp, _: _Scope) -> bool:
        raise unconvertible(
            "a while loop has no fixed number of turns", help="write the turns out, or as a for loop of that many turns"
        )

    def _flow(self, step: Step, operation: ControlFlowOp, _: _Scope) -> bool:
        raise unconvertible(f"the instruction {operation.name} is not taken")

    def _block(self, block: QuantumCircuit, step: Step, scope: _Scope) -> None:
        self.circuit(block, scope.of(block, step))

    def _values(self, scope: _Scope) -> Mapping[Clbit, Bit]:
        return {bit: self.writer.bits[k] for bit, k in scope.bits.items()}


_Handler = Callable[[_Reader, Step, Any, _Scope], bool]

_HANDLERS: dict[type, _Handler] = {
    Measure: _Reader._measure,
    Reset: _Reader._reset,
    Barrier: _Reader._barrier,
    Delay: _Reader._nothing,
    GlobalPhaseGate: _Reader._phase,
    PauliProductRotationGate: _Reader._rotation,
    PauliEvolutionGate: _Reader._evolution,
    IfElseOp: _Reader._if,
    SwitchCaseOp: _Reader._switch,
    ForLoopOp: _Reader._for,
    BoxOp: _Reader._box,
    WhileLoopOp: _Reader._while,
    ControlFlowOp: _Reader._flow,
}
"""Class of operation -> method that takes it, or says False to have it taken by its definition."""


def _without_wide_controls(qc: QuantumCircuit) -> QuantumCircuit:
    """Gates with more than two controls by Qiskit's own synthesis, which makes use of the qubits beside them."""
    if not any(_holds_wide_control(step.operation) for step in qc.data):
        return qc
    kept = [*OPCODE_OF, *_KEPT_WHOLE]
    # Whoever has the circuit may put it behind other gates, so its qubits are not taken to start in |0>.
    return HighLevelSynthesis(basis_gates=kept, qubits_initially_zero=False)(qc)


def _holds_wide_control(operation: Operation) -> bool:
    if isinstance(operation, ControlledGate) and operation.num_ctrl_qubits > 2:
        return True
    if operation.num_qubits <= 3 or operation.name in _KEPT_WHOLE:
        return False
    inner = getattr(operation, "blocks", None) or [getattr(operation, "definition", None)]
    return any(_holds_wide_control(step.operation) for block in inner if block is not None for step in block.data)


def _definition(operation: Operation) -> QuantumCircuit:
    """What an operation stands for; by Qiskit's own synthesis where it has no definition."""
    inner = getattr(operation, "definition", None)
    if inner is not None:
        return inner
    whole = QuantumCircuit(operation.num_qubits, operation.num_clbits)
    whole.append(operation, whole.qubits, whole.clbits)
    inner = HighLevelSynthesis()(whole)
    if inner is None or any(step.name == operation.name for step in inner.data):
        raise unconvertible(f"the instruction {operation.name} has no definition", help="give it one, or leave it out")
    return inner
