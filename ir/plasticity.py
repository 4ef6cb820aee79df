"""Learning rules as data: how a weight changes, written as a sum of products.

    "0.04*x0*y1 + 0.04*y0*x1"            symmetric spike-timing-dependent plasticity
    "2^-6*y0*x1 - 2^-6*x0*(y1 + 3)"      pairs, and a loss for every spike that comes in
    "2^-7*u0*x1*y3 - 2^-9*u4*w"          a third factor y3, and a slow decay in every 16th step

The names are those of Lava (lava-nc 0.10, `lava.magma.core.learning`): x0 and y0 are the spikes of this step before and
after the synapse, x1, x2 and y1, y2, y3 traces of them, w the weight, and u_k is 1 in every 2^k-th step. Each product
has at least one of x0, y0 and u_k. A factor may have a constant added in brackets. Constants are any real numbers;
what a chip holds of them is its backend's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

PRE_TRACES = ("x1", "x2")
POST_TRACES = ("y1", "y2", "y3")
TRACES = PRE_TRACES + POST_TRACES
SPIKES = ("x0", "y0")
FACTORS = (*TRACES, "w")
LAST_DECIMATION = 9
"""u9 is the slowest: Lava reads one digit."""


class RuleFault(ValueError):  # noqa: N818 - a fault of the rule, not of qsc
    """A text that is no learning rule. `place` counts characters from 0."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(frozen=True)
class Factor:
    """A trace or the weight, with a constant added."""

    name: str
    plus: float = 0.0

    def __str__(self) -> str:
        if not self.plus:
            return self.name
        return f"({self.name} {'-' if self.plus < 0 else '+'} {number(abs(self.plus))})"


@dataclass(frozen=True)
class Product:
    """coefficient * spikes * u_k * factors. spikes: those of x0 and y0 that it has; decimation: k, None without u_k."""

    coefficient: float
    spikes: tuple[str, ...]
    decimation: int | None
    factors: tuple[Factor, ...]

    def __str__(self) -> str:
        gates = self.spikes if self.decimation is None else (f"u{self.decimation}", *self.spikes)
        return "*".join([number(self.coefficient), *gates, *map(str, self.factors)])


@dataclass(frozen=True)
class Rule:
    """A sum of products."""

    products: tuple[Product, ...]

    def __str__(self) -> str:
        text = " + ".join(map(str, self.products))
        return text.replace("+ -", "- ")

    @property
    def traces(self) -> tuple[str, ...]:
        """The traces that it reads, in the order of `TRACES`."""
        read = {f.name for p in self.products for f in p.factors}
        return tuple(name for name in TRACES if name in read)

    @property
    def decimations(self) -> tuple[int, ...]:
        """The k of every u_k, ascending."""
        return tuple(sorted({p.decimation for p in self.products if p.decimation is not None}))

    @property
    def counts_steps(self) -> bool:
        """Whether it has to know which step it is: u_0 is always 1."""
        return any(self.decimations)


def number(value: float) -> str:
    """A number as rules write it: a whole one without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


@cache
def parse_rule(text: str) -> Rule:
    """The rule that a text states. RuleFault with a place where it states none."""
    return _Parser(text).rule()


_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|([-+*^()]))")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> Iterator[_Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            raise RuleFault(f"{text[at]!r} has no meaning in a learning rule", at)
        group = found.lastindex or 1
        yield _Token(("number", "name", "sign")[group - 1], found.group(group), found.start(group))
        place = found.end()
    yield _Token("end", "", end)


class _Parser:
    """One token ahead; every method takes what it reads."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *texts: str) -> str | None:
        """The next token's text if it is one of these signs."""
        token = self.next
        if token.kind != "sign" or token.text not in texts:
            return None
        self.at += 1
        return token.text

    def fault(self, wanted: str) -> RuleFault:
        found = self.next
        return RuleFault(f"{wanted} is missing {f'before {found.text!r}' if found.text else 'at the end'}", found.place)

    def need(self, text: str) -> None:
        if self.take(text) is None:
            raise self.fault(repr(text))

    def rule(self) -> Rule:
        products = [self.product(-1.0 if self.take("+", "-") == "-" else 1.0)]
        while (sign := self.take("+", "-")) is not None:
            products.append(self.product(-1.0 if sign == "-" else 1.0))
        if self.next.kind != "end":
            raise self.fault("'+', '-' or '*'")
        return Rule(tuple(products))

    def product(self, sign: float) -> Product:
        start = self.next.place
        parts: list[tuple[float | Factor | str, int]] = [self.item()]
        while self.take("*"):
            parts.append(self.item())
        coefficient = sign
        spikes: dict[str, None] = {}
        factors: list[Factor] = []
        decimation: int | None = None
        for part, place in parts:
            if isinstance(part, float | int):
                coefficient *= part
            elif isinstance(part, Factor):
                factors.append(part)
            elif part in SPIKES:
                spikes[part] = None
            # What is left is u_k.
            elif decimation in (None, int(part[1:])):
                decimation = int(part[1:])
            else:
                raise RuleFault(f"a product has u{decimation} and {part}", place)
        if not spikes and decimation is None:
            raise RuleFault("a product has none of x0, y0 and u0..u9: nothing says when it acts", start)
        return Product(coefficient, tuple(spikes), decimation, tuple(factors))

    def item(self) -> tuple[float | Factor | str, int]:
        """One factor of a product, with its place: a number, a trace or w, or the name of x0, y0, u_k."""
        token = self.next
        if token.kind == "number":
            return self.constant(), token.place
        if self.take("("):
            return self.sum(), token.place
        if token.kind != "name":
            raise self.fault("a number or a name")
        self.at += 1
        if token.text in FACTORS:
            return Factor(token.text), token.place
        if token.text in SPIKES or re.fullmatch(rf"u[0-{LAST_DECIMATION}]", token.text):
            return token.text, token.place
        known = ", ".join((*SPIKES, *FACTORS, f"u0 to u{LAST_DECIMATION}"))
        raise RuleFault(f"{token.text!r} is not a name of a learning rule; those are {known}", token.place)

    def constant(self) -> float:
        if self.next.kind != "number":
            raise self.fault("a number")
        value = float(self.next.text)
        self.at += 1
        if not self.take("^"):
            return value
        sign = self.take("+", "-")
        if self.next.kind != "number" or not self.next.text.isdigit():
            raise self.fault("a whole exponent")
        exponent = int(self.next.text)
        self.at += 1
        return value ** (-exponent if sign == "-" else exponent)

    def sum(self) -> Factor | float:
        """What stands in brackets after the opening one: a number, a factor, or both in either order."""
        name: str | None = None
        plus = 0.0
        negative = self.take("+", "-") == "-"
        for _ in range(2):
            token = self.next
            if token.kind == "name":
                if name is not None or token.text not in FACTORS or negative:
                    raise RuleFault("brackets hold one of " + ", ".join(FACTORS) + " and a constant", token.place)
                name = token.text
                self.at += 1
            else:
                plus += -self.constant() if negative else self.constant()
            sign = self.take("+", "-")
            if sign is None:
                break
            negative = sign == "-"
        self.need(")")
        return plus if name is None else Factor(name, plus)
