"""The graph: typed SSA values, ops that are frozen dataclasses, and the nodes that apply them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from .diagnostics import UNKNOWN, Location
from .types import Type

if TYPE_CHECKING:
    from .module import Module


@dataclass(frozen=True, slots=True)
class Value:
    """A typed name. A name that begins with `@` is a weight of the module; every other is defined once in its graph."""

    name: str
    type: Type

    @property
    def is_weight(self) -> bool:
        return self.name.startswith("@")

    @property
    def weight_name(self) -> str:
        """The name in `Module.weights`."""
        return self.name[1:]

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"


class TypeFault(Exception):  # noqa: N818 - a fault of the program that is checked, not of qsc
    """Raised by a type rule; the verifier adds the place. `code` is a key of `qsc.ir.codes.CODES`."""

    def __init__(self, message: str, help: str = "", code: str = "I0003") -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


@dataclass(frozen=True)
class Op:
    """An operation without its operands: the fields are its attributes, the class states its type rule.

    A subclass sets `mnemonic` (its name in the text form) and `operands` (least and most number of operands; None for
    any number), and defines `result_types`. `coerce` maps a field name to the function that makes the field's value
    from plain numbers, strings and tuples as the text form holds them. `draws`: whether its results are drawn at
    random, so that two of the same give different ones.
    """

    mnemonic: ClassVar[str] = ""
    operands: ClassVar[tuple[int, int | None]] = (1, 1)
    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    elementwise: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    registry: ClassVar[dict[str, type[Op]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("mnemonic"):
            Op.registry[cls.mnemonic] = cls

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        """Types of the results. Raises TypeFault where the operands do not fit."""
        raise TypeError(f"{type(self).__name__} has no type rule")

    def attributes(self) -> dict[str, Any]:
        """The fields that differ from their defaults, in order."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            default = f.default_factory() if f.default_factory is not MISSING else f.default
            if value != default:
                out[f.name] = value
        return out

    @classmethod
    def build(cls, attributes: Mapping[str, Any]) -> Op:
        """The op from attribute values as the text form holds them. TypeError for unknown or missing ones."""
        return cls(**{k: cls.coerce[k](v) if k in cls.coerce else v for k, v in attributes.items()})

    @property
    def bodies(self) -> tuple[Graph, ...]:
        """The graphs that this op holds."""
        return tuple([v for name in _field_names(type(self)) if isinstance(v := getattr(self, name), Graph)])


@cache
def _field_names(op: type[Op]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(op))


@dataclass(frozen=True)
class Node:
    """One application of an op."""

    op: Op
    operands: tuple[Value, ...]
    results: tuple[Value, ...]
    location: Location = field(default=UNKNOWN, compare=False)

    def with_operands(self, rename: Mapping[str, Value]) -> Node:
        """The node with operands replaced by name."""
        return replace(self, operands=tuple(rename.get(v.name, v) for v in self.operands))


@dataclass(frozen=True)
class Graph:
    """Inputs, nodes in an order in which every value is defined before it is used, outputs."""

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]

    def producers(self) -> dict[str, Node]:
        """Value name -> the node that defines it."""
        return {v.name: node for node in self.nodes for v in node.results}

    def consumers(self) -> dict[str, list[Node]]:
        """Value name -> the nodes that use it, in order. Graph outputs are not nodes."""
        out: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(v.name for v in node.operands):
                out.setdefault(name, []).append(node)
        return out

    def walk(self) -> Iterator[Node]:
        """Every node, those of nested bodies after their owner."""
        for node in self.nodes:
            yield node
            for body in node.op.bodies:
                yield from body.walk()

    def names(self) -> set[str]:
        """Every name that the graph defines itself (bodies not counted)."""
        return {v.name for v in self.inputs} | {v.name for node in self.nodes for v in node.results}

    def without_dead_nodes(self) -> Graph:
        """The graph without nodes whose results nothing uses."""
        live = {v.name for v in self.outputs}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if any(v.name in live for v in node.results):
                live.update(v.name for v in node.operands)
                kept.append(node)
        return replace(self, nodes=tuple(reversed(kept)))


def map_nodes(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    """The graph with `change` applied to every node, bodies first."""

    def visit(node: Node) -> Node:
        if not node.op.bodies:
            return change(node)
        bodies = {
            f.name: map_nodes(body, change)
            for f in fields(node.op)
            if isinstance(body := getattr(node.op, f.name), Graph)
        }
        return change(replace(node, op=replace(node.op, **bodies)))

    return replace(graph, nodes=tuple(visit(n) for n in graph.nodes))


class GraphBuilder:
    """Collects nodes, infers result types and gives every value a fresh name."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self._taken: dict[str, int] = {}

    def fresh(self, hint: str) -> str:
        """An unused value name made from `hint`."""
        base = "".join(c if c.isalnum() or c == "_" else "_" for c in hint) or "v"
        base = base if base[0].isalpha() or base[0] == "_" else f"v{base}"
        count = self._taken.get(base)
        self._taken[base] = 1 if count is None else count + 1
        if count is None:
            return base
        return self.fresh(f"{base}_{count}")

    def input(self, name: str, type: Type) -> Value:
        value = Value(self.fresh(name), type)
        self.inputs.append(value)
        return value

    def weight(self, name: str) -> Value:
        """The operand for the module's weight `name`."""
        return self.module.weight_value(name)

    def add(self, op: Op, *operands: Value, name: str = "", location: Location = UNKNOWN) -> tuple[Value, ...]:
        """Append a node and return its results. Raises TypeFault where the operands do not fit."""
        types = op.result_types(tuple(v.type for v in operands), self.module)
        results = tuple(Value(self.fresh(name or op.mnemonic), t) for t in types)
        self.nodes.append(Node(op, operands, results, location))
        return results

    def graph(self, *outputs: Value) -> Graph:
        return Graph(tuple(self.inputs), tuple(self.nodes), outputs)
