"""The module: one whole model, with its graph, circuits, netlists and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from .circuit import Circuit
from .graph import Graph, Node, Value
from .netlist import Netlist
from .types import Type, dtype_name

EMPTY_GRAPH = Graph((), (), ())
_TABLES = frozenset(("circuits", "netlists", "weights"))


@dataclass(frozen=True, eq=False)
class Module:
    """A model: `graph` is its main function; circuits, netlists and weights are referred to by name.

    A module is never changed in place: passes make a new one with `with_`.
    """

    name: str
    graph: Graph = EMPTY_GRAPH
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    netlists: Mapping[str, Netlist] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _TABLES:
            object.__setattr__(self, name, _fixed(getattr(self, name)))

    def with_(self, **changes: Any) -> Module:
        """A copy with some fields replaced."""
        if not changes.keys() <= Module.__dataclass_fields__.keys():
            raise TypeError(f"a module has no {' or '.join(changes.keys() - Module.__dataclass_fields__.keys())}")
        made = object.__new__(Module)
        made.__dict__.update(self.__dict__)
        made.__dict__.update({name: _fixed(value) if name in _TABLES else value for name, value in changes.items()})
        return made

    def weight_value(self, name: str) -> Value:
        """The operand that refers to weight `name`. KeyError where there is none."""
        array = self.weights[name]
        return Value("@" + name, Type(dtype_name(array.dtype), array.shape))

    def nodes(self) -> Iterator[Node]:
        """Every node of the graph and of the bodies in it."""
        return self.graph.walk()

    def without_unused(self) -> Module:
        """The module without dead nodes, and without circuits, netlists and weights that nothing refers to."""
        graph = self.graph.without_dead_nodes()
        nodes = list(graph.walk())
        used = {v.name for n in nodes for v in n.operands} | {v.name for v in graph.outputs}
        used |= {v.name for n in nodes for body in n.op.bodies for v in body.outputs}
        circuits = {getattr(n.op, "circuit", None) for n in nodes}
        netlists = {getattr(n.op, "netlist", None) for n in nodes}
        return self.with_(
            graph=graph,
            circuits={k: v for k, v in self.circuits.items() if k in circuits},
            netlists={k: v for k, v in self.netlists.items() if k in netlists},
            weights={k: v for k, v in self.weights.items() if "@" + k in used},
        )

    def __eq__(self, other: object) -> bool:
        """Structural equality; weights by type and bits, locations not counted."""
        if not isinstance(other, Module):
            return NotImplemented
        return (
            self.name == other.name
            and self.graph == other.graph
            and dict(self.circuits) == dict(other.circuits)
            and dict(self.netlists) == dict(other.netlists)
            and self.weights.keys() == other.weights.keys()
            and all(_same_bits(a, other.weights[k]) for k, a in self.weights.items())
        )

    def __hash__(self) -> int:
        return hash((self.name, len(self.graph.nodes)))


def _fixed(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy that nobody changes."""
    return MappingProxyType(dict(table))


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
