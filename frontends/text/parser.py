"""Text -> SourceFile: the lark grammar, and what it makes of each rule."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from lark import Lark, Token, Transformer

from .syntax import (
    AngleParameter,
    Attribute,
    Call,
    CellLine,
    CellRun,
    Chain,
    CircuitBlock,
    For,
    GateBlock,
    GateCall,
    GraphBlock,
    GraphNode,
    If,
    Items,
    LogicBlock,
    Name,
    NetlistBlock,
    Number,
    Pi,
    Place,
    Prefixed,
    Reference,
    Run,
    Signed,
    Slice,
    SourceFile,
    Span,
    Text,
    TypeName,
    WeightLine,
    WeightName,
    Word,
)

Rule = Literal["start", "expression", "statement", "cell"]


@cache
def grammar() -> Lark:
    """The parser, made on first use."""
    text = Path(__file__).with_name("qsc.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        parser="lalr",
        start=["start", "expression", "statement", "cell"],
        maybe_placeholders=True,
        transformer=_Builder(),
    )


def parse(text: str, rule: Rule = "start") -> Any:
    """What `rule` says: a SourceFile, an expression, a statement or a cell line. Raises lark's UnexpectedInput."""
    return grammar().parse(text, start=rule)


def _span(token: Token) -> Span:
    return Span(token.line or 0, token.column or 0, len(token))


def _over(first: Span, last: Span) -> Span:
    """From the start of `first` to the end of `last`, or to the end of the line where that is another."""
    same_line = first.line == last.line
    return Span(first.line, first.column, last.column + last.length - first.column if same_line else 0)


def _given(children: list[Any]) -> tuple[Any, ...]:
    """The children that are there: lark puts None for an absent optional part."""
    return tuple(c for c in children if c is not None)


def _number(token: Token) -> Number:
    return Number(str(token), _span(token))


def _block_names(key: Name, name: Name | None) -> tuple[Name, Name]:
    return key, key if name is None else name


class _Builder(Transformer[Token, Any]):
    """One method a rule; the names are the grammar's."""

    # Names and numbers

    def name(self, children: list[Any]) -> Name:
        token = cast(Token, children[0])
        if token.type == "STRING":
            return Name(json.loads(token), _span(token), quoted=True)
        return Name(str(token), _span(token))

    def weight_name(self, children: list[Any]) -> WeightName:
        text = str(children[0])[1:]
        return WeightName(json.loads(text) if text.startswith('"') else text, _span(children[0]))

    def number(self, children: list[Any]) -> Number:
        return _number(children[0])

    def signed(self, children: list[Any]) -> Signed:
        sign, token = children
        if sign is None:
            return Signed(str(token), _span(token))
        return Signed("-" + token, Span(sign.line, sign.column, token.end_column - sign.column))

    def names(self, children: list[Any]) -> tuple[Name, ...]:
        return _given(children)

    names_given = names

    # Expressions

    def pi(self, children: list[Any]) -> Pi:
        return Pi(_span(children[0]))

    def chain(self, children: list[Any]) -> Chain:
        rest = tuple((str(op), item) for op, item in zip(children[1::2], children[2::2], strict=True))
        return Chain(children[0], rest, _over(children[0].span, children[-1].span))

    def prefixed(self, children: list[Any]) -> Prefixed:
        return Prefixed(str(children[0]), children[1], _over(_span(children[0]), children[1].span))

    def reference(self, children: list[Any]) -> Reference:
        name, *indices, end = children
        span = name.span if end is None else _over(name.span, _span(end))
        return Reference(name, _given(indices), span)

    def slice(self, children: list[Any]) -> Slice:
        first, dots, last = children
        return Slice(first, last, dots == "..=", _over(first.span, last.span))

    # Circuits

    def angle_inputs(self, children: list[Any]) -> tuple[AngleParameter, ...]:
        return _given(children)

    def angle_input(self, children: list[Any]) -> AngleParameter:
        role, name, *shape = children
        return AngleParameter(name, tuple(map(_number, _given(shape))), role is not None)

    def circuit(self, children: list[Any]) -> CircuitBlock:
        key, name, inputs, qubits, bits, body = children
        return CircuitBlock(
            *_block_names(key, name), inputs, _number(qubits), None if bits is None else _number(bits), body
        )

    def gate(self, children: list[Any]) -> GateBlock:
        name, qubits, angles, body = children
        return GateBlock(name, qubits, angles or (), body)

    def block(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def gate_call(self, children: list[Any]) -> GateCall:
        name, arguments, operands, targets, condition = children
        return GateCall(name, arguments or (), operands, targets or (), condition)

    def arguments(self, children: list[Any]) -> tuple[Any, ...]:
        return _given(children)

    operands = operands_given = arguments

    def for_loop(self, children: list[Any]) -> For:
        name, first, dots, last, body = children
        return For(name, self.slice([first, dots, last]), body)

    def if_block(self, children: list[Any]) -> If:
        return If(*children)

    def run(self, children: list[Any]) -> Run:
        return Run(int(children[0][1:]))

    # Logic

    def ports(self, children: list[Any]) -> tuple[tuple[bool, Name], ...]:
        return _given(children)

    def port(self, children: list[Any]) -> tuple[bool, Name]:
        clock, name = children
        return clock is not None, name

    outputs = arguments

    def output(self, children: list[Any]) -> tuple[Name, Name]:
        return _block_names(*children)

    def cell(self, children: list[Any]) -> CellLine:
        *outputs, name, inputs = children
        return CellLine(outputs[0], name, inputs)

    def cell_run(self, children: list[Any]) -> CellRun:
        return CellRun(int(children[0][1:]))

    def netlist(self, children: list[Any]) -> NetlistBlock:
        key, name, ports, outputs, *cells = children
        inputs = tuple(port for is_clock, port in ports if not is_clock)
        clocks = tuple(port for is_clock, port in ports if is_clock)
        return NetlistBlock(*_block_names(key, name), inputs, clocks, outputs, tuple(cells))

    def assignment(self, children: list[Any]) -> tuple[Name, Any]:
        return children[0], children[1]

    def logic(self, children: list[Any]) -> LogicBlock:
        key, name, inputs, outputs, *assignments = children
        return LogicBlock(*_block_names(key, name), inputs, outputs, tuple(assignments))

    # The graph

    def size(self, children: list[Any]) -> Number | Word:
        return self.word(children) if children[0] == "?" else _number(children[0])

    def type(self, children: list[Any]) -> TypeName:
        dtype, *sizes, end = children
        return TypeName(dtype, _given(sizes), _over(dtype.span, _span(end)))

    def typed_name(self, children: list[Any]) -> tuple[Name, TypeName]:
        return children[0], children[1]

    typed_names = arguments
    targets = arguments

    def target(self, children: list[Any]) -> tuple[Name, TypeName | None]:
        return children[0], children[1]

    def attribute(self, children: list[Any]) -> Attribute:
        key, value = children
        return Attribute(key, Text(json.loads(value), _span(value)) if isinstance(value, Token) else value)

    def word(self, children: list[Any]) -> Word:
        return Word(str(children[0]), _span(children[0]))

    def list(self, children: list[Any]) -> Items:
        start, *values, end = children
        values = [Text(json.loads(c), _span(c)) if isinstance(c, Token) else c for c in _given(values)]
        return Items(tuple(values), _over(_span(start), _span(end)))

    def call(self, children: list[Any]) -> Call:
        op, *arguments, end = children
        given = _given(arguments)
        attributes = tuple(a for a in given if isinstance(a, Attribute))
        return Call(op, tuple(a for a in given if not isinstance(a, Attribute)), attributes, _over(op.span, _span(end)))

    def place(self, children: list[Any]) -> Place | None:
        file, line, column, path = children
        if file is None and path is None:
            return None
        return Place(
            json.loads(file) if file else "",
            int(line) if line else 0,
            int(column) if column else 0,
            path.text if path else "",
        )

    def body(self, children: list[Any]) -> tuple[Name, GraphBlock]:
        return children[0], children[1]

    def bodies(self, children: list[Any]) -> tuple[tuple[Name, GraphBlock], ...]:
        return tuple(children)

    def node(self, children: list[Any]) -> GraphNode:
        targets, call, place, *bodies = children
        return GraphNode(targets or (), call, place, bodies[0] if bodies else ())

    def graph(self, children: list[Any]) -> GraphBlock:
        inputs, *rest = children
        nodes = tuple(c for c in rest if isinstance(c, GraphNode))
        return GraphBlock(inputs, nodes, tuple(c for c in _given(rest) if not isinstance(c, GraphNode)))

    def main(self, children: list[Any]) -> tuple[Span, GraphBlock]:
        return _span(children[0]), children[1]

    # The file

    def module(self, children: list[Any]) -> Name:
        return children[0]

    def weights_file(self, children: list[Any]) -> Text:
        return Text(json.loads(children[0]), _span(children[0]))

    def number_list(self, children: list[Any]) -> tuple[Signed, ...]:
        return _given(children)

    def weight(self, children: list[Any]) -> WeightLine:
        name, type_, values = children
        return WeightLine(name, type_, (values,) if isinstance(values, Signed) else values)

    def start(self, children: list[Any]) -> SourceFile:
        source = SourceFile()
        kinds: dict[type, list[Any]] = {
            Name: source.modules,
            Text: source.weight_files,
            WeightLine: source.weights,
            CircuitBlock: source.circuits,
            GateBlock: source.gates,
            NetlistBlock: source.netlists,
            LogicBlock: source.logic,
            tuple: source.mains,
        }
        for item in children:
            kinds[type(item)].append(item)
        return source
