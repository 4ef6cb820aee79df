"""Fewest CX with affine angles for symbolic two-qubit blocks."""

from __future__ import annotations

import pytest
from qsc.compiler.synthesis.frames import frames, free_starts, resynthesise
from qsc.compiler.synthesis.templates import Step, slot
from qsc.ir.gates import GATES, OPCODES


def block(text: str) -> tuple[list[Step], int]:
    """`rxx 0 1; rz 1`: every angle is a slot of its own."""
    steps: list[Step] = []
    slots = 0
    for part in text.split(";"):
        name, *wires = part.split()
        count = GATES[OPCODES[name]].angles
        steps.append(Step(OPCODES[name], tuple(map(int, wires)), tuple(slot(slots + k) for k in range(count))))
        slots += count
    return steps, slots


CASES = [
    ("rxx 0 1;ryy 0 1;rzz 0 1", {}, 3),
    ("rxx 0 1;ryy 0 1;rzz 0 1", {"rotation_cost": 1}, 3),
    ("ryy 0 1;rzz 0 1", {}, 2),
    ("cx 0 1;rz 1;cx 0 1", {}, 2),
    ("cx 0 1;rz 1;cx 0 1", {"rotation_cost": 1}, 1),
    ("cp 0 1;crz 1 0", {}, 2),
    ("crx 0 1;cry 0 1", {}, 2),
    ("crx 0 1;crz 1 0", {}, 2),
    ("swap 0 1;rzz 0 1", {}, 3),
    ("swap 0 1;rzz 0 1", {"swaps": True}, 2),
    ("cx 0 1;cx 1 0", {}, 2),
    ("cx 0 1;cx 1 0", {"swaps": True}, 1),
    ("iswap 0 1", {"swaps": True}, 1),
    ("ch 0 1;ch 0 1", {}, 0),
    ("crx 0 1", {"zeros": (True, False)}, 0),
    ("ry 0;ry 1;cx 0 1;ry 0;ry 1", {"zeros": (True, True)}, 1),
    ("rxx 0 1", {"zeros": (True, True)}, 1),
    ("h 0;cx 0 1;h 0;h 1;cx 0 1", {"zeros": (True, True)}, 0),
    ("swap 0 1;cx 0 1", {"zeros": (True, True)}, 0),
]


@pytest.mark.parametrize(("text", "options", "cost"), CASES)
def test_cost(text: str, options: dict, cost: int):
    """`resynthesise` compares the matrices itself; here the count is what it has to be, and no less is found."""
    steps, slots = block(text)
    found = resynthesise(steps, slots, 6, **options)
    assert found is not None
    assert found.cost == cost
    assert cost == 0 or resynthesise(steps, slots, cost - 1, **options) is None


def test_tables():
    table = frames()
    assert len(table.matrices) == 20
    assert all(len({after for after, _ in steps}) == 9 for steps in table.steps)
    assert [len(free_starts(z)) for z in ((False, False), (True, False), (False, True), (True, True))] == [1, 4, 4, 12]
