"""Circuit cutting of named circuits: executions and errors beside qiskit-addon-cutting and PennyLane.

    python benchmarks/quantum/cut_landmarks.py

*QCNN* is the published kernel of examples/24-distributed-qcnn on 8 qubits, read in the 32 outcomes of qubits 3 to 7;
*entangling* its neighbour whose pairs act on each other. *staircase* is H and RY on 8 qubits and a chain of CX, read in
Z7; in *with RY* a turn about Y follows each CX, so that it is not undone in front of the readout.

`as written` is what the pass `cut` makes of the circuit alone, `compiled` what `qsc.compile` runs for a device of the
fragments' width, and `error` the larger of both from the uncut circuit for three samples. qiskit-addon-cutting finds
its cuts itself; PennyLane's wires are cut here by hand, as its own search needs another package, and it reads one
observable: the last one. Their errors are for one sample, of exact probabilities. `-`: not installed, or not asked.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import qsc
from addon_cutting import RefusedError, cut_by_addon
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cut import Cut
from qsc.ir import GraphBuilder, Module, PauliSum, Type, ops
from qsc.ir.interpreter import evaluate

EXAMPLE = Path(__file__).parents[2] / "examples" / "24-distributed-qcnn"
QUBITS, TOLERANCE = 8, 1e-9
SAMPLES = np.random.default_rng(0).uniform(-3, 3, (3, QUBITS))
PENNYLANE = {
    "h": "Hadamard", "rx": "RX", "ry": "RY", "rz": "RZ", "cx": "CNOT", "crx": "CRX", "crz": "CRZ",
}  # fmt: skip


@dataclass(frozen=True)
class Landmark:
    """probabilities: the qubits whose outcomes we read; the peers read Z of every subset of `read`, or of `read` alone
    where there are none. wires: what is cut by hand, in front of the first gate with the next wire."""

    name: str
    circuit: qsc.Circuit
    width: int
    read: tuple[int, ...]
    probabilities: bool
    wires: tuple[int, ...] = ()
    options: tuple[tuple[str, bool], ...] = (("reuse", False),)

    @property
    def cuts(self) -> bool:
        return ("reuse", False) in self.options

    def module(self, *, for_peers: bool = False) -> Module:
        """The circuit `c` with weights of its own."""
        circuit = self.circuit.build("c")
        rng = np.random.default_rng(1)
        weights = {a.name: rng.uniform(-3, 3, a.shape) for a in circuit.inputs if a.role == "weight"}
        builder = GraphBuilder(Module("m", circuits={"c": circuit}, weights=weights))
        x = builder.input("x", Type("f64", (-1, QUBITS)))
        subsets = [self.read]
        if self.probabilities:
            subsets = [part for size in range(1, len(self.read) + 1) for part in combinations(self.read, size)]
        sums = tuple(PauliSum.of([(tuple(("Z", q) for q in part), 1.0)]) for part in subsets)
        reading = ops.Probabilities("c", self.read) if self.probabilities and not for_peers else None
        (y,) = builder.add(reading or ops.Expectation("c", sums), x, *map(builder.weight, weights))
        return builder.module.with_(graph=builder.graph(y))


def staircase(*, between: bool) -> qsc.Circuit:
    """H, RY and a chain of CX; with `between`, a turn about Y after each."""
    c = qsc.Circuit(QUBITS)
    x = c.inputs("x", QUBITS)
    for q in range(QUBITS):
        c.h(q)
        c.ry(x[q], q)
    for q in range(QUBITS - 1):
        c.cx(q, q + 1)
        if between:
            c.ry(0.3 + q, q + 1)
    return c


def landmarks() -> Iterator[Landmark]:
    sys.path.insert(0, str(EXAMPLE))
    quantum_convolution = import_module("model").quantum_convolution

    reuse, forward = (("reuse", True),), (("reuse", True), ("feed_forward", True))
    last_five = (3, 4, 5, 6, 7)
    published, entangling = quantum_convolution("published"), quantum_convolution("entangling")
    yield Landmark("QCNN", published, 5, last_five, True, (3,))
    yield Landmark("QCNN, reuse", published, 5, last_five, True, options=reuse)
    yield Landmark("QCNN, feed-forward", published, 5, last_five, True, options=forward)
    yield Landmark("QCNN, entangling", entangling, 5, last_five, True, (3,))
    yield Landmark("QCNN, entangling, reuse", entangling, 5, last_five, True, options=reuse)
    for name, between in (("staircase", False), ("staircase with RY", True)):
        circuit = staircase(between=between)
        yield Landmark(name, circuit, 5, (7,), False, (4,))
        yield Landmark(name, circuit, 3, (7,), False, (2, 4, 6))
        yield Landmark(f"{name}, reuse", circuit, 3, (7,), False, options=reuse)


def as_written(mark: Landmark) -> tuple[str, float]:
    """(fragments, executions and overhead of the pass alone, its error)."""
    if not mark.cuts:
        return "not cut", 0.0
    module, context = mark.module(), Context()
    after = Cut(max_qubits=mark.width, reuse=False).run(module, context)
    (plan,) = [r.data for r in context.remarks if r.data]
    before, made = (evaluate(m, [SAMPLES], precision="f64")[0] for m in (module, after))
    sizes = "+".join(str(part["qubits"]) for part in plan["fragments"])
    proven = "" if plan["proven"] else " unproven"
    return f"{sizes}: {plan['executions']}, x{plan['overhead']:.3g}{proven}", float((before - made).abs().max())


def compiled(mark: Landmark) -> tuple[str, float]:
    """(executions and most qubits of the compiled program, its error)."""
    module = mark.module()
    options: dict[str, Any] = {"max_qubits": mark.width, **dict(mark.options)}
    bundle = qsc.compile(
        module, target=f"all:{mark.width}", example_input=SAMPLES, effort="fast", verify=False, **options
    )
    wanted = evaluate(module, [SAMPLES], precision="f64")[0].numpy()
    cost = bundle.costs
    return f"{cost['executions']:.0f} on {cost['qubits']:.0f}", float(np.abs(bundle.run(SAMPLES) - wanted).max())


def by_addon(mark: Landmark) -> str:
    """Subexperiments, overhead and error of qiskit-addon-cutting."""
    if not mark.cuts or find_spec("qiskit_addon_cutting") is None:
        return "-"
    module = mark.module(for_peers=True)
    try:
        cut = cut_by_addon(module, mark.width, SAMPLES[:1], 1e6)
    except RefusedError as refused:
        return str(refused)
    wanted = evaluate(module, [SAMPLES[:1]], precision="f64")[0].numpy()[0]
    return f"{cut.executions}, x{cut.overhead:.3g}, {np.abs(cut.exact_values() - wanted).max():.0e}"


def by_pennylane(mark: Landmark) -> str:
    """Circuits and error of PennyLane's `cut_circuit` with its wires cut by hand."""
    if not mark.wires or find_spec("pennylane") is None:
        return "-"
    qml: Any = import_module("pennylane")
    module = mark.module(for_peers=True)
    circuit = module.circuits["c"]
    values = np.concatenate([SAMPLES[0], *(w.ravel() for w in module.weights.values())])
    angles = circuit.angles.bind(values[None])[0]
    waiting = set(mark.wires)
    with qml.queuing.AnnotatedQueue() as queue:
        for row in circuit.rows():
            wire = min(row.wires)
            if len(row.wires) == 2 and wire in waiting:
                waiting.remove(wire)
                qml.WireCut(wires=wire)
            getattr(qml, PENNYLANE[row.gate.name])(*(float(angles[a]) for a in row.angles), wires=list(row.wires))
        qml.expval(qml.prod(*map(qml.Z, mark.read)))
    tape = qml.tape.QuantumScript.from_queue(queue)
    (tapes, join) = qml.cut_circuit(tape, device_wires=qml.wires.Wires(range(mark.width)))
    found = join(qml.device("default.qubit").execute(tapes))
    wanted = evaluate(module, [SAMPLES[:1]], precision="f64")[0].numpy()
    return f"{len(tapes)}, {abs(float(found) - wanted[0, -1]):.0e}"


def main() -> None:
    warnings.filterwarnings("ignore")
    print(
        "| circuit | qubits | as written: executions, overhead | compiled | error | qiskit-addon-cutting | PennyLane |"
    )
    print("|---|---|---|---|---|---|---|")
    for mark in landmarks():
        (alone, first), (whole, second) = as_written(mark), compiled(mark)
        error = max(first, second)
        assert error < TOLERANCE, f"{mark.name}: off by {error}"
        cells = (mark.name, str(mark.width), alone, whole, f"{error:.0e}", by_addon(mark), by_pennylane(mark))
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
