"""Graph blocks -> graphs: names resolved, types inferred and compared with those that are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...ir import Graph, Location, Module, Node, Op, Type, TypeFault, Value
from ...ir.diagnostics import counted, did_you_mean
from .attributes import build_op
from .faults import Faults, Wrong
from .syntax import Attribute, Call, GraphBlock, GraphNode, Name, Operand, Place, Text, TypeName, WeightName
from .weights import Weights, read_type


class GraphReader:
    """Reads graph blocks against the circuits and netlists of `module`."""

    def __init__(self, module: Module, weights: Weights, faults: Faults) -> None:
        self.module = module
        self.weights = weights
        self.faults = faults

    def read(self, block: GraphBlock) -> Graph:
        """The graph of a block; where something is wrong in it, what is right of it."""
        return _Graph(self, block).graph()


class _Unknown(Exception):  # noqa: N818 - not a fault of its own: what it depends on is reported
    """A value whose definition is wrong is used."""


class _Graph:
    """One graph while it is read. A value of None is one whose definition is wrong."""

    def __init__(self, reader: GraphReader, block: GraphBlock) -> None:
        self.reader = reader
        self.faults = reader.faults
        self.block = block
        self.values: dict[str, Value | None] = {}
        self.nodes: list[Node] = []
        written = [name for node in block.nodes for name, _ in node.targets]
        self.taken = {name.text for name in (*written, *(name for name, _ in block.inputs))}

    def graph(self) -> Graph:
        inputs = [self._input(name, written) for name, written in self.block.inputs]
        for node in self.block.nodes:
            self._node(node)
        outputs: list[Value] = []
        for operand in self.block.outputs:
            try:
                outputs.append(self._operand(operand))
            except _Unknown:
                continue
            except Wrong as wrong:
                wrong.record(self.faults)
        return Graph(tuple(v for v in inputs if v is not None), tuple(self.nodes), tuple(outputs))

    def _input(self, name: Name, written: TypeName) -> Value | None:
        value = None
        if name.text in self.values:
            self.faults.add("P0003", f"input {name.text} is named twice", name.span)
            return None
        try:
            value = Value(name.text, read_type(written))
        except Wrong as wrong:
            wrong.record(self.faults)
        self.values[name.text] = value
        return value

    def _node(self, node: GraphNode) -> None:
        types: Sequence[Type] | None = None
        try:
            op, operands = self._call(node.call, node.bodies)
            types = self._types(op, operands, node.call)
            results = self._results(node, types)
            self.nodes.append(Node(op, operands, results, self._location(node.place, node.call)))
        except _Unknown:
            pass
        except Wrong as wrong:
            wrong.record(self.faults)
        self._define(node, types)

    def _results(self, node: GraphNode, types: Sequence[Type]) -> tuple[Value, ...]:
        call = node.call
        if len(types) != len(node.targets):
            what = f"{call.op.text} gives {counted(len(types), 'result')}, {', '.join(map(str, types)) or 'nothing'}"
            span = node.targets[0][0].span if node.targets else call.op.span
            raise Wrong("I0005", f"{what}, for {counted(len(node.targets), 'name')}", span)
        for (name, written), actual in zip(node.targets, types, strict=True):
            if written is not None and (declared := read_type(written)) != actual:
                message = f"{name.text} is written as {declared}, {call.op.text} gives {actual}"
                raise Wrong("I0003", message, written.span, f"write {actual}, or nothing: the type is inferred")
        return tuple(Value(name.text, t) for (name, _), t in zip(node.targets, types, strict=True))

    def _define(self, node: GraphNode, types: Sequence[Type] | None) -> None:
        """Make the results known. What is written stands in where the op does not say what they are."""
        for k, (name, written) in enumerate(node.targets):
            if name.text in self.values:
                self.faults.add("P0003", f"{name.text} is defined twice", name.span, "give the new value another name")
                continue
            known = types[k] if types is not None and k < len(types) else None
            if known is None and written is not None:
                try:
                    known = read_type(written)
                except Wrong as wrong:
                    wrong.record(self.faults)
            self.values[name.text] = None if known is None else Value(name.text, known)

    # Calls

    def _call(self, call: Call, bodies: Sequence[tuple[Name, GraphBlock]]) -> tuple[Op, tuple[Value, ...]]:
        kind = Op.registry.get(call.op.text)
        if kind is None:
            for _, block in bodies:
                self.reader.read(block)
            raise Wrong(
                "P0002", f"there is no op {call.op.text}", call.op.span, did_you_mean(call.op.text, Op.registry)
            )
        before = self.faults.count
        graphs = [(key, self.reader.read(block)) for key, block in bodies]
        operands = self._operands(call)
        op = build_op(kind, call, graphs)
        self._check_blocks(op, call.attributes)
        if None in operands or self.faults.count > before:
            raise _Unknown
        return op, tuple(v for v in operands if v is not None)

    def _operands(self, call: Call) -> list[Value | None]:
        """Every operand, with the faults of all; None for a wrong one."""
        out: list[Value | None] = []
        for operand in call.operands:
            value = None
            try:
                value = self._operand(operand)
            except _Unknown:
                pass
            except Wrong as wrong:
                wrong.record(self.faults)
            out.append(value)
        return out

    def _operand(self, operand: Operand) -> Value:
        if isinstance(operand, Call):
            return self._nested(operand)
        if isinstance(operand, WeightName):
            array = self.reader.weights.find(operand)
            if array is None:
                raise _Unknown
            return Module("", weights={operand.name: array}).weight_value(operand.name)
        if operand.text not in self.values:
            raise self._missing(operand)
        value = self.values[operand.text]
        if value is None:
            raise _Unknown
        return value

    def _missing(self, name: Name) -> Wrong:
        if name.text in self.taken:
            help = f"{name.text} is defined further down; a value is defined before it is used"
        else:
            help = did_you_mean(name.text, self.values) if self.values else "this graph has no values before this line"
        return Wrong("P0002", f"there is no value {name.text}", name.span, help)

    def _nested(self, call: Call) -> Value:
        """The result of a call that stands as an operand."""
        op, operands = self._call(call, ())
        types = self._types(op, operands, call)
        if len(types) != 1:
            message = f"{call.op.text} gives {counted(len(types), 'result')}, an operand is one value"
            raise Wrong("I0005", message, call.span, f"give them names: a, b = {call.op.text}(...);")
        value = Value(self._fresh(call.op.text), types[0])
        self.nodes.append(Node(op, operands, (value,), self._location(None, call)))
        return value

    def _fresh(self, wanted: str) -> str:
        name, count = wanted, 0
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def _check_blocks(self, op: Op, attributes: Sequence[Attribute]) -> None:
        """The circuit or netlist that an op names is there."""
        tables: dict[str, Mapping[str, object]] = {
            "circuit": self.reader.module.circuits,
            "netlist": self.reader.module.netlists,
        }
        for attribute in attributes:
            key, value = attribute.key.text, attribute.value
            if key in tables and isinstance(value, Text) and value.value not in tables[key]:
                known = tables[key]
                help = did_you_mean(value.value, known) if known else f"the file has no {key}"
                raise Wrong("I0004", f"there is no {key} {value.value}", value.span, help)

    def _types(self, op: Op, operands: Sequence[Value], call: Call) -> tuple[Type, ...]:
        least, most = op.operands
        if len(operands) < least or (most is not None and len(operands) > most):
            raise Wrong("P0005", f"{op.mnemonic} needs {_between(least, most)}, got {len(operands)}", call.span)
        try:
            return op.result_types(tuple(v.type for v in operands), self.reader.module)
        except TypeFault as fault:
            raise Wrong(fault.code, f"{op.mnemonic}: {fault.message}", call.span, fault.help) from None

    def _location(self, place: Place | None, call: Call) -> Location:
        if place is None:
            return self.faults.location(call.op.span)
        return Location(place.file, place.line, place.column, place.path)


def _between(least: int, most: int | None) -> str:
    if least == most:
        return counted(least, "operand")
    if most is None:
        return f"{least} or more operands"
    return f"{least} {'or' if most == least + 1 else 'to'} {most} operands"
