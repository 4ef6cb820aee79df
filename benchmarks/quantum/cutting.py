"""Circuit cutting beside qiskit-addon-cutting: executions of one input sample, and the error of the reconstruction.

    python benchmarks/quantum/cutting.py [circuits]

Random circuits on 4 to 12 qubits with data and weights as free angles, read in one to three sums of Pauli products, for
fragments of about two thirds of their qubits. Ours are compiled with their free angles, and the fragments are simulated
exactly against the uncut circuit. The peer gets the angles as numbers, since its search refuses free ones in gates it
may cut, has 20 seconds for a search, and its subexperiments are counted where there are at most 20,000.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections import Counter
from math import exp, log
from typing import Any

import numpy as np

PASSES = "trim-ends,relabel-swaps,cancel-gates,absorb-clifford,light-cone,cut"
ONE, TWO = ("h", "rx", "ry", "rz", "sx", "t"), ("cx", "cz", "rzz", "rxx", "crz", "cry", "cp")
ANGLED = {"rx", "ry", "rz", "rzz", "rxx", "ryy", "crz", "cry", "cp"}
SECONDS, MOST = 20, 20_000


def case(seed: int) -> tuple[Any, int]:
    """(module, qubits of a fragment) of one random circuit."""
    from qsc.ir import GraphBuilder, Module, PauliSum, Type, ops
    from qsc.ir.angles import make_row
    from qsc.ir.circuit import AngleInput, CircuitEditor

    rng = np.random.default_rng(seed)
    qubits = int(rng.integers(4, 13))
    kind = ("chain", "ring", "random", "star")[seed % 4]
    real = seed % 5 == 0
    one, two = (("h", "ry"), ("cx", "cz")) if real else (ONE, TWO)
    editor = CircuitEditor("c", qubits, 0, (AngleInput("x", (qubits,)), AngleInput("w", (4,), "weight")))

    def angle() -> Any:
        if rng.random() < 0.5:
            return make_row(0, float(rng.uniform(-3, 3)))
        return make_row(0, 0.0, [(int(rng.integers(qubits + 4)), 1.0)])

    def add(name: str, wires: list[int]) -> None:
        editor.add(name, wires, [angle()] if name in ANGLED else [])

    for q in range(qubits):
        add("ry", [q])
    pairs = {
        "chain": [(q, q + 1) for q in range(qubits - 1)],
        "ring": [(q, (q + 1) % qubits) for q in range(qubits)],
        "random": [tuple(rng.permutation(qubits)[:2].tolist()) for _ in range(qubits)],
        "star": [(q // 2, q) for q in range(1, qubits)],
    }[kind]
    for a, b in pairs * (1 + seed // 4 % 2):
        add(str(rng.choice(two)), [a, b])
        add(str(rng.choice(one)), [a])
        add(str(rng.choice(one)), [b])
    letters = "XZ" if real else "XYZ"
    sums = []
    for _ in range(int(rng.integers(1, 4))):
        chosen = rng.permutation(qubits)[: int(rng.integers(1, 4))].tolist()
        sums.append(PauliSum.of([(tuple((str(rng.choice(list(letters))), q) for q in chosen), 1.0)]))
    module = Module("m", circuits={"c": editor.circuit()}, weights={"w": rng.standard_normal(4)})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, qubits)))
    (y,) = builder.add(ops.Expectation("c", tuple(sums)), x, builder.weight("w"))
    return module.with_(graph=builder.graph(y)), max(2, (2 * qubits + 2) // 3)


def cut_by_us(module: Any, width: int) -> tuple[Any, list[dict[str, Any]]]:
    """(the module for fragments of at most `width` qubits, the plans of its cuts)."""
    from qsc.compiler.passes.base import Context
    from qsc.compiler.pipelines import parse_pipeline

    context = Context(effort="default")
    for pass_ in parse_pipeline(PASSES, {"cut.max-qubits": str(width), "cut.reuse": "false"}):
        module = pass_.run(module, context)
    return module, [r.data for r in context.remarks if r.data]


def ours(seed: int) -> dict[str, float]:
    """Executions, seconds and the largest error of the reconstruction for three samples."""
    from qsc.ir import ops
    from qsc.ir.interpreter import evaluate
    from qsc.ir.measurement_settings import count_settings

    module, width = case(seed)
    start = time.perf_counter()
    after, plans = cut_by_us(module, width)
    seconds = time.perf_counter() - start
    if not plans:
        op = next(n.op for n in after.nodes() if isinstance(n.op, ops.Expectation))
        plans = [{"executions": max(1, count_settings(op.observables)), "overhead": 1.0, "proven": True}]
    x = np.random.default_rng(seed).uniform(-3, 3, (3, module.graph.inputs[0].type.shape[1]))
    before, made = (evaluate(m, [x], precision="f64")[0] for m in (module, after))
    return {
        "executions": sum(p["executions"] for p in plans),
        "overhead": max(p["overhead"] for p in plans),
        "proven": all(p["proven"] for p in plans),
        "seconds": seconds,
        "error": float((before - made).abs().max()),
    }


def peer(seed: int) -> dict[str, Any]:
    """Subexperiments, seconds and overhead of qiskit-addon-cutting; what it said where it refused."""
    warnings.filterwarnings("ignore")
    from addon_cutting import RefusedError, cut_by_addon

    module, width = case(seed)
    x = np.random.default_rng(seed).uniform(-3, 3, (1, module.graph.inputs[0].type.shape[1]))
    start = time.perf_counter()
    try:
        cut = cut_by_addon(module, width, x, 1e5, seed)
    except RefusedError as refused:
        return {"failed": str(refused)}
    return {"executions": cut.executions, "overhead": cut.overhead, "seconds": time.perf_counter() - start}


def in_child(what: str, seed: int) -> dict[str, Any]:
    """`ours` or `peer` in a process of its own, with the time limit of a search."""
    try:
        command = [sys.executable, __file__, what, str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * (6 if what == "ours" else 1))
    except subprocess.TimeoutExpired:
        return {"failed": f"over {SECONDS} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:90]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    ratios, worst, more, refused = [], 0.0, 0, Counter[str]()
    for seed in range(count):
        a, b = in_child("ours", seed), in_child("peer", seed)
        module, width = case(seed)
        line = f"{seed:3d} {module.circuits['c'].num_qubits:2d} qubits, {width:2d} a fragment: "
        if "failed" in a:
            print(line + f"ours failed: {a['failed']}", flush=True)
            refused["ours: " + a["failed"]] += 1
            continue
        worst = max(worst, a["error"])
        line += f"ours {a['executions']:5.0f} overhead {a['overhead']:8.4g} {a['seconds']:6.2f} s {a['error']:.1e}"
        if "failed" in b:
            refused["peer: " + b["failed"]] += 1
            print(f"{line}   peer: {b['failed']}", flush=True)
            continue
        ratios.append(a["executions"] / b["executions"])
        more += ratios[-1] > 1
        print(f"{line}   peer {b['executions']:6.0f} {b['overhead']:8.4g} {b['seconds']:6.2f} s", flush=True)
    mean = exp(sum(map(log, ratios)) / len(ratios)) if ratios else float("nan")
    print(f"\n{count} circuits, largest error {worst:.1e}; {len(ratios)} compared: geometric mean of executions")
    print(f"ours / peer {mean:.3f}, ours more in {more}")
    for reason, times in refused.most_common():
        print(f"  {times} times {reason}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps({"ours": ours, "peer": peer}[sys.argv[1]](int(sys.argv[2]))))
    else:
        main()
