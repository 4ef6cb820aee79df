"""The search for circuit cuts by itself: seconds, score, bound and peak memory, beside qiskit-addon-cutting's.

    python benchmarks/quantum/cut_search.py [--peer] [effort]

Layers of CX gates on chains, rings, grids, graphs and random pairs, and random circuits on 4 to 12 qubits; a wire may
be cut anywhere (3 bases, 4 states, gamma 4), and every gate (5 operations at each end, gamma 3). A score is
log(executions * gamma^2).
--peer: the same circuits by `find_cuts` of qiskit-addon-cutting, in a process of its own with 300 seconds each, where
that is installed; its score counts the same cuts by the same prices only in gamma, so gamma^2 is compared.
"""

from __future__ import annotations

import importlib.util
import random
import resource
import subprocess
import sys
import time

from qsc.compiler.cutting.problem import GateCut, Joint, Problem, WireCut
from qsc.compiler.cutting.search import Found, Widths, find

WIRE, GATE = WireCut(3, 4, 4.0), GateCut((5, 5), 3.0)
SECONDS = 300
Gates = list[tuple[int, int]]


def problem_of(gates: Gates) -> Problem:
    """The search's problem of gates on pairs of qubits."""
    wires: list[list[int]] = [[] for _ in range(1 + max(map(max, gates)))]
    for k, pair in enumerate(gates):
        for side, qubit in enumerate(pair):
            wires[qubit].append(2 * k + side)
    ends = 2 * len(gates)
    for own in wires:
        if not own:
            own.append(ends)
            ends += 1
    first = {own[0] for own in wires}
    cuts = tuple(None if end in first else WIRE for end in range(ends))
    return Problem(tuple(map(tuple, wires)), cuts, tuple(Joint((2 * k, 2 * k + 1), GATE) for k in range(len(gates))))


def chain(qubits: int, layers: int) -> Gates:
    """Each qubit with the next one."""
    return [(q, q + 1) for _ in range(layers) for q in range(qubits - 1)]


def ring(qubits: int, layers: int) -> Gates:
    """The last one with the first one too."""
    return [(q, (q + 1) % qubits) for _ in range(layers) for q in range(qubits)]


def random_pairs(qubits: int, layers: int) -> Gates:
    """All qubits in pairs by chance, anew in each layer."""
    rng = random.Random(qubits)
    orders = [rng.sample(range(qubits), qubits) for _ in range(layers)]
    return [(order[q], order[q + 1]) for order in orders for q in range(0, qubits - 1, 2)]


def grid(rows: int, columns: int, layers: int) -> Gates:
    """Neighbours on a grid, along rows and then along columns."""
    along = [(r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)]
    down = [(r * columns + c, (r + 1) * columns + c) for r in range(rows - 1) for c in range(columns)]
    return [pair for _ in range(layers) for pair in (*along, *down)]


def three_each(qubits: int, layers: int) -> Gates:
    """The edges of a random graph in which every qubit has three neighbours."""
    import networkx as nx

    return [(a, b) for _ in range(layers) for a, b in nx.random_regular_graph(3, qubits, seed=qubits).edges]


def small(seed: int) -> tuple[str, Gates, int]:
    """(name, gates, width) of a random circuit on 4 to 12 qubits."""
    rng = random.Random(seed)
    qubits, gates = rng.randrange(4, 13), rng.randrange(10, 61)
    width = rng.randrange(qubits // 2 + 1, qubits)
    pairs = [tuple(rng.sample(range(qubits), 2)) for _ in range(gates)]
    return f"random {qubits} qubits, {gates} gates", [(a, b) for a, b in pairs], width


CASES: list[tuple[str, Gates, int]] = [
    ("chain 8 x 1", chain(8, 1), 3),
    ("chain 16 x 4", chain(16, 4), 8),
    ("chain 24 x 4", chain(24, 4), 12),
    ("chain 40 x 2", chain(40, 2), 20),
    ("ring 24 x 2", ring(24, 2), 12),
    ("chain 200 x 6", chain(200, 6), 50),
    ("ring 200 x 6", ring(200, 6), 50),
    ("grid 10 20 x 6", grid(10, 20, 6), 50),
    ("three neighbours 200 x 6", three_each(200, 6), 50),
    ("random pairs 200 x 6", random_pairs(200, 6), 50),
    *(small(seed) for seed in range(12)),
]
PEER = """
import sys
from qiskit import QuantumCircuit
from qiskit_addon_cutting.automated_cut_finding import DeviceConstraints, OptimizationParameters, find_cuts
gates, width = eval(sys.argv[1]), int(sys.argv[2])
circuit = QuantumCircuit(1 + max(map(max, gates)))
for a, b in gates:
    circuit.ry(0.1, a)
    circuit.cx(a, b)
data = find_cuts(circuit, OptimizationParameters(seed=1), DeviceConstraints(width))[1]
print(data["sampling_overhead"], data["minimum_reached"])
"""


def peer(gates: Gates, width: int) -> str:
    """What the peer finds: gamma^2, whether it is sure, and its seconds."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-c", PEER, repr(gates), str(width)], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"more than {SECONDS} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    overhead, sure = done.stdout.split()
    return f"gamma^2 {float(overhead):.4g}, minimum reached {sure}, {time.perf_counter() - start:.1f} s"


def main() -> None:
    """One line a case."""
    beside = "--peer" in sys.argv
    effort = next((word for word in sys.argv[1:] if not word.startswith("-")), "default")
    if beside and importlib.util.find_spec("qiskit_addon_cutting") is None:
        print("qiskit-addon-cutting is not installed: its column is left out")
        beside = False
    print(f"{'circuit':28} {'width':>5} {'seconds':>8} {'score':>9} {'bound':>9} proven {'gamma^2':>9} {'peak MB':>8}")
    for name, gates, width in CASES:
        start = time.perf_counter()
        found = find(problem_of(gates), Widths(most=width), effort)
        seconds = time.perf_counter() - start
        assert isinstance(found, Found)
        proven = "yes" if found.proven else "no"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:28} {width:5} {seconds:8.2f} {found.cost.score:9.4f} {found.bound:9.4f} {proven:6}"
            f" {found.cost.overhead:9.3g} {peak:8.0f}" + (f"   {peer(gates, width)}" if beside else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
