"""What tket can do for passes: candidates for a circuit, and how good a circuit is on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np
from pytket import Qubit

from ...bridges.services import Candidate
from ...bridges.tket import from_tket
from ...bridges.tket_presets import candidates
from ...ir.circuit import Circuit
from .compile import Compiled, compiled
from .device import TketDevice


class TketServices:
    """Services for a device of the tket backend. Pytket places a circuit in one way, whatever the number of tries."""

    def __init__(self, device: TketDevice) -> None:
        self._device = device
        self._made: dict[tuple, list[Compiled]] = {}

    @property
    def couples_all(self) -> bool:
        """Whether every pair of qubits is coupled."""
        return self._device.architecture is None

    def candidates(self, circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
        """The circuit by tket's presets; none at effort `fast`."""
        return [] if effort == "fast" else candidates(circuit, effort, seed)

    def score(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> tuple[float, ...]:
        """As `Compiled.rank`; infinite where the circuit does not fit. Equal circuits are fitted once."""
        made = self._fitted(circuit, observed, seed)
        return made[0].rank if made else (inf, inf, inf, inf)

    def placed(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> list[Candidate]:
        """The placement, where it took more two-qubit gates than the circuit has."""
        if circuit.num_clbits or circuit.has_measurement:
            return []
        least = circuit.costs()["two_qubit_gates"]
        made = self._fitted(circuit, observed, seed)
        return [_on_used_qubits(form) for form in made if form.costs["two_qubit_gates"] > least]

    def _fitted(self, circuit: Circuit, observed: Sequence[int], seed: int) -> list[Compiled]:
        key = (circuit.canonical(), tuple(observed), seed)
        if key not in self._made:
            self._made[key] = compiled(circuit, self._device, seed, "fast", observed)
        return self._made[key]


def _on_used_qubits(made: Compiled) -> Candidate:
    """A placement on the qubits that it uses or leaves a value on, numbered in the device's order."""
    plain = made.circuit.copy()
    plain.rename_units({qubit: Qubit("q", qubit.index[0]) for qubit in plain.qubits})
    circuit = from_tket(plain, made.converted).circuit
    device = [qubit.index[0] for qubit in plain.qubits]
    places = {place: k for k, place in enumerate(device)}
    final = [places[q] for q in made.final]
    used = sorted({*circuit.wires.tolist(), *final})
    number = np.zeros(circuit.num_qubits, circuit.wires.dtype)
    number[used] = np.arange(len(used))
    small = replace(circuit, num_qubits=len(used), wires=number[circuit.wires])
    return Candidate("placed on the device", small, tuple(number[final].tolist()))
