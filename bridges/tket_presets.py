"""Candidates for a circuit by pytket's own presets."""

from __future__ import annotations

from typing import NamedTuple

from pytket import Circuit as TketCircuit
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
from .tket import ConvertedTket, from_tket, to_tket
from .tket_turns import fenced, unfenced

BASIS = {OpType.CX, OpType.Rz, OpType.Rx, OpType.Ry, OpType.H, OpType.S, OpType.Sdg, OpType.X, OpType.Z}


class Preset(NamedTuple):
    """Passes of pytket. symbols: whether angles with symbols stay affine; least: the effort from which it runs.

    weight: the depth weight of GreedyPauliSimp, which runs first, or None without it. It takes symbols and no barriers,
    the others the other way round.
    """

    symbols: bool
    least: str
    weight: float | None
    others: tuple[BasePass, ...] = ()


PRESETS: dict[str, Preset] = {
    "tket GreedyPauliSimp": Preset(True, "default", 0.3),
    "tket GreedyPauliSimp for gates alone": Preset(True, "default", 0.0),
    "tket KAKDecomposition": Preset(True, "default", None, (KAKDecomposition(),)),
    "tket CliffordSimp": Preset(False, "default", None, (CliffordSimp(allow_swaps=True),)),
    "tket GreedyPauliSimp and CliffordSimp": Preset(False, "default", 0.0, (CliffordSimp(allow_swaps=True),)),
    "tket FullPeepholeOptimise": Preset(False, "default", None, (FullPeepholeOptimise(allow_swaps=True),)),
    "tket GreedyPauliSimp and FullPeepholeOptimise": Preset(
        False, "max", 0.3, (FullPeepholeOptimise(allow_swaps=True),)
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
    made = (_made(circuit, origin, preset, seed) for origin, preset in usable.items())
    return [found for found in made if found is not None]


def _made(circuit: Circuit, origin: str, preset: Preset, seed: int) -> Candidate | None:
    given = to_tket(circuit, hold_tiny=True)
    try:
        AutoRebase(BASIS).apply(given.circuit)
        result, final = from_tket(_run(preset, given, seed), like=given)
    except (NotAffineError, RuntimeError):
        # pytket's passes raise RuntimeError where their predicates or their own synthesis do not hold.
        return None
    return Candidate(origin, result, final)


def _run(preset: Preset, given: ConvertedTket, seed: int) -> TketCircuit:
    out = given.circuit
    if preset.weight is not None:
        greedy = GreedyPauliSimp(depth_weight=preset.weight, trials=20, seed=seed)
        SequencePass([greedy, RemoveRedundancies()]).apply(out)
    if preset.others:
        out = fenced(out, given.tiny)
    SequencePass([*preset.others, AutoRebase(BASIS)]).apply(out)
    return unfenced(out)
