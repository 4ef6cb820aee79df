"""A program on the chip: where its neurons are, what that uses, and what one input costs there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..base import Costs
from .energy import chip_cost, count_events
from .mapping import Limits, chip_picture, map_program
from .mapping import Mapping as Placement
from .program import Program

MAP_FILE, PICTURE_FILE = "mapping.json", "chip.svg"


@dataclass(frozen=True)
class Placed:
    """What a mapping adds to an emission."""

    files: dict[str, bytes]
    costs: Costs
    notes: list[str]


def placed(program: Program, limits: Limits, spikes: Mapping[str, np.ndarray] | None, seed: int) -> Placed:
    """The program on the chip, its spikes between cores few.

    spikes: source or population -> (steps, inputs, ...) on calibration data, None where there is none: every neuron
    then counts alike, and no energy is told. TargetError T0003 where the net does not fit.
    """
    rates = None if spikes is None else {name: (x != 0).mean(axis=(0, 1)) for name, x in spikes.items()}
    mapping = map_program(program, limits, rates, seed=seed)
    costs: Costs = {
        "cores": mapping.cores,
        "chips": mapping.chips,
        "memory_bits": float(mapping.used["synapse_bits"].sum()),
    }
    notes = mapping.summary().rstrip().splitlines()
    if spikes is not None and limits.energy:
        cost = chip_cost(count_events(mapping, spikes), limits.energy, limits.latency)
        costs |= {"chip_energy_j": cost.total_j, "latency_s": cost.latency_s[1]}
        parts = ", ".join(f"{name} {joules:.3g} J" for name, joules in cost.energy_j.items() if joules)
        notes.append(f"energy of one input by the published prices of {limits.name}: {parts}")
        notes.append(
            f"latency with the barriers of a few cores {cost.latency_s[0]:.3g} s, of all {cost.latency_s[1]:.3g} s"
        )
    files = {MAP_FILE: _text(mapping), PICTURE_FILE: chip_picture(mapping).encode()}
    return Placed(files, costs, notes)


def _text(mapping: Placement) -> bytes:
    """Core of every neuron, chip and tile of every core, and what each core holds and sends."""
    routes = mapping.routes
    names = [c.name for c in mapping.program.connections]
    sent: list[dict[str, object]] = []
    for index, name in enumerate(names):
        own = routes.connection == index
        pairs = np.stack([routes.source_core[own], routes.target_core[own]], axis=1)
        for source, target in np.unique(pairs, axis=0).tolist():
            here = own & (routes.source_core == source) & (routes.target_core == target)
            row: dict[str, object] = {"connection": name, "from_core": source, "to_core": target}
            row |= {"axons": int(here.sum()), "synapses": int(routes.synapses[here].sum())}
            row["spikes_a_step"] = float(routes.rate[here].sum())
            sent.append(row)
    facts = {
        "target": mapping.limits.name,
        "core_of": {name: cores.tolist() for name, cores in mapping.core_of.items()},
        "cores": [
            {"chip": int(mapping.chip[k]), "tile": mapping.tile[k].tolist()}
            | {resource: int(amounts[k]) for resource, amounts in mapping.used.items()}
            for k in range(mapping.cores)
        ],
        "routes": sent,
    }
    return (json.dumps(facts, sort_keys=True) + "\n").encode()
