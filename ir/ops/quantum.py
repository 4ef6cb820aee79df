"""Readouts of a circuit. Operands are the circuit's angle inputs in order, each of its declared shape, batched or not.

Qubit order: index bit i (value 2^i) of `probabilities` and column i of `samples` belong to the i-th listed qubit. The
ops `bit_...` read classical bits that the circuit itself measured instead of qubits, in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..circuit import Circuit
from ..graph import Op, TypeFault
from ..observables import PauliSum
from ..types import DYNAMIC, Type
from .rules import common_float

if TYPE_CHECKING:
    from ..module import Module


def _parse_observables(value: Any) -> tuple[PauliSum, ...]:
    return tuple(o if isinstance(o, PauliSum) else PauliSum.parse(o) for o in value)


@dataclass(frozen=True)
class CircuitOp(Op):
    """An op on `circuit`, a name in the module's circuits; its operands are the circuit's angle inputs."""

    operands = (0, None)
    circuit: str

    def _circuit(self, module: Module) -> Circuit:
        if self.circuit not in module.circuits:
            raise TypeFault(f"there is no circuit {self.circuit!r}", code="I0004")
        return module.circuits[self.circuit]

    def _inputs(self, operands: tuple[Type, ...], module: Module) -> tuple[str, tuple[int, ...]]:
        """(float type, batch shape) of the operands."""
        circuit = self._circuit(module)
        if len(operands) != len(circuit.inputs):
            names = ", ".join(a.name for a in circuit.inputs) or "no inputs"
            raise TypeFault(f"circuit {circuit.name} takes {names}; got {len(operands)} operands", code="I0005")
        for array, t in zip(circuit.inputs, operands, strict=True):
            if t.shape not in (array.shape, (DYNAMIC, *array.shape)):
                raise TypeFault(f"angle input {array.name} of circuit {circuit.name} has shape {array.shape}, got {t}")
        batched = any(t.batched for t in operands)
        return common_float(*operands) if operands else "f64", (DYNAMIC,) if batched else ()

    def _check_qubits(self, qubits: tuple[int, ...], module: Module) -> None:
        width = self._circuit(module).num_qubits
        if len(set(qubits)) != len(qubits) or any(not 0 <= q < width for q in qubits):
            named = ", ".join(map(str, qubits)) or "none"
            raise TypeFault(f"qubits {named} are not distinct qubits of a {width}-qubit circuit", code="C0005")


@dataclass(frozen=True)
class Readout(CircuitOp):
    """What is read from a circuit."""


@dataclass(frozen=True)
class LateAngles(CircuitOp):
    """Angles that only the bound inputs decide, of the one-qubit gates that the wires of `circuit` stand for.

    The circuit holds one-qubit gates alone. Result (batch, wires, 3): theta, phi, lam in radians, such that
    u3(theta, phi, lam) is the product of the gates of that wire up to a global phase. Differentiable except where theta
    is a multiple of pi.
    """

    mnemonic = "late_angles"

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        circuit = self._circuit(module)
        if len(circuit.wires) != len(circuit) or circuit.has_measurement:
            raise TypeFault(f"circuit {circuit.name} has gates other than unitary ones on one qubit", code="C0003")
        return (Type(kind, (*batch, circuit.num_qubits, 3)),)


@dataclass(frozen=True)
class Expectation(Readout):
    """<O_k> for every observable: result (batch, number of observables)."""

    mnemonic = "expectation"
    coerce: ClassVar = {"observables": _parse_observables}
    observables: tuple[PauliSum, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        for observable in self.observables:
            self._check_qubits(observable.qubits, module)
            if not all(math.isfinite(coeff) for _, coeff in observable.terms):
                raise TypeFault(f"a coefficient of {observable} is not a finite number", code="P0004")
        return (Type(kind, (*batch, len(self.observables))),)


@dataclass(frozen=True)
class Probabilities(Readout):
    """Probability of every outcome of `qubits`: result (batch, 2^n)."""

    mnemonic = "probabilities"
    qubits: tuple[int, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        self._check_qubits(self.qubits, module)
        return (Type(kind, (*batch, 1 << len(self.qubits))),)


@dataclass(frozen=True)
class Samples(Readout):
    """Measured bits of `qubits`, one row a shot: result (batch, shots, n)."""

    mnemonic = "samples"
    draws = True
    qubits: tuple[int, ...] = ()
    shots: int = 1024

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        _, batch = self._inputs(operands, module)
        self._check_qubits(self.qubits, module)
        if self.shots < 1:
            raise TypeFault(f"needs at least one shot, got {self.shots}")
        return (Type("bit", (*batch, self.shots, len(self.qubits))),)


@dataclass(frozen=True)
class BitReadout(Readout):
    """What is read from the classical bits of a circuit that measures inside."""

    def _check_bits(self, bits: tuple[int, ...], module: Module) -> None:
        count = self._circuit(module).num_clbits
        if len(set(bits)) != len(bits) or any(not 0 <= b < count for b in bits):
            raise TypeFault(f"bits {list(bits)} are not distinct bits of a circuit with {count}", code="C0005")


@dataclass(frozen=True)
class BitExpectation(BitReadout):
    """<O_k> for sums of products of Z in which `Z3` is +1 where classical bit 3 ends as 0, and -1 where it ends as 1.

    Result (batch, number of observables).
    """

    mnemonic = "bit_expectation"
    coerce: ClassVar = {"observables": _parse_observables}
    observables: tuple[PauliSum, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        for observable in self.observables:
            self._check_bits(observable.qubits, module)
            if any(letter != "Z" for term, _ in observable.terms for letter, _ in term):
                raise TypeFault(f"{observable} has letters other than Z, and classical bits have no others")
            if not all(math.isfinite(coeff) for _, coeff in observable.terms):
                raise TypeFault(f"a coefficient of {observable} is not a finite number", code="P0004")
        return (Type(kind, (*batch, len(self.observables))),)


@dataclass(frozen=True)
class BitProbabilities(BitReadout):
    """Probability of every final value of classical `bits`: result (batch, 2^n)."""

    mnemonic = "bit_probabilities"
    bits: tuple[int, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind, batch = self._inputs(operands, module)
        self._check_bits(self.bits, module)
        return (Type(kind, (*batch, 1 << len(self.bits))),)


@dataclass(frozen=True)
class BitSamples(BitReadout):
    """Final values of classical `bits`, one row a shot: result (batch, shots, n)."""

    mnemonic = "bit_samples"
    draws = True
    bits: tuple[int, ...] = ()
    shots: int = 1024

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        _, batch = self._inputs(operands, module)
        self._check_bits(self.bits, module)
        if self.shots < 1:
            raise TypeFault(f"needs at least one shot, got {self.shots}")
        return (Type("bit", (*batch, self.shots, len(self.bits))),)
