"""The search for cuts against all choices of small problems, and what it promises of large ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import inf

import pytest
from qsc.compiler.cutting.problem import Cost, GateCut, Joint, Problem, WireCut, cost_of
from qsc.compiler.cutting.search import Found, NotFound, Widths, find

WIRE, GATE = WireCut(3, 4, 4.0), GateCut((5, 5), 3.0)
WIRE_CUTS = (WIRE, WireCut(2, 3, 3.0), WireCut(1, 2, 1.0), WireCut(1, 1, 1.0), None)
GATE_CUTS = (GATE, GateCut((4, 4), 1.5), GateCut((1, 3), 2.0), GateCut((1, 1), 1.0), None)
PLAIN = ((WIRE, WireCut(2, 3, 3.0)), (GATE, GateCut((4, 4), 1.5)))


def problem_of(gates: Sequence[tuple[int, int]], wire: WireCut = WIRE, gate: GateCut = GATE) -> Problem:
    """A circuit of gates on pairs of qubits; its ends are numbered gate by gate."""
    wires: list[list[int]] = [[] for _ in range(1 + max(map(max, gates)))]
    for k, pair in enumerate(gates):
        for side, qubit in enumerate(pair):
            wires[qubit].append(2 * k + side)
    ends = 2 * len(gates)
    for own in wires:
        if not own:
            own.append(ends)
            ends += 1
    first = {own[0] for own in wires}
    cuts = tuple(None if end in first else wire for end in range(ends))
    joints = tuple(Joint((2 * k, 2 * k + 1), gate) for k in range(len(gates)))
    return Problem(tuple(map(tuple, wires)), cuts, joints)


def chain(qubits: int, layers: int) -> list[tuple[int, int]]:
    return [(q, q + 1) for _ in range(layers) for q in range(qubits - 1)]


def pairs(qubits: int, gates: int, seed: int) -> list[tuple[int, int]]:
    rng = random.Random(seed)
    first, second = rng.sample(range(qubits), 2)
    return [(first, second), *((a, b) for a, b in (rng.sample(range(qubits), 2) for _ in range(gates - 1)))]


def generated(seed: int, most: int = 8) -> Problem:
    """A problem of up to `most` ends; every third one has plain cuts only, the others free, odd and forbidden ones."""
    rng = random.Random(seed)
    wire_cuts, gate_cuts = PLAIN if seed % 3 == 0 else (WIRE_CUTS, GATE_CUTS)
    ends = rng.randrange(2, most + 1)
    qubits = rng.randrange(1, min(ends, 5) + 1)
    wires: list[list[int]] = [[k] for k in range(qubits)]
    for end in range(qubits, ends):
        wires[rng.randrange(qubits)].append(end)
    free = list(range(ends))
    rng.shuffle(free)
    joints: list[Joint] = []
    while free:
        size = min(rng.choice((1, 2, 2, 2, 2, 3)), len(free))
        own = tuple(free.pop() for _ in range(size))
        joints.append(Joint(own, rng.choice(gate_cuts) if size == 2 else None))
    first = {own[0] for own in wires}
    cuts = tuple(None if end in first else rng.choice(wire_cuts) for end in range(ends))
    return Problem(tuple(map(tuple, wires)), cuts, tuple(joints))


def all_choices(ends: int) -> Iterator[tuple[int, ...]]:
    """Every way to divide ends among fragments, numbered in the order of first ends."""

    def grown(start: tuple[int, ...], count: int) -> Iterator[tuple[int, ...]]:
        if len(start) == ends:
            yield start
            return
        for fragment in range(count + 1):
            yield from grown((*start, fragment), max(count, fragment + 1))

    return grown((), 0)


def fits(cost: Cost, widths: Widths) -> bool:
    if not widths.devices:
        return max(cost.widths) <= widths.most
    sizes = sorted(cost.widths, reverse=True)
    rooms = sorted(widths.devices, reverse=True)
    return len(sizes) <= len(rooms) and all(size <= room for size, room in zip(sizes, rooms, strict=False))


def least(problem: Problem, widths: Widths) -> float | None:
    scores = [cost.score for c in all_choices(problem.ends) if fits(cost := cost_of(problem, c), widths)]
    best = min(scores, default=inf)
    return None if best == inf else best


def check(problem: Problem, widths: Widths, found: Found) -> None:
    """What holds of everything that is found."""
    cost = cost_of(problem, found.fragment_of)
    assert cost == found.cost
    assert fits(cost, widths)
    assert found.bound <= cost.score + 1e-9
    assert cost.score < inf
    assert found.proven == (cost.score <= found.bound + 1e-6)
    firsts = list(dict.fromkeys(found.fragment_of))
    assert firsts == list(range(len(firsts)))
    assert found.reasons
    if not widths.devices:
        assert found.devices == ()
        return
    assert len(set(found.devices)) == len(found.devices) == len(cost.widths)
    assert all(width <= widths.devices[d] for width, d in zip(cost.widths, found.devices, strict=True))


def agrees(problem: Problem, widths: Widths) -> None:
    expected, found = least(problem, widths), find(problem, widths)
    if expected is None or isinstance(found, NotFound):
        assert expected is None
        assert isinstance(found, NotFound)
        assert found.impossible
        return
    check(problem, widths, found)
    assert found.cost.score == pytest.approx(expected, abs=1e-6)
    assert found.proven


@pytest.mark.parametrize("seed", range(60))
def test_any_number_of_fragments(seed: int) -> None:
    agrees(generated(seed), Widths(most=1 + seed % 3))


@pytest.mark.parametrize("seed", range(60))
def test_a_fragment_a_device(seed: int) -> None:
    rng = random.Random(seed)
    devices = tuple(rng.randrange(1, 4) for _ in range(rng.randrange(1, 5)))
    agrees(generated(seed + 1000), Widths(devices=devices))


@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("seed", range(12))
def test_random_circuits(seed: int, effort: str) -> None:
    qubits = 4 + seed % 5
    problem = problem_of(pairs(qubits, 2 * qubits + seed % 7, seed))
    for widths in (Widths(most=qubits // 2 + 1), Widths(devices=(qubits - 2, 3, qubits // 2))):
        found = find(problem, widths, effort)
        assert isinstance(found, Found)
        check(problem, widths, found)
        assert found.proven or effort == "fast"
        assert found == find(problem, widths, effort)


@pytest.mark.parametrize("seed", range(4))
def test_fast_is_never_below_the_bound(seed: int) -> None:
    problem = problem_of(pairs(8, 20, seed))
    fast, proven = find(problem, Widths(most=5), "fast", seed), find(problem, Widths(most=5))
    assert isinstance(fast, Found)
    assert isinstance(proven, Found)
    assert proven.proven
    assert fast.bound - 1e-9 <= proven.cost.score <= fast.cost.score + 1e-9


def test_a_chain_of_layers_is_cut_in_the_middle() -> None:
    found = find(problem_of(chain(24, 4)), Widths(most=12))
    assert isinstance(found, Found)
    assert found.proven
    assert found.cost == Cost(2 * 5**4, 3.0**4, (12, 12))


def test_nothing_is_cut_where_all_fits() -> None:
    problem = problem_of([(0, 1), (2, 3), (4, 5), (0, 1)])
    found = find(problem, Widths(most=4))
    assert isinstance(found, Found)
    assert found.proven
    assert found.cost.gamma == 1.0
    assert sorted(found.cost.widths) == [2, 4]


def test_nothing_fits() -> None:
    whole = Problem(((0,), (1,), (2,)), (None,) * 3, (Joint((0, 1, 2)),))
    for problem, widths in (
        (whole, Widths(most=2)),
        (whole, Widths(devices=(2, 2, 2))),
        (problem_of([(0, 1)]), Widths(devices=(1,))),
    ):
        found = find(problem, widths)
        assert isinstance(found, NotFound)
        assert found.impossible
        assert found.reasons


def test_a_large_chain_has_a_bound() -> None:
    problem = problem_of(chain(200, 2))
    found = find(problem, Widths(most=50), "fast")
    assert isinstance(found, Found)
    check(problem, Widths(most=50), found)
    assert found.cost.gamma == 3.0**6
    assert found.bound > 6 * 2.197


def test_no_time_leaves_a_choice_and_a_bound() -> None:
    problem = problem_of(pairs(8, 40, 1))
    found = find(problem, Widths(most=5), time_limit=0.0)
    assert isinstance(found, Found)
    check(problem, Widths(most=5), found)
    assert not found.proven
    assert "the time limit ended the search for a proof" in found.reasons


def test_no_time_is_no_proof_that_nothing_fits() -> None:
    problem = Problem(((0, 2, 4), (1, 3, 5)), (None, None, None, None, WIRE, WIRE), (Joint((0, 1), GATE),))
    for seconds in (None, 0.0):
        found = find(problem, Widths(devices=(1, 1)), time_limit=seconds)
        assert isinstance(found, Found)
    hard = [seed for seed in range(200) if isinstance(find(generated(seed), Widths(devices=(2, 1, 1))), NotFound)]
    ended = [find(generated(seed), Widths(devices=(2, 1, 1)), time_limit=0.0) for seed in range(200)]
    for seed, found in enumerate(ended):
        assert isinstance(found, Found) or not found.impossible or seed in hard
