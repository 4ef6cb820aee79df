"""From a population to Loihi 2's registers: one scale, and for every connection whole numbers with an exponent.

With S units of the potential register for one of the model, and the chip's current added as a << 6,

    a = sum over connections of floor(sum_j q_j s_j * 2^E),   q = round(W S / (64 * 2^E)),
    threshold = round(theta S / 64),   bias = round(b S),
    dv = round(4096 (1 - decay)),   du = 4095 - round(4096 alpha).

Where the current holds the potential of neurons that are not reset to zero, what a spike takes off comes from the
neuron itself, by up to `PARTS` connections, a coarse one and finer ones, until it is off by less than half a unit of a.

The weights of b bits are whole numbers from -2^(b-1) to 2^(b-1) - 1, or, split by sign, two connections from 0 to
2^b - 1 in magnitude. The chip keeps them at the upper end of 8 bits, so that its own exponent is E less the bits that
are left out there; it goes from -7 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends.loihi.learning import ChipRule
from ...bridges.networks import Layer, Neurons, RefusedError
from ...bridges.networks.synapses import Synapses
from ...ir.ops.fixed import LoihiLif
from .learning import plastic_scale, plastic_weights
from .populations import Population

POTENTIAL = 2.0**23 - 1
THRESHOLD = 2**17 - 1
BIAS_MANTISSA, BIAS_EXPONENT = 2**12 - 1, 7
EXPONENTS = (-7, 7)
PARTS = 3
"""The most connections that take a threshold off."""


@dataclass(frozen=True)
class Weights:
    """One connection in whole numbers: a = floor(sum q s * 2^shift). rule, origin: how it learns, and the layer of the
    model that does, or None."""

    source: str
    steps: int
    layer: Layer
    shift: int
    rule: ChipRule | None = None
    origin: Layer | None = None


@dataclass(frozen=True)
class Registers:
    """A population in whole numbers. scale: units of the potential register for one of the model."""

    scale: float
    neurons: Neurons
    weights: tuple[Weights, ...]


@dataclass(frozen=True)
class Format:
    """How weights are held. bits: 2 to 8 (1 to 8 with `split`). split: excitatory and inhibitory ones apart."""

    bits: int = 8
    split: bool = False

    @property
    def left_out(self) -> int:
        """Low bits that the chip's weights have beside those that are held."""
        return 8 - self.bits + (not self.split)

    @property
    def most(self) -> int:
        """The largest magnitude."""
        return (1 << self.bits) - 1 if self.split else (1 << (self.bits - 1)) - 1

    @property
    def shifts(self) -> tuple[int, int]:
        """The least and the largest E."""
        return EXPONENTS[0] + self.left_out, EXPONENTS[1] + self.left_out


def largest_scale(p: Population, form: Format) -> float:
    """The largest S with which no register of the population runs over."""
    limits = [POTENTIAL / max(p.up, p.down, p.current)]
    if p.threshold.max() > 0:
        limits.append(64 * THRESHOLD / p.threshold.max())
    if np.abs(p.bias).max() > 0:
        limits.append(float(BIAS_MANTISSA << BIAS_EXPONENT) / np.abs(p.bias).max())
    if p.taken_off is not None and p.taken_off.any():
        limits.append(64 * form.most * 2.0 ** form.shifts[1] / p.taken_off.max())
    return float(min(limits))


def registers(p: Population, form: Format, units: dict[str, float], kept: float = 1.0) -> Registers:
    """The registers of a population.

    units: source -> what one unit of its spikes is in the model (1 for binary spikes). kept: the share of the largest
    weight that the largest whole number stands for; what lies beyond is clipped.
    """
    fixed = [s for s in p.connections if s.plastic is None]
    size = {s.source: float(np.abs(s.weight).max(initial=0.0)) * units.get(s.source, 1.0) * kept for s in fixed}
    scale = largest_scale(p, form)
    leading = max(size.values(), default=0.0)
    learned = plastic_scale(p.connections, p.gain, scale)
    if learned is not None:
        scale = learned
    elif leading > 0:
        # The largest weight shall be the largest whole number exactly: the scale is lowered to where it is.
        shift = np.floor(np.log2(scale * leading / (64 * form.most)))
        shift = float(np.clip(shift, *form.shifts))
        scale = min(scale, 64 * form.most * 2.0**shift / leading)
    weights = [w for s in p.connections for w in _weights(p, s, form, scale, units.get(s.source, 1.0), kept)]
    weights += _taken_off(p, form, scale)
    decay, alpha = p.decay, p.alpha
    parameters = {
        "du": np.float64(4095) if alpha is None else np.clip(4095 - np.rint(4096 * alpha), 0, 4095),
        "dv": np.clip(np.rint(4096 * (1 - decay)), 0, 4095),
        "bias": _bias(p.bias * scale),
        "threshold": np.clip(np.rint(p.threshold * scale / 64) - p.part.inclusive, 0, THRESHOLD),
    }
    compact = {name: _compact(np.asarray(value, np.float64)) for name, value in parameters.items()}
    return Registers(scale, Neurons(LoihiLif(), p.part.shape, compact, p.part.location), tuple(weights))


def _compact(array: np.ndarray) -> np.ndarray:
    """One number where all are equal."""
    return array.ravel()[0] if array.size and not np.ptp(array) else array


def _bias(exact: np.ndarray) -> np.ndarray:
    """The nearest mantissas with one exponent for all, of 6 or more: a multiple of 64 may also come as a current."""
    largest = np.abs(exact).max(initial=0.0)
    exponent = next((k for k in range(6, BIAS_EXPONENT + 1) if np.rint(largest / 2**k) <= BIAS_MANTISSA), BIAS_EXPONENT)
    return np.clip(np.rint(exact / 2**exponent), -BIAS_MANTISSA, BIAS_MANTISSA) * 2**exponent


def _weights(p: Population, s: Synapses, form: Format, scale: float, unit: float, kept: float) -> list[Weights]:
    if s.plastic is not None:
        if unit != 1:
            raise RefusedError(f"synapses that learn need spikes of 0 and 1, and {s.source} is no such")
        made = plastic_weights(s, p.gain, scale)
        return [Weights(s.source, s.steps, made.layer, made.shift, made.rule, s.plastic)]
    exact = s.weight * (unit * scale / 64)
    added = p.current_bias if p.taken_off is None and s is _first_fixed(p) else np.zeros(1)
    size = float(np.abs(exact).max(initial=0.0)) * kept
    if size == 0 and not added.any():
        return []
    # The chip shifts what arrives by each delay on its own: only without dropped bits is that the shift of the sum.
    least = form.shifts[0] if s.delays is None else 0
    shift = int(np.clip(np.ceil(np.log2(size / form.most) - 1e-9), least, form.shifts[1])) if size else least
    whole = np.rint(exact / 2.0**shift)
    bias = _current_bias(s, added * scale / 64 / 2.0**shift, shift) if added.any() else None
    if not form.split:
        return [_part(p, s, np.clip(whole, -form.most - 1, form.most), bias, shift)]
    above, below = np.clip(whole, 0, form.most), np.clip(whole, -form.most, 0)
    made = [_part(p, s, above, bias, shift)] if above.any() or bias is not None else []
    return made + ([_part(p, s, below, None, shift)] if below.any() else [])


def _taken_off(p: Population, form: Format, scale: float) -> list[Weights]:
    """The connections by which a spike takes the threshold off, the coarsest first; a constant of the current comes
    by one of its own."""
    if p.taken_off is None:
        return []
    left = np.rint(-p.taken_off * scale / 64)
    added = p.current_bias * scale / 64
    made: list[Weights] = []
    while left.any() and len(made) < PARTS:
        shift = int(np.clip(np.ceil(np.log2(np.abs(left).max() / form.most) - 1e-9), 0, form.shifts[1]))
        whole = np.clip(np.rint(left / 2.0**shift), -form.most, form.most)
        left = left - whole * 2.0**shift
        made.append(_onto_itself(p, whole, shift, None))
    if added.any():
        made.append(_onto_itself(p, np.zeros(p.part.shape), 0, np.rint(added)))
    return made


def _onto_itself(p: Population, whole: np.ndarray, shift: int, bias: np.ndarray | None) -> Weights:
    """A connection of every neuron onto itself, a step later, as a kernel of one place where neurons have channels."""
    shape = p.part.shape
    if len(shape) == 1:
        fields: dict[str, Any] = {"weight": np.diag(whole).astype(np.int16)}
        kind = "linear"
    else:
        if any(np.ptp(x.reshape(shape[0], -1), axis=1).any() for x in (whole, *([] if bias is None else [bias]))):
            raise RefusedError("neurons of one channel add different constants, or take different ones off at a spike")
        channels = whole.reshape(shape[0], -1)[:, 0]
        ones = (1,) * (len(shape) - 1)
        same = {"stride": ones, "padding": (0,) * len(ones), "dilation": ones, "groups": shape[0]}
        fields = {"weight": channels.reshape(-1, 1, *ones).astype(np.int16), **same}
        kind, bias = "conv", None if bias is None else bias.reshape(shape[0], -1)[:, 0]
    if bias is not None:
        fields["bias"] = bias.astype(np.int32)
    return Weights(p.name, 1, Layer(kind, shape, fields, kind, p.part.location), shift)


def _first_fixed(p: Population) -> Synapses | None:
    """The connection that brings what is added to the current in every step."""
    first = next((s for s in p.connections if s.plastic is None), None)
    if first is None and p.current_bias.any():
        raise RefusedError(f"{p.name} adds a constant to its current, and all its synapses learn")
    return first


def _current_bias(s: Synapses, exact: np.ndarray, shift: int) -> np.ndarray:
    """What a connection adds to the synaptic current in every step, in units of its weights.

    It is a multiple of what the shift drops, so that it may be shifted apart from the sum.
    """
    unit = 2.0 ** max(-shift, 0)
    if s.delays is not None:
        raise RefusedError("a bias behind synapses with delays goes into a synaptic current")
    if s.geometry is None:
        return np.rint(exact / unit).ravel() * unit
    channels = exact.reshape(len(exact), -1)
    if np.ptp(channels, axis=1).any():
        raise RefusedError("a bias that differs within a channel goes into a synaptic current")
    return np.rint(channels[:, 0] / unit) * unit


def _part(p: Population, s: Synapses, whole: np.ndarray, bias: np.ndarray | None, shift: int) -> Weights:
    fields: dict[str, Any] = {"weight": whole.astype(np.int16)}
    if bias is not None:
        fields["bias"] = bias.astype(np.int32)
    kind = "linear"
    if s.geometry is not None:
        kind, fields = "conv", fields | s.geometry
    elif s.delays is not None:
        kind, fields = "delayed_linear", fields | {"steps": s.delays}
    return Weights(s.source, s.steps, Layer(kind, p.part.shape, fields, kind, p.part.location), shift)
