"""What does not fit: which layer, which resource, by how much, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....ir import Diagnostic, TargetError
from ..program import Program
from .limits import NO_LIMIT, Limits
from .packing import Packing
from .synapses import Fan, fans_of, with_weight_bits


def check_formats(program: Program, limits: Limits) -> None:
    """TargetError T0003 with every connection and source whose numbers the target cannot store."""
    found = [*_format_faults(program, limits)]
    if found:
        raise TargetError([Diagnostic("T0003", message, help=help_) for message, help_ in found])


def _format_faults(program: Program, limits: Limits) -> Iterator[tuple[str, str]]:
    form = limits.synapse
    low, high = form.exponents
    for source in program.sources:
        if source.message_bits and not limits.graded_spikes:
            yield (
                f"source {source.name}: spikes of {source.message_bits} bits, {limits.name} has binary spikes only",
                "encode the values as spike trains, or take a target with graded spikes such as loihi2",
            )  # fmt: skip
    most = form.weight_bits[-1]
    for c in program.connections:
        if c.weight_bits > most:
            yield (
                f"connection {c.name}: weights of {c.weight_bits} bits, {limits.name} has at most {most}",
                f"quantise to {most} bits",
            )  # fmt: skip
        if not low <= c.exponent <= high:
            yield (
                f"connection {c.name}: exponent {c.exponent}, {limits.name} has {low} to {high}",
                "scale weights and thresholds of the target population together",
            )
        delay = 0 if c.delays is None else int(np.max(c.delays, initial=0))
        if delay > form.delay_max:
            yield (
                f"connection {c.name}: a delay of {delay} steps, {limits.name} has at most {form.delay_max}",
                f"put a relay population in between: {-(-delay // (form.delay_max + 1))} of them hold the delay",
            )


def check_neurons(program: Program, limits: Limits) -> None:
    """TargetError T0003 with every population of which a single neuron takes more than a core has."""
    fans = fans_of(program, limits)
    found: list[tuple[str, str]] = []
    for population in program.populations:
        into = [fan for fan in fans if fan.connection.target == population.name]
        found += _neuron_faults(population.name, int(np.prod(population.shape)), into, limits)
    if found:
        raise TargetError([Diagnostic("T0003", message, help=help_) for message, help_ in found])


def _neuron_faults(name: str, count: int, into: list[Fan], limits: Limits) -> Iterator[tuple[str, str]]:
    axons, bits = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for fan in into:
        inputs = fan_in(fan)
        axons += inputs
        bits += inputs * int(limits.synapse.list_bits(np.array(1), fan.bits))
    if axons.max(initial=0) > limits.in_axons:
        most = int(axons.max())
        yield (
            f"population {name}: one neuron takes {most} axons in, a core of {limits.name} has {limits.in_axons}, "
            f"{most - limits.in_axons} too many",
            f"split its inputs over at least {-(-most // limits.in_axons)} populations, prune each neuron to "
            f"{limits.in_axons} inputs, or pool before it",
        )
    if bits.max(initial=0) > limits.synapse_bits:
        most = int(bits.max())
        fewer = max(1, limits.synapse_bits * int(axons[np.argmax(bits)]) // most)
        yield (
            f"population {name}: the synapses of one neuron take {most} bits, a core of {limits.name} has "
            f"{limits.synapse_bits}, {most - limits.synapse_bits} too many",
            f"prune each neuron to {fewer} inputs, or split them over {-(-most // limits.synapse_bits)} populations",
        )


def fan_in(fan: Fan) -> np.ndarray:
    """Source neurons with a synapse to each target neuron."""
    if fan.dense:
        return np.full(fan.target_count, fan.source_count)
    if fan.connection.window is None:
        return np.diff(fan.stored.indptr)
    inside = (fan.taps.pixels >= 0).sum(axis=0)
    return np.tile(inside * fan.taps.kernel[1], fan.target_shape[0])


def check_axons(packing: Packing) -> None:
    """TargetError T0003 where cores send to more cores than they have axons out, though they cannot be split."""
    net, limits = packing.net, packing.net.limits
    over = np.flatnonzero(packing.out_axons > limits.out_axons)
    if not len(over):
        return
    found = []
    for index, population in enumerate(net.program.populations):
        cores = over[[bool((net.population[packing.atoms_on(core)] == index).any()) for core in over.tolist()]]
        if not len(cores):
            continue
        most = int(packing.out_axons[cores].max())
        message = (
            f"population {population.name}: {len(cores)} of its cores need up to {most} axons out, a core of "
            f"{limits.name} has {limits.out_axons}, {most - limits.out_axons} too many"
        )
        fewer = -(-most // limits.out_axons)
        help_ = f"let what it feeds fit {fewer} times fewer cores: fewer weight bits or sparser weights"
        found.append(Diagnostic("T0003", message, help=help_))
    raise TargetError(found)


def check_chips(packing: Packing, chips: int | None) -> None:
    """TargetError T0003 where the cores are more than `chips` chips have; None allows the largest system."""
    limits = packing.net.limits
    allowed = limits.chips if chips is None else min(chips, limits.chips)
    cores = len(np.unique(packing.core_of))
    if allowed >= NO_LIMIT or cores <= allowed * limits.cores:
        return
    room = allowed * limits.cores
    notes = [*_layers(packing)]
    needed = -(-cores // limits.cores)
    ways = [f"{needed} chips hold it"] if needed <= limits.chips else []
    ways += [
        f"with {bits} weight bits it takes about {count} cores" for bits, count in _fewer_bits(packing) if count <= room
    ]
    message = f"the net takes {cores} cores, {allowed} chips of {limits.name} have {room}, {cores - room} too many"
    raise TargetError.of(
        "T0003", message, notes=notes, help="; ".join(ways) or "split it into nets that run one after the other"
    )


def _layers(packing: Packing) -> Iterator[str]:
    """One line a population: its share of the cores and the resource that it fills most."""
    net, limits = packing.net, packing.net.limits
    edges = net.edges
    for index, population in enumerate(net.program.populations):
        cores = np.unique(packing.core_of[net.population == index])
        atoms = net.population == index
        bits = axons = 0
        for core in cores.tolist():
            inside = np.flatnonzero(atoms & (packing.core_of == core))
            synapses = np.asarray(net.by_atom[:, inside].sum(axis=1)).reshape(-1)
            touched = np.flatnonzero(synapses)
            bits += int(packing.ledger.bits(touched, synapses[touched]).sum()) + packing.ledger.kernel_bits(inside)
            axons += int(edges.count[touched].sum())
        shares = {
            "neurons": int(net.size[atoms].sum()) / limits.neurons,
            "synapse bits": bits / limits.synapse_bits,
            "axons in": axons / limits.in_axons,
        }
        fullest = max(shares, key=lambda key: shares[key])
        yield (
            f"{population.name}: on {len(cores)} cores, {int(net.size[atoms].sum())} neurons, {bits} synapse bits, "
            f"{axons} axons in; its {fullest} fill {shares[fullest]:.2f} cores"
        )


def _fewer_bits(packing: Packing) -> Iterator[tuple[int, int]]:
    """(weight bits, cores about) for every width below the widest in use, by the growth of the synapse memory."""
    net, limits = packing.net, packing.net.limits
    cores = len(np.unique(packing.core_of))
    now = _memory(packing, net.fans)
    widest = max(fan.config[0] for fan in net.fans)
    for bits in sorted((b for b in limits.synapse.weight_bits if b < widest), reverse=True):
        fans = tuple(with_weight_bits(fan, min(bits, fan.config[0])) for fan in net.fans)
        least = -(-int(net.size.sum()) // limits.neurons)
        yield bits, max(least, int(np.ceil(cores * _memory(packing, fans) / now)))


def _memory(packing: Packing, fans: tuple[Fan, ...]) -> int:
    """Synapse bits of all cores if the connections were stored as `fans` say; shared kernels by their lists."""
    net = packing.net
    total = 0
    for index, fan in enumerate(fans):
        rows = np.flatnonzero(net.edges.fan == index)
        if not fan.shared:
            bits = net.limits.synapse.list_bits(packing.synapses[rows], fan.bits)
            total += int((bits * net.edges.count[rows][:, None]).sum())
            continue
        into = net.atom_of[fan.connection.target]
        for core in np.unique(packing.core_of[into]).tolist():
            lists = fan.taps.distinct_lists(np.flatnonzero(packing.core_of[into] == core))
            total += int(net.limits.synapse.list_bits(lists, fan.bits).sum())
    return max(1, total)
