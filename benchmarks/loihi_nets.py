"""Twelve spiking nets with uneven rates, made from seeds, and two simple ways to put them on cores.

First-fit fills cores neuron by neuron in the order of the program; halving gives every layer cores of its own and
divides it in equal parts, twice as many each time, until all fit (as compilers for these chips do).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qsc.backends.loihi.mapping.limits import Limits
from qsc.backends.loihi.mapping.net import rates_of
from qsc.backends.loihi.mapping.result import routes_of, used_of
from qsc.backends.loihi.mapping.synapses import Fan, fans_of
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window

Made = tuple[Program, dict[str, np.ndarray]]


def _rates(program: Program, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Log-normal over neurons, as cortical rates are (Buzsaki and Mizuseki, Nat. Rev. Neurosci. 15, 2014)."""
    return {
        end.name: rng.lognormal(-3.0, 1.0, int(np.prod(end.shape))) for end in (*program.sources, *program.populations)
    }


def _dense(rng: np.random.Generator, source: str, target: str, inputs: int, outputs: int, bits: int = 8) -> Connection:
    weight = rng.integers(-100, 101, (outputs, inputs))
    return Connection(f"{source}-{target}", source, target, weight, weight_bits=bits)


def mlp(seed: int, sizes: Sequence[int], bits: int = 8) -> Made:
    rng = np.random.default_rng(seed)
    names = ["x", *(f"h{k}" for k in range(1, len(sizes)))]
    layers = tuple(Population(name, (size,)) for name, size in zip(names[1:], sizes[1:], strict=True))
    joins = tuple(_dense(rng, names[k], names[k + 1], sizes[k], sizes[k + 1], bits) for k in range(len(sizes) - 1))
    program = Program((Source("x", (sizes[0],)),), layers, joins, (names[-1],))
    return program, _rates(program, rng)


def conv(seed: int, shape: tuple[int, int, int], layers: Sequence[tuple[int, int, int]], classes: int) -> Made:
    """layers: (channels, stride, groups) each, kernels of 3 x 3 with padding."""
    rng = np.random.default_rng(seed)
    populations, joins = [], []
    source, size = "x", shape
    for number, (channels, stride, groups) in enumerate(layers, 1):
        name = f"c{number}"
        window = Window((stride, stride), (1, 1), groups=groups)
        kernel = rng.integers(-100, 101, (channels, size[0] // groups, 3, 3))
        joins.append(Connection(f"{source}-{name}", source, name, kernel, window=window))
        size = (channels, -(-size[1] // stride), -(-size[2] // stride))
        populations.append(Population(name, size))
        source = name
    joins.append(_dense(rng, source, "out", int(np.prod(size)), classes))
    program = Program((Source("x", shape),), (*populations, Population("out", (classes,))), tuple(joins), ("out",))
    return program, _rates(program, rng)


def _sparse(rng: np.random.Generator, source: str, target: str, mask: np.ndarray) -> Connection:
    weight = rng.integers(1, 101, mask.shape) * mask
    return Connection(f"{source}-{target}", source, target, weight, sparse=True, sign="excitatory")


def recurrent(seed: int, size: int, density: float) -> Made:
    """A reservoir with dense input and output."""
    rng = np.random.default_rng(seed)
    joins = (
        _dense(rng, "x", "r", 32, size),
        _sparse(rng, "r", "r", rng.random((size, size)) < density),
        _dense(rng, "r", "out", size, 10),
    )
    program = Program((Source("x", (32,)),), (Population("r", (size,)), Population("out", (10,))), joins, ("out",))
    return program, _rates(program, rng)


def communities(seed: int, size: int, count: int, inside: float, outside: float) -> Made:
    """Groups of neurons that are joined among themselves, in an order that does not show them."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, count, size)
    chance = np.where(group[:, None] == group[None], inside, outside)
    joins = (
        _sparse(rng, "x", "r", np.eye(size, dtype=bool)),
        _sparse(rng, "r", "r", rng.random((size, size)) < chance),
    )
    program = Program((Source("x", (size,)),), (Population("r", (size,)),), joins, ("r",))
    return program, _rates(program, rng)


def near(seed: int, size: int, layers: int, reach: float, density: float) -> Made:
    """Layers on a plane, joined where neurons are near each other; positions are random."""
    rng = np.random.default_rng(seed)
    places = [rng.random((size, 2)) for _ in range(layers)]
    names = [f"p{k}" for k in range(layers)]
    joins = [_sparse(rng, "x", "p0", np.eye(size, dtype=bool))]
    for k in range(layers - 1):
        distance = np.linalg.norm(places[k + 1][:, None] - places[k][None], axis=2)
        joins.append(_sparse(rng, names[k], names[k + 1], (distance < reach) & (rng.random((size, size)) < density)))
    program = Program(
        (Source("x", (size,)),), tuple(Population(name, (size,)) for name in names), tuple(joins), (names[-1],)
    )
    return program, _rates(program, rng)


def skip(seed: int, width: int, blocks: int) -> Made:
    """Dense blocks, each with a one-to-one path around the next."""
    rng = np.random.default_rng(seed)
    names = [f"b{k}" for k in range(blocks + 1)]
    joins = [_dense(rng, "x", "b0", 64, width)]
    for k in range(blocks):
        joins.append(_dense(rng, names[k], names[k + 1], width, width))
        if k + 2 <= blocks:
            joins.append(_sparse(rng, names[k], names[k + 2], np.eye(width, dtype=bool)))
    program = Program(
        (Source("x", (64,)),), tuple(Population(name, (width,)) for name in names), tuple(joins), (names[-1],)
    )
    return program, _rates(program, rng)


def balanced(seed: int, size: int, density: float) -> Made:
    """Excitatory and inhibitory neurons, four to one, joined at random, inhibition near by only."""
    rng = np.random.default_rng(seed)
    many, few = size * 4 // 5, size // 5
    place = {"e": rng.random(many), "i": rng.random(few)}
    joins = [_sparse(rng, "x", "e", np.eye(many, dtype=bool))]
    for source in "ei":
        for target in "ei":
            apart = np.abs(place[target][:, None] - place[source][None])
            reach = 0.1 if source == "i" else 0.2
            mask = (rng.random(apart.shape) < density) & (np.minimum(apart, 1.0 - apart) < reach)
            joins.append(_sparse(rng, source, target, mask))
    program = Program(
        (Source("x", (many,)),), (Population("e", (many,)), Population("i", (few,))), tuple(joins), ("e",)
    )
    return program, _rates(program, rng)


NETS: dict[str, Callable[[], Made]] = {
    "mlp, digits": lambda: mlp(1, (784, 512, 256, 10)),
    "mlp, deep": lambda: mlp(2, (128, 300, 300, 300, 300, 300, 20)),
    "mlp, 4 bits": lambda: mlp(3, (400, 800, 800, 100), 4),
    "conv, small images": lambda: conv(4, (2, 32, 32), ((16, 1, 1), (32, 2, 1), (32, 2, 1)), 10),
    "conv, depthwise": lambda: conv(5, (2, 48, 48), ((12, 2, 1), (12, 1, 12), (24, 2, 1), (24, 1, 24)), 11),
    "conv, wide": lambda: conv(6, (1, 64, 64), ((8, 2, 1), (8, 1, 1), (16, 2, 1)), 10),
    "reservoir": lambda: recurrent(7, 2000, 0.02),
    "communities": lambda: communities(8, 4000, 12, 0.1, 0.0005),
    "near neighbours": lambda: near(9, 1500, 4, 0.08, 0.9),
    "skip paths": lambda: skip(10, 400, 4),
    "balanced": lambda: balanced(11, 4000, 0.2),
    "communities, many": lambda: communities(12, 6000, 40, 0.2, 0.0002),
}
"""Name -> what makes the program and its rates."""


def _over(program: Program, limits: Limits, core_of: dict[str, np.ndarray]) -> np.ndarray:
    """Whether each core is over one of its limits."""
    cores = 1 + max(int(row.max()) for row in core_of.values())
    routes = routes_of(program, fans_of(program, limits), core_of, cores, rates_of(program, None))
    used = used_of(program, limits, core_of, cores, routes)
    return np.any([amount > getattr(limits, resource) for resource, amount in used.items()], axis=0)


def off_core(program: Program, limits: Limits, core_of: dict[str, np.ndarray], rates: dict[str, np.ndarray]) -> float:
    """Spikes a step to other cores, the host's included."""
    cores = 1 + max(int(row.max()) for row in core_of.values())
    routes = routes_of(program, fans_of(program, limits), core_of, cores, rates_of(program, rates))
    return float(routes.rate[routes.leaves].sum())


def halved(program: Program, limits: Limits) -> dict[str, np.ndarray]:
    """Every population in 1, 2, 4, ... equal parts on cores of its own, until its cores fit."""
    parts = {population.name: 1 for population in program.populations}
    while True:
        core_of, first = {}, 0
        for population in program.populations:
            count = int(np.prod(population.shape))
            core_of[population.name] = first + np.arange(count) * parts[population.name] // count
            first += parts[population.name]
        over = _over(program, limits, core_of)
        if not over.any():
            return core_of
        for name, row in core_of.items():
            if over[row].any():
                parts[name] *= 2


def first_fit(program: Program, limits: Limits) -> dict[str, np.ndarray]:
    """Neurons in the order of the program, each core as full as its own neurons, synapses and axons in allow.

    Axons out depend on the cores that follow: populations on cores with too many of them get a tenth fewer neurons a
    core, until none has.
    """
    most = {population.name: limits.neurons for population in program.populations}
    while True:
        core_of = _filled(program, limits, most)
        over = _over(program, limits, core_of)
        if not over.any():
            return core_of
        for name, row in core_of.items():
            if over[row].any():
                most[name] = most[name] * 9 // 10


def _filled(program: Program, limits: Limits, most: dict[str, int]) -> dict[str, np.ndarray]:
    fans = fans_of(program, limits)
    core_of = {population.name: np.full(int(np.prod(population.shape)), -1) for population in program.populations}
    order = [(name, neuron) for name, row in core_of.items() for neuron in range(len(row))]
    begin, core = 0, 0
    while begin < len(order):
        low, high = 1, min(most[order[begin][0]], len(order) - begin)
        while low < high:
            middle = (low + high + 1) // 2
            if _fits(fans, limits, core_of, order[begin : begin + middle]):
                low = middle
            else:
                high = middle - 1
        for name, neuron in order[begin : begin + low]:
            core_of[name][neuron] = core
        begin, core = begin + low, core + 1
    return core_of


def _fits(fans: Sequence[Fan], limits: Limits, like: dict[str, np.ndarray], some: list[tuple[str, int]]) -> bool:
    alone = {name: np.full(len(row), -1) for name, row in like.items()}
    for name, neuron in some:
        alone[name][neuron] = 0
    bits = axons = 0
    for fan in fans:
        group = alone[fan.connection.target]
        if not (group == 0).any():
            continue
        rows, row_of = fan.counts(group, 1)
        synapses = rows.toarray()[row_of, 0]
        axons += int((synapses > 0).sum())
        lists = fan.taps.distinct_lists(np.flatnonzero(group == 0)) if fan.shared else synapses
        bits += int(limits.synapse.list_bits(lists, fan.bits).sum())
    return bits <= limits.synapse_bits and axons <= limits.in_axons
