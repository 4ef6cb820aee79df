"""What Qiskit and tket can do for passes: candidates for a circuit, and how good a circuit is on a device."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf

import numpy as np
from qiskit.transpiler import PassManager, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from ...bridges.qiskit import Converted, to_qiskit
from ...bridges.qiskit_reading import final_permutation, from_qiskit
from ...bridges.services import Candidate
from ...ir.circuit import Circuit
from ...ir.target import Target
from . import routing
from .tiny_turns import run_exactly

LOGICAL_BASIS = ["rz", "sx", "x", "cx"]
"""Gates in which Qiskit resynthesises a circuit, all pairs coupled."""


class QiskitServices:
    """Services for a device known to Qiskit."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._scores: dict[tuple, tuple[float, ...]] = {}

    @property
    def couples_all(self) -> bool:
        """Whether every pair of qubits is coupled."""
        return routing.facts_of(self._target.device.target).couples_all

    def candidates(self, circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
        """The circuit by Qiskit at optimization level 3, and by tket's presets where pytket is there.

        A tool that does not take the circuit, or gives angles that are not affine, has no candidate.
        """
        if effort == "fast" or circuit.has_measurement:
            return []
        makers: list[Callable[[], list[Candidate]]] = [lambda: _by_qiskit(circuit, seed)]
        if importlib.util.find_spec("pytket") is not None:
            makers.append(lambda: _by_tket(circuit, effort, seed))
        return [found for make in makers for found in make()]

    def score(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> tuple[float, ...]:
        """As `routing.rank`, of the best placement; infinite where the circuit does not fit. Equal circuits are placed
        once."""
        key = (circuit.canonical(), tuple(observed), seed, tries)
        if key not in self._scores:
            try:
                logical = to_qiskit(circuit).circuit
                found = routing.best_rank(logical, routing.fitted(self._target, logical), seed, observed, tries)
                self._scores[key] = tuple(map(float, found))
            except TranspilerError:
                self._scores[key] = (inf, inf, inf, inf)
        return self._scores[key]

    def placed(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> list[Candidate]:
        """The best placements that took more two-qubit gates than the circuit has."""
        if circuit.num_clbits or circuit.has_measurement:
            return []
        converted = to_qiskit(circuit)
        try:
            device = routing.fitted(self._target, converted.circuit)
            found = routing.routings(converted.circuit, device, seed, observed, tries)
        except TranspilerError:
            return []
        least = circuit.costs()["two_qubit_gates"]
        moved = [r for r in found if r.census.costs["two_qubit_gates"] > least]
        return [_on_used_qubits(routed, converted) for routed in moved]


def _on_used_qubits(routed: routing.Routed, converted: Converted) -> Candidate:
    """A placement on the qubits that it uses or leaves a value on, numbered in the device's order."""
    wide = from_qiskit(routed.circuit, like=converted)
    used = sorted({*routed.census.active_qubits, *routed.final})
    number = np.zeros(wide.num_qubits, wide.wires.dtype)
    number[used] = np.arange(len(used))
    circuit = replace(wide, num_qubits=len(used), wires=number[wide.wires])
    return Candidate("placed on the device", circuit, tuple(number[list(routed.final)].tolist()))


@lru_cache(maxsize=8)
def _resynthesis(seed: int) -> PassManager:
    return generate_preset_pass_manager(3, basis_gates=LOGICAL_BASIS, seed_transpiler=seed)


def _by_qiskit(circuit: Circuit, seed: int) -> list[Candidate]:
    converted = to_qiskit(circuit)
    made = run_exactly(_resynthesis(seed), converted.circuit)
    return [Candidate("Qiskit level 3", from_qiskit(made, like=converted), final_permutation(made))]


def _by_tket(circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
    from ...bridges.tket_presets import candidates

    return candidates(circuit, effort, seed)
