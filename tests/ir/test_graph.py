"""Graphs: the builder, walks, dead nodes, mapping, and what a module keeps of them."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import (
    CircuitEditor,
    Graph,
    GraphBuilder,
    Location,
    Module,
    NetlistEditor,
    Node,
    Op,
    Type,
    TypeFault,
    Value,
    ops,
    verify,
)
from qsc.ir.graph import map_nodes

BATCH4 = Type("f32", (-1, 4))


def scan_module() -> Module:
    """A scan whose body uses a weight, and a dead branch beside it."""
    module = Module("m", weights={"w": np.ones((4, 4), np.float32), "unused": np.ones(2, np.float32)})
    body = GraphBuilder(module)
    state, x = body.input("state", BATCH4), body.input("x", BATCH4)
    (y,) = body.add(ops.Linear(), x, body.weight("w"))
    (new,) = body.add(ops.Add(), state, y)
    body.add(ops.Neg(), y, name="dead_inside")
    graph = GraphBuilder(module)
    start, series = graph.input("start", BATCH4), graph.input("series", Type("f32", (5, -1, 4)))
    scan = ops.Scan(steps=5, body=body.graph(new, y), carried=1, sequences=1)
    last, ys = graph.add(scan, start, series, location=Location("m.qsc", 3, 1))
    (dead,) = graph.add(ops.Relu(), last, name="dead")
    graph.add(ops.Relu(), dead, name="dead")
    return module.with_(graph=graph.graph(last, ys))


def test_names_are_fresh_and_legal():
    builder = GraphBuilder(Module("m"))
    names = [builder.fresh(hint) for hint in ("a", "a", "a", "a_1", "0.weight", "", "x y", "a")]
    assert len(set(names)) == len(names)
    assert names[:3] == ["a", "a_1", "a_2"]
    assert all(name.isidentifier() for name in names)


def test_builder_infers_types_and_refuses_misfits():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", BATCH4)
    (y,) = builder.add(ops.Mean(dims=(1,)), x)
    assert y.type == Type("f32", (-1,))
    with pytest.raises(TypeFault, match="do not broadcast"):
        builder.add(ops.Add(), x, builder.input("z", Type("f32", (-1, 3))))
    with pytest.raises(KeyError):
        builder.weight("missing")


def test_producers_consumers_and_names():
    graph = scan_module().graph
    scan = graph.nodes[0]
    assert graph.producers()[graph.outputs[0].name] is scan
    assert graph.consumers()["start"] == [scan]
    assert graph.names() == {"start", "series", "scan", "scan_1", "dead", "dead_1"}
    assert [n.op.mnemonic for n in graph.walk()] == ["scan", "linear", "add", "neg", "relu", "relu"]


def test_consumers_lists_a_node_once():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", BATCH4)
    builder.add(ops.Add(), x, x)
    graph = builder.graph()
    assert graph.consumers()["x"] == [graph.nodes[0]]


def test_dead_nodes_go():
    graph = scan_module().graph.without_dead_nodes()
    assert [n.op.mnemonic for n in graph.nodes] == ["scan"]
    assert graph.without_dead_nodes() == graph


def test_map_nodes_changes_bodies_first():
    seen: list[str] = []

    def change(node: Node) -> Node:
        seen.append(node.op.mnemonic)
        return Node(ops.Sub(), node.operands, node.results) if node.op == ops.Add() else node

    module = scan_module()
    changed = map_nodes(module.graph, change)
    assert seen == ["linear", "add", "neg", "scan", "relu", "relu"]
    assert [n.op.mnemonic for n in changed.walk()][1:4] == ["linear", "sub", "neg"]
    assert changed.nodes[0].location == module.graph.nodes[0].location
    assert [n.op.mnemonic for n in module.graph.walk()][1:4] == ["linear", "add", "neg"], "the original changed"
    verify(module.with_(graph=changed))


def test_with_operands_renames():
    x, y = Value("x", BATCH4), Value("y", BATCH4)
    node = Node(ops.Add(), (x, x), (Value("z", BATCH4),))
    assert node.with_operands({"x": y}).operands == (y, y)
    assert node.with_operands({"other": y}) == node


def test_attributes_and_build_are_inverse():
    for op in (ops.MaxPool(kernel=(3, 3), ceil=True), ops.Pow(exponent=3.0), ops.Add(scalar=1.5), ops.Clamp(low=0.0)):
        assert type(op).build(op.attributes()) == op
    assert ops.MaxPool().attributes() == {}
    assert ops.Expectation.build({"circuit": "c", "observables": ["Z0"]}).attributes()["observables"]
    with pytest.raises(TypeError):
        ops.Relu.build({"slope": 1})


def test_every_op_has_a_type_rule_and_a_docstring():
    for op in Op.registry.values():
        assert op.result_types is not Op.result_types
        assert op.__doc__
        assert not op.__doc__.startswith(f"{op.__name__}("), "the dataclass made it up"


def test_locations_do_not_count_in_equality():
    x = Value("x", BATCH4)
    assert Node(ops.Relu(), (x,), (x,), Location("a", 1)) == Node(ops.Relu(), (x,), (x,), Location("b", 2))


# Modules


def test_without_unused_keeps_what_bodies_use():
    editor, netlist = CircuitEditor("c", 1), NetlistEditor("n", ["a"])
    module = scan_module()
    module = module.with_(circuits={"c": editor.circuit()}, netlists={"n": netlist.netlist([("q", 0)])})
    small = module.without_unused()
    assert set(small.weights) == {"w"}
    assert not small.circuits
    assert not small.netlists
    verify(small)


def test_modules_compare_by_bits():
    module = scan_module()
    assert module == scan_module()
    assert hash(module) == hash(scan_module())
    assert module != module.with_(weights={**module.weights, "w": np.full((4, 4), 1 + 1e-7, np.float32)})
    assert module != module.with_(weights={**module.weights, "w": np.ones((4, 4))})
    assert module.with_(weights={"n": np.array([np.nan])}) == module.with_(weights={"n": np.array([np.nan])})
    assert module != module.with_(name="other")
    assert module != module.with_(graph=Graph((), (), ()))


def test_a_module_is_not_changed_in_place():
    weights = {"w": np.ones(2)}
    module = Module("m", weights=weights)
    weights["v"] = np.ones(2)
    assert list(module.weights) == ["w"]
    with pytest.raises(TypeError):
        module.weights["v"] = np.ones(2)  # pyright: ignore[reportIndexIssue] - that it fails is what is tested
