"""Random programs with synapses that learn, made from seeds, and inputs for them."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise

import numpy as np
from qsc.backends.loihi.program import Connection, Learning, Population, Program, Source
from qsc.backends.loihi.program_file import dump
from qsc.backends.loihi.simulator import Traces
from qsc.ir.plasticity import TRACES
from qsc.ir.whole_learning import LIMITS, whole_rule

PROGRAMS = 30
STEPS = 60

Made = tuple[Program, dict[str, np.ndarray]]


def make(seed: int, steps: int = STEPS) -> Made:
    """(program, source -> input (steps, 1, *shape)): chains in which the neurons of a layer may feed back, every
    connection may learn, and one at least does."""
    rng = np.random.default_rng([seed, 13])
    sizes = [int(n) for n in rng.integers(2, 9, int(rng.integers(2, 4)))]
    source = Source("x", (sizes[0],))
    names = ["x", *(f"p{k}" for k in range(len(sizes) - 1))]
    size = dict(zip(names, sizes, strict=True))
    populations = tuple(_population(rng, name, size[name]) for name in names[1:])
    ways = list(pairwise(names))
    ways += [(str(rng.choice(names)), str(rng.choice(names[1:]))) for _ in range(int(rng.integers(0, 3)))]
    chosen = rng.random(len(ways)) < 0.6
    chosen[0] |= not chosen.any()
    connections = tuple(
        _connection(rng, f"c{k}", ends, (size[ends[1]], size[ends[0]]), bool(learns))
        for k, (ends, learns) in enumerate(zip(ways, chosen, strict=True))
    )
    spikes = rng.random((steps, 1, sizes[0])) < rng.choice([0.1, 0.3, 0.6])
    return Program((source,), populations, connections, (names[-1],)), {"x": spikes}


def _population(rng: np.random.Generator, name: str, size: int) -> Population:
    return Population(
        name,
        (size,),
        du=int(rng.choice([4095, 2000, 300])),
        dv=int(rng.choice([0, 200, 1500])),
        threshold=int(rng.integers(20, 200)),
        bias=int(rng.integers(-50, 200)),
    )


def _connection(
    rng: np.random.Generator, name: str, ends: tuple[str, str], shape: tuple[int, int], learns: bool
) -> Connection:
    sign = str(rng.choice(list(LIMITS)))
    weight = rng.integers(LIMITS[sign][0] // 2, LIMITS[sign][1] // 2 + 1, shape)
    exponent = int(rng.integers(-3, 3))
    if not learns:
        return Connection(name, *ends, weight, exponent=exponent, sign=sign)
    learning = Learning(whole_rule(*_rule(rng), sign), int(rng.integers(0, 1000)))
    return Connection(name, *ends, weight, exponent=exponent, sign=sign, learning=learning)


def _rule(rng: np.random.Generator) -> tuple[str, dict[str, tuple[float, float]]]:
    """A rule of one to four products, and the traces that it reads."""
    decimation = int(rng.integers(0, 3))
    products, read = [], set[str]()
    for _ in range(int(rng.integers(1, 5))):
        gates = [g for g in (f"u{decimation}", "x0", "y0") if rng.random() < 0.4] or ["x0"]
        names = rng.choice([*TRACES, "w"], int(rng.integers(0, 3 if len(gates) < 3 else 2)), replace=False).tolist()
        read |= set(names) - {"w"}
        plus = [int(rng.choice([0, 0, 3, -7, 40])) for _ in names]
        factors = [f"({n} {'-' if c < 0 else '+'} {abs(c)})" if c else n for n, c in zip(names, plus, strict=True)]
        number = f"{int(rng.choice([-5, -3, -1, 1, 3, 7]))}*2^{int(rng.integers(-7, -1))}"
        products.append("*".join([number, *gates, *factors]))
    traces = {n: (float(rng.choice([2, 5.5, 20])), float(rng.integers(1, 40))) for n in TRACES if n in read}
    return " + ".join(products).replace("+ -", "- "), traces


def digest(traces: Traces) -> str:
    """sha256 of spikes, u, v and learned weights."""
    found = hashlib.sha256()
    for kind in ("spikes", "u", "v", "weights"):
        for name, values in sorted(getattr(traces, kind).items()):
            found.update(f"{name} {kind} {values.shape}".encode())
            found.update(np.ascontiguousarray(values, np.int32).tobytes())
    return found.hexdigest()


def program_digest(program: Program, inputs: dict[str, np.ndarray]) -> str:
    """sha256 of a program and its inputs, so that a changed generator is seen."""
    found = hashlib.sha256(json.dumps(sorted(inputs)).encode())
    for _, data in sorted(dump(program).items()):
        found.update(data)
    for name in sorted(inputs):
        found.update(np.ascontiguousarray(inputs[name], np.int32).tobytes())
    return found.hexdigest()
