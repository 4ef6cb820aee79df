"""Nested graphs mean what they meant when their nodes stand beside the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qsc.bridges.nir import NirGraph, NirNode, check, read, write
from qsc.bridges.nir.graph import flat, unnested

from .parts import chain, lif, nested
from .random_graphs import node

AROUND = [("input", "output")]


def scale(factor: float) -> NirNode:
    return node("Scale", scale=np.full(3, factor))


def linear_value(graph: NirGraph) -> float:
    """What a graph of scales makes of 1, node by node as it is nested."""
    done: dict[str, float] = {}

    def value(g: NirGraph, name: str, given: float, known: dict[str, float]) -> float:
        if name not in known:
            part = g.nodes[name]
            total = (
                given
                if part.kind == "Input" and not g.into(name)
                else sum(value(g, a, given, known) for a in g.into(name))
            )
            if part.graph is not None:
                total = value(part.graph, "output", total, {})
            known[name] = total * float(np.ravel(part.fields["scale"])[0]) if part.kind == "Scale" else total
        return known[name]

    return value(graph, "output", 1.0, done)


@pytest.mark.parametrize(
    ("graph", "result"),
    [
        (chain(s=nested(a=scale(2), edges=AROUND)), 3),
        (chain(s=nested(edges=())), 1),
        (chain(s=nested(a=nested(a=scale(5), edges=AROUND), edges=AROUND)), 7),
        (chain(a=scale(2), s=nested(), t=nested(b=scale(3), edges=AROUND), c=scale(10)), 80),
        (chain(s=nested(a=scale(2)), t=nested(u=nested())), 2),
    ],
    ids=["around", "through", "deep", "several", "only borders"],
)
def test_ways_around_and_through_stay(graph: NirGraph, result: float):
    assert check(graph) == []
    assert linear_value(graph) == result
    made = flat(graph)
    assert all(part.graph is None for part in made.nodes.values())
    assert made.of_kind("Input") == ["input"]
    assert made.of_kind("Output") == ["output"]
    assert check(made) == []
    assert linear_value(made) == result
    assert linear_value(unnested(graph)) == result


def test_a_way_around_beside_a_way_through_counts_twice():
    graph = chain(a=scale(2), s=nested(), t=nested(), b=scale(3))
    both = replace(graph, edges=[*graph.edges, ("a", "t"), ("a", "b"), ("s", "b")])
    assert check(both) == []
    assert linear_value(both) == 2 * (1 + 1 + 1 + 1) * 3
    made = flat(both)
    assert check(made) == []
    assert linear_value(made) == linear_value(both)


@pytest.mark.parametrize("seed", range(20))
def test_random_nests_mean_the_same(seed: int):
    rng = np.random.default_rng(seed)

    def draw(level: int) -> NirGraph:
        parts = {}
        for k in range(int(rng.integers(0, 4))):
            deeper = level < 3 and rng.random() < 0.5
            inner = draw(level + 1) if deeper else None
            parts[f"n{k}"] = NirNode("NIRGraph", {}, inner) if inner else scale(float(rng.integers(1, 4)))
        graph = chain(**parts)
        names = list(graph.nodes)
        more = [(a, b) for i, a in enumerate(names) for b in names[i + 2 :] if rng.random() < 0.4]
        return replace(graph, edges=[*graph.edges, *more])

    graph = read(write(draw(0)))
    assert check(graph) == []
    assert check(flat(graph)) == []
    assert linear_value(flat(graph)) == linear_value(graph)


def test_faults_inside_are_told_with_their_path():
    def first(graph: NirGraph) -> str:
        return check(graph)[0].message

    assert first(chain(s=nested(7, n=lif()))) == "s.input: it says [7] and gets [3]"
    assert first(chain(s=nested(n=lif(tau=np.zeros(3))))).startswith("s.n: tau is 0")
    loose = NirNode("NIRGraph", {}, NirGraph({k: node(k.capitalize(), shape=[3]) for k in ("input", "output")}, []))
    assert {d.location.path for d in check(chain(s=loose))} == {"input", "s.input", "s.output", "output"}
    two = chain(s=nested(x=lif()), **{"s.x": lif()})
    assert "s.x: a node here and one of a nested graph have this path" in {d.message for d in check(two)}


def test_deep_nests_are_read(tmp_path: Path):
    part = nested(n=lif())
    for _ in range(8):
        part = nested(n=part)
    graph = read(write(chain(n=part)))
    assert check(graph) == []
    assert len(flat(graph).nodes) == 3
