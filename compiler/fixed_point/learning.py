"""Synapses that learn, in whole numbers: their rule fixes how many units of the chip one of the model is.

With g the gain of the neurons and a the units of the chip's weight for one of the model, weights w a << E are added as
w a 2^E << 6 to a potential of S units for one of the model: S = 64 * 2^E * a / g. The rule chooses a, within what its
constants allow, and E is the largest with which no register runs over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends.loihi.learning import ChipRule, chip_rule
from ...bridges.networks import Layer, RefusedError
from ...bridges.networks.synapses import Synapses
from ...ir.ops import LoihiPlasticity, Plasticity
from ...ir.whole_learning import LIMITS, loaded

EXPONENTS = (-7, 7)


@dataclass(frozen=True)
class PlasticWeights:
    """The synapses of one connection: their rule on the chip, the exponent of their sum, and the layer."""

    rule: ChipRule
    shift: int
    layer: Layer


def plastic_scale(connections: tuple[Synapses, ...], gain: np.ndarray, largest: float) -> float | None:
    """The units of the potential for one of the model that the first connection that learns asks for, at most
    `largest`; None where none learns. RefusedError where there are none."""
    first = next((s for s in connections if s.plastic is not None), None)
    if first is None:
        return None
    assert first.plastic is not None
    unit = 64 * chip_rule(_rule(first.plastic)).weight_scale / _one(gain, first)
    shift = np.floor(np.log2(largest / unit))
    if shift < EXPONENTS[0]:
        raise RefusedError(
            f"the synapses that learn, from {first.source} to {first.target}, need at least"
            f" {unit * 2.0 ** EXPONENTS[0]:.4g} units of the potential for one of the model, and {largest:.4g} fit"
        )
    return float(unit * 2.0 ** min(shift, EXPONENTS[1]))


def plastic_weights(s: Synapses, gain: np.ndarray, scale: float) -> PlasticWeights:
    """The connection with this many units of the potential for one of the model. TargetError where its rule has no
    constants for that."""
    layer = s.plastic
    assert layer is not None
    op = _rule(layer)
    units = scale * _one(gain, s) / 64
    shift = int(np.clip(np.ceil(np.log2(units / chip_rule(op).weight_scale) - 1e-9), *EXPONENTS))
    rule = chip_rule(op, weight_scale=units / 2.0**shift)
    low, high = LIMITS[rule.sign]
    begun = loaded(np.clip(np.rint(layer.array("weight") * rule.weight_scale), low, high), rule.sign)
    traces: dict[str, Any] = {name: (trace.tau, trace.impulse) for name, trace in rule.traces.items()}
    whole = LoihiPlasticity(rule.text, sign=rule.sign, **traces)
    fields = layer.fields | {"weight": begun.astype(np.int16), "rule": whole}
    return PlasticWeights(rule, shift, replace(layer, fields=fields))


def _rule(layer: Layer) -> Plasticity:
    op = layer.fields["rule"]
    assert isinstance(op, Plasticity)
    return op


def _one(gain: np.ndarray, s: Synapses) -> float:
    """The gain of all neurons. RefusedError where they differ: the rule would have to differ too."""
    if np.ptp(gain) or gain.ravel()[0] <= 0:
        raise RefusedError(
            f"synapses learn from {s.source} to {s.target}, whose neurons do not all multiply their input by one number"
            f" above 0, but by {gain.min():g} to {gain.max():g}"
        )
    return float(gain.ravel()[0])
