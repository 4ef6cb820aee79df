"""How the passes over circuits grow with the number of gates: microseconds and bytes a gate, pass by pass.

    python benchmarks/circuit_growth.py [gates ...]

One circuit of random gates (half of them rotations by data, by weights and by constants; cx, cz, h and sx) on 50 qubits
is read in Z on every qubit and goes through the pipeline of effort fast, for 1,000 to 1,000,000 gates, in a process of
its own each. Every pair of the target's qubits is coupled, so nothing is routed. Microseconds and bytes are for each
gate of the whole circuit; a pass gets what the one before it made. `peak` is what the process had at most while the
pass ran, over what it had before; `kept` are the columns of the result. `growth` is the time a gate at a size over that
at a tenth of it: 1 is linear. Passes that take under 0.01 us a gate are in the sum alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from measure import in_child

QUBITS, DATA = 50, 64
SIZES = (1_000, 10_000, 100_000, 1_000_000)
GATES = {"rz": 0.25, "ry": 0.25, "h": 0.1, "sx": 0.05, "cx": 0.25, "cz": 0.1}
LIMIT_US, LIMIT_BYTES, LEAST_US = 20.0, 300.0, 0.01


def module_of(count: int) -> Any:
    """A module that reads Z on every qubit of one random circuit."""
    import numpy as np
    from qsc.ir import GraphBuilder, Module, Type, Z, ops
    from qsc.ir.angles import AngleTable, make_row
    from qsc.ir.circuit import AngleInput, GateRow, empty_circuit
    from qsc.ir.gates import OPCODES

    rng = np.random.default_rng(0)
    weights = max(count // 10, 1)
    names = rng.choice(list(GATES), count, p=list(GATES.values())).tolist()
    first = rng.integers(QUBITS, size=count).tolist()
    step = rng.integers(1, QUBITS, size=count).tolist()
    rows = [make_row(0, float(angle)) for angle in rng.uniform(-3, 3, 64)]
    rows += [make_row(0, 0.0, [(k, 1.0)]) for k in range(DATA + weights)]
    angle = np.where(rng.random(count) < 0.5, rng.integers(64 + DATA, size=count), rng.integers(len(rows), size=count))
    gates = [
        GateRow(
            OPCODES[name],
            (q, (q + d) % QUBITS) if name in ("cx", "cz") else (q,),
            (a,) if name in ("rz", "ry") else (),
        )
        for name, q, d, a in zip(names, first, step, angle.tolist(), strict=True)
    ]
    inputs = (AngleInput("x", (DATA,)), AngleInput("w", (weights,), "weight"))
    circuit = empty_circuit("big", QUBITS, 0, inputs).with_rows(gates, AngleTable.from_rows(rows))
    module = Module("big", circuits={"big": circuit}, weights={"w": rng.standard_normal(weights)})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, DATA)))
    read = builder.add(ops.Expectation("big", tuple(Z(q) for q in range(QUBITS))), x, builder.weight("w"))
    return module.with_(graph=builder.graph(*read))


def resident(what: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at most since the mark was reset."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(what)).split()[1]) * 1024


def kept_bytes(circuit: Any) -> int:
    """The bytes of a circuit's columns and angle table."""
    import numpy as np

    parts = [*vars(circuit).values(), *vars(circuit.angles).values()]
    return sum(p.nbytes for p in parts if isinstance(p, np.ndarray))


def run(count: int) -> dict[str, dict[str, float]]:
    """Step -> microseconds, peak and kept bytes for each gate, and how many gates it left."""
    import gc

    from qsc.compiler import driver, registry
    from qsc.compiler.manager import Watch

    target = registry.find_target(f"all:{QUBITS}")
    options = driver.Options(targets=(target.name,), effort="fast")
    driver.optimise(module_of(100), [target], [], options, Watch())  # tables that are made once
    module, before, peaks = module_of(count), 0, list[int]()

    def note(_: str) -> None:
        nonlocal before
        peaks.append(resident("VmHWM") - before)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")

    watch = Watch(progress=note)
    driver.optimise(module, [target], [], options, watch)
    note("")
    out: dict[str, dict[str, float]] = {}
    for number, (stage, peak) in enumerate(zip(watch.stages[1:], peaks[1:], strict=True), 1):
        circuit = max(stage.module.circuits.values(), key=len)
        out[f"{number:2d} {stage.name}"] = {
            "us": stage.seconds / count * 1e6,
            "peak": max(peak, 0) / count,
            "kept": kept_bytes(circuit) / count,
            "gates": len(circuit),
        }
    return out


def main() -> None:
    sizes = [int(a) for a in sys.argv[1:]] or list(SIZES)
    tables: dict[int, Any] = {size: in_child(__file__, f"run:{size}") for size in sizes}
    for size, table in tables.items():
        print(f"{size} gates        us/gate  peak bytes  kept bytes  gates left   growth")
        smaller = tables.get(size // 10)
        for name, row in table.items():
            if row["us"] < LEAST_US:
                continue
            growth = f"{row['us'] / smaller[name]['us']:8.2f}" if smaller else ""
            print(
                f"  {name:<20} {row['us']:>7.2f} {row['peak']:>11.0f} {row['kept']:>11.0f} {row['gates']:>11} {growth}"
            )
        total = sum(row["us"] for row in table.values())
        most = max(row["peak"] for row in table.values())
        print(f"  {'all':<20} {total:>7.2f} {most:>11.0f}   (limits {LIMIT_US:.0f} us, {LIMIT_BYTES:.0f} bytes)")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("run:"):
        print(json.dumps(run(int(sys.argv[1].removeprefix("run:")))))
    else:
        main()
