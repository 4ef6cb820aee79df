"""What Qiskit and tket can do for passes: candidates for a circuit, and how good a circuit is on a device."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from math import inf

from qiskit.transpiler import generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

from ...bridges.devices import constrained
from ...bridges.qiskit import to_qiskit
from ...bridges.qiskit_reading import final_permutation, from_qiskit
from ...bridges.services import Candidate
from ...ir.circuit import Circuit
from ...ir.target import Target
from . import routing

LOGICAL_BASIS = ["rz", "sx", "x", "cx"]
"""Gates in which Qiskit resynthesises a circuit, all pairs coupled."""

SCORE_EFFORT = {"fast": "fast", "default": "fast", "max": "default"}
"""How hard a circuit is routed to be scored: a step less than the winner will be."""


class QiskitServices:
    """Services for a device known to Qiskit."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._scores: dict[tuple, tuple[float, ...]] = {}

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

    def score(self, circuit: Circuit, observed: Sequence[int], effort: str, seed: int) -> tuple[float, ...]:
        """As `routing.rank`, of the circuit routed at a step less effort; infinite where it does not fit.

        Equal circuits are routed once.
        """
        key = (circuit.canonical(), tuple(observed), effort, seed)
        if key not in self._scores:
            try:
                logical = to_qiskit(circuit).circuit
                device = constrained(self._target.device.target, logical, self._target.data.get("angles", {}))
                routed = routing.route(logical, device, seed, observed, SCORE_EFFORT[effort])
                self._scores[key] = tuple(map(float, routing.rank(routed)))
            except TranspilerError:
                self._scores[key] = (inf, inf, inf, inf)
        return self._scores[key]


def _by_qiskit(circuit: Circuit, seed: int) -> list[Candidate]:
    converted = to_qiskit(circuit)
    manager = generate_preset_pass_manager(3, basis_gates=LOGICAL_BASIS, seed_transpiler=seed)
    made = manager.run(converted.circuit)
    return [Candidate("Qiskit level 3", from_qiskit(made, like=converted), final_permutation(made))]


def _by_tket(circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
    from ...bridges.tket_presets import candidates

    return candidates(circuit, effort, seed)
