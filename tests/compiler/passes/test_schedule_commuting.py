"""schedule-commuting: the same unitary in fewer layers; edge colourings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.compiler.contracts import check
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.schedule_commuting import ScheduleCommuting, scheduled
from qsc.compiler.synthesis.edge_colouring import edge_colours
from qsc.ir import Circuit, CircuitEditor, Module
from qsc.ir.graph import Graph

SEEDS = st.integers(0, 2**32 - 1)
NAMES = ("cz", "cx", "rzz", "cp", "crz", "rz", "ry", "pauli", "swap", "ccx")


def module_of(circuit: Circuit) -> Module:
    return Module("m", Graph((), (), ()), circuits={"c": replace(circuit, name="c")})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, st.integers(3, 6), st.integers(2, 40), st.booleans())
def test_same_circuit_and_never_deeper(make_circuit, matrix_by_table, seed: int, qubits: int, gates: int, bits: bool):
    circuit = make_circuit(seed, qubits, gates, NAMES, 2 * bits)
    after = scheduled(circuit)
    old, new = circuit.costs(), after.costs()
    assert after is circuit or (new["two_qubit_depth"], new["depth"]) < (old["two_qubit_depth"], old["depth"])
    assert new["gates"] == old["gates"]
    check(ScheduleCommuting(), module_of(circuit), module_of(after), seed=seed)
    if not bits:
        values = np.random.default_rng(seed).uniform(-7, 7, 4)
        np.testing.assert_allclose(matrix_by_table(after, values), matrix_by_table(circuit, values), atol=1e-10)


def test_it_fires_often(make_circuit):
    circuits = [make_circuit(seed, 5, 30, NAMES) for seed in range(60)]
    assert sum(scheduled(c) is not c for c in circuits) >= 6


def pairs_circuit(qubits: int, pairs: Sequence[tuple[int, int]], layers: int = 1, gate: str = "rzz") -> Circuit:
    editor = CircuitEditor("c", qubits)
    for layer in range(layers):
        for a, b in pairs:
            editor.add(gate, [a, b], [0.1 * layer + 0.3] if gate == "rzz" else [])
        for q in range(qubits):
            editor.add("ry", [q], [0.2 + layer])
    return editor.circuit()


def ring(n: int) -> list[tuple[int, int]]:
    return [(q, (q + 1) % n) for q in range(n)]


def everyone(n: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(n) for b in range(a)]


def grid(rows: int, columns: int) -> list[tuple[int, int]]:
    across = [(r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)]
    return across + [(q, q + columns) for q in range((rows - 1) * columns)]


DEPTHS = {
    "even ring": (pairs_circuit(6, ring(6), 1, "cz"), 2),
    "odd ring": (pairs_circuit(7, ring(7), 1, "cz"), 3),
    "three rings": (pairs_circuit(6, ring(6), 3, "cz"), 6),
    "all pairs of 8": (pairs_circuit(8, everyone(8)), 7),
    "all pairs of 9": (pairs_circuit(9, everyone(9)), 9),
    "all pairs of 24": (pairs_circuit(24, everyone(24)), 23),
    "Trotter steps on a grid": (pairs_circuit(20, grid(4, 5), 4), 16),
}


@pytest.mark.parametrize("name", sorted(DEPTHS))
def test_known_depth(name: str):
    circuit, wanted = DEPTHS[name]
    context = Context()
    after = ScheduleCommuting().run(module_of(circuit), context).circuits["c"]
    assert after.costs()["two_qubit_depth"] == wanted
    assert context.remarks[0].saved["two_qubit_depth"] == circuit.costs()["two_qubit_depth"] - wanted


def test_gates_stay_on_their_side_of_a_barrier():
    editor = CircuitEditor("c", 3)
    for a, b in ((0, 1), (1, 2), (0, 1)):
        editor.add("cz", [a, b])
        editor.add("barrier", [])
    circuit = editor.circuit()
    assert scheduled(circuit) is circuit


def test_controlled_nots_that_share_a_control_or_a_target():
    editor = CircuitEditor("c", 4)
    for a, b in ((0, 1), (0, 2), (3, 1), (3, 2)):
        editor.add("cx", [a, b])
    assert scheduled(editor.circuit()).costs()["two_qubit_depth"] == 2


def test_large_circuits_keep_their_order():
    module, context = module_of(pairs_circuit(6, ring(6))), Context()
    assert ScheduleCommuting(most_gates=5).run(module, context) is module
    assert "more than 5 gates" in context.remarks[0].message


@settings(max_examples=100, deadline=None, derandomize=True)
@given(SEEDS, st.integers(2, 12), st.integers(1, 40), st.booleans())
def test_edges_that_meet_differ_in_colour(seed: int, vertices: int, count: int, bipartite: bool):
    rng = np.random.default_rng(seed)
    edges = [tuple(rng.permutation(vertices)[:2].tolist()) for _ in range(count)]
    edges = [(a, b + vertices * bipartite) for a, b in edges]
    colours = edge_colours(edges)
    ends = [(v, c) for edge, c in zip(edges, colours, strict=True) for v in edge]
    assert len(set(ends)) == len(ends)
    if bipartite:
        assert len(set(colours)) == np.bincount(np.ravel(edges)).max()
