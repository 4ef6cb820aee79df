"""Expectations read with error mitigation, and what the host makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Op, TypeFault
from ..types import Type
from .quantum import Expectation

if TYPE_CHECKING:
    from ..module import Module

FOLDINGS = ("global", "local")
EXTRAPOLATIONS = ("linear", "richardson", "exponential")
DECOUPLINGS = ("", "XX", "XY4")


@dataclass(frozen=True)
class MitigatedExpectation(Expectation):
    """<O_k> at several strengths of noise: result (batch, scales, observables), without noise the same at every scale.

    scales: odd numbers by which the device makes its circuit longer: with folding "global" as G (G^dag G)^n, with
    "local" every gate on two qubits so; scale 2n + 1. twirls: how many copies with random Pauli gates around the
    two-qubit Clifford gates are averaged; 0 for the circuit as it is. correct_readout: the confusion of every read bit
    is undone. decoupling: pulses on idle qubits, "XX" or "XY4". seed: of the twirls. All of it acts on the routed
    circuit, after every other pass.
    """

    mnemonic = "mitigated_expectation"
    scales: tuple[int, ...] = (1,)
    folding: str = "global"
    twirls: int = 0
    correct_readout: bool = False
    decoupling: str = ""
    seed: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        (plain,) = super().result_types(operands, module)
        if not self.scales or any(s < 1 or s % 2 == 0 for s in self.scales) or len({*self.scales}) != len(self.scales):
            raise TypeFault(f"scales {list(self.scales)} are not distinct odd numbers")
        if self.folding not in FOLDINGS or self.decoupling not in DECOUPLINGS or self.twirls < 0:
            raise TypeFault(f"no such mitigation: {self.folding}, {self.twirls} twirls, decoupling {self.decoupling!r}")
        if self._circuit(module).has_measurement:
            raise TypeFault(f"circuit {self.circuit} measures inside, and cannot be folded")
        return (plain.with_shape((*plain.shape[:-1], len(self.scales), plain.shape[-1])),)


@dataclass(frozen=True)
class Extrapolate(Op):
    """Values (..., scales, n) at strengths of noise `scales` -> their limit at strength 0, (..., n).

    model: "linear" fits a straight line, "richardson" the polynomial through all points, "exponential" a * exp(-b s)
    through log|value|, which decays to 0; where values change their sign, are below `floor`, or do not shrink from the
    least scale to the largest, the line is taken instead (Temme, Bravyi and Gambetta, arXiv 1612.02058; Giurgica-Tiron
    et al., arXiv 2005.10921).
    """

    mnemonic = "extrapolate"
    scales: tuple[float, ...]
    model: str = "linear"
    floor: float = 1e-3

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        t = operands[0]
        if not t.is_float or len(t.shape) < 2 or t.shape[-2] != len(self.scales):
            raise TypeFault(f"needs values at {len(self.scales)} scales in the last dimension but one, got {t}")
        if self.model not in EXTRAPOLATIONS:
            raise TypeFault(f"{self.model!r} is none of {', '.join(EXTRAPOLATIONS)}")
        if len({*self.scales}) != len(self.scales) or min(self.scales) <= 0 or self.floor <= 0:
            raise TypeFault(f"scales {list(self.scales)} are not distinct positive numbers")
        if len(self.scales) < 2:
            raise TypeFault("needs at least two scales")
        return (t.with_shape((*t.shape[:-2], t.shape[-1])),)


def linear_weights(scales: tuple[float, ...]) -> list[float]:
    """Weights of values at `scales` in the intercept of their least-squares line; they sum to 1."""
    mean = sum(scales) / len(scales)
    spread = sum((s - mean) ** 2 for s in scales)
    return [1.0 / len(scales) - mean * (s - mean) / spread for s in scales]


def richardson_weights(scales: tuple[float, ...]) -> list[float]:
    """Weights of values at `scales` in the polynomial through all of them at 0: prod_j s_j / (s_j - s_k)."""
    weights = []
    for k, own in enumerate(scales):
        weight = 1.0
        for j, other in enumerate(scales):
            weight *= other / (other - own) if j != k else 1.0
        weights.append(weight)
    return weights
