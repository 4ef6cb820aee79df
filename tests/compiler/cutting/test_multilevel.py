"""Multilevel partitions: within the parts' room, and as good as what is known of a graph."""

from __future__ import annotations

import itertools
from random import Random

import networkx as nx
import numpy as np
import pytest
from qsc.compiler.cutting.multilevel import Level, partitions, rank, refined


def level_of(graph: nx.Graph) -> Level:
    weight = nx.to_numpy_array(graph, nodelist=sorted(graph))
    np.fill_diagonal(weight, 0.0)
    return Level(weight, np.ones(len(weight), int))


def best(level: Level, room: list[int], tries: int = 8) -> tuple[float, float]:
    found = list(partitions(level.weight, room, tries, Random(0)))
    assert all(len(part) == len(level.size) and set(part) <= set(range(len(room))) for part in found)
    return min(rank(level, room, np.asarray(part)) for part in found)


@pytest.mark.parametrize("seed", range(8))
def test_parts_that_are_planted_are_found(seed: int):
    rng = np.random.default_rng(seed)
    parts, size = int(rng.integers(2, 5)), int(rng.integers(8, 25))
    planted = rng.permutation(np.repeat(np.arange(parts), size))
    same = planted[:, None] == planted[None]
    upper = np.triu(rng.random(same.shape) < np.where(same, 0.5, 0.02), 1)
    level = Level((upper | upper.T).astype(float), np.ones(len(planted), int))
    room = [size + 1] * parts
    assert best(level, room) <= rank(level, room, planted)


@pytest.mark.parametrize("seed", range(10))
def test_small_graphs_are_cut_as_little_as_any_choice_does(seed: int):
    graph = nx.gnm_random_graph(10, 18, seed=seed)
    level = level_of(graph)
    wanted = min(
        rank(level, [5, 5], np.isin(np.arange(10), chosen).astype(int))
        for chosen in itertools.combinations(range(10), 5)
    )
    assert best(level, [5, 5]) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("graph", "room", "cut"),
    [
        (nx.path_graph(60), [20, 20, 20], 2),
        (nx.cycle_graph(64), [32, 32], 2),
        (nx.convert_node_labels_to_integers(nx.grid_2d_graph(8, 8)), [32, 32], 8),
        (nx.convert_node_labels_to_integers(nx.grid_2d_graph(6, 20)), [60, 60], 6),
    ],
)
def test_known_cuts(graph: nx.Graph, room: list[int], cut: int):
    assert best(level_of(graph), room) == (0.0, cut)


@pytest.mark.parametrize("seed", range(6))
def test_refining_makes_nothing_worse(seed: int):
    rng = np.random.default_rng(seed)
    level = level_of(nx.gnm_random_graph(40, 90, seed=seed))
    room = [15, 15, 15]
    part = rng.integers(0, 3, 40)
    after = refined(level, room, part)
    assert rank(level, room, after) <= rank(level, room, part)
    assert rank(level, room, after)[0] == 0
