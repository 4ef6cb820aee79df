"""A large circuit: read, verify, cancel and print it, against Qiskit's loader and level-1 transpiler.

    python benchmarks/circuit_size.py [gates]

Both sides get the same random gates (rz, ry, sx, x, h, cx, cz on 50 qubits, seed 0) as text of their own language, in a
fresh process each. Qiskit: `qasm2.loads`, then `transpile(optimization_level=1)` to the basis that ours keeps. Time is
the median of three runs, memory the peak of the process.
"""

from __future__ import annotations

import json
import random
import sys

from measure import in_child, median_seconds, peak_mib

QUBITS = 50
BASIS = ["rz", "ry", "sx", "x", "h", "cx", "cz"]
SHARE = {"rz": 0.3, "ry": 0.15, "sx": 0.1, "x": 0.05, "h": 0.1, "cx": 0.2, "cz": 0.1}


def gates(count: int) -> list[tuple[str, float | None, list[int]]]:
    """Random gates: (name, angle or None, qubits)."""
    rng = random.Random(0)
    out: list[tuple[str, float | None, list[int]]] = []
    for name in rng.choices(list(SHARE), list(SHARE.values()), k=count):
        angle = rng.uniform(-3, 3) if name in ("rz", "ry") else None
        out.append((name, angle, rng.sample(range(QUBITS), 2 if name in ("cx", "cz") else 1)))
    return out


def lines(count: int) -> str:
    """The gates, one a line, in the form that both languages share."""
    return "\n".join(
        f"  {name}{'' if angle is None else f'({angle!r})'} {', '.join(f'q[{q}]' for q in qubits)};"
        for name, angle, qubits in gates(count)
    )


def run_qsc(count: int) -> dict[str, float]:
    from qsc.compiler.passes.base import Context
    from qsc.compiler.passes.cancel_gates import CancelGates
    from qsc.frontends.text import read
    from qsc.ir import print_module, verify

    text = f"module big;\ncircuit big() on {QUBITS} qubits {{\n{lines(count)}\n}}\n"
    sizes: list[int] = []

    def work() -> None:
        module = read(text)
        verify(module)
        module = CancelGates().run(module, Context())
        print_module(module)
        sizes.append(len(module.circuits["big"]))

    return {"seconds": median_seconds(work, 3), "mib": peak_mib(), "gates": sizes[-1]}


def run_qiskit(count: int) -> dict[str, float]:
    from qiskit import qasm2, transpile

    text = f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{QUBITS}];\n{lines(count)}\n'
    sizes: list[int] = []

    def work() -> None:
        circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
        sizes.append(transpile(circuit, basis_gates=BASIS, optimization_level=1).size())

    return {"seconds": median_seconds(work, 3), "mib": peak_mib(), "gates": sizes[-1]}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{'gates':>9} {'tool':<8} {'seconds':>8} {'us/gate':>8} {'MiB':>7} {'gates left':>11}")
    for size in (count // 10, count):
        rows = {tool: in_child(__file__, f"{tool}:{size}") for tool in ("qsc", "qiskit")}
        for tool, row in rows.items():
            each = row["seconds"] / size * 1e6
            print(f"{size:>9} {tool:<8} {row['seconds']:>8.3f} {each:>8.2f} {row['mib']:>7.0f} {row['gates']:>11.0f}")
        ratio = rows["qsc"]["seconds"] / rows["qiskit"]["seconds"]
        print(f"{size:>9} ratio qsc / qiskit: {ratio:.2f} (limit 3)")


if __name__ == "__main__":
    if len(sys.argv) > 1 and ":" in sys.argv[1]:
        tool, _, size = sys.argv[1].partition(":")
        print(json.dumps((run_qsc if tool == "qsc" else run_qiskit)(int(size))))
    else:
        main()
