"""What passes may ask of the SDKs behind a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..ir import Circuit


@dataclass(frozen=True)
class Candidate:
    """A circuit that an SDK made of one of ours.

    origin: which tool and setting made it, for the report. circuit: over the same bits and angle inputs, equal to the
    given one up to a global phase once qubit q of the given circuit is read on qubit `final[q]` of this one.
    """

    origin: str
    circuit: Circuit
    final: tuple[int, ...]


class Services(Protocol):
    """What passes may ask of a target's backend, which alone knows the SDKs."""

    @property
    def couples_all(self) -> bool:
        """Whether every pair of qubits is coupled, so that no qubit ever has to move."""
        ...

    def candidates(self, circuit: Circuit, effort: str, seed: int) -> list[Candidate]:
        """Resynthesised forms of a circuit by the SDKs at hand, in a fixed order; empty at effort `fast`."""
        ...

    def score(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> tuple[float, ...]:
        """How good a circuit is on the target at its best of `tries` placements, smaller is better: (-log of predicted
        fidelity, two-qubit gates, two-qubit depth, gates). observed: the qubits that are read."""
        ...

    def placed(self, circuit: Circuit, observed: Sequence[int], seed: int, tries: int) -> list[Candidate]:
        """The best few of `tries` placements on the target as circuits on the device's qubits in use, every two-qubit
        gate on a coupled pair; none where the target couples the pairs of the circuit as it stands."""
        ...
