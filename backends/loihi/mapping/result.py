"""A mapped program: which core every neuron is on, where the cores are, what they hold and how spikes travel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....ir.diagnostics import counted
from ..program import Program
from .limits import NO_LIMIT, Limits
from .net import register_classes
from .synapses import Fan, fans_of

OUTSIDE = -1
"""The core of sources that are not on a core: their spikes come from the host."""
RESOURCES = (
    "neurons",
    "in_axons",
    "out_axons",
    "synapse_bits",
    "neuron_configs",
    "threshold_configs",
    "synapse_configs",
)


@dataclass(frozen=True)
class Routes:
    """The axons, one row each, sorted by connection, source and target core.

    connection: index in the program. source: neuron of the connection's source, flattened. source_core: OUTSIDE for a
    source of the program. in_axon: number within the target core. synapses: that a spike reaches there. rate: spikes a
    step.
    """

    connection: np.ndarray
    source: np.ndarray
    source_core: np.ndarray
    target_core: np.ndarray
    in_axon: np.ndarray
    synapses: np.ndarray
    rate: np.ndarray

    @property
    def leaves(self) -> np.ndarray:
        """Whether a spike goes to another core than its own."""
        return self.source_core != self.target_core


@dataclass(frozen=True)
class Mapping:
    """core_of: population -> core of every neuron, flattened. chip: of every core. tile: (cores, 2), column and row of
    its tile in the mesh of its chip. rates: spikes a step that the mapping was made for.

    mesh: columns and rows; assumed, and near a square, where `limits.mesh` is None. used: resource -> amount per core,
    int64.
    """

    program: Program
    limits: Limits
    core_of: dict[str, np.ndarray]
    chip: np.ndarray
    tile: np.ndarray
    mesh: tuple[int, int]
    routes: Routes
    used: dict[str, np.ndarray]
    rates: dict[str, np.ndarray]

    @property
    def cores(self) -> int:
        return len(self.chip)

    @property
    def chips(self) -> int:
        return int(self.chip.max(initial=-1)) + 1

    @property
    def off_core_spikes(self) -> float:
        """Messages a step that reach a core from another core or from the host."""
        return float(self.routes.rate[self.routes.leaves].sum())

    @cached_property
    def hops(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every route: hops east or west, hops north or south, whether it leaves the chip.

        Routes from outside and between chips have 0 hops: their way to the edge of the mesh is not modelled.
        """
        source, target = self.routes.source_core, self.routes.target_core
        across = (source != OUTSIDE) & (self.chip[source] != self.chip[target])
        inside = ((source != OUTSIDE) & ~across)[:, None]
        distance = np.abs(self.tile[source] - self.tile[target]) * inside
        return distance[:, 0], distance[:, 1], across

    @property
    def hops_per_step(self) -> float:
        """Hops that spikes travel in a step, over all chips."""
        across, along, _ = self.hops
        return float(self.routes.rate @ (across + along))

    def shares(self, resource: str) -> np.ndarray:
        """Share of a core's limit that is used, per core."""
        return self.used[resource] / getattr(self.limits, resource)

    def summary(self) -> str:
        """Cores, chips, spikes, hops and the highest and mean use of every resource that has a limit."""
        lines = [
            f"{self.limits.name}: {counted(self.cores, 'core')} on {counted(self.chips, 'chip')}, "
            f"{self.off_core_spikes:.6g} spikes a step from outside and between cores, {self.hops_per_step:.6g} hops"
            + ("" if self.limits.mesh else " on an assumed mesh")
        ]
        for resource, amounts in self.used.items():
            limit, most, mean = getattr(self.limits, resource), int(amounts.max(initial=0)), float(np.mean(amounts))
            if limit < NO_LIMIT:
                lines.append(f"  {resource:<18}most {most} of {limit} ({most / limit:.1%}), mean {mean / limit:.1%}")
        return "\n".join(lines) + "\n"


def routes_of(
    program: Program, fans: tuple[Fan, ...], core_of: dict[str, np.ndarray], cores: int, rates: dict[str, np.ndarray]
) -> Routes:
    """The axons that a placement of neurons on cores asks for."""
    parts: list[tuple[np.ndarray, ...]] = []
    for index, fan in enumerate(fans):
        name = fan.connection.source
        rows, row_of = fan.counts(core_of[fan.connection.target], cores)
        table = rows[row_of].tocoo()
        table.sum_duplicates()
        order = np.lexsort((table.col, table.row))
        source, target = table.row[order].astype(np.int64), table.col[order].astype(np.int64)
        home = np.full(len(source), OUTSIDE) if fan.external else core_of[name][source]
        parts.append((np.full(len(source), index), source, home, target, table.data[order], rates[name][source]))
    if not parts:
        none = np.zeros(0, np.int64)
        return Routes(none, none, none, none, none, none, np.zeros(0))
    connection, source, home, target, synapses, rate = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(target, kind="stable")
    starts = np.searchsorted(target[order], np.arange(cores))
    in_axon = np.empty(len(target), np.int64)
    in_axon[order] = np.arange(len(target)) - starts[target[order]]
    return Routes(connection, source, home, target, in_axon, synapses, rate)


def used_of(
    program: Program, limits: Limits, core_of: dict[str, np.ndarray], cores: int, routes: Routes
) -> dict[str, np.ndarray]:
    """Resource -> amount per core."""
    fans = fans_of(program, limits)
    on_chip = routes.source_core != OUTSIDE
    bits = np.zeros(cores, np.int64)
    for index, fan in enumerate(fans):
        own = routes.connection == index
        if fan.shared:
            target = core_of[fan.connection.target]
            for core in np.unique(target):
                lists = fan.taps.distinct_lists(np.flatnonzero(target == core))
                bits[core] += limits.synapse.list_bits(lists, fan.bits).sum()
        else:
            np.add.at(bits, routes.target_core[own], limits.synapse.list_bits(routes.synapses[own], fan.bits))
    formats = sorted({fan.config for fan in fans})
    format_of = np.array([formats.index(fan.config) for fan in fans], np.int64)
    return {
        "neurons": sum((np.bincount(row, minlength=cores) for row in core_of.values()), np.zeros(cores, np.int64)),
        "in_axons": np.bincount(routes.target_core, minlength=cores),
        "out_axons": np.bincount(routes.source_core[on_chip], minlength=cores),
        "synapse_bits": bits,
        "neuron_configs": _distinct(program, core_of, "neuron_configs", cores),
        "threshold_configs": _distinct(program, core_of, "threshold_configs", cores),
        "synapse_configs": _pairs(routes.target_core, format_of[routes.connection], cores),
    }


def _distinct(program: Program, core_of: dict[str, np.ndarray], kind: str, cores: int) -> np.ndarray:
    classes = register_classes(program, kind)
    return _pairs(np.concatenate([core_of[name] for name in classes]), np.concatenate(list(classes.values())), cores)


def _pairs(core: np.ndarray, value: np.ndarray, cores: int) -> np.ndarray:
    """How many different values each core has."""
    return np.bincount(np.unique(np.stack([core, value]), axis=1)[0], minlength=cores)
