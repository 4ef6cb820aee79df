"""What a .qsc text says, as plain dataclasses: the parser makes them, the lowering reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of one line. `line` and `column` count from 1; length 0 means the rest of the line."""

    line: int
    column: int
    length: int = 1


class Name(NamedTuple):
    """A name as written, without its quotes. `quoted`: whether it had them."""

    text: str
    span: Span
    quoted: bool = False


# Expressions


@dataclass(frozen=True, slots=True)
class Number:
    """A literal, as written."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Pi:
    """The number pi."""

    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` or `name[index, ...]`."""

    name: Name
    indices: tuple[Index, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    """`first..last`, or `first..=last` where `inclusive`."""

    first: Expression
    last: Expression
    inclusive: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Prefixed:
    """`-`, `!` or `~` before an expression."""

    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Chain:
    """`first op item op item ...`, operators of one rank, from left to right."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]
    span: Span


Expression = Number | Pi | Reference | Prefixed | Chain
Index = Expression | Slice


# Circuits


@dataclass(frozen=True, slots=True)
class GateCall:
    """`name(arguments) operands -> targets if condition;`."""

    name: Name
    arguments: tuple[Expression, ...]
    operands: tuple[Reference, ...]
    targets: tuple[Reference, ...]
    condition: Expression | None


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive plain gate lines, taken out of the text before it was parsed; `number` in the list of runs."""

    number: int


@dataclass(frozen=True, slots=True)
class For:
    """`for name in range { body }`."""

    name: Name
    range: Slice
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class If:
    """`if condition { body }`."""

    condition: Expression
    body: tuple[Statement, ...]


Statement = GateCall | Run | For | If


@dataclass(frozen=True, slots=True)
class AngleParameter:
    """One angle input of a circuit."""

    name: Name
    shape: tuple[Number, ...]
    weight: bool


@dataclass(frozen=True, slots=True)
class CircuitBlock:
    """`circuit key as name(inputs) on qubits qubits, bits bits { body }`."""

    key: Name
    name: Name
    inputs: tuple[AngleParameter, ...]
    qubits: Number
    bits: Number | None
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class GateBlock:
    """`gate name(qubits)(angles) { body }`."""

    name: Name
    qubits: tuple[Name, ...]
    angles: tuple[Name, ...]
    body: tuple[Statement, ...]


# Logic


@dataclass(frozen=True, slots=True)
class CellLine:
    """`outputs = cell(inputs);`."""

    outputs: tuple[Name, ...]
    cell: Name
    inputs: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class CellRun:
    """Consecutive plain cell lines, taken out of the text before it was parsed."""

    number: int


@dataclass(frozen=True, slots=True)
class NetlistBlock:
    """`netlist key as name(ports, clock clk) -> (port=net, ...) { cells }`."""

    key: Name
    name: Name
    inputs: tuple[Name, ...]
    clocks: tuple[Name, ...]
    outputs: tuple[tuple[Name, Name], ...]
    cells: tuple[CellLine | CellRun, ...]


@dataclass(frozen=True, slots=True)
class LogicBlock:
    """`logic key as name(inputs) -> (outputs) { net = expression; ... }`."""

    key: Name
    name: Name
    inputs: tuple[Name, ...]
    outputs: tuple[Name, ...]
    assignments: tuple[tuple[Name, Expression], ...]


# The graph


@dataclass(frozen=True, slots=True)
class TypeName:
    """`f32[?,3]`."""

    dtype: Name
    sizes: tuple[Number | Word, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node came from before it was printed."""

    file: str
    line: int
    column: int
    path: str


@dataclass(frozen=True, slots=True)
class WeightName:
    """`@name`."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Signed:
    """A number with its sign, as an attribute or a weight holds it."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Word:
    """`true`, `false`, `none` or `?`."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    """`[value, ...]`."""

    values: tuple[Literal, ...]
    span: Span


Literal = Signed | Text | Word | Items


@dataclass(frozen=True, slots=True)
class Attribute:
    """`key=value`."""

    key: Name
    value: Literal


@dataclass(frozen=True, slots=True)
class Call:
    """`op(operands, attributes)`."""

    op: Name
    operands: tuple[Operand, ...]
    attributes: tuple[Attribute, ...]
    span: Span


Operand = Name | WeightName | Call


@dataclass(frozen=True, slots=True)
class GraphNode:
    """`targets = call at place { bodies }`."""

    targets: tuple[tuple[Name, TypeName | None], ...]
    call: Call
    place: Place | None
    bodies: tuple[tuple[Name, GraphBlock], ...]


@dataclass(frozen=True, slots=True)
class GraphBlock:
    """`(inputs) { nodes; return outputs; }`."""

    inputs: tuple[tuple[Name, TypeName], ...]
    nodes: tuple[GraphNode, ...]
    outputs: tuple[Operand, ...]


# The file


@dataclass(frozen=True, slots=True)
class WeightLine:
    """`weight @name: type = values;`; no values where they live beside the text."""

    name: WeightName
    type: TypeName
    values: tuple[Signed, ...] | None


@dataclass(slots=True)
class SourceFile:
    """Everything that a file holds, in order within each kind."""

    modules: list[Name] = field(default_factory=list)
    weight_files: list[Text] = field(default_factory=list)
    weights: list[WeightLine] = field(default_factory=list)
    circuits: list[CircuitBlock] = field(default_factory=list)
    gates: list[GateBlock] = field(default_factory=list)
    netlists: list[NetlistBlock] = field(default_factory=list)
    logic: list[LogicBlock] = field(default_factory=list)
    mains: list[tuple[Span, GraphBlock]] = field(default_factory=list)
