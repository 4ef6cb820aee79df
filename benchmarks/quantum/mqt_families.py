"""Every family of MQT Bench, outcomes sampled: ours beside Qiskit's level 3 and tket's best preset, all-to-all.

python benchmarks/quantum/mqt_families.py [--effort default] [--family NAME] [--json F]

The circuits are MQT Bench's own (algorithm level, with its numbers for angles) at sizes up to 20 qubits, as far as
Qiskit's level 3 makes at most 2,000 two-qubit gates of them. Printed: two-qubit gates of each tool, and the geometric
mean of (ours + 1) / (better peer + 1) per family and over families.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import peers
from mqt.bench import BenchmarkLevel, get_benchmark
from mqt.bench.benchmarks import get_available_benchmark_names
from qiskit.circuit import QuantumCircuit
from qsc import ir
from qsc.bridges.qiskit_reading import read_circuit
from qsc.compiler import driver, registry
from qsc.compiler.manager import Watch
from qsc.frontends.openqasm.readouts import read_model
from suite import geometric

SIZES = (4, 5, 8, 10, 13, 16, 17, 18, 20)
MOST_GATES = 2000
MOST_TKET_GATES = 700
"""tket's presets take minutes beyond."""


@dataclass(frozen=True)
class Row:
    """One circuit: two-qubit gates by tool; tket -1 where it was not run or does not take it."""

    family: str
    qubits: int
    qiskit: int
    tket: int
    ours: int

    @property
    def ratio(self) -> float:
        return (self.ours + 1) / (min(g for g in (self.qiskit, self.tket) if g >= 0) + 1)


def circuits() -> Iterator[tuple[str, int, QuantumCircuit]]:
    """(family, size, circuit) of every family at the sizes that it has."""
    for family in get_available_benchmark_names():
        for size in SIZES:
            try:
                circuit = get_benchmark(family, BenchmarkLevel.ALG, size)
            except ValueError:
                continue  # the family has no circuit of this size
            if "measure" not in circuit.count_ops():
                circuit.measure_all()
            yield family, size, circuit


def two_qubit_gates(circuit: QuantumCircuit) -> int:
    """Gates on two qubits, those in blocks of control flow too."""
    total = 0
    for step in circuit.data:
        blocks = getattr(step.operation, "blocks", ())
        total += sum(two_qubit_gates(block) for block in blocks)
        total += not blocks and len(step.qubits) == 2 and step.operation.name != "barrier"
    return total


def ours(module: ir.Module, effort: str) -> int:
    """Two-qubit gates of our compile."""
    name = f"all:{max(2, *(c.num_qubits for c in module.circuits.values()))}"
    target = registry.find_target(name)
    program, _, _ = driver.optimise(module, [target], [], driver.Options((name,), effort=effort), Watch())
    emissions = driver.emit(program, [target], 0, effort, Watch())
    return int(driver.total_costs({k: e.costs for k, e in emissions.items()})["two_qubit_gates"])


def measure(family: str, size: int, circuit: QuantumCircuit, effort: str) -> Row | None:
    """One row, or None where the circuit is beyond the limit."""
    qiskit = two_qubit_gates(peers.qiskit_manager("all", 0).run(circuit))
    if qiskit > MOST_GATES:
        return None
    read = read_circuit(circuit)
    module = read_model(read.circuit, read.bits, None)
    (columns,) = module.circuits.values()
    tket = -1
    if not columns.has_measurement and qiskit <= MOST_TKET_GATES:
        case = peers.Case(family, family, columns, [])
        tket = min((r.two_qubit_gates for r in peers.tket_results(case, "all")), default=-1)
    return Row(family, size, qiskit, tket, ours(module, effort))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--effort", default="default")
    parser.add_argument("--family", action="append")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = defaultdict(list)
    for family, size, circuit in circuits():
        if args.family and family not in args.family:
            continue
        row = measure(family, size, circuit, args.effort)
        if row is not None:
            rows[family].append(row)
            worse = "*" if row.ratio > 1 else " "
            print(
                f"{worse} {family:28s} {size:3d} Qiskit {row.qiskit:5d} tket {row.tket:5d} ours {row.ours:5d}",
                flush=True,
            )
    means = {family: geometric([row.ratio for row in found]) for family, found in rows.items()}
    for family, mean in means.items():
        print(f"{family:28s} {mean:7.3f}")
    print(f"{'over families':28s} {geometric(list(means.values())):7.3f}")
    if args.json:
        args.json.write_text(json.dumps([vars(row) for found in rows.values() for row in found], indent=1))


if __name__ == "__main__":
    main()
