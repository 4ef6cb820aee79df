"""Orders of finishing: the exact search against all orders, the greedy one against it, and the dependencies."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from qsc.compiler.synthesis import qubit_reuse
from qsc.compiler.synthesis.qubit_reuse import best_order, dependencies, peak
from qsc.ir import CircuitEditor


def random_cones(rng: np.random.Generator, width: int) -> list[int]:
    """Masks that hold themselves."""
    return [int(sum(1 << q for q in np.flatnonzero(rng.random(width) < 0.35))) | 1 << k for k in range(width)]


@pytest.mark.parametrize("seed", range(15))
def test_the_exact_order_is_the_best(seed: int):
    rng = np.random.default_rng(seed)
    cones = random_cones(rng, int(rng.integers(1, 7)))
    best = min(peak(cones, order) for order in permutations(range(len(cones))))
    assert peak(cones, best_order(cones)) == best


@pytest.mark.parametrize("seed", range(15))
def test_greedy_orders_hold_every_qubit_once_and_are_near_the_best(seed: int, monkeypatch: pytest.MonkeyPatch):
    cones = random_cones(np.random.default_rng(seed), 9)
    exact = peak(cones, best_order(cones))
    monkeypatch.setitem(qubit_reuse.EXACT_QUBITS, "default", 0)
    order = best_order(cones)
    assert sorted(order) == list(range(9))
    assert exact <= peak(cones, order) <= exact + 1


def test_commuting_gates_do_not_wait_for_each_other():
    editor = CircuitEditor("c", 4)
    for q in (1, 2, 3):
        editor.add("cz", [0, q])
    assert dependencies(editor.circuit()).cones == [0b1111, 0b0011, 0b0101, 0b1001]


def test_bits_and_barriers_are_waited_for():
    editor = CircuitEditor("c", 3, 1)
    editor.add("h", [0])
    editor.add("measure", [0], clbits=[0])
    editor.add("x", [1], condition=("bit", 0))
    editor.add("barrier", [1, 2])
    editor.add("h", [2])
    waits = dependencies(editor.circuit())
    assert waits.cones == [0b001, 0b011, 0b111]
    assert waits.needed(2, bytearray(len(waits.before))) == [0, 1, 2, 3, 4]
