"""Random programs that are chains of dense and convolution layers, most of which netx can hold, and inputs for them."""

from __future__ import annotations

from math import prod

import numpy as np
from qsc.backends.loihi.program import Connection, Population, Program, Source, Synapses, Window
from scipy.sparse import csr_array

STEPS = 24


def make(seed: int) -> tuple[Program, np.ndarray]:
    """(a chain, spikes (steps, *shape) for its source)."""
    rng = np.random.default_rng([seed, 5])
    images = rng.random() < 0.6
    shape = (int(rng.integers(1, 4)), *map(int, rng.integers(4, 8, 2))) if images else (int(rng.integers(1, 12)),)
    source = Source("x", shape)
    populations: list[Population] = []
    connections: list[Connection] = []
    before: Source | Population = source
    for number in range(int(rng.integers(1, 4))):
        name = f"p{number}"
        if images and rng.random() < 0.7:
            c, shape = _convolution(rng, before, name)
        else:
            shape, images = (int(rng.integers(1, 12)),), False
            c = _matrix(rng, before, name, prod(shape))
        before = _population(rng, name, shape, images)
        connections.append(c)
        populations.append(before)
    spikes = rng.random((STEPS, *source.shape)) < 0.5
    return Program((source,), tuple(populations), tuple(connections), (before.name,)), spikes


def _population(rng: np.random.Generator, name: str, shape: tuple[int, ...], images: bool) -> Population:
    """Registers one for all, one for each channel, or one for each neuron."""

    def draw(low: int, high: int) -> int | np.ndarray:
        kind = rng.choice(["all", "all", "channel", "each"] if images else ["all", "all", "each"])
        if kind == "all":
            return int(rng.integers(low, high))
        size = (shape[0], 1, 1) if kind == "channel" else shape
        return np.broadcast_to(rng.integers(low, high, size), shape)

    exponent = int(rng.integers(8))
    step = 2 ** max(0, 6 - exponent)
    bias = draw(-4 * 2 ** max(0, 6 - exponent) // step, 40 // 2 ** max(0, exponent - 6)) * step
    return Population(
        name,
        shape,
        du=4095 if rng.random() < 0.3 else draw(200, 4096),
        dv=draw(0, 2000),
        threshold=draw(40, 400),
        bias=bias if rng.random() < 0.6 else 0,
        bias_exponent=exponent,
    )


def _weights(rng: np.random.Generator, shape: tuple[int, ...], sign: str, exponent: int) -> np.ndarray:
    """Weights that are whole once shifted, and small enough where they are shifted left."""
    high = int(rng.choice([3, 30, 127, 254])) >> max(0, exponent)
    low = {"mixed": -high, "excitatory": 0, "inhibitory": -high}[sign]
    drawn = rng.integers(low, (0 if sign == "inhibitory" else high) + 1, shape)
    step = 2 ** (1 + max(0, -exponent))
    return drawn // step * step


def _settings(rng: np.random.Generator) -> tuple[str, int]:
    sign = str(rng.choice(["mixed", "mixed", "excitatory", "inhibitory"]))
    return sign, int(rng.choice([-2, -1, 0, 0, 0, 1, 2]))


def _matrix(rng: np.random.Generator, source: Source | Population, target: str, count: int) -> Connection:
    sign, exponent = _settings(rng)
    drawn = _weights(rng, (count, prod(source.shape)), sign, exponent)
    delays = rng.integers(0, rng.choice([2, 63]), drawn.shape) if rng.random() < 0.3 else None
    weight: Synapses = drawn
    if rng.random() < 0.3:
        weight = csr_array(drawn)
        delays = None if delays is None else delays[drawn != 0]
    return Connection(f"to_{target}", source.name, target, weight, 8, exponent, sign, delays)


def _convolution(
    rng: np.random.Generator, source: Source | Population, target: str
) -> tuple[Connection, tuple[int, ...]]:
    sign, exponent = _settings(rng)
    channels, *size = source.shape
    groups = channels if rng.random() < 0.3 else 1
    kernel = tuple(int(rng.integers(1, min(3, n) + 1)) for n in size)
    down, right, up, left = (int(n) for n in rng.integers((1, 1, 0, 0), (3, 3, 2, 2)))
    dilation = (int(rng.integers(1, 3)) if kernel[0] * 2 - 1 <= size[0] else 1, 1)
    window = Window((down, right), (up, left), dilation, groups)
    outs = groups * int(rng.integers(1, 3))
    weight = _weights(rng, (outs, channels // groups, *kernel), sign, exponent)
    c = Connection(f"to_{target}", source.name, target, weight, 8, exponent, sign, window=window)
    return c, (outs, *window.places(kernel, tuple(size)))
