"""From a program to a mapping: checks, partition, placement, routes."""

from __future__ import annotations

from collections.abc import Mapping as Rates

import numpy as np

from ....ir import InputError, TargetError
from ..program import Program
from .hypergraph import matched
from .limits import Limits
from .net import Net, build_net, joined, rates_of
from .overfull import check_axons, check_chips, check_formats, check_neurons
from .packing import Ledger, Packing
from .partition import partition
from .placement import place
from .result import Mapping, routes_of, used_of

_MOST_PINS = 120_000
_MOST_ATOMS = 4_000
_PARTS = 16
"""A core has room for at least this many atoms that were joined."""


def map_program(
    program: Program,
    limits: Limits,
    rates: Rates[str, np.ndarray] | None = None,
    *,
    chips: int | None = None,
    seed: int = 0,
) -> Mapping:
    """Neurons and synapses on cores and chips. The same input and seed give the same mapping.

    rates: source or population -> spikes a step of every neuron, 1 where none are given. chips: the most to use, None
    for as many as the largest system has.

    Raises InputError O0002 for wrong rates or a wrong number of chips, TargetError T0003 where the net does not fit:
    what is over, by how much, per layer, and what would make it fit.
    """  # fmt: skip
    if chips is not None and chips < 1:
        raise InputError.of("O0002", f"chips is {chips}", help="at least 1")
    known = rates_of(program, rates)
    if not program.populations:
        raise InputError.of("R0001", "the program has no neurons", help="a program has at least one population")
    check_formats(program, limits)
    check_neurons(program, limits)
    net = _fitting_net(program, limits, known)
    core_of_atom = partition(net, seed)
    packing = Packing(Ledger(net), core_of_atom, int(core_of_atom.max()) + 1)
    check_axons(packing)
    check_chips(packing, chips)
    core_of = {name: core_of_atom[atoms] for name, atoms in net.atom_of.items()}
    routes = routes_of(program, net.fans, core_of, packing.cores, known)
    chip, tile, mesh = place(limits, routes, packing.cores)
    used = used_of(program, limits, core_of, packing.cores, routes)
    return Mapping(program, limits, core_of, chip, tile, mesh, routes, used, known)


def _fitting_net(program: Program, limits: Limits, rates: dict[str, np.ndarray]) -> Net:
    """The net with atoms that take at most half of a core where that can be, and fit one in any case."""
    finer = {population.name: 0 for population in program.populations}
    first_legal: dict[str, int] = {}
    waiting = set(finer)
    while True:
        net = build_net(program, limits, rates, finer)
        alone = Ledger(net).alone()
        built = dict(finer)
        for index, population in enumerate(program.populations):
            name, own = population.name, net.population == index
            if name not in waiting:
                continue
            share = float(alone[own].max())
            if share <= 1.0:
                first_legal.setdefault(name, finer[name])
            if share > 0.5 and int(net.size[own].max()) > 1:
                finer[name] += 1
                continue
            waiting.discard(name)
            finer[name] = finer[name] if share <= 0.5 else first_legal.get(name, finer[name])
        if built == finer:
            _refuse(net, alone)
            return _coarsened(net, rates)


def _coarsened(net: Net, rates: dict[str, np.ndarray]) -> Net:
    """The net with atoms joined in pairs until it has few enough pins or none can be joined."""
    while net.edges.pins.nnz > _MOST_PINS or len(net.size) > _MOST_ATOMS:
        group = matched(net, Ledger(net).alone(), 1.0 / _PARTS)
        if len(np.unique(group)) > 0.95 * len(group):
            return net
        net = joined(net, group, rates)
    return net


def _refuse(net: Net, alone: np.ndarray) -> None:
    for index, population in enumerate(net.program.populations):
        share = float(alone[net.population == index].max())
        if share > 1.0:
            message = f"population {population.name}: one of its neurons takes {share:.2f} cores of {net.limits.name}"
            raise TargetError.of("T0003", message, help="fewer weight bits, or fewer inputs a neuron")
