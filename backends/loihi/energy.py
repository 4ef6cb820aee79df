"""Energy and latency of one input on a mapped chip, from its spikes: published prices of every event and hop.

Prices are the [energy] and [latency] tables of a target file (`ir/target/loihi1.toml`: SPICE figures of Davies et al.,
Loihi, IEEE Micro 38(1), 2018, as SANA-FE's arch/loihi.yaml lists them). They leave out leakage, the x86 cores and the
way between chips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...ir import InputError
from .program import Connection, Program

if TYPE_CHECKING:
    from .mapping.result import Mapping as Mapped

SYNAPSES = ("synapse_dense", "synapse_sparse", "synapse_conv")
PER_CORE = ("neuron_access", "neuron_update", "spike_out", "message_out", "message_in", *SYNAPSES)
PER_STEP = ("hop_east_west", "hop_north_south")
NEEDED = {"energy": (*PER_CORE, *PER_STEP), "latency": (*PER_CORE, "barrier_least", "barrier_most")}
FREE = ("message_in",)
"""Costs nothing where a table leaves it out."""


@dataclass(frozen=True)
class ChipCounts:
    """Events of some inputs. inputs: how many; steps: of each. per_core: name of `PER_CORE` -> (inputs x steps, cores).
    per_step: name of `PER_STEP` -> (inputs x steps,)."""

    inputs: int
    steps: int
    per_core: Mapping[str, np.ndarray]
    per_step: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ChipCost:
    """Of one input. energy_j: kind of event -> joules. work_s: seconds without barriers; latency_s: with the barriers
    of a few cores, and of a whole chip."""

    energy_j: dict[str, float]
    work_s: float
    latency_s: tuple[float, float]

    @property
    def total_j(self) -> float:
        return sum(self.energy_j.values())


def chip_cost(counts: ChipCounts, energy: Mapping[str, float], latency: Mapping[str, float]) -> ChipCost:
    """The sum of all events' joules, and of the steps' seconds.

    In a step the cores work side by side. A core first goes through its neurons (accesses, updates, spikes, messages
    out) and meanwhile through what comes in (messages in, synapses); a step takes as long as the longest of either on
    any core, and a barrier: the analytical model of SANA-FE (its timing "simple"; Boyle et al., IEEE TCAD 44(8),
    2025). It knows no waiting in the network.

    energy, latency: event -> joules, seconds. InputError T0005 names what a table lacks.
    """
    _check(energy, latency)
    share = 1.0 / counts.inputs if counts.inputs else 0.0
    amounts = {**counts.per_core, **counts.per_step}
    spent = {name: float(amount.sum()) * energy.get(name, 0.0) * share for name, amount in amounts.items()}
    neurons, arrivals = (
        sum(counts.per_core[name] * latency.get(name, 0.0) for name in names)
        for names in (("neuron_access", "neuron_update", "spike_out", "message_out"), ("message_in", *SYNAPSES))
    )
    longest = np.maximum(neurons, arrivals).max(axis=1, initial=0.0)
    work = float(longest.sum()) * share
    least, most = (work + counts.steps * latency[name] for name in ("barrier_least", "barrier_most"))
    return ChipCost(spent, work, (least, most))


def _check(energy: Mapping[str, float], latency: Mapping[str, float]) -> None:
    for name, table in (("energy", energy), ("latency", latency)):
        missing = [key for key in NEEDED[name] if key not in table and key not in FREE]
        if missing:
            message = f"the target's table [{name}] has no {', '.join(missing)}"
            raise InputError.of("T0005", message, help="loihi1 has all prices; others are not public")


def count_events(mapped: Mapped, spikes: Mapping[str, np.ndarray]) -> ChipCounts:
    """The events on every core.

    spikes: source or population -> (steps, inputs, ...), not zero where it fires. Every neuron is looked at and updated
    in every step. A spike is a message to every core that it reaches, its own included; those of sources come from the
    host and are messages in alone, and take no hops.
    InputError R0001 where spikes are missing or of another shape than the neurons.
    """
    flat = _flattened(mapped.program, spikes)
    rows = len(next(iter(flat.values())))
    steps = len(next(iter(spikes.values())))
    per_core = {name: np.zeros((rows, mapped.cores)) for name in PER_CORE}
    per_step = {name: np.zeros(rows) for name in PER_STEP}
    for name, cores in mapped.core_of.items():
        here = np.bincount(cores, minlength=mapped.cores)
        per_core["neuron_access"] += here
        per_core["neuron_update"] += here
        per_core["spike_out"] += flat[name] @ _onto(np.arange(len(cores)), cores, 1.0, (len(cores), mapped.cores))
    across, along, _ = mapped.hops
    for index, connection in enumerate(mapped.program.connections):
        fired = flat[connection.source]
        _add_routes(mapped, index, connection, fired, per_core)
        own = mapped.routes.connection == index
        source = mapped.routes.source[own]
        for name, hops in zip(PER_STEP, (across, along), strict=True):
            per_step[name] += fired @ np.bincount(source, hops[own], fired.shape[1])
    return ChipCounts(rows // steps if steps else 0, steps, per_core, per_step)


def _add_routes(
    mapped: Mapped, index: int, connection: Connection, fired: np.ndarray, per_core: Mapping[str, np.ndarray]
) -> None:
    """Messages and synaptic operations of one connection. fired: (inputs x steps, neurons)."""
    routes = mapped.routes
    own = routes.connection == index
    source, target, home = routes.source[own], routes.target_core[own], routes.source_core[own]
    size = (fired.shape[1], mapped.cores)
    per_core["message_in"][:] += fired @ _onto(source, target, 1.0, size)
    per_core[kind_of(connection)][:] += fired @ _onto(source, target, routes.synapses[own], size)
    inside = home >= 0
    per_core["message_out"][:] += fired @ _onto(source[inside], home[inside], 1.0, size)


def kind_of(connection: Connection) -> str:
    """Which of `SYNAPSES` a connection's are."""
    if connection.window is not None:
        return "synapse_conv"
    return "synapse_sparse" if connection.sparse else "synapse_dense"


def _onto(neuron: np.ndarray, core: np.ndarray, amount: np.ndarray | float, shape: tuple[int, int]) -> np.ndarray:
    """(neurons, cores) with the amounts added up."""
    table = np.zeros(shape)
    np.add.at(table, (neuron, core), amount)
    return table


def _flattened(program: Program, spikes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name -> (inputs x steps, neurons) of zeros and ones."""
    found: dict[str, np.ndarray] = {}
    shapes = {end.name: end.shape for end in (*program.sources, *program.populations)}
    length = {array.shape[:2] for array in spikes.values()}
    for name, shape in shapes.items():
        if name not in spikes or spikes[name].shape[2:] != shape or len(length) != 1:
            given = list(spikes[name].shape) if name in spikes else "none"
            message = f"the spikes of {name} are {given}"
            raise InputError.of("R0001", message, help=f"(steps, inputs, {', '.join(map(str, shape))}) of one run")
        ordered = np.moveaxis(spikes[name] != 0, 1, 0)
        found[name] = ordered.reshape(ordered.shape[0] * ordered.shape[1], -1).astype(float)
    return found
