"""portfolio: several tools resynthesise a circuit, and the target says which result is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ...bridges.services import Candidate
from ...ir import Circuit, Module
from .base import Context, Contract, Pass
from .rewrites import read_qubits, readouts, relabelled


class Variant(NamedTuple):
    """One way to compile a circuit: the whole module with it, what made it, and its score (smaller is better)."""

    score: tuple[float, ...]
    origin: str
    module: Module


@dataclass(frozen=True)
class Portfolio(Pass):
    """Keep the best of our circuit, its Pauli-rotation form, and what other compilers make of it.

    Every candidate goes through our own passes again, since only they know the readouts. The score is the predicted
    fidelity on a calibrated target, else the number of two-qubit gates, then their depth. Runs from effort `default`
    on; circuits that measure, reset or are conditioned have no candidates.
    """

    name: ClassVar[str] = "portfolio"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    max_gates: int = 5000
    """circuits with more gates are left alone"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read, as its best variant."""
        if context.effort == "fast" or context.services is None:
            return module
        for name in readouts(module):
            if len(module.circuits[name]) <= self.max_gates and not module.circuits[name].has_measurement:
                module = self._best(name, module, context)
        return module

    def _best(self, name: str, module: Module, context: Context) -> Module:
        assert context.services is not None
        circuit = module.circuits[name]
        offered = context.services.candidates(circuit, context.effort, context.seed)
        starts = [("as it was", module)]
        starts += [(c.origin, _with_candidate(module, name, c)) for c in offered]
        variants = [Variant(_score(module, name, context), "as it was", module)]
        seen = {circuit.canonical()}
        for origin, start in starts:
            for form in FORMS:
                made = _through(form, start, context)
                key = made.circuits[name].canonical()
                if key not in seen:
                    seen.add(key)
                    variants.append(Variant(_score(made, name, context), f"{origin}{FORMS[form]}", made))
        best = min(variants, key=lambda v: v.score)
        self._report(circuit, variants, best, context)
        return best.module

    def _report(self, circuit: Circuit, variants: Sequence[Variant], best: Variant, context: Context) -> None:
        before, after = circuit.costs(), best.module.circuits[circuit.name].costs()
        message = f"circuit {circuit.name}: the best of {len(variants)} is {best.origin}"
        saved = {key: before[key] - after[key] for key in ("two_qubit_gates", "two_qubit_depth")}
        context.remark(self, message, circuit.place, **saved)


FORMS = {"gates": "", "pauli": ", by Pauli rotations"}
"""How a start is compiled again -> what the report adds to its origin."""


def _with_candidate(module: Module, name: str, candidate: Candidate) -> Module:
    """The module with another circuit, its readouts on the qubits where their values are now."""
    changed = module.with_(circuits={**module.circuits, name: candidate.circuit})
    return relabelled(changed, {name: dict(enumerate(candidate.final))})


def _through(form: str, module: Module, context: Context) -> Module:
    """The module after our own passes; remarks of attempts are not kept."""
    from ..pipelines import LOGICAL
    from ..registry import make_pass

    trial = Context(context.target, context.seed, effort=context.effort)
    for entry in (("pauli-rotations",) if form == "pauli" else ()) + LOGICAL:
        module = make_pass(entry, {}).run(module, trial)
    return module


def _score(module: Module, name: str, context: Context) -> tuple[float, ...]:
    """The score of one circuit in the target's own gates."""
    from ..pipelines import NATIVE
    from ..registry import make_pass

    assert context.services is not None
    trial = Context(context.target, context.seed, effort=context.effort)
    for entry in NATIVE:
        module = make_pass(entry, {}).run(module, trial)
    observed = read_qubits(readouts(module)[name])
    return context.services.score(module.circuits[name], observed, context.effort, context.seed)
