"""Single circuits with known counts: what the best tool of 2026 gets, and what we get, both measured here.

python benchmarks/quantum/landmarks.py [--seeds 30]

Ours is simulated on all-to-all targets and compared with the source model to 1e-9 wherever it has at most 20 qubits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cases
import numpy as np
import peers
import qsc
from cases import Case
from qsc import ir
from qsc.compiler.api import compile as compile_model
from qsc.frontends.readouts import module_of
from qsc.ir.circuit import CircuitEditor
from qsc.ir.interpreter import evaluate, random_inputs

TOLERANCE = 1e-9
WIDEST = 20


@dataclass(frozen=True)
class Landmark:
    """A circuit, what is read, on which targets ours is compiled, and with which settings."""

    name: str
    circuit: ir.Circuit
    reading: list[qsc.PauliSum] | str
    target: str
    peer_target: str
    settings: dict[str, Any]
    goal: str


def strongly(n: int, layers: int) -> qsc.Circuit:
    c = qsc.Circuit(n)
    cases.strongly_entangling(c, c.inputs("w", (layers, n, 3)))
    return c


def basic(n: int, layers: int) -> qsc.Circuit:
    c = qsc.Circuit(n)
    cases.basic_entangler(c, c.inputs("w", (layers, n, 1)))
    return c


def turned_qft(n: int) -> ir.Circuit:
    """RY with numbers on every qubit and then the Fourier transform, which from |0...0> alone is a layer of H."""
    rng = np.random.default_rng(0)
    plain = cases.qft(n).build("qft")
    editor = CircuitEditor("qft", n)
    for q in range(n):
        editor.add("ry", [q], [float(rng.uniform(0.3, 2.8))])
    for row in plain.rows():
        editor.add(row.gate.name, row.wires, [plain.angles.row(a) for a in row.angles])
    return editor.circuit()


def landmarks() -> Iterator[Landmark]:
    each = cases.z_each
    max_: dict[str, Any] = {"effort": "max"}
    yield Landmark("StronglyEntangling 6x4", strongly(6, 4).build("strong"), each(6), "all:6", "all", {}, "18, aim 15")
    yield Landmark("BasicEntangler 6x3", basic(6, 3).build("basic"), each(6), "all:6", "all", {}, "12")
    reup = cases.reuploading(6, 4).build("reuploading")
    yield Landmark("re-uploading 6x4, CZ ring", reup, each(6), "all:6", "all", {}, "18, depth 6")
    chain = cases.trotter(8, 4).build("heisenberg")
    yield Landmark("Heisenberg 8x4, symbolic", chain, each(8), "all:8", "all", {"effort": "fast"}, "84 in 0.5 s")
    wide = cases.neighbour_qcnn(100).build("qcnn")
    yield Landmark("QCNN 100, Z50", wide, [qsc.Z(50)], "all:100", "all", {}, "24 on 10 qubits")
    reuse = {"reuse": True}
    yield Landmark("QCNN 100, all Z, with reset", wide, each(100), "all:100", "all", reuse, "12 qubits")
    qaoa = cases.qaoa(10, cases.barabasi_albert(10), 3).build("qaoa")
    qft = cases.qft(10).build("qft")
    qcnn = cases.neighbour_qcnn(10).build("qcnn")
    yield Landmark("QAOA 10, all-to-all", qaoa, "probs", "all:10", "all", max_, "74")
    yield Landmark("QFT 10, all-to-all", qft, "probs", "all:10", "all", max_, "63")
    turned = turned_qft(10)
    yield Landmark("QFT 10 of a product state, all-to-all", turned, "probs", "all:10", "all", max_, "no goal")
    yield Landmark("QFT 10 of a product state, fake_torino", turned, "probs", "fake_torino", "fake_torino", max_, "165")
    yield Landmark("QFT 10, fake_torino", qft, "probs", "fake_torino", "fake_torino", max_, "165")
    yield Landmark("QAOA 10, fake_torino", qaoa, "probs", "fake_torino", "fake_torino", max_, "182")
    yield Landmark("QCNN 10, fake_torino", qcnn, "probs", "fake_torino", "fake_torino", max_, "47")


def error_of(bundle: qsc.Bundle, module: ir.Module) -> float | None:
    """Largest difference of an output of the emitted circuit from the source, for a few random inputs."""
    if any(c.num_qubits > WIDEST for c in module.circuits.values()):
        return None
    inputs = random_inputs(module, 3)
    (wanted,) = evaluate(module, inputs, precision="f64")
    return float(np.abs(np.asarray(wanted) - bundle.run(*inputs)).max())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=30, help="seeds of Qiskit's level 3 on a device")
    parser.add_argument("--only", default="", help="landmarks whose name holds this")
    args = parser.parse_args()
    for mark in landmarks():
        if args.only not in mark.name:
            continue
        module = module_of(mark.circuit, mark.reading)
        start = time.perf_counter()
        bundle = compile_model(module, mark.target, verify=False, **mark.settings)
        seconds = time.perf_counter() - start
        error = error_of(bundle, module)
        assert error is None or error < TOLERANCE, f"{mark.name}: off by {error}"
        cost = bundle.costs
        # What "probs" reads is Z of every qubit, which is what lets the peers' rules for the end of a circuit fire.
        reading = mark.reading if isinstance(mark.reading, list) else cases.z_each(mark.circuit.num_qubits)
        case = Case(mark.name, mark.name, mark.circuit, reading)
        qiskit = list(peers.qiskit_results(case, mark.peer_target, args.seeds))
        tket = list(peers.tket_results(case, mark.peer_target)) if mark.circuit.num_qubits <= WIDEST else []
        print(
            f"{mark.name:30s} ours {cost['two_qubit_gates']:4.0f}, depth {cost['two_qubit_depth']:3.0f}, "
            f"{cost['qubits']:3.0f} qubits, {seconds:6.2f} s (goal {mark.goal}); "
            f"Qiskit {_show(qiskit)}; tket {_show(tket)}; error {'not simulated' if error is None else f'{error:.1e}'}",
            flush=True,
        )


def _show(results: list[peers.Result]) -> str:
    if not results:
        return "not run"
    gates, depth = peers.fewest(results)
    return f"{gates}, depth {depth}, {sum(r.seconds for r in results):.2f} s"


if __name__ == "__main__":
    main()
