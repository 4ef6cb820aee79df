"""Encoders: numbers as spikes. Time is the first axis of what comes out, the batch the second.

Written as text they look like passes: `latency{tau=5, linear=true}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ...ir import InputError
from ...ir.diagnostics import did_you_mean
from ..options import option_fields, read_option


@dataclass(frozen=True)
class Frame:
    """What an encoder is told beside the numbers.

    steps: time steps to fill. dt: seconds of one, None where nobody says. seed: of everything random. rows: a number
    for every row of the batch, None for 0, 1, 2, ... A row's spikes depend on its number, its own values and the seed
    alone: parts of a batch, in any order, give what the whole gives where rows keep their numbers.
    """

    steps: int
    dt: float | None = None
    seed: int = 0
    rows: Sequence[int] | None = None


@dataclass(frozen=True)
class Encoder:
    """One way to encode; the fields are its options."""

    name: ClassVar[str]
    timed: ClassVar[bool] = False
    """Whether it takes values that change in time, (steps, rows, ...), in the place of (rows, ...)."""

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """Float32 (steps, rows, ...) for x, finite numbers. InputError R0001 names the first value it cannot take."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rate(Encoder):
    """A spike in every step with the probability gain x + offset."""

    name: ClassVar[str] = "rate"
    gain: float = 1.0
    offset: float = 0.0

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """Bernoulli trials, drawn apart for every row."""
        chance = self.gain * x.astype(np.float64) + self.offset
        _check(chance, (0.0, 1.0), "the probability of a spike", "choose gain and offset so that it lies in 0..1")
        return _drawn(chance, frame)


@dataclass(frozen=True)
class Poisson(Encoder):
    """The steps in which a Poisson process of `rate` x spikes a second has at least one: with the probability
    1 - exp(-rate x dt)."""

    name: ClassVar[str] = "poisson"
    rate: float = 100.0

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """Bernoulli trials, drawn apart for every row. InputError O0002 where the length of a step is not known."""
        if frame.dt is None:
            raise InputError.of("O0002", "poisson needs the length of a time step", help="give --dt SECONDS")
        rate = self.rate * x.astype(np.float64)
        _check(rate, (0.0, np.inf), "the rate", "rates are 0 or more")
        return _drawn(-np.expm1(-rate * frame.dt), frame)


@dataclass(frozen=True)
class Latency(Encoder):
    """One spike a value, the sooner the larger the value is: at round(first + tau log(x / (x - threshold))), when a
    leaky integrator that x charges passes the threshold, or with `linear` at round(first + tau (1 - x)).

    Values up to the threshold fire as late as the threshold does, with `clip` never. tau is in steps; where it is 0
    the threshold fires in the last step. With a tau, what would fire after the last step does not. These are the times
    of snntorch.spikegen.latency, whose `normalize` is tau = 0 here; it puts the largest time of the batch into the last
    step, so that they agree on batches that hold a value up to the threshold.
    """

    name: ClassVar[str] = "latency"
    tau: float = 0.0
    threshold: float = 0.01
    linear: bool = False
    clip: bool = False
    first: int = 0

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """InputError R0001 for values outside of 0..1."""
        self._check_options(frame)
        _check(x, (0.0, 1.0), "the value", "scale the values to 0..1")
        # In float32, as snntorch: a time that is half a step rounds the same way.
        x32, threshold = x.astype(np.float32), np.float32(self.threshold)
        times = self._times(x32, threshold, frame)
        spikes = np.zeros((frame.steps, *x.shape), np.float32)
        at = np.rint(np.minimum(times, frame.steps)).astype(np.int64)
        fires = (at < frame.steps) & ~(self.clip & (x32 < threshold))
        where = np.nonzero(fires)
        spikes[(at[where], *where)] = 1.0
        return spikes

    def _check_options(self, frame: Frame) -> None:
        if not 0.0 <= self.threshold < 1.0:
            raise _wrong("latency.threshold", self.threshold, "0 or more and below 1")
        if not 0.0 <= self.tau < np.inf:
            raise _wrong("latency.tau", self.tau, "a number of steps, or 0 to fill the steps there are")
        if not 0 <= self.first < frame.steps:
            raise _wrong("latency.first", self.first, f"a step from 0 to {frame.steps - 1}")

    def _times(self, x: np.ndarray, threshold: np.float32, frame: Frame) -> np.ndarray:
        room = np.float32(frame.steps - 1 - self.first)
        if self.linear:
            tau = np.float32(self.tau or room)
            return np.minimum(-tau * (x - 1), -tau * (threshold - 1)) + np.float32(self.first)
        least = np.float32(self.threshold + _EPSILON)
        charged = np.maximum(x, least)
        delays = np.log(charged / (charged - threshold))
        if self.tau:
            return np.float32(self.tau) * delays + np.float32(self.first)
        longest = np.log(least / (least - threshold))
        # Without a threshold everything fires at once.
        return (delays * room / longest if longest else delays) + np.float32(self.first)


_EPSILON = 1e-7
"""How far above the threshold a value is taken to be at least: snntorch's `epsilon`."""


@dataclass(frozen=True)
class Delta(Encoder):
    """A spike where a value has grown by at least the threshold since the step before; with `off` a spike of -1 where
    it has fallen by as much. Before the first step it is zero, with `padding` what it is in the first step.

    snntorch.spikegen.delta is the same.
    """

    name: ClassVar[str] = "delta"
    timed: ClassVar[bool] = True
    threshold: float = 0.1
    off: bool = False
    padding: bool = False

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """x: (steps, rows, ...)."""
        if not 0.0 < self.threshold < np.inf:
            raise _wrong("delta.threshold", self.threshold, "a number above 0")
        kept = x if x.dtype == np.float64 else x.astype(np.float32)
        change = np.diff(kept, axis=0, prepend=kept[:1] if self.padding else np.zeros_like(kept[:1]))
        spikes = (change >= self.threshold).astype(np.float32)
        return spikes - (change <= -self.threshold) if self.off else spikes


@dataclass(frozen=True)
class Direct(Encoder):
    """The value itself in every step, as a constant current."""

    name: ClassVar[str] = "direct"

    def encode(self, x: np.ndarray, frame: Frame) -> np.ndarray:
        """The same for all steps."""
        return np.repeat(x[None].astype(np.float32), frame.steps, axis=0)


ENCODERS: dict[str, type[Encoder]] = {e.name: e for e in (Rate, Poisson, Latency, Delta, Direct)}

_FORM = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\{([^{}]*)\})?\s*")


def parse_encoder(text: str) -> Encoder:
    """The encoder written as `NAME` or `NAME{option=value, ...}`. InputError O0002 that says what is wrong in it."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError.of("O0002", f"cannot read the encoder {text!r}", help="write it as latency{tau=5}")
    name, braces = match[1], match[2] or ""
    if name not in ENCODERS:
        raise InputError.of("O0002", f"there is no encoder {name!r}", help=did_you_mean(name, ENCODERS))
    given: dict[str, Any] = {}
    for pair in filter(None, re.split(r"[,\s]+", braces.strip())):
        option, _, value = pair.partition("=")
        given |= read_option(f"encoder {name}", ENCODERS[name], option, value or "true")
    return ENCODERS[name](**given)


def describe_encoders() -> str:
    """Every encoder with its options, as one line."""
    shown = []
    for name, encoder in ENCODERS.items():
        options = ", ".join(option_fields(encoder))
        shown.append(name + (f"{{{options}}}" if fields(encoder) else ""))
    return ", ".join(shown)


def _drawn(chance: np.ndarray, frame: Frame) -> np.ndarray:
    """Spikes with these probabilities, (rows, ...) -> (steps, rows, ...). More steps do not change the first ones."""
    if frame.seed < 0:
        raise _wrong("seed", frame.seed, "a whole number, 0 or more")
    rows = range(len(chance)) if frame.rows is None else frame.rows
    spikes = np.empty((frame.steps, *chance.shape), np.float32)
    for at, (number, row) in enumerate(zip(rows, chance, strict=True)):
        random = np.random.default_rng([frame.seed, number])
        spikes[:, at] = random.random((frame.steps, *row.shape)) < row
    return spikes


def _check(values: np.ndarray, bounds: tuple[float, float], what: str, help: str) -> None:
    bad = ~((values >= bounds[0]) & (values <= bounds[1]))
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise InputError.of("R0001", f"{what} is {values[tuple(where)]:g} at index {where}", help=help)


def _wrong(option: str, value: float, known: str) -> InputError:
    return InputError.of("O0002", f"option {option} is {value:g}", help=f"it takes {known}")
