"""portfolio: several tools resynthesise a circuit, and the target says which result is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from ...bridges.services import Candidate
from ...ir import Circuit, Module
from ..pipelines import LOGICAL, NATIVE
from ..registry import make_pass
from ..spread import spread
from .base import Context, Contract, Pass
from .lower_native import LowerNative
from .rewrites import read_qubits, readouts, relabelled


class Variant(NamedTuple):
    """One way to compile a circuit: the whole module with it, what made it, and its score (smaller is better)."""

    score: tuple[float, ...]
    origin: str
    module: Module


class Rounds(NamedTuple):
    """How placements are spent: `first` on every variant, `last` on the best `kept` of them, as many as emission tries.

    `again`: placements of each of these that our passes take up once more.
    """

    first: int
    kept: int
    last: int
    again: int


ROUNDS = {"default": Rounds(1, 4, 8, 2), "max": Rounds(2, 6, 32, 4)}


@dataclass(frozen=True)
class Portfolio(Pass):
    """Keep the best of our circuit, its Pauli-rotation form, and what other compilers make of it.

    Every candidate goes through our own passes again, since only they know the readouts. The score is the predicted
    fidelity on a calibrated target, else the number of two-qubit gates, then their depth. Where the target does not
    couple all pairs, the best variants are placed more often, and the gates that moving qubits has added are fused with
    their neighbours. Runs from effort `default` on; circuits that measure, reset or are conditioned have no candidates.
    """

    name: ClassVar[str] = "portfolio"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    max_gates: int = 5000
    """circuits with more gates are left alone"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, as its best variant."""
        if context.effort not in ROUNDS or context.services is None:
            return module
        for name in readouts(module):
            if len(module.circuits[name]) <= self.max_gates and not module.circuits[name].has_measurement:
                module = self._best(name, module, context)
        return module

    def _best(self, name: str, module: Module, context: Context) -> Module:
        assert context.services is not None
        rounds = ROUNDS[context.effort]
        offered = context.services.candidates(_plain(module, name, context), context.effort, context.seed)
        starts = [("as it was", module)]
        starts += [(c.origin, _with_candidate(module, name, c)) for c in offered]
        forms = FORMS if context.services.couples_all else FORMS_WHERE_QUBITS_MOVE
        attempts = [Attempt(origin + form.note, start, form.passes) for origin, start in starts for form in forms]
        parallel = context.effort == "max"
        given = name, replace(context, supports=None, remarks=[])
        variants = _distinct(name, spread(_tried, given, attempts, parallel=parallel))
        last = spread(_last_round, given, variants[: rounds.kept], parallel=parallel)
        best = min((v for group in last for v in group), key=lambda v: v.score)
        tried = len(variants) + sum(len(group) - 1 for group in last)
        self._report(module.circuits[name], tried, best, context)
        return best.module

    def _report(self, circuit: Circuit, tried: int, best: Variant, context: Context) -> None:
        before, after = circuit.costs(), best.module.circuits[circuit.name].costs()
        message = f"circuit {circuit.name}: the best of {tried} is {best.origin}"
        saved = {key: before[key] - after[key] for key in ("two_qubit_gates", "two_qubit_depth")}
        context.remark(self, message, circuit.place, **saved)


class Attempt(NamedTuple):
    """Passes over a start, and what the report calls it."""

    origin: str
    start: Module
    passes: tuple[str, ...]


class Form(NamedTuple):
    """Our passes over a start, and what the report adds to its origin."""

    passes: tuple[str, ...]
    note: str


FORMS = (Form((), ""), Form(LOGICAL, ", by our passes"), Form(("pauli-rotations", *LOGICAL), ", by Pauli rotations"))
"""The first makes sure that no tool's own result is better than what is kept."""

IN_ORDER = tuple(entry for entry in LOGICAL if entry != "schedule-commuting")
"""Passes that keep the order of gates, which tells a router which qubits meet next."""

FORMS_WHERE_QUBITS_MOVE = (
    *FORMS,
    Form(IN_ORDER, ", by our passes in the given order"),
    Form(("pauli-rotations", *IN_ORDER), ", by Pauli rotations in their order"),
)

AFTER_PLACEMENT = tuple(entry for entry in LOGICAL if entry != "relabel-swaps")
"""Passes that leave every two-qubit gate on its pair, or take it away."""


def _tried(given: tuple[str, Context], attempt: Attempt) -> Variant:
    """The variant that an attempt makes of a circuit, scored by few placements."""
    name, context = given
    made = _through(attempt.passes, attempt.start, context)
    return Variant(_score(made, name, ROUNDS[context.effort].first, context), attempt.origin, made)


def _distinct(name: str, variants: Sequence[Variant]) -> list[Variant]:
    """Variants, best first, each circuit once."""
    first = {v.module.circuits[name].canonical(): v for v in reversed(variants)}
    return sorted((v for v in variants if first[v.module.circuits[name].canonical()] is v), key=lambda v: v.score)


def _last_round(given: tuple[str, Context], variant: Variant) -> list[Variant]:
    """The variant by its best placement, and our passes over the best of its placements where qubits had to move."""
    name, context = given
    assert context.services is not None
    rounds = ROUNDS[context.effort]
    native = _through(NATIVE, variant.module, context)
    circuit, observed = native.circuits[name], read_qubits(readouts(native)[name])
    found = [variant._replace(score=context.services.score(circuit, observed, context.seed, rounds.last))]
    for candidate in context.services.placed(circuit, observed, context.seed, rounds.last)[: rounds.again]:
        made = _through(AFTER_PLACEMENT, _with_candidate(native, name, candidate), context)
        origin = f"{variant.origin}, {candidate.origin}"
        found.append(Variant(_score(made, name, rounds.last, context), origin, made))
    return found


def _plain(module: Module, name: str, context: Context) -> Circuit:
    """The circuit in the target's own gates and without its global phase.

    Others write gates of several symbols with a symbol in the global phase for each; adding up a hundred of those takes
    them minutes.
    """
    return replace(LowerNative(late=False).run(module, context).circuits[name], phase=-1)


def _with_candidate(module: Module, name: str, candidate: Candidate) -> Module:
    """The module with another circuit, its readouts on the qubits where their values are now."""
    changed = module.with_(circuits={**module.circuits, name: candidate.circuit})
    return relabelled(changed, {name: dict(enumerate(candidate.final))})


def _through(passes: Sequence[str], module: Module, context: Context) -> Module:
    """The module after some of our own passes, on any pairs of qubits; remarks of attempts are not kept."""
    trial = Context(context.target, context.seed, effort=context.effort)
    for entry in passes:
        module = make_pass(entry, {}).run(module, trial)
    return module


def _score(module: Module, name: str, tries: int, context: Context) -> tuple[float, ...]:
    """The score of one circuit in the target's own gates."""
    assert context.services is not None
    module = _through(NATIVE, module, context)
    observed = read_qubits(readouts(module)[name])
    return context.services.score(module.circuits[name], observed, context.seed, tries)
