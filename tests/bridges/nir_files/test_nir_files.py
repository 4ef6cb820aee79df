"""NIR files, against the package nir wherever that is right."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qsc.bridges.nir import KINDS, NirGraph, NirNode, check, read, shapes_of, write
from qsc.bridges.nir.graph import flat
from qsc.ir import InputError

from .parts import chain, conv, lif, pool
from .random_graphs import neurons, node, random_graph

nir = pytest.importorskip("nir")

DATA = Path(__file__).parent / "data"
PUBLISHED = sorted(DATA.glob("*.nir"))
VALID = [path for path in PUBLISHED if "subgraph" not in path.name]


def same(a: NirGraph, b: NirGraph) -> bool:
    """Nodes, fields with their types, edges and metadata, to the bit; HDF5 keeps nodes in the order of their names."""
    return (
        set(a.nodes) == set(b.nodes)
        and a.edges == b.edges
        and equal(a.metadata, b.metadata)
        and all(same_node(a.nodes[name], b.nodes[name]) for name in a.nodes)
    )


def same_node(a: NirNode, b: NirNode) -> bool:
    nested = a.graph is None if b.graph is None else a.graph is not None and same(a.graph, b.graph)
    return a.kind == b.kind and nested and equal(a.fields, b.fields) and equal(a.metadata, b.metadata)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return set(a) == set(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, str):
        return a == b
    x, y = np.asarray(a), np.asarray(b)
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda p: p.stem)
def test_published_graphs_come_back_to_the_bit(path: Path):
    graph = read(path)
    assert same(graph, read(write(graph)))
    assert write(graph) == write(graph)


@pytest.mark.parametrize("path", VALID, ids=lambda p: p.stem)
def test_published_graphs_are_valid_and_read_as_by_nir(path: Path):
    graph = read(path)
    assert check(graph) == []
    theirs = nir.read(path, type_check=False)
    assert set(theirs.nodes) == set(graph.nodes)
    assert sorted(theirs.edges) == sorted(graph.edges)
    for name, other in theirs.nodes.items():
        ours = graph.nodes[name]
        assert type(other).__name__ == ours.kind
        for field in KINDS[ours.kind].shaped + (("weight",) if "weight" in ours.fields else ()):
            assert np.array_equal(getattr(other, field), ours.array(field))


def test_the_invalid_published_graph_is_refused_with_its_place():
    (path,) = (p for p in PUBLISHED if "subgraph" in p.name)
    faults = check(read(path), path.name)
    assert {f.code for f in faults} == {"G0003"}
    assert "lif1: the edge from input to lif refers to 'lif', which is no node" in str(faults[0])
    assert all(f.location.path == "lif1" for f in faults)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_come_back_to_the_bit(seed: int):
    graph = random_graph(np.random.default_rng(seed))
    assert check(graph) == []
    assert same(graph, read(write(graph)))


def test_random_graphs_hold_every_kind():
    kinds = {n.kind for seed in range(60) for _, n in random_graph(np.random.default_rng(seed)).walk()}
    assert kinds == {*KINDS, "NIRGraph"}


def right_in_nir(graph: NirGraph) -> bool:
    """nir 1.0.8 takes a kernel's first size for both, and counts channels of groups wrongly."""
    kernels = [n for _, n in graph.walk() if n.kind == "Conv2d"]
    return all(len(set(n.array("weight").shape[2:])) == 1 and n.fields["groups"] == 1 for n in kernels)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read_by_nir(seed: int):
    graph = random_graph(np.random.default_rng(seed))
    if not right_in_nir(graph):
        pytest.skip("nir computes its shapes wrongly")
    buffer: Any = io.BytesIO(write(graph))
    theirs = nir.read(buffer)
    shapes, _ = shapes_of(flat(graph))
    for name, other in theirs.nodes.items():
        if graph.nodes[name].graph is None and other.output_type.get("output") is not None:
            assert tuple(np.atleast_1d(other.output_type["output"])) == shapes[name]


def test_the_older_generation_has_no_reset_value():
    graph = random_graph(np.random.default_rng(1))
    lif = neurons(np.random.default_rng(0), "LIF", (3,))
    nodes = {"input": node("Input", shape=np.array([3])), "lif": lif, "output": node("Output", shape=np.array([3]))}
    graph = NirGraph(nodes, [("input", "lif"), ("lif", "output")])
    with pytest.raises(InputError, match="lif is reset to a value"):
        write(graph, "1.0.4")
    plain = NirNode("LIF", dict(lif.fields) | {"v_reset": np.zeros(3)})
    again = read(write(replace(graph, nodes=nodes | {"lif": plain}), "1.0.4"))
    assert "v_reset" not in again.nodes["lif"].fields
    assert not again.nodes["lif"].array("v_reset").any()
    with pytest.raises(InputError, match="no generation"):
        write(graph, "2")


def test_nested_graphs_become_flat():
    inner = {k: node(k.capitalize(), shape=np.array([2])) for k in ("input", "output")}
    inner |= {"a": neurons(np.random.default_rng(0), "LIF", (2,)), "b": node("Linear", weight=np.eye(2))}
    ring = [("input", "a"), ("a", "b"), ("b", "a"), ("a", "output")]
    nodes = {"input": inner["input"], "output": inner["output"]}
    nodes |= {"x": NirNode("NIRGraph", {}, NirGraph(inner, ring)), "y": node("Scale", scale=np.ones(2))}
    made = flat(NirGraph(nodes, [("input", "x"), ("x", "y"), ("y", "output")]))
    assert list(made.nodes) == ["input", "output", "x.a", "x.b", "y"]
    assert set(made.edges) == {("input", "x.a"), ("x.a", "x.b"), ("x.b", "x.a"), ("x.a", "y"), ("y", "output")}


BAD: list[tuple[str, NirGraph, str]] = [
    ("tau", chain(n=lif(tau=np.array([1e-3, -1e-3, 1e-3]))), "n: tau is -0.001"),
    ("nan", chain(n=lif(r=np.array([1, np.nan, 1]))), r"n: r is nan at index \[1\]"),
    ("weight", chain(n=node("Linear", weight=np.full((3, 3), np.inf))), "n: weight is inf"),
    ("threshold", chain(n=lif(v_threshold=np.full(3, -1.0))), "v_threshold is -1, v_reset"),
    ("sizes", chain(n=lif(tau=np.full(2, 1e-3))), "its parameters have several shapes"),
    ("bias", chain(n=node("Affine", weight=np.eye(3), bias=np.zeros(2))), r"its bias is \[2\], its weight \[3,3\]"),
    ("vector", chain(n=node("Linear", weight=np.zeros(3))), r"its weight is \[3\]"),
    ("join", chain(n=node("Linear", weight=np.zeros((3, 5)))), r"its weight is \[3,5\] and it gets \[3\]"),
    ("output", chain(n=node("Linear", weight=np.zeros((2, 3)))), r"output: it says \[3\] and gets \[2\]"),
    ("delay", chain(n=node("Delay", delay=np.array([0, -1e-3, 0]))), "a delay of -0.001 s"),
    ("pool", chain(n=pool()), "pools images"),
    ("whole tau", chain(n=lif(tau=np.array([1, 0, 1]))), "n: tau is 0"),
    ("text", chain(n=lif(tau="abc")), "n: tau is 'abc'"),
    ("nothing", chain(n=node("Delay", delay=None)), "n: delay is None"),
    ("complex", chain(n=node("Scale", scale=np.full(3, 1j))), "scale is of complex128"),
    ("empty", chain(n=node("Scale", scale=np.ones(0))), "scale is empty"),
    ("affine vector", chain(n=node("Affine", weight=np.ones(3), bias=np.ones(3))), r"its weight is \[3\]"),
    ("stack", chain(n=node("Linear", weight=np.ones((2, 3, 3)))), r"its weight is \[2,3,3\]"),
    ("bias table", chain(n=node("Affine", weight=np.eye(3), bias=np.zeros((7, 3)))), r"its bias is \[7,3\]"),
    ("reset sizes", chain(n=lif(v_reset=np.zeros(2))), "its parameters have several shapes"),
    ("one threshold", chain(n=lif(v_threshold=np.float64(-0.1), v_reset=np.array([-2.0, -2, 0]))), "-0.1, v_reset 0"),
    ("no input", chain((0,), n=lif()), "input: shape is 0"),
    ("no shape", chain((), n=lif()), "input: shape is empty"),
    ("broken shape", chain((3.5,), n=lif()), "input: shape is 3.5"),
    ("stride", chain((1, 6, 6), (2, 4, 4), n=conv(stride=np.array([0, 1]))), "stride is 0"),
    ("strides", chain((1, 6, 6), (2, 4, 4), n=conv(stride=np.array([1, 1, 1]))), "stride has 3 numbers"),
    ("dilation", chain((1, 6, 6), (2, 6, 6), n=conv(dilation=np.array([0, 0]))), "dilation is 0"),
    ("padding", chain((1, 6, 6), (2, 2, 2), n=conv(padding=np.array([-1, -1]))), "padding is -1"),
    ("padding text", chain((1, 6, 6), (2, 4, 4), n=conv(padding="foo")), "padding is 'foo'"),
    ("groups", chain((2, 6, 6), (3, 4, 4), n=conv(groups=2, weight=np.ones((3, 1, 3, 3)), bias=np.zeros(3))), "3 cha"),
    ("no groups", chain((1, 6, 6), (2, 4, 4), n=conv(groups=0)), "groups is 0"),
    ("input_shape", chain((1, 6, 6), (2, 4, 4), n=conv(input_shape=np.array([9, 9]))), r"its input_shape is \[9,9\]"),
    ("pool text", chain((1, 6, 6), (1, 3, 3), n=pool(padding="same")), "padding is 'same'"),
    ("pool padding", chain((1, 6, 6), (1, 5, 5), n=pool(padding=np.array([2, 2]))), "more than half of its kernel"),
    ("flatten", chain((1, 6, 6), n=node("Flatten", start_dim=5, end_dim=-1)), "flattens dimensions 5 to -1"),
    (
        "flatten type",
        chain((1, 6, 6), (36,), n=node("Flatten", start_dim=0, end_dim=-1, input_type=np.array([2, 6, 6]))),
        r"its input_type is \[2,6,6\] and it gets \[1,6,6\]",
    ),
    ("dt", chain({"dt": 0.0}, n=lif()), "metadata.qsc: dt is 0.0"),
    ("dt text", chain({"dt": "fast"}, n=lif()), "dt is 'fast'"),
    ("steps", chain({"time_steps": np.array([3, 4])}, n=lif()), "time_steps is of int64"),
    ("half a step", chain({"time_steps": 2.5}, n=lif()), "time_steps is 2.5"),
    ("facts", replace(chain(n=lif()), metadata={"qsc": "yes"}), "metadata.qsc: it is 'yes'"),
]


@pytest.mark.parametrize(("graph", "reason"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_nir_takes_silently_is_refused(graph: NirGraph, reason: str):
    found = [str(d) for d in check(graph)]
    assert found
    assert any(re.search(reason, text) for text in found)


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ([("input", "n"), ("n", "output"), ("n", "m")], "refers to 'm', which is no node"),
        ([("input", "n"), ("input", "n"), ("n", "output")], "there are 2 edges from input to n"),
        ([("input", "output")], "n: nothing comes here from the input"),
        ([("input", "n"), ("input", "output")], "n: nothing leads from here to the output"),
        ([("input", "n"), ("n", "input"), ("n", "output")], "an edge leads into an input"),
        ([("input", "n"), ("n", "output"), ("output", "n")], "an edge leads out of an output"),
    ],
)
def test_edges_that_mean_nothing_are_refused(edges: list[tuple[str, str]], reason: str):
    found = [str(d) for d in check(replace(chain(n=lif()), edges=edges))]
    assert any(reason in text for text in found)


def test_a_cycle_without_a_state_is_refused():
    graph = chain(a=node("Linear", weight=np.eye(3)), b=node("Scale", scale=np.ones(3)))
    (fault,) = check(replace(graph, edges=[*graph.edges, ("b", "a")]))
    assert "a cycle without a state: a -> b -> a" in str(fault)
    neurons_in_it = chain(a=node("Linear", weight=np.eye(3)), b=lif())
    assert check(replace(neurons_in_it, edges=[*neurons_in_it.edges, ("b", "a")])) == []


def test_a_delay_of_nothing_is_no_state():
    graph = chain(a=node("Linear", weight=np.eye(3)), b=node("Delay", delay=np.array([1e-3, 0, 1e-3])))
    (fault,) = check(replace(graph, edges=[*graph.edges, ("b", "a")]))
    assert "a cycle without a state: " in str(fault)
    later = chain(a=node("Linear", weight=np.eye(3)), b=node("Delay", delay=np.full(3, 1e-3)))
    assert check(replace(later, edges=[*later.edges, ("b", "a")])) == []


def test_pieces_that_nothing_reaches_are_told_whatever_their_shapes():
    """A kernel that enlarges what comes in, in a cycle with itself, has no shape."""
    growing = conv(weight=np.ones((1, 1, 1, 1)), bias=np.zeros(1), padding=np.array([1, 1]))
    graph = chain((1, 1, 1), n=node("I", r=np.ones((1, 1, 1))))
    nodes = {**graph.nodes, "i": node("I", r=np.ones((1, 1, 1))), "c": growing}
    found = check(NirGraph(nodes, [*graph.edges, ("i", "c"), ("c", "i")]))
    assert {d.location.path for d in found} == {"i", "c"}


def test_files_that_are_no_nir_are_refused(tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "x.nir"
    with pytest.raises(InputError, match="there is no file"):
        read(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="it is not HDF5"):
        read(path)
    changes = {
        "holds no node": lambda f: f.pop("node"),
        "has no type": lambda f: f["node/nodes/n"].pop("type"),
        "there is no node 'LIV' in NIR": lambda f: f["node/nodes/n"].__setitem__("type", "LIV"),
        "n: a LIF has no tau": lambda f: f["node/nodes/n"].pop("tau"),
        "a graph has no edges": lambda f: f["node"].pop("edges"),
    }
    for message, change in changes.items():
        path.write_bytes(write(chain(n=lif())))
        with h5py.File(path, "r+") as file:
            if "LIV" in message:
                del file["node/nodes/n/type"]
            change(file)
        with pytest.raises(InputError, match=message):
            read(path)
