"""Candidates for a circuit by pytket's own presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pytket import OpType
from pytket.passes import (
    AutoRebase,
    BasePass,
    CliffordSimp,
    FullPeepholeOptimise,
    GreedyPauliSimp,
    KAKDecomposition,
    RemoveRedundancies,
    SequencePass,
)

from ..ir import Circuit
from .faults import NotAffineError
from .services import Candidate
from .tket import from_tket, to_tket

BASIS = {OpType.CX, OpType.Rz, OpType.Rx, OpType.Ry, OpType.H, OpType.S, OpType.Sdg, OpType.X, OpType.Z}


class Preset(NamedTuple):
    """Passes of pytket. symbols: whether angles with symbols stay affine; least: the effort from which it runs."""

    symbols: bool
    least: str
    passes: Callable[[int], list[BasePass]]


def _greedy(trials: int, depth_weight: float, seed: int) -> list[BasePass]:
    return [GreedyPauliSimp(depth_weight=depth_weight, trials=trials, seed=seed), RemoveRedundancies()]


PRESETS: dict[str, Preset] = {
    "tket GreedyPauliSimp": Preset(True, "default", lambda seed: _greedy(20, 0.3, seed)),
    "tket GreedyPauliSimp for gates alone": Preset(True, "default", lambda seed: _greedy(20, 0.0, seed)),
    "tket KAKDecomposition": Preset(True, "default", lambda _: [KAKDecomposition()]),
    "tket CliffordSimp": Preset(False, "default", lambda _: [CliffordSimp(allow_swaps=True)]),
    "tket GreedyPauliSimp and CliffordSimp": Preset(
        False, "default", lambda seed: [*_greedy(20, 0.0, seed), CliffordSimp(allow_swaps=True)]
    ),
    "tket FullPeepholeOptimise": Preset(False, "default", lambda _: [FullPeepholeOptimise(allow_swaps=True)]),
    "tket GreedyPauliSimp and FullPeepholeOptimise": Preset(
        False, "max", lambda seed: [*_greedy(20, 0.3, seed), FullPeepholeOptimise(allow_swaps=True)]
    ),
}
"""Origin -> preset. What squashes rotations about several axes loses the affine form, and takes seconds to do it."""

MOST_GATES = {"default": 1000, "max": 5000}
"""Gates up to which each effort asks tket."""


def candidates(circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
    """What every preset makes of the circuit, those left out that do not take it or lose its angles' affine form."""
    if circuit.has_measurement or len(circuit) > MOST_GATES[effort]:
        return []
    usable = {
        origin: preset
        for origin, preset in PRESETS.items()
        if (preset.symbols or circuit.angles.is_constant[circuit.angle_rows].all())
        and (preset.least == "default" or effort == "max")
    }
    made = (_made(circuit, origin, preset.passes(seed)) for origin, preset in usable.items())
    return [found for found in made if found is not None]


def _made(circuit: Circuit, origin: str, passes: list[BasePass]) -> Candidate | None:
    given = to_tket(circuit)
    try:
        AutoRebase(BASIS).apply(given.circuit)
        SequencePass([*passes, AutoRebase(BASIS)]).apply(given.circuit)
        result, final = from_tket(given.circuit, like=given)
    except (NotAffineError, RuntimeError):
        # pytket's passes raise RuntimeError where their predicates or their own synthesis do not hold.
        return None
    return Candidate(origin, result, final)
