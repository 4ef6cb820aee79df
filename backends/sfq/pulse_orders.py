"""Every order in which pulses may arrive: the check that only pulse logic has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple, TypedDict

import numpy as np

from .artifact import Artifact
from .simulator import Row, play

EVENTS = 200_000
"""How many events a check may take at most, about two seconds of Icarus Verilog."""

EVENTS_PER_CELL = 1.5
"""Events of a cell in one clock period: its clock pulse, and often an output pulse."""

LEAST = 16
"""How many pairs are tried however large the netlist is."""

CLOSE = 500
"""Femtoseconds between neighbours in a bunch of pulses."""


class CheckResult(TypedDict):
    """cases: pairs of consecutive input arrangements that were tried. total: how many there are. failures: cases with
    a wrong output or a timing fault. first: the first of them, or an empty text."""

    cases: int
    total: int
    failures: int
    exhaustive: bool
    first: str


class Arrangement(NamedTuple):
    """One input value and when its pulses come."""

    bits: tuple[bool, ...]
    row: Row

    def __str__(self) -> str:
        value = "".join("1" if b else "0" for b in self.bits)
        times = ", ".join(f"input {port} at {at / 1000:g} ps" for port, at in self.row)
        return value + (f" ({times})" if times else "")


@dataclass(frozen=True)
class Window:
    """The time in which pulses may come, femtoseconds."""

    low: int
    high: int

    def arrangements(self, bits: tuple[bool, ...]) -> Iterator[Arrangement]:
        """Every arrangement of one value that is tried: all pulses at once at either end; in every order, in a bunch
        at either end and spread over the window; a single pulse at both ends and in the middle."""
        ports = [k for k, bit in enumerate(bits) if bit]
        if not ports:
            yield Arrangement(bits, ())
            return
        for at in (self.low, self.high):
            yield Arrangement(bits, tuple((p, at) for p in ports))
        if len(ports) == 1:
            yield Arrangement(bits, ((ports[0], (self.low + self.high) // 2),))
            return
        for order in permutations(ports):
            for times in self.spreads(len(ports)):
                yield Arrangement(bits, tuple(zip(order, times, strict=True)))

    def spreads(self, count: int) -> tuple[list[int], ...]:
        """Times for `count` pulses one after the other: early, late, and over the whole window."""
        length = max(0, self.high - self.low)
        step = min(CLOSE, length // count)
        early = [self.low + k * step for k in range(count)]
        late = [self.high - (count - 1 - k) * step for k in range(count)]
        wide = [self.low + k * length // (count - 1) for k in range(count)]
        return early, late, wide

    def random(self, bits: tuple[bool, ...], rng: np.random.Generator) -> Arrangement:
        """An arrangement at random: a random order, in one of the spreads or at any times."""
        ports = [k for k, bit in enumerate(bits) if bit]
        order = rng.permutation(ports).tolist()
        kind = int(rng.integers(4)) if len(ports) > 1 else 3
        if kind < 3:
            times = self.spreads(len(ports))[kind]
        else:
            times = rng.integers(self.low, max(self.high, self.low) + 1, len(ports)).tolist()
        return Arrangement(bits, tuple(zip(order, times, strict=True)))


def number_of_arrangements(inputs: int) -> int:
    """How many arrangements `Window.arrangements` gives for all values of so many inputs."""
    several = sum(math.comb(inputs, k) * (2 + 3 * math.factorial(k)) for k in range(2, inputs + 1))
    return 1 + 3 * inputs + several


def all_pairs(count: int) -> list[int]:
    """A closed walk over `count` symbols in which every ordered pair of neighbours comes once (de Bruijn)."""
    walk = [symbol for a in range(count) for symbol in (a, *(x for b in range(a + 1, count) for x in (a, b)))]
    return [*walk, *walk[:1]]


def check_pulse_orders(
    artifact: Artifact, meaning: Callable[[np.ndarray], np.ndarray], *, events: int = EVENTS, seed: int = 0
) -> CheckResult:
    """Simulate every pair of consecutive arrangements where `events` allow it, else as many random ones as they do.

    meaning: the expected outputs, bits (rows, inputs) -> (rows, outputs). Consecutive pairs, because what an earlier
    period leaves behind in a cell shows in the next one.
    """
    inputs = len(artifact.names.inputs)
    window = Window(*artifact.schedule.window)
    periods = max(LEAST, int(events / (EVENTS_PER_CELL * max(1, artifact.num_cells))) - artifact.schedule.depth)
    total = number_of_arrangements(inputs) ** 2
    if total <= periods:
        kinds = [a for value in range(1 << inputs) for a in window.arrangements(_bits_of(value, inputs))]
        played = [kinds[k] for k in all_pairs(len(kinds))]
    else:
        rng = np.random.default_rng(seed)
        values = rng.random((periods + 1, inputs)) < 0.5
        played = [window.random(tuple(bits), rng) for bits in values.tolist()]
    failures, first = _failures(artifact, played, meaning)
    return CheckResult(cases=len(played) - 1, total=total, failures=failures, exhaustive=total <= periods, first=first)


def _bits_of(value: int, width: int) -> tuple[bool, ...]:
    return tuple(bool(value >> k & 1) for k in range(width))


def _failures(
    artifact: Artifact, played: Sequence[Arrangement], meaning: Callable[[np.ndarray], np.ndarray]
) -> tuple[int, str]:
    recording = play(artifact, [a.row for a in played])
    wanted = meaning(np.array([a.bits for a in played], bool).reshape(len(played), -1))
    reasons: dict[int, list[str]] = {}
    for row in np.flatnonzero((recording.bits != wanted).any(axis=1)).tolist():
        given, right = (_text(bits[row]) for bits in (recording.bits, wanted))
        reasons.setdefault(row, []).append(f"gives {given} instead of {right}")
    for fault in recording.faults:
        reasons.setdefault(fault.row, []).append(fault.text)
    if not reasons:
        return 0, ""
    row = min(reasons)
    before = f"{played[row - 1]} then " if row else ""
    return len(reasons), f"{before}{played[row]}: {reasons[row][0]}"


def _text(bits: np.ndarray) -> str:
    return "".join("1" if b else "0" for b in bits.tolist())
