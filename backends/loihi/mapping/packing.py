"""Atoms on cores, with what every core holds and the spikes that leave it, kept exact while atoms move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....bridges.extras import need
from .limits import NO_LIMIT
from .net import Net


class Ledger:
    """What sets of atoms take, apart from axons out; remembers the memory of shared kernels."""

    def __init__(self, net: Net) -> None:
        self.net = net
        edges = net.edges
        most = int(edges.pins.sum(axis=1).max()) if edges.pins.nnz else 0
        form = net.limits.synapse
        lengths = np.arange(most + 1)
        rows = [form.list_bits(lengths, fan.bits) * (not fan.shared) for fan in net.fans]
        self.table = np.stack(rows) if rows else np.zeros((1, 1), np.int64)
        self._kernels: dict[tuple[int, bytes], int] = {}
        self.kinds = [kind for kind, table in net.classes.items() if table.shape[1] > getattr(net.limits, kind)]
        formats = {fan.config for fan in net.fans}
        self.counts_formats = len(formats) > net.limits.synapse_configs
        self.format_of = np.array([sorted(formats).index(fan.config) for fan in net.fans], np.int64)

    def bits(self, rows: np.ndarray, synapses: np.ndarray) -> np.ndarray:
        """Bits of the lists of edges `rows`, not counting shared ones. synapses: (edges,) or (edges, columns)."""
        fan = self.net.edges.fan[rows]
        count = self.net.edges.count[rows]
        if synapses.ndim == 2:
            fan, count = fan[:, None], count[:, None]
        return self.table[fan, synapses] * count

    def kernel_bits(self, atoms: np.ndarray) -> int:
        """Bits of the shared lists of a core with these atoms (sorted)."""
        total = 0
        populations = self.net.population[atoms]
        for population in np.unique(populations):
            inside = atoms[populations == population]
            for index in self.net.shared_into[population]:
                key = (index, inside.tobytes())
                if key not in self._kernels:
                    fan = self.net.fans[index]
                    targets = np.sort(np.concatenate([self.net.members[atom] for atom in inside]))
                    lists = fan.taps.distinct_lists(targets)
                    self._kernels[key] = int(self.net.limits.synapse.list_bits(lists, fan.bits).sum())
                total += self._kernels[key]
        return total

    def excess(self, atoms: np.ndarray) -> float:
        """By what factor the worst resource of a core with these atoms is over its limit; at most 1 where it fits."""
        limits, net = self.net.limits, self.net
        neurons = int(net.size[atoms].sum()) / limits.neurons
        if neurons > 1.0:
            return neurons
        synapses = np.asarray(net.by_atom[:, atoms].sum(axis=1)).reshape(-1)
        touched = np.flatnonzero(synapses)
        axons = int(net.edges.count[touched].sum()) / limits.in_axons
        bits = int(self.bits(touched, synapses[touched]).sum())
        worst = max(neurons, axons, bits / limits.synapse_bits, self.configs(atoms, touched))
        if worst > 1.0 or not any(net.shared_into):
            return worst
        return max(worst, (bits + self.kernel_bits(atoms)) / limits.synapse_bits)

    def alone(self) -> np.ndarray:
        """The largest share of a core that each atom takes by itself."""
        net, limits = self.net, self.net.limits
        pins, atoms = net.edges.pins, len(net.size)
        rows = np.repeat(np.arange(len(net.edges.fan)), np.diff(pins.indptr))
        axons = np.bincount(pins.indices, net.edges.count[rows], atoms)
        bits = np.bincount(pins.indices, self.bits(rows, pins.data), atoms).astype(float)
        for atom in np.flatnonzero([bool(net.shared_into[p]) for p in net.population]).tolist():
            bits[atom] += self.kernel_bits(np.array([atom]))
        shares = [net.size / limits.neurons, axons / limits.in_axons, bits / limits.synapse_bits]
        shares += [net.classes[kind].sum(axis=1) / getattr(limits, kind) for kind in self.kinds]
        return np.max(shares, axis=0)

    def load(self, short: bool) -> np.ndarray:
        """The share of a core's neurons or synapse memory that each atom adds; shared kernels count in equal parts.

        short: synapses as in the lists of an atom alone, whole words each; else as in long lists, without loss.
        """
        net, limits = self.net, self.net.limits
        pins, atoms = net.edges.pins, len(net.size)
        rows = np.repeat(np.arange(len(net.edges.fan)), np.diff(pins.indptr))
        each = np.array([fan.bits * (not fan.shared) for fan in net.fans] or [0])
        taken = self.bits(rows, pins.data) if short else each[net.edges.fan[rows]] * net.edges.count[rows] * pins.data
        bits = np.bincount(pins.indices, taken, atoms).astype(float)
        for index, members in enumerate(net.shared_into):
            if members:
                own = np.flatnonzero(net.population == index)
                bits[own] += self.kernel_bits(own) / len(own)
        return np.maximum(net.size / limits.neurons, bits / limits.synapse_bits)

    def configs(self, atoms: np.ndarray, touched: np.ndarray) -> float:
        """The largest share of a limit of configurations; 0 where the whole net is within all of them."""
        limits, worst = self.net.limits, 0.0
        for kind in self.kinds:
            worst = max(worst, int(self.net.classes[kind][atoms].any(axis=0).sum()) / getattr(limits, kind))
        if self.counts_formats:
            formats = np.unique(self.format_of[self.net.edges.fan[touched]])
            worst = max(worst, len(formats) / limits.synapse_configs)
        return worst


@dataclass(frozen=True)
class Move:
    """What moving one atom does. rows: the edges that it is in or sends. synapses: of one source of each in the atom.
    change: (cores,), how many more spikes leave their core if it moves there.
    """

    atom: int
    rows: np.ndarray
    synapses: np.ndarray
    change: np.ndarray


class Packing:
    """core_of: core of every atom. spikes: rate-weighted axons to other cores, summed over the whole net.

    synapses: (edges, cores). neurons, in_axons, bits, out_axons: per core; bits without shared kernels.
    """

    def __init__(self, ledger: Ledger, core_of: np.ndarray, cores: int) -> None:
        self.ledger, self.net = ledger, ledger.net
        self.core_of = core_of.astype(np.int64).copy()
        self.cores = cores
        net, edges = self.net, self.net.edges
        sparse = need("scipy.sparse", "loihi")
        atoms = len(core_of)
        onto = sparse.csr_array((np.ones(atoms, np.int64), (np.arange(atoms), self.core_of)), (atoms, cores))
        self.synapses = (edges.pins @ onto).toarray().astype(np.int32)
        self.neurons = np.bincount(self.core_of, net.size, cores).astype(np.int64)
        touched = self.synapses > 0
        self.in_axons = (touched * edges.count[:, None]).sum(axis=0)
        self.bits = np.zeros(cores, np.int64)
        for rows in np.array_split(np.arange(len(edges.fan)), 16):
            self.bits += ledger.bits(rows, self.synapses[rows]).sum(axis=0)
        self.reach = touched.sum(axis=1)
        self.home = np.where(edges.home >= 0, self.core_of[edges.home] if atoms else edges.home, -1)
        inside = self.home >= 0
        self.out_axons = np.bincount(self.home[inside], (edges.count * self.reach)[inside], cores).astype(np.int64)
        at_home = np.zeros(len(self.home), bool)
        at_home[inside] = touched[np.flatnonzero(inside), self.home[inside]]
        self.spikes = float((edges.rate * (self.reach - at_home)).sum())

    def within(self, core: int) -> bool:
        """Whether a core is within all its limits."""
        return self.ledger.excess(self.atoms_on(core)) <= 1.0 and bool(
            (self.out_axons <= self.net.limits.out_axons).all()
        )

    def atoms_on(self, core: int) -> np.ndarray:
        return np.flatnonzero(self.core_of == core)

    def move(self, atom: int) -> Move:
        """What moving `atom` to each core would change."""
        net, own, here = self.net, self.net.own[atom], self.core_of[atom]
        column = slice(net.by_atom.indptr[atom], net.by_atom.indptr[atom + 1])
        fed, fed_by = net.by_atom.indices[column], net.by_atom.data[column]
        rows = np.union1d(fed, own)
        synapses = np.zeros(len(rows), np.int64)
        synapses[np.searchsorted(rows, fed)] = fed_by
        home, mine = self.home[rows], net.edges.home[rows] == atom
        held = self.synapses[rows]
        leaves = ((held[:, here] == synapses) & (synapses > 0))[:, None]
        arrives = (held == 0) & (synapses > 0)[:, None]
        at_home = np.where(home >= 0, held[np.arange(len(rows)), np.maximum(home, 0)], 0)
        # Synapses at the sources' own core after the move: where the sources move along, at the new core.
        after_mine = held + synapses[:, None]
        after_other = np.repeat((at_home - synapses * (home == here))[:, None], self.cores, axis=1)
        stay = np.flatnonzero((home >= 0) & ~mine)
        after_other[stay, home[stay]] += synapses[stay]
        after = np.where(mine[:, None], after_mine, np.where((home >= 0)[:, None], after_other, 0))
        change = arrives.astype(np.int8) - leaves - (after > 0) + (at_home > 0)[:, None]
        total = net.edges.rate[rows] @ change
        total[here] = 0.0
        return Move(atom, rows, synapses, total)

    def fits(self, move: Move, core: int) -> bool:
        """Whether every core is within its limits after the move."""
        limits, net, here = self.net.limits, self.net, self.core_of[move.atom]
        rows, synapses = move.rows, move.synapses
        if self.neurons[core] + net.size[move.atom] > limits.neurons:
            return False
        count, held = net.edges.count[rows], self.synapses[rows, core]
        arrives = (held == 0) & (synapses > 0)
        if self.in_axons[core] + int(count[arrives].sum()) > limits.in_axons:
            return False
        grown = self.ledger.bits(rows, held + synapses) - self.ledger.bits(rows, held)
        bits = self.bits[core] + int(grown.sum())
        if bits > limits.synapse_bits or not self._axons_fit(move, core, arrives):
            return False
        if any(net.shared_into):
            there = np.union1d(self.atoms_on(core), [move.atom])
            if bits + self.ledger.kernel_bits(there) > limits.synapse_bits:
                return False
            left = np.setdiff1d(self.atoms_on(here), [move.atom])
            shrunk = self.ledger.bits(rows, self.synapses[rows, here] - synapses)
            bits = self.bits[here] + int((shrunk - self.ledger.bits(rows, self.synapses[rows, here])).sum())
            if bits + self.ledger.kernel_bits(left) > limits.synapse_bits:
                return False
        if self.ledger.kinds or self.ledger.counts_formats:
            there = np.append(self.atoms_on(core), move.atom)
            touched = np.flatnonzero(self.synapses[:, core])
            return self.ledger.configs(there, np.union1d(touched, rows[synapses > 0])) <= 1.0
        return True

    def _axons_fit(self, move: Move, core: int, arrives: np.ndarray) -> bool:
        if self.net.limits.out_axons == NO_LIMIT:
            return True
        out = self._out_after(move, core, arrives)
        return not bool(((out > self.out_axons) & (out > self.net.limits.out_axons)).any())

    def _out_after(self, move: Move, core: int, arrives: np.ndarray) -> np.ndarray:
        edges, here = self.net.edges, self.core_of[move.atom]
        rows = move.rows
        leaves = (self.synapses[rows, here] == move.synapses) & (move.synapses > 0)
        home, count = self.home[rows], edges.count[rows]
        reach = self.reach[rows] + arrives - leaves
        new_home = np.where(edges.home[rows] == move.atom, core, home)
        inside = home >= 0
        before = np.bincount(home[inside], (count * self.reach[rows])[inside], self.cores)
        after = np.bincount(new_home[inside], (count * reach)[inside], self.cores)
        return (self.out_axons - before + after).astype(np.int64)

    def apply(self, move: Move, core: int) -> None:
        """Carry the move out."""
        net, here, rows, synapses = self.net, self.core_of[move.atom], move.rows, move.synapses
        arrives = (self.synapses[rows, core] == 0) & (synapses > 0)
        leaves = (self.synapses[rows, here] == synapses) & (synapses > 0)
        self.out_axons = self._out_after(move, core, arrives)
        count = net.edges.count[rows]
        self.in_axons[core] += int(count[arrives].sum())
        self.in_axons[here] -= int(count[leaves].sum())
        for place, sign in ((core, 1), (here, -1)):
            held = self.synapses[rows, place]
            changed = held + sign * synapses
            self.bits[place] += int((self.ledger.bits(rows, changed) - self.ledger.bits(rows, held)).sum())
            self.synapses[rows, place] = changed
            self.neurons[place] += sign * net.size[move.atom]
        self.reach[rows] += arrives.astype(np.int64) - leaves
        self.spikes += float(move.change[core])
        self.core_of[move.atom] = core
        self.home[rows[net.edges.home[rows] == move.atom]] = core
