"""Pauli sums, the observables of a readout."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from numbers import Integral

from .diagnostics import InputError, user_line

PauliTerm = tuple[tuple[str, int], ...]
"""((letter, qubit), ...) sorted by qubit; the empty term is the identity."""

_PAULI = r"[XYZ](?:\[\d+\]|\d+)"
_FACTOR = re.compile(r"([XYZ])\[?(\d+)\]?")
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PRODUCT = rf"{_PAULI}(?:\s*\*?\s*{_PAULI})*"
_TERM = re.compile(rf"\s*([+-])?\s*(?:({_NUMBER})(?:\s*\*?\s*({_PRODUCT}))?|({_PRODUCT}))\s*")


@dataclass(frozen=True, slots=True)
class PauliSum:
    """sum_k coeff_k * P_k, for example `0.5*X0*Y1 - Z2`. Terms are distinct and sorted; real coefficients."""

    terms: tuple[tuple[PauliTerm, float], ...]

    @classmethod
    def of(cls, terms: Iterable[tuple[PauliTerm, float]]) -> PauliSum:
        """The canonical sum: equal terms joined, zero coefficients dropped."""
        total: dict[PauliTerm, float] = {}
        for term, coeff in terms:
            key = tuple(sorted(term, key=lambda f: f[1]))
            for (a, qubit), (b, other) in pairwise(key):
                if qubit == other:
                    raise ValueError(f"a Pauli product names qubit {qubit} twice: {a}{qubit} and {b}{qubit}")
            total[key] = total.get(key, 0.0) + float(coeff)
        return cls(tuple(sorted((t, c) for t, c in total.items() if c != 0.0)))

    @classmethod
    def parse(cls, text: str) -> PauliSum:
        """Reads `Z0`, `Z[0]`, `0.5*X0*Y1 - Z2`, `-Z0 Z1 + 1.5`. ValueError says which part is wrong."""
        terms: list[tuple[PauliTerm, float]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TERM.match(text, at)
            if match is None or (at and not match[1]):
                raise ValueError(f"not a Pauli sum at character {at + 1} of {text!r}")
            sign = -1.0 if match[1] == "-" else 1.0
            if match[2] and not isfinite(float(match[2])):
                raise ValueError(f"{match[2]} is not a finite number in {text!r}")
            factors = tuple((m[1], int(m[2])) for m in _FACTOR.finditer(match[3] or match[4] or ""))
            terms.append((factors, sign * float(match[2] or 1.0)))
            at = match.end()
        if not terms:
            raise ValueError("an empty Pauli sum")
        return cls.of(terms)

    @property
    def qubits(self) -> tuple[int, ...]:
        """Every qubit that the sum acts on, sorted."""
        return tuple(sorted({q for term, _ in self.terms for _, q in term}))

    def __str__(self) -> str:
        parts: list[str] = []
        for term, coeff in self.terms:
            letters = "*".join(f"{p}{q}" for p, q in term)
            size = abs(coeff)
            body = letters if letters and size == 1.0 else f"{size!r}*{letters}" if letters else repr(size)
            sign = ("-" if coeff < 0 else "") if not parts else ("- " if coeff < 0 else "+ ")
            parts.append(sign + body)
        return " ".join(parts) if parts else "0.0"

    def __add__(self, other: PauliSum | float) -> PauliSum:
        return PauliSum.of(self.terms + _lift(other).terms)

    def __radd__(self, other: float) -> PauliSum:
        return self + other

    def __neg__(self) -> PauliSum:
        return self * -1.0

    def __sub__(self, other: PauliSum | float) -> PauliSum:
        return self + -_lift(other)

    def __mul__(self, other: PauliSum | float) -> PauliSum:
        """Product with a number, or with a sum on other qubits. InputError P0005 where they share a qubit."""
        factor = _lift(other)
        try:
            return PauliSum.of((a + b, x * y) for a, x in self.terms for b, y in factor.terms)
        except ValueError as fault:
            raise InputError.of("P0005", str(fault), user_line(), help="multiply letters on different qubits") from None

    def __rmul__(self, other: float) -> PauliSum:
        return self * other


def _lift(value: PauliSum | float) -> PauliSum:
    if isinstance(value, PauliSum):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        message = f"Pauli sums are added to and multiplied with sums and numbers, not {type(value).__name__}: {value!r}"
        raise InputError.of("P0005", message, user_line()) from None
    return PauliSum.of([((), number)])


def pauli_product(product: str | PauliSum) -> tuple[str, tuple[int, ...]]:
    """Letters and qubits of one Pauli product, by rising qubit: `X16 Z3` gives ("ZX", (3, 16)).

    ValueError where it is not a product of letters alone, with the coefficient 1.
    """
    parsed = PauliSum.parse(product) if isinstance(product, str) else product
    if len(parsed.terms) != 1 or parsed.terms[0][1] != 1.0 or not parsed.terms[0][0]:
        raise ValueError(f"{str(product)!r} is not a product of Pauli letters")
    factors = parsed.terms[0][0]
    return "".join(letter for letter, _ in factors), tuple(qubit for _, qubit in factors)


def X(qubit: int) -> PauliSum:
    """Pauli X on one qubit."""
    return _letter("X", qubit)


def Y(qubit: int) -> PauliSum:
    """Pauli Y on one qubit."""
    return _letter("Y", qubit)


def Z(qubit: int) -> PauliSum:
    """Pauli Z on one qubit."""
    return _letter("Z", qubit)


def _letter(letter: str, qubit: int) -> PauliSum:
    if not isinstance(qubit, Integral) or qubit < 0:
        raise InputError.of(
            "P0004", f"{letter} is asked for on qubit {qubit!r}", user_line(), help="qubits are whole numbers from 0"
        )
    return PauliSum.of([(((letter, int(qubit)),), 1.0)])
