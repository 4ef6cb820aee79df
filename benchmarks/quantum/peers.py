"""What Qiskit and tket make of a case: the fewest two-qubit gates and the least two-qubit depth of their presets.

The peers get the circuit with its final measurements where the readout is in Z, so that their own rules for the end of
a circuit can fire, and may leave the outputs on other qubits.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from cases import Case
from pytket import Circuit as TketCircuit
from pytket import OpType
from pytket.architecture import Architecture
from pytket.passes import (
    AutoRebase,
    BasePass,
    CliffordSimp,
    CXMappingPass,
    DecomposeBoxes,
    FullPeepholeOptimise,
    GreedyPauliSimp,
    KAKDecomposition,
    RemoveRedundancies,
    SequencePass,
)
from pytket.placement import NoiseAwarePlacement
from qiskit import qasm3, qpy
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.transpiler import PassManager
from qiskit.transpiler import generate_preset_pass_manager as preset
from qsc.bridges.qiskit import to_qiskit
from qsc.bridges.tket import to_tket
from qsc.compiler import registry

QISKIT_SEEDS = 10

SYMBOLIC_LIMIT = 40
"""Gates up to which tket's FullPeepholeOptimise gets symbols; beyond, random numbers, which can only help it: with
symbols it takes from seconds to minutes."""

BASES: dict[str, list[str]] = {"all": ["rz", "sx", "x", "cz"], "quantinuum": ["rz", "rx", "ry", "rzz"]}
"""Native gates of the targets on which all pairs are coupled."""

TKET_NATIVE: dict[str, set[OpType]] = {
    "all": {OpType.Rz, OpType.SX, OpType.X, OpType.CZ},
    "fake_torino": {OpType.Rz, OpType.SX, OpType.X, OpType.CZ},
    "quantinuum": {OpType.Rz, OpType.PhasedX, OpType.ZZPhase},
}

SYNTHESIS = {OpType.CX, OpType.Rz, OpType.Rx, OpType.Ry, OpType.H, OpType.S, OpType.Sdg, OpType.X, OpType.Z}


T = TypeVar("T")

LIMIT = 20.0
"""Seconds that a peer may take; Qiskit then gets numbers for the symbols, and a preset of tket is left out."""


def _ready() -> bool:
    """Called once in a new process, so that its imports are not part of what is limited."""
    return True


class _Helper:
    """A process of its own, since native code heeds no signals; a new one after each that had to be ended."""

    def __init__(self) -> None:
        self.pool: Any = None

    def within_limit(self, work: Callable[..., T], *given: Any) -> T | None:
        """What a call gives, None after LIMIT seconds."""
        if self.pool is None:
            self.pool = multiprocessing.get_context("spawn").Pool(1)
            self.pool.apply(_ready)
        try:
            return self.pool.apply_async(work, given).get(LIMIT)
        except multiprocessing.TimeoutError:
            self.pool.terminate()
            self.pool = None
            return None


_HELPER = _Helper()


@dataclass(frozen=True)
class Result:
    """Two-qubit gates, their depth, and seconds of the run that gave them."""

    two_qubit_gates: int
    two_qubit_depth: int
    seconds: float
    origin: str


def measured(case: Case) -> QuantumCircuit:
    """The case as Qiskit takes it, its qubits measured where only Z is read."""
    circuit = to_qiskit(case.circuit).circuit
    terms = [term for observable in case.reading for term, _ in observable.terms]
    if all(letter == "Z" for term in terms for letter, _ in term):
        read = sorted({qubit for term in terms for _, qubit in term})
        bits = ClassicalRegister(len(read), "read")
        circuit.add_register(bits)
        circuit.measure(read, bits)
    return circuit


@cache
def qiskit_manager(target: str, seed: int) -> PassManager:
    """Qiskit's level 3 for a target."""
    if target in BASES:
        return preset(3, basis_gates=BASES[target], seed_transpiler=seed)
    return preset(3, target=registry.find_target(target).device.target, seed_transpiler=seed)


def _compiles(circuit: QuantumCircuit, target: str) -> bool:
    return len(qiskit_manager(target, 0).run(circuit)) >= 0


@cache
def limited(case: Case, target: str) -> QuantumCircuit:
    """The measured case with its symbols, or with random angles where Qiskit would need more than LIMIT seconds."""
    given = measured(case)
    if _HELPER.within_limit(_compiles, given, target):
        return given
    angles = np.random.default_rng(0).uniform(0.1, 1.9, given.num_parameters)
    return given.assign_parameters(angles)


def qiskit_seconds(circuit: QuantumCircuit, manager: PassManager) -> tuple[float, float]:
    """Seconds of one run, and of one with the circuit written as QPY and OpenQASM 3."""
    start = time.perf_counter()
    out = manager.run(circuit)
    seconds = time.perf_counter() - start
    qpy.dump(out, BytesIO())
    qasm3.dumps(out)
    return seconds, time.perf_counter() - start


def qiskit_results(case: Case, target: str, seeds: int = QISKIT_SEEDS) -> Iterator[Result]:
    """One result a seed; a single one where all pairs are coupled, since nothing is random there."""
    given = limited(case, target)
    for seed in range(1 if target in BASES else seeds):
        manager = qiskit_manager(target, seed)
        start = time.perf_counter()
        out = manager.run(given)
        seconds = time.perf_counter() - start
        gates = sum(len(step.qubits) == 2 and step.operation.name != "barrier" for step in out.data)
        depth = out.depth(lambda step: len(step.qubits) == 2)
        yield Result(gates, depth, seconds, "Qiskit O3")


@cache
def _placement(target: str) -> BasePass:
    device = registry.find_target(target).device.target
    (gate,) = [name for name in ("cz", "ecr", "cx") if name in device.operation_names]
    links = dict(device[gate].items())
    architecture = Architecture([tuple(pair) for pair in links])
    nodes = {node.index[0]: node for node in architecture.nodes}
    errors = {(nodes[a], nodes[b]): p.error for (a, b), p in links.items()}
    singles = {nodes[q]: p.error for (q,), p in device["sx"].items()}
    readout = {nodes[q]: p.error for (q,), p in device["measure"].items()}
    placement = NoiseAwarePlacement(architecture, singles, errors, readout, timeout=2000)
    return CXMappingPass(architecture, placement, directed_cx=False, delay_measures=False)


def tket_presets() -> dict[str, list[BasePass]]:
    """Name -> the logical passes of a preset."""
    greedy = [GreedyPauliSimp(trials=20, seed=0), RemoveRedundancies(), CliffordSimp(allow_swaps=True)]
    return {
        "tket FullPeepholeOptimise": [FullPeepholeOptimise(allow_swaps=True)],
        "tket GreedyPauliSimp": greedy,
        "tket KAKDecomposition": [KAKDecomposition(), CliffordSimp(allow_swaps=True)],
    }


def tket_results(case: Case, target: str) -> Iterator[Result]:
    """One result a preset. A preset that does not take the circuit, or takes too long, gives none."""
    for origin in tket_presets():
        result = _HELPER.within_limit(_tket_result, case, target, origin)
        if result is not None:
            yield result


def _tket_result(case: Case, target: str, origin: str) -> Result | None:
    circuit = to_tket(case.circuit).circuit
    if origin != "tket GreedyPauliSimp" and (case.circuit.num_variables and len(case.circuit) > SYMBOLIC_LIMIT):
        circuit = _bound(circuit)
    start = time.perf_counter()
    try:
        DecomposeBoxes().apply(circuit)
        AutoRebase(SYNTHESIS).apply(circuit)
        SequencePass(tket_presets()[origin]).apply(circuit)
        if target not in BASES:
            circuit = _bound(circuit)
            AutoRebase({OpType.CX, OpType.TK1}).apply(circuit)
            _placement(target).apply(circuit)
            SequencePass([KAKDecomposition(allow_swaps=False), CliffordSimp(allow_swaps=False)]).apply(circuit)
        AutoRebase(TKET_NATIVE[target]).apply(circuit)
    except RuntimeError:
        return None
    seconds = time.perf_counter() - start
    circuit.replace_SWAPs()
    gates = sum(circuit.n_gates_of_type(kind) for kind in (OpType.CX, OpType.CZ, OpType.ZZPhase, OpType.ECR))
    depth = circuit.depth_by_type({OpType.CX, OpType.CZ, OpType.ZZPhase, OpType.ECR})
    return Result(gates, depth, seconds, origin)


def _bound(circuit: TketCircuit) -> TketCircuit:
    bound: Any = circuit.copy()
    symbols = sorted(bound.free_symbols(), key=str)
    rng = np.random.default_rng(0)
    bound.symbol_substitution({s: float(v) for s, v in zip(symbols, rng.uniform(0.1, 1.9, len(symbols)), strict=True)})
    return bound


def fewest(results: list[Result]) -> tuple[int, int]:
    """(fewest two-qubit gates, least two-qubit depth), each over all results on its own."""
    return min(r.two_qubit_gates for r in results), min(r.two_qubit_depth for r in results)
