"""What a search for cuts decides about a circuit, and what a choice costs.

A gate on several qubits has one *end* on each of them. Every end goes to a fragment. Where two consecutive ends of a
qubit go to different fragments its wire is cut between them; where the ends of a gate do, the gate is cut. A stretch of
consecutive ends of one qubit in one fragment takes one qubit of that fragment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log, prod


@dataclass(frozen=True, slots=True)
class WireCut:
    """What cutting a wire at one place takes: measurement bases in front, prepared states behind, and its gamma.

    gamma: the factor by which the cut raises the standard error; its square is the sampling overhead.
    """

    bases: int
    states: int
    gamma: float


@dataclass(frozen=True, slots=True)
class GateCut:
    """What cutting a gate takes: how many operations stand in its place at each of its two ends, and its gamma."""

    operations: tuple[int, int]
    gamma: float


@dataclass(frozen=True, slots=True)
class Joint:
    """The ends of one gate, or of anything else that belongs together; `cut` is None where it must stay whole."""

    ends: tuple[int, ...]
    cut: GateCut | None = None


@dataclass(frozen=True)
class Problem:
    """wires: the ends of every qubit in order, each end once; every qubit has at least one. wire_cuts: for every end
    what it costs to cut the wire in front of it; None where that cannot be done, as for the first end of a wire."""

    wires: tuple[tuple[int, ...], ...]
    wire_cuts: tuple[WireCut | None, ...]
    joints: tuple[Joint, ...]

    @property
    def ends(self) -> int:
        return len(self.wire_cuts)


@dataclass(frozen=True)
class Cost:
    """executions: measured circuits of all fragments for one input sample. gamma: the product over all cuts.

    widths: qubits of every fragment, in the order of the fragments' numbers.
    """

    executions: int
    gamma: float
    widths: tuple[int, ...]

    @property
    def overhead(self) -> float:
        """gamma^2: how many times as many shots give the same standard error."""
        return self.gamma**2

    @property
    def score(self) -> float:
        """log(executions * overhead): what is minimised."""
        return log(self.executions) + 2.0 * log(self.gamma) if self.gamma < inf else inf


def cost_of(problem: Problem, fragment_of: Sequence[int]) -> Cost:
    """What it costs to give end k to fragment `fragment_of[k]`; gamma is infinite where something is cut that must not
    be. Fragments are numbered from 0 without gaps."""
    count = max(fragment_of, default=-1) + 1
    widths, factors, gammas = [0] * count, [1] * count, list[float]()
    for wire in problem.wires:
        widths[fragment_of[wire[0]]] += 1
        for before, after in pairwise(wire):
            upper, lower = fragment_of[before], fragment_of[after]
            if upper == lower:
                continue
            widths[lower] += 1
            cut = problem.wire_cuts[after]
            gammas.append(inf if cut is None else cut.gamma)
            if cut is not None:
                factors[upper] *= cut.bases
                factors[lower] *= cut.states
    for joint in problem.joints:
        touched = [fragment_of[end] for end in joint.ends]
        if len(set(touched)) == 1:
            continue
        gammas.append(inf if joint.cut is None else joint.cut.gamma)
        if joint.cut is not None:
            for fragment, operations in zip(touched, joint.cut.operations, strict=True):
                factors[fragment] *= operations
    return Cost(sum(factors), prod(gammas), tuple(widths))
