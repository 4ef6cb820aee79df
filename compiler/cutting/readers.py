"""How fragments are read: sums of Pauli products, and outcomes with their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np

from ...ir import Op, PauliSum, Value
from ...ir.measurement_settings import pauli_masks, pauli_term, qubitwise_groups
from ...ir.observables import PauliTerm
from ...ir.ops import (
    BitExpectation,
    BitProbabilities,
    BitReadout,
    BitSamples,
    Contract,
    Expectation,
    Probabilities,
    Reshape,
    SampleOutcomes,
    Samples,
    Take,
)
from .fragments import Cutting, Leg, Runnable
from .settings import bases, basis_angles


@dataclass(frozen=True)
class Tensor:
    """A value with a letter for every dimension; "a" is the batch."""

    value: Value
    letters: str


class Builder(Protocol):
    """What readers need to make nodes."""

    bond_letters: list[str]

    def letter(self) -> str: ...
    def add(self, op: Op, *operands: Value, hint: str = "") -> Value: ...
    def finish(self, op: Op, *operands: Value) -> None: ...
    def weight(self, array: np.ndarray, hint: str) -> Value: ...
    def contract(self, tensors: Sequence[Tensor], result: str, hint: str = "") -> Tensor: ...


@dataclass(frozen=True)
class Plan:
    """How one circuit of a fragment is read at its end.

    turned: qubits whose basis is a setting; fixed: (qubit, letter) of others. table: a row of Rz and Ry angles of all
    turned qubits for every basis. chosen: (bases, columns), the share of every basis in what a column is read from.
    """

    signs: tuple[Leg, ...] = ()
    turned: tuple[int, ...] = ()
    fixed: tuple[tuple[int, str], ...] = ()
    into_bits: bool = False
    table: np.ndarray | None = None
    chosen: np.ndarray | None = None


class Reader:
    """What is read of every fragment, and what is made of the joined tensors."""

    def __init__(self, work: Builder, op: Any, cutting: Cutting) -> None:
        self.work, self.op, self.cutting = work, op, cutting
        self.of_bits = isinstance(op, BitReadout)

    def owned(self, number: int) -> dict[int, int]:
        """Qubit (or classical bit, where bits are read) of the whole circuit -> that of the fragment."""
        part = self.cutting.fragments[number]
        return part.bit_of if self.of_bits else part.qubit_of

    def outs(self, number: int) -> list[tuple[int, str, str]]:
        """(qubit, letters that pass, the bond's letter) of every wire that ends in a cut, in the order of the legs."""
        part, bonds = self.cutting.fragments[number], self.cutting.bonds
        legs = [leg for leg in part.legs if leg.kind == "out"]
        return [(part.outs[leg], bonds[leg.bond].letters, self.work.bond_letters[leg.bond]) for leg in legs]

    def reads(self, number: int) -> bool:
        """Whether anything in the fragment is read."""
        raise NotImplementedError

    def open_letters(self, number: int) -> str:
        """The letters of the dimensions that a fragment's tensor has beside its bonds."""
        raise NotImplementedError

    def plan(self, number: int, measured: frozenset[Leg]) -> Plan:
        """How the fragment's circuit with these gate ends measured is read."""
        raise NotImplementedError

    def readout(self, number: int, made: Runnable, plan: Plan) -> Op:
        """The readout of such a circuit."""
        raise NotImplementedError

    def columns(self, number: int, plan: Plan, read: Value, letters: str) -> list[Tensor]:
        """What was read (`letters`, and the readout's dimension) as a tensor, with constants to contract it with."""
        raise NotImplementedError

    def ready(self, number: int, tensor: Tensor) -> Tensor:
        """The fragment's tensor as it goes into the last contraction."""
        raise NotImplementedError

    def join(self, tensors: Sequence[Tensor]) -> None:
        """The last nodes."""
        raise NotImplementedError


class Sums(Reader):
    """Expectations: every fragment reads its part of every product of letters, beside the letters of its bonds."""

    def __init__(self, work: Builder, op: Expectation | BitExpectation, cutting: Cutting) -> None:
        super().__init__(work, op, cutting)
        numbers: dict[PauliTerm, int] = {}
        for observable in op.observables:
            for term, _ in observable.terms:
                numbers.setdefault(term, len(numbers))
        self.terms = list(numbers)
        self.share = np.zeros((len(numbers), len(op.observables)))
        for k, observable in enumerate(op.observables):
            for term, coeff in observable.terms:
                self.share[numbers[term], k] = coeff
        self.term_letter, self.part_letter = work.letter(), work.letter()

    def _local(self, number: int, term: PauliTerm) -> PauliTerm:
        own = self.owned(number)
        return tuple((letter, own[q]) for letter, q in term if q in own)

    def _parts(self, number: int) -> dict[PauliTerm, int]:
        """The distinct parts of all products in the fragment."""
        found: dict[PauliTerm, int] = {}
        for term in self.terms:
            found.setdefault(self._local(number, term), len(found))
        return found

    def reads(self, number: int) -> bool:
        return any(self._local(number, term) for term in self.terms)

    def open_letters(self, number: int) -> str:
        return self.part_letter

    def _columns(self, number: int) -> list[tuple[PauliTerm, PauliTerm]]:
        """(part of a product, letters on the cut wires) of every column that is read."""
        outs = self.outs(number)
        choices = list(product(*(letters for _, letters, _ in outs)))
        cut = [tuple((p, q) for p, (q, _, _) in zip(c, outs, strict=True) if p != "I") for c in choices]
        return [(part, ends) for part in self._parts(number) for ends in cut]

    def _on_qubits(self, number: int) -> list[PauliTerm]:
        return [ends if self.of_bits else (*part, *ends) for part, ends in self._columns(number)]

    def plan(self, number: int, measured: frozenset[Leg]) -> Plan:
        if not measured and not self.of_bits:
            return Plan()
        columns = self._on_qubits(number)
        masks = [pauli_masks(term) for term in columns]
        groups = [{q: p for p, q in pauli_term(basis)} for basis, _ in qubitwise_groups(m for m in masks if any(m))]
        groups = groups or [{}]
        letters = {q: {g[q] for g in groups if q in g} for q in sorted({q for g in groups for q in g})}
        turned = tuple(q for q, found in letters.items() if len(found) > 1)
        fixed = tuple((q, min(found)) for q, found in letters.items() if len(found) == 1)
        signs = tuple(sorted(measured, key=lambda leg: (leg.bond, leg.side)))
        if len(groups) == 1:
            return Plan(signs, turned, fixed, True)
        table = np.array([[a for q in turned for a in basis_angles(g.get(q, "Z"))] for g in groups])
        fits = [[all(g.get(q) == p for p, q in term) for term in columns] for g in groups]
        chosen = np.array(fits, np.float64)
        return Plan(signs, turned, fixed, True, table.reshape(len(groups), -1), chosen / chosen.sum(axis=0))

    def readout(self, number: int, made: Runnable, plan: Plan) -> Op:
        name = made.circuit.name
        if not plan.into_bits:
            return Expectation(name, tuple(PauliSum.of([(term, 1.0)]) for term in self._on_qubits(number)))
        signs = tuple(("Z", made.signs[leg]) for leg in plan.signs)
        sums: list[PauliSum] = []
        for part, ends in self._columns(number):
            qubits, bits = (ends, part) if self.of_bits else ((*part, *ends), ())
            read = (*signs, *bits, *(("Z", made.read[q]) for _, q in qubits))
            sums.append(PauliSum.of([(read, 1.0)]))
        return BitExpectation(name, tuple(sums))

    def columns(self, number: int, plan: Plan, read: Value, letters: str) -> list[Tensor]:
        if plan.chosen is not None:
            column = self.work.letter()
            chosen = Tensor(self.work.weight(plan.chosen, "bases"), letters[-1] + column)
            kept = letters[:-1].removeprefix("a")
            read = self.work.contract([Tensor(read, letters + column), chosen], kept + column).value
            letters = letters[:-1]
        outs = self.outs(number)
        shape = (*read.type.shape[:-1], len(self._parts(number)), *(len(passing) for _, passing, _ in outs))
        value = self.work.add(Reshape(shape), read) if outs else read
        return [Tensor(value, letters + self.part_letter + "".join(bond for _, _, bond in outs))]

    def ready(self, number: int, tensor: Tensor) -> Tensor:
        parts = self._parts(number)
        indices = tuple(parts[self._local(number, term)] for term in self.terms)
        value = tensor.value
        if indices != tuple(range(len(parts))):
            value = self.work.add(Take(indices), value)
        return Tensor(value, tensor.letters[:-1] + self.term_letter)

    def join(self, tensors: Sequence[Tensor]) -> None:
        last = self.work.letter()
        share = Tensor(self.work.weight(self.share, "observables"), self.term_letter + last)
        ordered = sorted(tensors, key=lambda t: t.letters[:1] != "a")
        batch = "a" if ordered[0].letters[:1] == "a" else ""
        equation = ",".join(t.letters for t in (*ordered, share)) + "->" + batch + last
        self.work.finish(Contract(equation), *(t.value for t in (*ordered, share)))


class Outcomes(Reader):
    """Probabilities and samples: every fragment gives the outcomes of its own qubits and of its cut wires together."""

    def __init__(
        self, work: Builder, op: Probabilities | BitProbabilities | Samples | BitSamples, cutting: Cutting
    ) -> None:
        super().__init__(work, op, cutting)
        self.listed = op.bits if isinstance(op, BitProbabilities | BitSamples) else op.qubits
        self.letter_of = {q: work.letter() for q in self.listed}

    def _read(self, number: int) -> list[int]:
        own = self.owned(number)
        return [q for q in self.listed if q in own]

    def reads(self, number: int) -> bool:
        return bool(self._read(number))

    def open_letters(self, number: int) -> str:
        return "".join(self.letter_of[q] for q in self._read(number))

    def plan(self, number: int, measured: frozenset[Leg]) -> Plan:
        outs = self.outs(number)
        own = self.owned(number)
        turned = tuple(q for q, letters, _ in outs if len(letters) > 2)
        fixed = [(q, letters[1]) for q, letters, _ in outs if len(letters) == 2]
        fixed += [] if self.of_bits else [(own[q], "Z") for q in self._read(number)]
        signs = tuple(sorted(measured, key=lambda leg: (leg.bond, leg.side)))
        choices = list(product(*(bases(letters).angles for _, letters, _ in outs if len(letters) > 2)))
        table = np.array([np.concatenate(c) for c in choices]) if turned else None
        return Plan(signs, turned, tuple(fixed), bool(measured) or self.of_bits, table)

    def readout(self, number: int, made: Runnable, plan: Plan) -> Op:
        name, own = made.circuit.name, self.owned(number)
        outs = [q for q, _, _ in self.outs(number)]
        if not plan.into_bits:
            return Probabilities(name, (*outs, *(own[q] for q in self._read(number))))
        read = [own[q] if self.of_bits else made.read[own[q]] for q in self._read(number)]
        return BitProbabilities(name, (*(made.signs[s] for s in plan.signs), *(made.read[q] for q in outs), *read))

    def columns(self, number: int, plan: Plan, read: Value, letters: str) -> list[Tensor]:
        basis = letters[-1] if plan.table is not None else ""
        outs = self.outs(number)
        signs = [self.work.letter() for _ in plan.signs]
        ends = [self.work.letter() for _ in outs]
        bits = [*signs, *ends, *self.open_letters(number)]
        value = self.work.add(Reshape((*read.type.shape[:-1], *(2 for _ in bits))), read) if len(bits) != 1 else read
        found = [Tensor(value, letters + "".join(reversed(bits)))]
        found += [Tensor(self.work.weight(np.array([1.0, -1.0]), "sign"), letter) for letter in signs]
        counts = [len(passing) - 1 for _, passing, _ in outs if len(passing) > 2]
        turned = zip(*product(*map(range, counts)), strict=True)
        for (_, passing, bond), end in zip(outs, ends, strict=True):
            weights = bases(passing).weights
            if len(passing) > 2:
                found.append(Tensor(self.work.weight(weights[list(next(turned))], "ends"), basis + end + bond))
            else:
                found.append(Tensor(self.work.weight(weights[0], "ends"), end + bond))
        return found

    def ready(self, number: int, tensor: Tensor) -> Tensor:
        return tensor

    def join(self, tensors: Sequence[Tensor]) -> None:
        whole = self.work.contract(tensors, "".join(self.letter_of[q] for q in reversed(self.listed)))
        batch = whole.value.type.shape[: len(whole.letters) - len(self.listed)]
        flat = Reshape((*batch, 1 << len(self.listed)))
        if isinstance(self.op, Samples | BitSamples):
            self.work.finish(SampleOutcomes(self.op.shots), self.work.add(flat, whole.value, hint="outcomes"))
        else:
            self.work.finish(flat, whole.value)
