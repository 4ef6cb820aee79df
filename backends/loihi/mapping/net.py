"""The hypergraph that is partitioned: atoms (few neurons that stay together) and edges (sources with the same targets).

A source neuron and the atoms that it reaches are a hyperedge, weighted by its spike rate (Ronzani and Silvano, arXiv
2601.16118, 2026). Sources of one atom that reach the same atoms by as many synapses are one edge, counted as many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ....bridges.extras import need
from ....ir import InputError
from ....ir.diagnostics import did_you_mean
from ..program import Program
from .limits import Limits
from .synapses import Fan, fans_of

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

_PARTS = 24
"""A core has room for about this many atoms."""
EXTERNAL = -1


@dataclass(frozen=True)
class Edges:
    """One row an edge. fan: index of the connection. home: atom of the sources, EXTERNAL outside of the chip. count:
    sources. rate: their spikes a step, summed. pins: (edges, atoms), synapses of one source in each atom."""

    fan: np.ndarray
    home: np.ndarray
    count: np.ndarray
    rate: np.ndarray
    pins: csr_array


@dataclass(frozen=True)
class Net:
    """atom_of: population -> atom of every neuron, flattened; atoms are numbered over all populations.

    population, size: of every atom. classes: kind of configuration -> (atoms, classes), which an atom has.
    """

    program: Program
    limits: Limits
    fans: tuple[Fan, ...]
    atom_of: dict[str, np.ndarray]
    population: np.ndarray
    size: np.ndarray
    edges: Edges
    classes: dict[str, np.ndarray]

    @cached_property
    def by_atom(self) -> csc_array:
        """The pins by column."""
        return self.edges.pins.tocsc()

    @cached_property
    def incidence(self) -> tuple[np.ndarray, np.ndarray]:
        """(edge, atom) of every pin, the source's own atom being one, sorted."""
        pins = self.edges.pins
        edge = np.repeat(np.arange(len(self.edges.fan)), np.diff(pins.indptr))
        inside = np.flatnonzero(self.edges.home >= 0)
        return distinct(np.r_[edge, inside], np.r_[pins.indices, self.edges.home[inside]])

    @cached_property
    def own(self) -> list[np.ndarray]:
        """The edges whose sources are in each atom."""
        order = np.argsort(self.edges.home, kind="stable")
        bounds = np.searchsorted(self.edges.home[order], np.arange(len(self.size) + 1))
        return [order[bounds[a] : bounds[a + 1]] for a in range(len(self.size))]

    @cached_property
    def members(self) -> list[np.ndarray]:
        """The neurons of each atom, as flat indices within its population."""
        parts: list[np.ndarray] = []
        for atoms in self.atom_of.values():
            order = np.argsort(atoms, kind="stable")
            cuts = np.flatnonzero(np.diff(atoms[order])) + 1
            parts += np.split(order, cuts)
        return parts

    @cached_property
    def shared_into(self) -> list[list[int]]:
        """Population -> the connections with shared lists that end there."""
        names = [population.name for population in self.program.populations]
        found: list[list[int]] = [[] for _ in names]
        for index, fan in enumerate(self.fans):
            if fan.shared:
                found[names.index(fan.connection.target)].append(index)
        return found


def distinct(edge: np.ndarray, vertex: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs, sorted, each once. They are sorted as single numbers, which is faster than as pairs."""
    width = int(vertex.max(initial=0)) + 1
    key = np.sort(edge.astype(np.int64) * width + vertex)
    return np.divmod(key[np.r_[True, key[1:] != key[:-1]]] if len(key) else key, width)


def rates_of(program: Program, rates: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    """Spikes a step of every source and population, flattened; 1 where none are given.

    InputError O0002 for a name that the program lacks, a wrong count, and rates that are negative or not finite.
    """
    given = rates or {}
    counts = {end.name: int(np.prod(end.shape)) for end in (*program.sources, *program.populations)}
    found: dict[str, np.ndarray] = {}
    for name, rate in given.items():
        if name not in counts:
            raise InputError.of("O0002", f"there are rates for {name!r}", help=did_you_mean(name, counts))
        found[name] = np.asarray(rate, float).reshape(-1)
        if len(found[name]) != counts[name] or not np.isfinite(found[name]).all() or (found[name] < 0.0).any():
            message = f"the rates of {name} are {len(found[name])} numbers"
            raise InputError.of("O0002", message, help=f"{counts[name]} finite numbers that are not negative")
    return {name: found.get(name, np.ones(count)) for name, count in counts.items()}


def build_net(
    program: Program, limits: Limits, rates: dict[str, np.ndarray], finer: Mapping[str, int] | None = None
) -> Net:
    """Atoms and edges of a program; `rates` as `rates_of` gives them.

    finer: population -> how often the size of its atoms is halved.
    """
    fans = fans_of(program, limits)
    atom_of: dict[str, np.ndarray] = {}
    first = 0
    for index, end in enumerate(program.populations):
        local = _atoms(program, limits, fans, index, rates[end.name], (finer or {}).get(end.name, 0))
        atom_of[end.name] = local + first
        first += int(local.max(initial=-1)) + 1
    return _net_of(program, limits, fans, atom_of, rates)


def joined(net: Net, group: np.ndarray, rates: dict[str, np.ndarray]) -> Net:
    """The net whose atoms are the groups of atoms `group`, each within one population."""
    order = _in_order(np.concatenate([group[atoms] for atoms in net.atom_of.values()]))
    bounds = np.cumsum([len(row) for row in net.atom_of.values()])[:-1]
    atom_of = dict(zip(net.atom_of, np.split(order, bounds), strict=True))
    return _net_of(net.program, net.limits, net.fans, atom_of, rates)


def _net_of(
    program: Program,
    limits: Limits,
    fans: tuple[Fan, ...],
    atom_of: dict[str, np.ndarray],
    rates: dict[str, np.ndarray],
) -> Net:
    every = np.concatenate(list(atom_of.values()))
    atoms = int(every.max(initial=-1)) + 1
    population = np.zeros(atoms, np.int64)
    for index, row in enumerate(atom_of.values()):
        population[row] = index
    edges = _edges(fans, atom_of, rates, atoms)
    classes = {kind: _classes(program, kind, atom_of, atoms) for kind in ("neuron_configs", "threshold_configs")}
    return Net(program, limits, fans, atom_of, population, np.bincount(every, minlength=atoms), edges, classes)


def register_classes(program: Program, kind: str) -> dict[str, np.ndarray]:
    """Population -> a number for every neuron that tells its configuration apart: the decays, or the threshold."""
    fields = {"neuron_configs": ("du", "dv"), "threshold_configs": ("threshold",)}[kind]
    rows = []
    for end in program.populations:
        count = int(np.prod(end.shape))
        rows.append(np.stack([np.broadcast_to(np.ravel(getattr(end, key)), count) for key in fields]))
    found = np.unique(np.concatenate(rows, axis=1), axis=1, return_inverse=True)[1].reshape(-1)
    bounds = np.cumsum([row.shape[1] for row in rows])[:-1]
    return dict(zip((end.name for end in program.populations), np.split(found, bounds), strict=True))


def _classes(program: Program, kind: str, atom_of: dict[str, np.ndarray], atoms: int) -> np.ndarray:
    found = register_classes(program, kind)
    table = np.zeros((atoms, 1 + max((int(row.max(initial=0)) for row in found.values()), default=0)), bool)
    for name, row in found.items():
        table[atom_of[name], row] = True
    return table


def _atoms(
    program: Program, limits: Limits, fans: tuple[Fan, ...], index: int, rate: np.ndarray, halvings: int
) -> np.ndarray:
    """Atom of every neuron of a population, counted from 0."""
    end = program.populations[index]
    count = int(np.prod(end.shape))
    most = max(1, _atom_size(limits, [fan for fan in fans if fan.connection.target == end.name], count) >> halvings)
    touching = [fan for fan in fans if end.name in (fan.connection.source, fan.connection.target)]
    if any(fan.connection.window is not None for fan in touching):
        return _tiles(end.shape, most)
    key = np.zeros(count, np.int64)
    for kind in ("neuron_configs", "threshold_configs"):
        key = _refined(key, register_classes(program, kind)[end.name])
    for fan in touching:
        if not fan.dense:
            key = _refined(key, _patterns(fan, fan.connection.target == end.name))
        if fan.connection.source == end.name == fan.connection.target and not fan.dense:
            key = _refined(key, _patterns(fan, False))
    return _cut(key, rate, most)


def _atom_size(limits: Limits, into: list[Fan], count: int) -> int:
    """Neurons of an atom: as many as take a small share of a core."""
    most = max(1, limits.neurons // _PARTS)
    for fan in into:
        if fan.connection.window is None:
            each = fan.bits * (fan.source_count if fan.dense else max(1, fan.stored.nnz // max(1, count)))
            most = min(most, max(1, limits.synapse_bits // _PARTS // max(1, each)))
    return most


def _refined(key: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.unique(np.stack([key, other]), axis=1, return_inverse=True)[1].reshape(-1)


def _patterns(fan: Fan, as_target: bool) -> np.ndarray:
    """A number for every neuron that tells apart which neurons a sparse connection joins it to."""
    rows = fan.stored if as_target else fan.stored.T.tocsr()
    rows.sort_indices()
    seen: dict[bytes, int] = {}
    cells = (rows.indices[a:b].tobytes() for a, b in zip(rows.indptr[:-1], rows.indptr[1:], strict=True))
    return np.array([seen.setdefault(cell, len(seen)) for cell in cells], np.int64)


def _cut(key: np.ndarray, rate: np.ndarray, most: int) -> np.ndarray:
    """Neurons of the same key, those that spike most first, in atoms of at most `most`."""
    order = np.lexsort((np.arange(len(key)), -rate, key))
    start = np.r_[True, key[order][1:] != key[order][:-1]]
    rank = np.arange(len(key)) - np.maximum.accumulate(np.where(start, np.arange(len(key)), 0))
    atom = np.empty(len(key), np.int64)
    atom[order] = np.cumsum(start | (rank % most == 0)) - 1
    return _in_order(atom)


def _in_order(atom: np.ndarray) -> np.ndarray:
    """Atoms renumbered by their first neuron."""
    _, first, inverse = np.unique(atom, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse.reshape(-1)]


def _tiles(shape: tuple[int, ...], most: int) -> np.ndarray:
    """Rectangles of (height, width) with a block of channels: neighbouring windows stay together."""
    channels, height, width = shape
    block = min(channels, most)
    side = max(1, int((most // block) ** 0.5))
    high, wide = min(side, height), min(side, width)
    row = np.arange(height) // high
    column = np.arange(width) // wide
    tiles = row[:, None] * (-(-width // wide)) + column[None]
    band = np.arange(channels) // block
    return (tiles[None] * (-(-channels // block)) + band[:, None, None]).reshape(-1)


def _edges(fans: tuple[Fan, ...], atom_of: dict[str, np.ndarray], rates: dict[str, np.ndarray], atoms: int) -> Edges:
    sparse = need("scipy.sparse", "loihi")
    columns: list[tuple[np.ndarray, ...]] = []
    pins = []
    for index, fan in enumerate(fans):
        source = fan.connection.source
        rows, row_of = fan.counts(atom_of[fan.connection.target], atoms)
        home = np.full(fan.source_count, EXTERNAL) if fan.external else atom_of[source]
        silent = np.diff(rows.indptr)[row_of] == 0
        (pairs, inverse, count) = np.unique(
            np.stack([home, row_of])[:, ~silent], axis=1, return_inverse=True, return_counts=True
        )
        rate = np.bincount(inverse.reshape(-1), rates[source][~silent], pairs.shape[1])
        columns.append((np.full(pairs.shape[1], index), pairs[0], count, rate))
        pins.append(rows[pairs[1]])
    if not pins:
        none = np.zeros(0, np.int64)
        return Edges(none, none, none, np.zeros(0), sparse.csr_array((0, atoms), dtype=np.int64))
    fan_index, home, count, rate = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return Edges(fan_index, home, count, rate, sparse.vstack(pins, format="csr"))
