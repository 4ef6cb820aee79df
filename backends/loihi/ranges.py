"""What a program has that the registers of the chip cannot hold. Lava checks none of these.

The widths are those that Lava states in its process models (`LavaPyType(..., precision=)` of lava.proc.lif.models, and
the docstrings of lava.proc.dense.process): decays 12 bits, threshold 17 bits, bias 13 bits with a sign and 3 bits of
exponent, potential 24 bits with a sign, delays 6 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np

from ...ir.diagnostics import Diagnostic, did_you_mean
from ...ir.whole_learning import whole_rule
from .program import CLIPS, Connection, Learning, Population, Program, Source, Synapses

CODE = "T0006"

REGISTERS: dict[str, tuple[int, int]] = {
    "du": (0, 2**12 - 1),
    "dv": (0, 2**12 - 1),
    "threshold": (0, 2**17 - 1),
    "bias": (-(2**12), 2**12 - 1),
    "bias_exponent": (0, 2**3 - 1),
    "initial_v": (-(2**23) + 1, 2**23 - 1),
}
"""Register of a population -> its least and greatest value."""

FIELDS: dict[str, tuple[int, int]] = {"weight_bits": (1, 8), "exponent": (-7, 7), "delays": (0, 2**6 - 1)}
"""Setting of a connection -> its least and greatest value."""

MESSAGE_BITS = (2, 24)
"""Bits of a graded spike, with its sign."""


def faults(program: Program) -> list[Diagnostic]:
    """Everything that the chip cannot hold or that does not fit together, each with its value and its limit.

    Names, shapes, every register, weight bits, exponents, delays, weights of the wrong sign and weights that would be
    clipped without a word. Empty: the program means what it says.
    """
    return [*_names(program), *_sources(program), *_populations(program), *_connections(program)]


def _fault(message: str, help: str = "") -> Diagnostic:
    return Diagnostic(CODE, message, help=help)


def _names(program: Program) -> Iterator[Diagnostic]:
    seen = set[str]()
    for part in (*program.sources, *program.populations, *program.connections):
        if part.name in seen:
            yield _fault(
                f"the name {part.name!r} is given twice", "sources, populations, connections share their names"
            )
        seen.add(part.name)
    populations = {p.name for p in program.populations}
    ends = populations | {s.name for s in program.sources}
    for c in program.connections:
        if c.source not in ends:
            yield _fault(f"connection {c.name}: there is no source or population {c.source!r}", _known(c.source, ends))
        if c.target not in populations:
            yield _fault(f"connection {c.name}: there is no population {c.target!r}", _known(c.target, populations))
    for name in program.outputs:
        if name not in populations:
            yield _fault(f"output {name!r} is not a population", _known(name, populations))


def _known(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known)


def _sources(program: Program) -> Iterator[Diagnostic]:
    low, high = MESSAGE_BITS
    for s in program.sources:
        yield from _shape(f"source {s.name}", s.shape)
        if s.message_bits and not low <= s.message_bits <= high:
            yield _fault(f"source {s.name}: message_bits {s.message_bits}; graded spikes have {low}..{high}, binary 0")


def _shape(what: str, shape: tuple[int, ...]) -> Iterator[Diagnostic]:
    if not shape or min(shape) < 1:
        yield _fault(f"{what}: shape {shape} holds no neuron")


def _populations(program: Program) -> Iterator[Diagnostic]:
    for p in program.populations:
        yield from _shape(f"population {p.name}", p.shape)
        for register, limits in REGISTERS.items():
            yield from _register(p, register, limits)


def _register(p: Population, register: str, limits: tuple[int, int]) -> Iterator[Diagnostic]:
    values = np.asarray(getattr(p, register))
    what = f"population {p.name}: {register}"
    if values.ndim and (register == "bias_exponent" or values.shape != p.shape):
        want = "one number" if register == "bias_exponent" else f"one number or {p.shape}"
        yield _fault(f"{what} is of shape {values.shape}; it takes {want}")
        return
    yield from _whole(what, values) or _outside(what, values, limits)


def _whole(what: str, values: np.ndarray) -> list[Diagnostic]:
    """Empty where all values are integers by their type."""
    return [] if values.dtype.kind in "iu" else [_fault(f"{what} is of type {values.dtype}; it takes whole numbers")]


def _outside(what: str, values: np.ndarray, limits: tuple[int, int], help: str = "") -> list[Diagnostic]:
    """One fault with the value farthest outside and how many there are; empty where there is none."""
    if not values.size:
        return []
    least, greatest = int(values.min()), int(values.max())
    low, high = limits
    if low <= least and greatest <= high:
        return []
    worst = greatest if greatest - high > low - least else least
    text = f"{what} {worst} is outside {low}..{high}"
    if values.size > 1:
        text += f" ({int(np.count_nonzero((values < low) | (values > high)))} of {values.size} are)"
    return [_fault(text, help)]


def _connections(program: Program) -> Iterator[Diagnostic]:
    populations = {p.name: p for p in program.populations}
    ends: dict[str, Source | Population] = {s.name: s for s in program.sources} | populations
    for c in program.connections:
        found = list(_settings(c))
        yield from found
        if not found:
            yield from _weights(c)
        if c.learning is not None:
            yield from _learning(c, c.learning, getattr(ends.get(c.source), "message_bits", 0))
        if c.source in ends and c.target in populations:
            wrong = list(_geometry(c, ends[c.source].shape, ends[c.target].shape))
            yield from wrong
            if not found and not wrong:
                yield from _sums(c, getattr(ends[c.source], "message_bits", 0))


def _settings(c: Connection) -> Iterator[Diagnostic]:
    what = f"connection {c.name}:"
    if c.sign not in CLIPS:
        yield _fault(f"{what} sign {c.sign!r}", _known(c.sign, CLIPS))
    for name in ("weight_bits", "exponent"):
        yield from _outside(f"{what} {name}", np.asarray(getattr(c, name)), FIELDS[name])
    if c.delays is None:
        return
    if c.delays.shape != _stored(c).shape:
        yield _fault(f"{what} delays are of shape {c.delays.shape}; its weights are of {_stored(c).shape}")
    yield from _whole(f"{what} delays", c.delays) or _outside(f"{what} delay", c.delays, FIELDS["delays"])


def _learning(c: Connection, learning: Learning, message_bits: int) -> Iterator[Diagnostic]:
    what, rule = f"connection {c.name} learns:", learning.rule
    refused = {
        "it is a convolution": c.window is not None,
        "its synapses have delays": c.delays is not None,
        "it is sparse": c.sparse or not isinstance(c.weight, np.ndarray),
        f"weights of {c.weight_bits} bits, not of 8": c.weight_bits != 8,
        f"its rule is for {rule.sign} weights, and they are {c.sign}": rule.sign != c.sign,
        f"its source sends spikes of {message_bits} bits, not of 0 and 1": message_bits != 0,
        "its neurons would have to deliver traces": rule.three_factor,
        f"the seed {learning.seed} is below 0": learning.seed < 0,
    }
    yield from (_fault(f"{what} {reason}") for reason, holds in refused.items() if holds)
    try:
        stated = whole_rule(rule.text, {name: (t.tau, t.impulse) for name, t in rule.traces.items()}, rule.sign)
    except ValueError as fault:
        yield _fault(f"{what} {fault}")
        return
    if stated.products != rule.products:
        yield _fault(f"{what} `{rule.text}` has constants in another form: `{stated.text}`")


def _stored(c: Connection) -> np.ndarray:
    """The array whose entries are the stored weights."""
    return c.weight if isinstance(c.weight, np.ndarray) else c.weight.data


def _weights(c: Connection) -> list[Diagnostic]:
    what, values = f"connection {c.name}: weight", _stored(c)
    low, high = CLIPS[c.sign]
    if wrong := _whole(what, values):
        return wrong
    if not isinstance(c.weight, np.ndarray) and _repeats(c.weight):
        return [_fault(f"{what}: two lie at one place", "sum_duplicates() of scipy.sparse adds them")]
    sign = f"{c.sign} weights are {low}..{high}, and would be clipped; what is larger needs an exponent"
    return _outside(what, values, (low, high), sign)


def _repeats(weight: Synapses) -> bool:
    """Whether a place of a sparse matrix is given twice."""
    if not weight.has_sorted_indices:
        weight = weight.copy()
        weight.sort_indices()
    return not weight.has_canonical_format


def _geometry(c: Connection, source: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Diagnostic]:
    what = f"connection {c.name}:"
    if c.window is None:
        want = (prod(target), prod(source))
        if c.weight.shape != want:
            yield _fault(f"{what} weight is of shape {c.weight.shape}; {c.source} to {c.target} takes {want}")
        return
    if not isinstance(c.weight, np.ndarray) or c.weight.ndim != 4 or len(source) != 3:
        yield _fault(
            f"{what} a window takes a kernel (out channels, in channels / groups, height, width) over a source of"
            f" shape (channels, height, width), not weight of shape {c.weight.shape} over {source}"
        )
        return
    w = c.window
    if w.groups < 1 or min(*w.stride, *w.dilation) < 1 or min(w.padding) < 0:
        yield _fault(f"{what} stride, dilation and groups start at 1 and padding at 0, not {w}")
        return
    outs, ins = c.weight.shape[:2]
    if outs % w.groups or ins * w.groups != source[0]:
        yield _fault(
            f"{what} {outs} x {ins} kernels in {w.groups} groups do not fit {source[0]} channels of {c.source}"
        )
        return
    made = (outs, *w.places(c.weight.shape[2:], source[1:]))
    if made != target:
        yield _fault(f"{what} the window makes {made} of {source}; {c.target} is of shape {target}")


def _sums(c: Connection, message_bits: int) -> Iterator[Diagnostic]:
    """Lava adds a convolution in floating point, and what it makes of more than 32 bits depends on the processor."""
    if c.window is None or not message_bits:
        return
    row = int(np.abs(c.effective()).reshape(len(c.weight), -1).sum(axis=1).max(initial=0))
    if (reach := row * (2 ** (message_bits - 1) - 1)) >= 2**31:
        yield _fault(
            f"connection {c.name}: graded spikes of {message_bits} bits can sum up to {reach} over its kernels; sums of"
            f" a convolution stay below {2**31}"
        )
