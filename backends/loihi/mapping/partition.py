"""Atoms put on cores under all limits, with few spikes between cores.

The better of the hypergraph cut and the order of the program is refined by moves and swaps (Fiduccia and Mattheyses,
DAC 1982, with every limit of a core exact).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .hypergraph import cut
from .net import Net
from .packing import Ledger, Move, Packing

_PASSES = 5
_SWAPS = 4
"""Atoms of a full core that are tried in exchange."""
_WIDEST_SPLIT = 16
_HOPELESS = 1.5
"""A start with this many times the spikes of the best one is left out."""
_TOO_FULL = 1.1
"""How full the parts of the first cut may be on the mean before it is made again with more of them."""


def partition(net: Net, seed: int = 0) -> np.ndarray:
    """Core of every atom, numbered without gaps. Every single atom has to fit a core.

    Axons out of a core may stay over their limit where no split of it helps; the caller checks.
    """
    ledger = Ledger(net)
    best: tuple[tuple[float, int], Packing] | None = None
    starts = [_by_hypergraph(ledger, load, seed) for load in (ledger.load(True), ledger.load(False))]
    starts += [_by_order(ledger, True), _by_order(ledger, False)]
    packings = [Packing(ledger, start, int(start.max()) + 1) for start in starts]
    least = min(packing.spikes for packing in packings)
    for started in packings:
        if started.spikes > _HOPELESS * least:
            continue
        packing = _legal_axons(started)
        _merge(packing)
        over = int(np.maximum(packing.out_axons - net.limits.out_axons, 0).sum())
        rank = (over + round(packing.spikes, 9), int((packing.neurons > 0).sum()))
        if best is None or rank < best[0]:
            best = rank, packing
    assert best is not None
    _refine(best[1])
    _merge(best[1])
    _refine(best[1])
    return np.unique(best[1].core_of, return_inverse=True)[1].reshape(-1)


def _by_hypergraph(ledger: Ledger, load: np.ndarray, seed: int) -> np.ndarray:
    """Cut into as many parts as the load asks for; parts that do not fit a core are cut again."""
    core_of = np.zeros(len(load), np.int64)
    everything = np.arange(len(load))
    waiting = [(everything, ledger.excess(everything))]
    cores = 0
    if waiting[0][1] > 1.0:
        waiting = _first_cut(ledger, load, seed)
    while waiting:
        atoms, excess = waiting.pop()
        if excess <= 1.0:
            core_of[atoms] = cores
            cores += 1
            continue
        parts = min(_WIDEST_SPLIT, len(atoms), max(2, int(np.ceil(excess))))
        waiting += [(piece, ledger.excess(piece)) for piece in reversed(_pieces(ledger.net, atoms, load, parts, seed))]
    return core_of


def _first_cut(ledger: Ledger, load: np.ndarray, seed: int) -> list[tuple[np.ndarray, float]]:
    """Parts and by what factor each is over: cut again into more while most of them do not fit a core."""
    parts = max(2, int(np.ceil(load.sum() * 1.02)))
    while True:
        pieces = _pieces(ledger.net, np.arange(len(load)), load, min(parts, len(load)), seed)
        found = [(piece, ledger.excess(piece)) for piece in pieces]
        over = float(np.mean([max(1.0, excess) for _, excess in found]))
        if over < _TOO_FULL or parts >= len(load):
            return found[::-1]
        parts = int(np.ceil(parts * over))


def _pieces(net: Net, atoms: np.ndarray, load: np.ndarray, parts: int, seed: int) -> list[np.ndarray]:
    """The atoms cut into at least two parts."""
    part = cut(net, atoms, load, parts, seed)
    pieces = [atoms[part == number] for number in range(parts) if (part == number).any()]
    return pieces if len(pieces) > 1 else np.array_split(atoms, 2)


def _by_order(ledger: Ledger, apart: bool) -> np.ndarray:
    """Cores filled in the order of the atoms; `apart` starts a new core where a population does not fit as a whole."""
    net = ledger.net
    core_of = np.zeros(len(net.size), np.int64)
    core, held = 0, np.zeros(0, np.int64)
    for population in range(len(net.program.populations)):
        atoms = np.flatnonzero(net.population == population)
        if apart and len(held) and ledger.excess(np.r_[held, atoms]) > 1.0:
            core, held = core + 1, held[:0]
        for atom in atoms:
            if len(held) and ledger.excess(np.append(held, atom)) > 1.0:
                core, held = core + 1, held[:0]
            held = np.append(held, atom)
            core_of[atom] = core
    return core_of


def _legal_axons(packing: Packing) -> Packing:
    """The packing, with cores that send to too many cores cut in two until none does or none can be cut."""
    net, ledger = packing.net, packing.ledger
    while True:
        over = np.flatnonzero(packing.out_axons > net.limits.out_axons)
        over = [core for core in over.tolist() if len(packing.atoms_on(core)) > 1]
        if not over:
            return packing
        core_of, cores = packing.core_of.copy(), packing.cores
        for core in over:
            atoms = packing.atoms_on(core)
            sent = np.array([(net.edges.count * packing.reach)[net.own[atom]].sum() for atom in atoms], float)
            core_of[atoms[np.cumsum(sent) > sent.sum() / 2]] = cores
            cores += 1
        packing = Packing(ledger, core_of, cores)


def _merge(packing: Packing) -> None:
    """Pairs of cores made one where they fit, those first that send each other most."""
    ledger = packing.ledger
    refused: set[tuple[int, int]] = set()
    while True:
        ties = _ties(packing)
        for first, second in _pairs(ties, packing, refused):
            atoms = np.union1d(packing.atoms_on(first), packing.atoms_on(second))
            if ledger.excess(atoms) > 1.0 or not _axons_join(packing, first, second):
                refused.add((first, second))
                continue
            for atom in packing.atoms_on(second).tolist():
                packing.apply(packing.move(atom), first)
            refused = {pair for pair in refused if first not in pair and second not in pair}
            break
        else:
            return


def _ties(packing: Packing) -> np.ndarray:
    """(cores, cores): rate of the axons that two cores save as one."""
    edges, cores = packing.net.edges, packing.cores
    touched = packing.synapses > 0
    weighted = touched * edges.rate[:, None]
    both = weighted.T @ touched
    inside = packing.home >= 0
    sent = np.zeros((cores, cores))
    np.add.at(sent, packing.home[inside], weighted[inside])
    ties = both + sent + sent.T
    np.fill_diagonal(ties, 0.0)
    return ties


def _pairs(ties: np.ndarray, packing: Packing, refused: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    used = np.flatnonzero(packing.neurons)
    room = packing.neurons[used][:, None] + packing.neurons[used][None] <= packing.net.limits.neurons
    bits = packing.bits[used][:, None] + packing.bits[used][None] <= 1.1 * packing.net.limits.synapse_bits
    left, right = np.nonzero(np.triu(room & bits, 1))
    left, right = used[left], used[right]
    order = np.lexsort((right, left, -ties[left, right]))
    for first, second in zip(left[order].tolist(), right[order].tolist(), strict=True):
        if (first, second) not in refused:
            yield first, second


def _axons_join(packing: Packing, first: int, second: int) -> bool:
    edges = packing.net.edges
    mine = (packing.home == first) | (packing.home == second)
    saved = (packing.synapses[mine, first] > 0) & (packing.synapses[mine, second] > 0)
    out = int((edges.count[mine] * (packing.reach[mine] - saved)).sum())
    return out <= packing.net.limits.out_axons


def _refine(packing: Packing) -> None:
    """Passes of moves and swaps over all atoms until a pass gains nothing."""
    for _ in range(_PASSES):
        before = packing.spikes
        for atom in range(len(packing.core_of)):
            _improve(packing, atom)
        if packing.spikes > before - 1e-9 * max(1.0, before):
            return


def _improve(packing: Packing, atom: int) -> None:
    """The best legal move of an atom, or an exchange with an atom of the core that it would rather be on."""
    move = packing.move(atom)
    used = packing.neurons > 0
    wanted = np.flatnonzero((move.change < -1e-9) & used)
    wanted = wanted[np.argsort(move.change[wanted], kind="stable")][:3]
    for core in wanted.tolist():
        if packing.fits(move, core):
            packing.apply(move, core)
            return
    if len(wanted):
        _swap(packing, move, int(wanted[0]))


def _swap(packing: Packing, move: Move, core: int) -> None:
    """Exchange the atom with one of `core` where that gains and is legal; else leave all as it was."""
    net, here = packing.net, int(packing.core_of[move.atom])
    there = packing.atoms_on(core)
    alike = there[np.argsort(np.abs(net.size[there] - net.size[move.atom]), kind="stable")][: 4 * _SWAPS]
    costs = [(float(packing.move(other).change[here]), other) for other in alike.tolist()]
    for _, other in sorted(costs)[:_SWAPS]:
        before = packing.spikes
        away = packing.move(other)
        packing.apply(away, here)
        arrive = packing.move(move.atom)
        if packing.spikes + arrive.change[core] < before - 1e-9 and packing.fits(arrive, core):
            packing.apply(arrive, core)
            if packing.within(here) and packing.within(core):
                return
            packing.apply(packing.move(move.atom), here)
        packing.apply(packing.move(other), core)
