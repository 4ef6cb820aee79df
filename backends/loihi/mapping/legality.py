"""Whether a mapping is legal: everything recounted from the program, synapse by synapse, and every violation said.

Shares no code with the mapper but the data classes and the limits: convolutions are walked pixel by pixel and
the memory is added up list by list.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..program import Connection, Program
from .limits import Limits
from .result import OUTSIDE, RESOURCES, Mapping, Routes


def violations(mapping: Mapping) -> list[str]:
    """One sentence for every neuron that is not placed, limit that is exceeded, axon that is wrong or missing, and
    figure that is not true; empty where the mapping is legal."""
    found = [*_placement(mapping)]
    if found:
        return found
    census = _Census(mapping.program, mapping.limits, mapping.core_of, len(mapping.chip))
    return [*_limits(mapping, census.used), *_axons(mapping.routes, census, mapping), *_figures(mapping)]


def _placement(mapping: Mapping) -> Iterator[str]:
    cores = len(mapping.chip)
    expected = {population.name: int(np.prod(population.shape)) for population in mapping.program.populations}
    for name in mapping.core_of:
        if name not in expected:
            yield f"{name} is placed and is no population"
    for name, count in expected.items():
        row = mapping.core_of.get(name)
        if row is None or row.shape != (count,):
            yield f"population {name} has {count} neurons, {0 if row is None else row.size} are placed"
        elif count and not 0 <= row.min() <= row.max() < cores:
            yield f"population {name}: cores {row.min()} to {row.max()} of {cores}"
    limits = mapping.limits
    for chip, held in zip(*np.unique(mapping.chip, return_counts=True), strict=True):
        if held > limits.cores:
            yield f"chip {chip} has {held} cores, {limits.cores} is the most"
    if len(np.unique(mapping.chip)) > limits.chips:
        yield f"{len(np.unique(mapping.chip))} chips, {limits.chips} is the most"
    places = np.stack([mapping.chip, mapping.tile[:, 0], mapping.tile[:, 1]], axis=1)
    for place, held in zip(*np.unique(places, axis=0, return_counts=True), strict=True):
        chip, column, row = place.tolist()
        if not (0 <= column < mapping.mesh[0] and 0 <= row < mapping.mesh[1]):
            yield f"chip {chip} has no tile {column}, {row}"
        if held > limits.cores_per_tile:
            yield f"tile {column}, {row} of chip {chip} has {held} cores, {limits.cores_per_tile} is the most"


class _Census:
    """What every core holds. reach: (connection, source neuron, target core) -> synapses."""

    def __init__(self, program: Program, limits: Limits, core_of: dict[str, np.ndarray], cores: int) -> None:
        self.reach: dict[tuple[int, int, int], int] = {}
        self.used = {resource: [0] * cores for resource in RESOURCES}
        outside = {source.name for source in program.sources}
        shapes = {end.name: end.shape for end in (*program.sources, *program.populations)}
        formats: list[set[tuple]] = [set() for _ in range(cores)]
        for number, connection in enumerate(program.connections):
            target = core_of[connection.target]
            homes = None if connection.source in outside else core_of[connection.source]
            lists = _lists(connection, shapes[connection.source], shapes[connection.target], target)
            self._count(number, connection, limits, lists, homes)
            form = _format(connection, limits)
            for core in {core for _, core, _ in lists}:
                formats[core].add(form)
        for core in range(cores):
            self.used["synapse_configs"][core] = len(formats[core])
        self._neurons(program, core_of, cores)

    def _count(
        self,
        number: int,
        connection: Connection,
        limits: Limits,
        lists: list[tuple[int, int, tuple | int]],
        homes: np.ndarray | None,
    ) -> None:
        kept: set[tuple[int, tuple]] = set()
        bits = _synapse_bits(connection, limits)
        for source, core, content in lists:
            length = content if isinstance(content, int) else len(content)
            self.reach[number, source, core] = length
            self.used["in_axons"][core] += 1
            if homes is not None:
                self.used["out_axons"][int(homes[source])] += 1
            if not isinstance(content, int) and limits.synapse.shared_kernels:
                if (core, content) in kept:
                    continue
                kept.add((core, content))
            self.used["synapse_bits"][core] += _list_bits(length, bits, limits)

    def _neurons(self, program: Program, core_of: dict[str, np.ndarray], cores: int) -> None:
        decays: list[set[tuple[int, int]]] = [set() for _ in range(cores)]
        thresholds: list[set[int]] = [set() for _ in range(cores)]
        for population in program.populations:
            row = core_of[population.name]
            du, dv, threshold = (
                np.broadcast_to(value, population.shape).reshape(-1)
                for value in (population.du, population.dv, population.threshold)
            )
            for neuron, core in enumerate(row.tolist()):
                self.used["neurons"][core] += 1
                decays[core].add((int(du[neuron]), int(dv[neuron])))
                thresholds[core].add(int(threshold[neuron]))
        for core in range(cores):
            self.used["neuron_configs"][core] = len(decays[core])
            self.used["threshold_configs"][core] = len(thresholds[core])


def _lists(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...], core_of: np.ndarray
) -> list[tuple[int, int, tuple | int]]:
    """(source neuron, core, content) of every list: how many synapses, or with a window what they are."""
    if connection.window is not None:
        return _window_lists(connection, source, target, core_of)
    found: list[tuple[int, int, tuple | int]] = []
    stored = connection.effective() != 0 if connection.sparse else np.ones(connection.weight.shape, bool)
    for core in np.unique(core_of).tolist():
        synapses = stored[core_of == core].sum(axis=0)
        found += [(source, core, int(synapses[source])) for source in np.flatnonzero(synapses).tolist()]
    return found


def _window_lists(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...], core_of: np.ndarray
) -> list[tuple[int, int, tuple | int]]:
    """As `_lists`. A content is (distance of the target from the first one, kernel, tap) of every synapse."""
    window = connection.window
    assert window is not None
    kernels, each, high, wide = connection.weight.shape
    rank = np.zeros(len(core_of), np.int64)
    for core in np.unique(core_of):
        rank[core_of == core] = np.arange((core_of == core).sum())
    lists: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for neuron in range(len(core_of)):
        kernel, row, column = np.unravel_index(neuron, target)
        group = int(kernel) // (kernels // window.groups)
        for up in range(high):
            r = int(row) * window.stride[0] + up * window.dilation[0] - window.padding[0]
            for right in range(wide):
                c = int(column) * window.stride[1] + right * window.dilation[1] - window.padding[1]
                if not (0 <= r < source[1] and 0 <= c < source[2]):
                    continue
                entry = (int(rank[neuron]), int(kernel), up * wide + right)
                for channel in range(group * each, (group + 1) * each):
                    place = (channel * source[1] + r) * source[2] + c
                    lists.setdefault((place, int(core_of[neuron])), []).append(entry)
    area = source[1] * source[2]
    found: list[tuple[int, int, tuple | int]] = []
    for (place, core), entries in lists.items():
        first = min(entries)[0]
        # Kernels hold a weight for every input channel of their group, so two channels never share a list.
        content = tuple((r - first, place // area % each, k, tap) for r, k, tap in sorted(entries))
        found.append((place, core, content))
    return found


def _synapse_bits(connection: Connection, limits: Limits) -> int:
    width, delay, listed = _format(connection, limits)[:3]
    tag = 0 if connection.learning is None else limits.synapse.learning_bits
    return width + delay + tag + (limits.synapse.index_bits if listed else 0)


def _format(connection: Connection, limits: Limits) -> tuple:
    width = min(bits for bits in limits.synapse.weight_bits if bits >= connection.weight_bits)
    delay = 0
    if connection.delays is not None:
        while 2**delay <= connection.delays.max():
            delay += 1
    listed = connection.sparse or connection.window is not None
    return width, delay, listed, connection.exponent, connection.sign, connection.learning is not None


def _list_bits(length: int, bits: int, limits: Limits) -> int:
    form, total = limits.synapse, 0
    while length > 0:
        taken = min(length, form.block)
        words, rest = divmod(taken * bits + form.header_bits, form.word_bits)
        total += (words + (rest > 0)) * form.word_bits
        length -= taken
    return total


def _limits(mapping: Mapping, used: dict[str, list[int]]) -> Iterator[str]:
    for resource, amounts in used.items():
        limit = getattr(mapping.limits, resource)
        for core, amount in enumerate(amounts):
            if amount > limit:
                yield f"core {core}: {amount} {resource}, {limit} is the most, {amount - limit} too many"
            if amount != mapping.used[resource][core]:
                yield f"core {core}: {amount} {resource}, the mapping says {mapping.used[resource][core]}"


def _axons(routes: Routes, census: _Census, mapping: Mapping) -> Iterator[str]:
    seen: set[tuple[int, int, int]] = set()
    slots: set[tuple[int, int]] = set()
    connections = mapping.program.connections
    columns = (
        routes.connection,
        routes.source,
        routes.source_core,
        routes.target_core,
        routes.in_axon,
        routes.synapses,
    )
    for number, source, home, core, axon, synapses in zip(*(column.tolist() for column in columns), strict=True):
        key = (number, source, core)
        name = connections[number].name
        if key in seen:
            yield f"connection {name}: source {source} has two axons to core {core}"
        true = census.reach.get(key, 0)
        if true != synapses:
            yield f"connection {name}: source {source} has {true} synapses in core {core}, not {synapses}"
        placed = mapping.core_of.get(connections[number].source)
        if home != (OUTSIDE if placed is None else placed[source]):
            yield f"connection {name}: source {source} is not on core {home}"
        if (core, axon) in slots or not 0 <= axon < mapping.limits.in_axons:
            yield f"core {core}: axon in {axon} is used twice or does not exist"
        seen.add(key)
        slots.add((core, axon))
    for number, source, core in sorted(census.reach.keys() - seen):
        yield f"connection {connections[number].name}: source {source} has no axon to core {core}"


def _figures(mapping: Mapping) -> Iterator[str]:
    routes, total = mapping.routes, 0.0
    for number, connection in enumerate(mapping.program.connections):
        own = routes.connection == number
        rate = mapping.rates[connection.source][routes.source[own]]
        if not np.array_equal(rate, routes.rate[own]):
            yield f"connection {connection.name}: the rates of its axons are not those of its source"
        total += float(rate[routes.source_core[own] != routes.target_core[own]].sum())
    if not np.isclose(total, mapping.off_core_spikes):
        yield f"{total} spikes a step leave their core, the mapping says {mapping.off_core_spikes}"
