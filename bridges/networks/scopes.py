"""What is known of the values of a graph while a network is read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...ir import Graph, Node, Value, ops
from .layers import RefusedError, features
from .plastic import Plastic


class KnownError(Exception):
    """What this depends on is refused, which has been said."""


@dataclass(frozen=True)
class Term:
    """What a part put out `steps` steps ago; `source` is a part, an input, or a value that a loop carries."""

    source: str
    steps: int = 0


@dataclass(frozen=True)
class Signal:
    """The sum of terms. spikes: whether every term is 0 or 1, so that the order of a sum does not matter."""

    terms: tuple[Term, ...]
    spikes: bool = False


@dataclass(frozen=True)
class Line:
    """A delay line, as it is carried in under its name, or after this step's value has been pushed."""

    carried: str
    pushed: bool


@dataclass
class Scope:
    """What is known of the values of one graph. A value is a signal, a constant, a state, a line, or refused."""

    graph: Graph
    signals: dict[str, Signal] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    """Made from weights alone."""
    fills: dict[str, float] = field(default_factory=dict)
    """Filled with one number."""
    given: dict[str, tuple[Value, Scope]] = field(default_factory=dict)
    """Inputs of a loop's body that are constants, and where they come from."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Values that neurons keep to themselves -> the reason against their use."""
    states: dict[str, str | None] = field(default_factory=dict)
    """State that goes into a body -> what its neuron or line makes of it, None as long as none has."""
    lines: dict[str, Line] = field(default_factory=dict)
    pushed: dict[str, Signal] = field(default_factory=dict)
    """Carried line -> what is pushed onto it."""
    spread: dict[str, Value] = field(default_factory=dict)
    """Constants that every row of the batch has -> what they are spread from."""
    plastic: Plastic[Signal] = field(default_factory=lambda: Plastic[Signal]())
    last: dict[str, str] = field(default_factory=dict)
    """What learned weights are at the end -> the part that they are of."""
    outer: Scope | None = None
    """The scope of the graph that a loop stands in."""


def carried_name(name: str, scope: Scope) -> str:
    """The source that stands for what a loop carries; no part's name has a blank."""
    return f"{name} of {id(scope.graph)}"


def is_constant(scope: Scope, value: Value) -> bool:
    return value.is_weight or value.name in scope.constants


def signal_of(scope: Scope, value: Value) -> Signal:
    """The signal of a value that a node reads."""
    if value.name in scope.signals:
        return scope.signals[value.name]
    if value.name in scope.hidden:
        raise RefusedError(scope.hidden[value.name])
    if is_constant(scope, value) or value.name in scope.fills or value.name in scope.spread:
        raise RefusedError("its input is a constant")
    raise KnownError


def note_constant(scope: Scope, node: Node) -> bool:
    """Take note of a node that depends on weights alone; False for any other."""
    op, names = node.op, [v.name for v in node.results]
    if isinstance(op, ops.Constant):
        scope.fills[names[0]] = op.value
    elif isinstance(op, ops.Cast | ops.Expand | ops.Reshape) and node.operands[0].name in scope.fills:
        scope.fills[names[0]] = scope.fills[node.operands[0].name]
    elif isinstance(op, ops.Expand) and node.results[0].type.batched and is_constant(scope, node.operands[0]):
        scope.spread[names[0]] = node.operands[0]
    elif op.bodies or not node.operands or not all(is_constant(scope, v) for v in node.operands):
        return False
    if not node.results[0].type.batched:
        scope.constants.update(names)
    return True


def constant_makers(node: Node, graph: Graph) -> tuple[Node, ...]:
    """The nodes that `node` needs and that are made of weights and constants alone, in order."""
    makers = graph.producers()
    scope = Scope(graph)
    found: list[Node] = []
    for maker in graph.nodes:
        if maker is node:
            break
        if note_constant(scope, maker):
            found.append(maker)
    known = {v.name for maker in found for v in maker.results}
    needed: set[str] = set()
    waiting = [v.name for v in node.operands if v.name in known]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [v.name for v in makers[name].operands if v.name in known]
    return tuple(m for m in found if any(v.name in needed for v in m.results))


def sum_of(scope: Scope, node: Node) -> Signal:
    if len(node.operands) != 2 or any(is_constant(scope, v) or v.name in scope.fills for v in node.operands):
        raise RefusedError("it adds a constant; a network adds what parts put out")
    a, b = node.operands
    if features(a.type) != features(b.type):
        raise RefusedError(f"it adds {a.type} and {b.type}; a network adds signals of one shape")
    return added(scope, node.operands)


def added(scope: Scope, values: Sequence[Value]) -> Signal:
    """The sum of signals."""
    signals = [signal_of(scope, value) for value in values]
    terms = tuple(term for signal in signals for term in signal.terms)
    if len(set(terms)) != len(terms):
        raise RefusedError("it adds one value twice; a network has one edge from a part to a part")
    return Signal(terms, all(signal.spikes for signal in signals))
