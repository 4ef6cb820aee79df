"""The suite: ours beside Qiskit's level 3 (best of ten seeds) and tket's best preset, on three kinds of target.

python benchmarks/quantum/suite.py [--target all|fake_torino|quantinuum] [--family NAME] [--effort default] [--json F]

Printed for each family: the geometric mean over its cases of (ours + 1) / (best peer + 1), for two-qubit gates and
two-qubit depth; then over families. `time` is our compile at effort fast over one warm run of Qiskit's level 3, each up
to the placed QuantumCircuit in memory; `files` the same with what is written of it, Qiskit's as QPY and OpenQASM 3; and
`fast` the two-qubit gates at effort fast over those of that run. A star marks a case where the peer has fewer gates.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import peers
from cases import Case, suite
from qsc.backends.qiskit.backend import QiskitBackend
from qsc.compiler import driver, registry
from qsc.compiler.manager import Watch
from qsc.frontends.readouts import module_of
from qsc.ir import Module
from qsc.ir.ops import Launch
from qsc.ir.target import Target

TARGETS = {"all": "all:{n}", "fake_torino": "fake_torino", "quantinuum": "quantinuum_h2_56"}

RUNS, SLOW = 5, 2.0


def optimised(case: Case, target: str, effort: str) -> tuple[Module, Target]:
    """The module after our passes; the simulation that checks a compile is not part of it."""
    found = registry.find_target(TARGETS[target].format(n=max(case.circuit.num_qubits, 2)))
    options = driver.Options(targets=(found.name,), effort=effort)
    program, _, _ = driver.optimise(module_of(case.circuit, case.reading), [found], [], options, Watch())
    return program, found


def ours(case: Case, target: str, effort: str) -> dict[str, float]:
    """The costs of what we emit."""
    program, found = optimised(case, target, effort)
    emissions = driver.emit(program, [found], 0, effort, Watch())
    return driver.total_costs({k: e.costs for k, e in emissions.items()})


def our_seconds(case: Case, target: str) -> tuple[float, float]:
    """Seconds at effort fast to the circuit in memory, and to its files."""
    start = time.perf_counter()
    program, found = optimised(case, target, "fast")
    passes = time.perf_counter() - start
    backend = registry.find_backend(found.backend)
    assert isinstance(backend, QiskitBackend)
    start = time.perf_counter()
    for node in program.nodes():
        if isinstance(node.op, Launch):
            backend.routed(node.op, program, found, 0, "fast")
    placing = time.perf_counter() - start
    start = time.perf_counter()
    driver.emit(program, [found], 0, "fast", Watch())
    return passes + placing, passes + time.perf_counter() - start


def times(case: Case, target: str) -> tuple[float, float]:
    """Our seconds over Qiskit's, in memory and with files: the least of RUNS runs in turns, after one that warms up.

    One run where Qiskit takes more than SLOW seconds, as it does on some circuits with symbols.
    """
    given, manager = peers.limited(case, target), peers.qiskit_manager(target, 0)
    ours, theirs = [], []
    for _ in range(RUNS + 1):
        ours.append(our_seconds(case, target))
        theirs.append(peers.qiskit_seconds(given, manager))
        if theirs[-1][0] > SLOW:
            break
    fewest = [[min(part) for part in zip(*(side[1:] or side), strict=True)] for side in (ours, theirs)]
    return fewest[0][0] / fewest[1][0], fewest[0][1] / fewest[1][1]


def geometric(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def measure(case: Case, target: str, effort: str) -> dict[str, Any]:
    """One row of the table."""
    qiskit = list(peers.qiskit_results(case, target))
    tket = list(peers.tket_results(case, target))
    gates, depth = peers.fewest(qiskit + tket)
    fast, best = ours(case, target, "fast"), ours(case, target, effort)
    in_memory, with_files = times(case, target)
    return {
        "family": case.family,
        "case": case.name,
        "target": target,
        "qiskit": min(r.two_qubit_gates for r in qiskit),
        "tket": min((r.two_qubit_gates for r in tket), default=-1),
        "gates": best["two_qubit_gates"],
        "gates_ratio": (best["two_qubit_gates"] + 1) / (gates + 1),
        "peer_depth": depth,
        "depth": best["two_qubit_depth"],
        "depth_ratio": (best["two_qubit_depth"] + 1) / (depth + 1),
        "time_ratio": in_memory,
        "files_ratio": with_files,
        "fast_ratio": (fast["two_qubit_gates"] + 1) / (qiskit[0].two_qubit_gates + 1),
    }


RATIOS = ("gates_ratio", "depth_ratio", "time_ratio", "files_ratio", "fast_ratio")


def summary(rows: list[dict]) -> None:
    """The table of geometric means."""
    for target in TARGETS:
        families = defaultdict(list)
        for row in rows:
            if row["target"] == target:
                families[row["family"]].append(row)
        if not families:
            continue
        print(f"\n{target:18s}" + "".join(f"{key.removesuffix('_ratio'):>9s}" for key in RATIOS))
        means = {f: [geometric([r[key] for r in rs]) for key in RATIOS] for f, rs in families.items()}
        for family, values in means.items():
            print(f"  {family:16s}" + "".join(f"{v:9.3f}" for v in values))
        total = [geometric([v[k] for v in means.values()]) for k in range(len(RATIOS))]
        print(f"  {'over families':16s}" + "".join(f"{v:9.3f}" for v in total))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    parser.add_argument("--family", action="append")
    parser.add_argument("--effort", default="default")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = []
    for target in args.target or TARGETS:
        for case in suite():
            if args.family and case.family not in args.family:
                continue
            row = measure(case, target, args.effort)
            rows.append(row)
            worse = "*" if row["gates_ratio"] > 1 else " "
            print(
                f"{worse} {target:12s} {row['case']:30s} Qiskit {row['qiskit']:4.0f} tket {row['tket']:4.0f} "
                f"ours {row['gates']:4.0f}   depth {row['peer_depth']:3.0f} -> {row['depth']:3.0f}   "
                f"time {row['time_ratio']:6.2f}",
                flush=True,
            )
    summary(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
