"""Random programs, made from seeds: every kind of connection, every register over its range, and inputs for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import prod

import numpy as np
from qsc.backends.loihi.program import CLIPS, Connection, Population, Program, Source, Window
from qsc.backends.loihi.simulator import Traces
from scipy.sparse import csr_array

PROGRAMS = 300
STEPS = 24
KINDS = ("dense", "sparse", "csr", "delay_dense", "delay_sparse", "delay_csr", "conv")

Made = tuple[Program, dict[str, np.ndarray]]


def make(seed: int, steps: int = STEPS) -> Made:
    """(program, source -> input (steps, 1, *shape)) of a seed."""
    rng = np.random.default_rng([seed, 2])
    spatial = rng.random() < 0.3
    # Sums of a convolution must stay in 32 bits.
    graded = int(rng.choice([0, 0, 0, 4, 8, 16, 18 if spatial else 24]))
    shape = tuple(int(n) for n in rng.integers((1, 4, 4), (4, 8, 8))) if spatial else (int(rng.integers(1, 13)),)
    sources = [Source("x", shape, graded)]
    if rng.random() < 0.2:
        sources.append(Source("y", (int(rng.integers(1, 6)),), int(rng.choice([0, 6]))))
    populations: list[Population] = []
    connections: list[Connection] = []
    previous: Source | Population = sources[0]
    for layer in range(int(rng.integers(1, 4))):
        name = f"p{layer}"
        if len(previous.shape) == 3 and rng.random() < 0.7:
            first = convolution(rng, previous, name)
        else:
            size = (int(rng.integers(1, 13)),)
            first = connection(rng, f"c{layer}", previous, Population(name, size)), size
        made, size = first
        populations.append(population(rng, name, size, connections_of(previous)))
        connections.append(made)
        previous = populations[-1]
    ends = [*sources, *populations]
    for extra in range(int(rng.integers(0, 4))):
        source, target = ends[rng.integers(len(ends))], populations[rng.integers(len(populations))]
        connections.append(connection(rng, f"e{extra}", source, target))
    if len(sources) > 1:
        connections.append(connection(rng, "from_y", sources[1], populations[0]))
    program = Program(tuple(sources), tuple(populations), tuple(connections), (populations[-1].name,))
    return program, {s.name: values(rng, s, steps) for s in sources}


def connections_of(source: Source | Population) -> int:
    """The message bits of what a source or population sends."""
    return getattr(source, "message_bits", 0)


def values(rng: np.random.Generator, source: Source, steps: int) -> np.ndarray:
    """Spikes, at a rate that the seed chooses; graded ones with a sign."""
    spikes = rng.random((steps, 1, *source.shape)) < rng.choice([0.1, 0.4, 0.9])
    if not source.message_bits:
        return spikes
    high = 2 ** (source.message_bits - 1) - 1
    return spikes * rng.integers(-high, high + 1, spikes.shape)


def population(rng: np.random.Generator, name: str, shape: tuple[int, ...], graded: int) -> Population:
    """Registers over their whole range, small ones more often, at times one for each neuron."""

    def register(low: int, high: int) -> int | np.ndarray:
        size = shape if rng.random() < 0.2 else None
        span = 2.0 ** rng.uniform(0, np.log2(max(high, -low) + 1), size)
        signs = rng.choice([-1, 1], size) if low < 0 else 1
        drawn = np.clip(np.asarray(span * signs, np.int64), low, high)
        return int(drawn) if size is None else drawn

    def decay() -> int | np.ndarray:
        return int(rng.choice([0, 4095])) if rng.random() < 0.4 else register(0, 4095)

    threshold = register(0, 2**17 - 1) if graded > 8 or rng.random() < 0.2 else register(0, 2**9)
    return Population(
        name,
        shape,
        du=decay(),
        dv=decay(),
        threshold=threshold,
        bias=register(-(2**12), 2**12 - 1) if rng.random() < 0.4 else 0,
        bias_exponent=int(rng.integers(8)),
        initial_v=register(-(2**23) + 1, 2**23 - 1) if rng.random() < 0.2 else 0,
    )


def settings(rng: np.random.Generator) -> tuple[str, int, int]:
    """(sign, weight bits, exponent)."""
    return str(rng.choice(list(CLIPS))), int(rng.integers(1, 9)), int(rng.integers(-7, 8))


def weights(rng: np.random.Generator, shape: tuple[int, ...], sign: str) -> np.ndarray:
    """Weights over the whole range of a sign, some of them 0."""
    low, high = CLIPS[sign]
    return rng.integers(low, high + 1, shape) * (rng.random(shape) < rng.choice([0.4, 1.0]))


def connection(
    rng: np.random.Generator, name: str, source: Source | Population, target: Source | Population
) -> Connection:
    """A matrix of any kind."""
    sign, bits, exponent = settings(rng)
    kind = str(rng.choice(KINDS[:-1]))
    drawn = weights(rng, (prod(target.shape), prod(source.shape)), sign)
    delays = rng.integers(0, rng.choice([1, 3, 64]), drawn.shape) if "delay" in kind else None
    matrix = drawn if "csr" not in kind else csr_array(drawn)
    if delays is not None and "csr" in kind:
        delays = delays[drawn != 0]
        if not delays.size:
            delays = None
    return Connection(
        f"{name}_{kind}",
        source.name,
        target.name,
        matrix,
        weight_bits=bits,
        exponent=exponent,
        sign=sign,
        delays=delays,
        sparse="sparse" in kind or "csr" in kind,
    )


def convolution(
    rng: np.random.Generator, source: Source | Population, target: str
) -> tuple[Connection, tuple[int, ...]]:
    """(a convolution, the shape of what it makes); with an exponent only where sums cannot reach 24 bits."""
    channels, *size = source.shape
    groups = channels if rng.random() < 0.3 else 1
    kernel = tuple(int(rng.integers(1, min(3, n) + 1)) for n in size)
    down, right, up, left = (int(n) for n in rng.integers((1, 1, 0, 0), (3, 3, 2, 2)))
    dilation = (int(rng.integers(1, 3)) if kernel[0] * 2 - 1 <= size[0] else 1, 1)
    window = Window((down, right), (up, left), dilation, groups)
    outs = groups * int(rng.integers(1, 4))
    sign, bits, exponent = settings(rng)
    small = connections_of(source) <= 4
    drawn = weights(rng, (outs, channels // groups, *kernel), sign)
    made = Connection(
        f"conv_{target}",
        source.name,
        target,
        drawn,
        weight_bits=bits,
        exponent=exponent if small and rng.random() < 0.4 else 0,
        sign=sign,
        delays=rng.integers(0, 5, drawn.shape) if small and rng.random() < 0.2 else None,
        window=window,
    )
    return made, (outs, *window.places(kernel, tuple(size)))


def digest(traces: Traces) -> str:
    """sha256 of spikes, u and v of every population."""
    found = hashlib.sha256()
    for kind, dtype in (("spikes", np.int32), ("u", np.int32), ("v", np.int32)):
        for name, values in sorted(getattr(traces, kind).items()):
            found.update(f"{name} {kind} {values.shape}".encode())
            found.update(np.ascontiguousarray(values, dtype).tobytes())
    return found.hexdigest()


def program_digest(program: Program, inputs: Mapping[str, np.ndarray]) -> str:
    """sha256 of the numbers of a program and its inputs, so that a changed generator is seen."""
    found = hashlib.sha256()
    for p in program.populations:
        for register in ("du", "dv", "threshold", "bias", "bias_exponent", "initial_v"):
            found.update(np.asarray(getattr(p, register), np.int64).tobytes())
    for c in program.connections:
        found.update(repr((c.name, c.source, c.target, c.weight_bits, c.exponent, c.sign, c.window)).encode())
        dense = c.weight if isinstance(c.weight, np.ndarray) else c.weight.toarray()
        found.update(np.ascontiguousarray(dense, np.int64).tobytes())
        found.update(b"" if c.delays is None else np.ascontiguousarray(c.delays, np.int64).tobytes())
    for name in sorted(inputs):
        found.update(np.ascontiguousarray(inputs[name], np.int64).tobytes())
    return found.hexdigest()
