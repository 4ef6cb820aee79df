"""What several passes need to rewrite a module: graphs with their bodies, fresh names, readouts by circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

from ...ir import Graph, Module, Node
from ...ir.graph import map_nodes
from ...ir.observables import PauliSum
from ...ir.ops import Expectation, Probabilities, Readout, Samples


def map_graphs(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """`change` applied to the graph and to every body in it, bodies first."""
    return change(replace(graph, nodes=tuple([_with_bodies(node, change) for node in graph.nodes])))


def _with_bodies(node: Node, change: Callable[[Graph], Graph]) -> Node:
    op = node.op
    if not op.bodies:
        return node
    bodies = {f.name: getattr(op, f.name) for f in fields(op) if isinstance(getattr(op, f.name), Graph)}
    return replace(node, op=replace(op, **{name: map_graphs(body, change) for name, body in bodies.items()}))


def fresh_name(hint: str, taken: Iterable[str]) -> str:
    """`hint`, or `hint_2`, `hint_3`, ...: the first that is not taken."""
    known = set(taken)
    name, count = hint, 1
    while name in known:
        count += 1
        name = f"{hint}_{count}"
    return name


def identifier(text: str) -> str:
    """A value name made from any text, such as the name of a weight."""
    name = "".join(c if c.isalnum() or c == "_" else "_" for c in text)
    return name if name[:1].isalpha() or name[:1] == "_" else f"v{name}"


def readouts(module: Module) -> dict[str, list[Node]]:
    """Circuit name -> the nodes that read it, those in bodies too, in order."""
    found: dict[str, list[Node]] = {}
    for node in module.nodes():
        if isinstance(node.op, Readout):
            found.setdefault(node.op.circuit, []).append(node)
    return found


def without_weights(module: Module, names: Iterable[str]) -> Module:
    """The module without those of the named weights that nothing uses any more."""
    used = {v.weight_name for n in module.nodes() for v in n.operands if v.is_weight}
    used |= {v.weight_name for v in module.graph.outputs if v.is_weight}
    used |= {v.weight_name for n in module.nodes() for body in n.op.bodies for v in body.outputs if v.is_weight}
    gone = set(names) - used
    return module.with_(weights={k: v for k, v in module.weights.items() if k not in gone})


def read_qubits(nodes: Iterable[Node]) -> list[int]:
    """The qubits that readouts of one circuit need, sorted."""
    found: set[int] = set()
    for node in nodes:
        if isinstance(node.op, Expectation):
            found.update(q for observable in node.op.observables for q in observable.qubits)
        elif isinstance(node.op, Probabilities | Samples):
            found.update(node.op.qubits)
    return sorted(found)


def relabelled(module: Module, places: Mapping[str, Mapping[int, int]]) -> Module:
    """The module whose readouts of circuit `name` read qubit `places[name][q]` where they read q."""
    return module.with_(graph=map_nodes(module.graph, lambda node: _relabelled_node(node, places)))


def _relabelled_node(node: Node, places: Mapping[str, Mapping[int, int]]) -> Node:
    op = node.op
    if not isinstance(op, Readout) or op.circuit not in places:
        return node
    where = places[op.circuit]
    if isinstance(op, Expectation):
        moved = tuple(
            PauliSum.of((tuple((letter, where[q]) for letter, q in term), coeff) for term, coeff in o.terms)
            for o in op.observables
        )
        return replace(node, op=replace(op, observables=moved))
    if isinstance(op, Probabilities | Samples):
        return replace(node, op=replace(op, qubits=tuple(where[q] for q in op.qubits)))
    return node
