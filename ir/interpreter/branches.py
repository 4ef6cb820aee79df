"""Circuits with measurements, resets and conditions, exactly: every outcome is followed.

A run keeps a mixture: unnormalised states, each with the classical bits that led to it. Where there are more
measurements and resets than qubits it keeps density matrices instead, one for all histories with the same classical
bits, so that the work never grows beyond 4^n times the number of values of the bits that are still read. Of the qubits
only the n are kept that the readout depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..circuit import Circuit, GateRow
from ..conditions import bits_of, evaluate
from ..diagnostics import InputError
from ..gates import OPCODES
from ..observables import PauliSum, PauliTerm
from .matrices import apply, bind, gate_matrix

_MEASURE, _RESET, _BARRIER = OPCODES["measure"], OPCODES["reset"], OPCODES["barrier"]
_PAULI = OPCODES["pauli"]

LIMIT = 1 << 28
"""Most amplitudes of all branches and samples together: 4 GiB in double precision."""

JOINT_BITS = 10
"""Expectations of up to this many classical bits are taken from one simulation."""


def expectations(circuit: Circuit, observables: Sequence[PauliSum], values: Tensor) -> Tensor:
    """<O> of the final mixture for every observable, (batch, variables) -> (batch, observables)."""
    if not observables:
        return values.new_zeros(len(values), 0)
    qubits = sorted({q for o in observables for q in o.qubits})
    mixture = simulate(circuit, qubits, values)
    return torch.stack([mixture.expectation(o) for o in observables], dim=1)


def probabilities(circuit: Circuit, qubits: Sequence[int], values: Tensor) -> Tensor:
    """Probability of every final value of `qubits`, (batch, variables) -> (batch, 2^k); index bit i is qubits[i]."""
    return simulate(circuit, qubits, values).probabilities(qubits)


def bit_expectations(circuit: Circuit, observables: Sequence[PauliSum], values: Tensor) -> Tensor:
    """<O> of sums of products of Z on final classical bits, (batch, variables) -> (batch, observables).

    Many bits together are not followed together: then every product is simulated on its own.
    """
    terms = list(dict.fromkeys(term for o in observables for term, _ in o.terms if term))
    bits = sorted({bit for term in terms for _, bit in term})
    parts = [bits] if len(bits) <= JOINT_BITS else [[bit for _, bit in term] for term in terms]
    means: dict[PauliTerm, Tensor] = {(): values.new_ones(len(values))}
    for part in parts:
        mixture = simulate(circuit, (), values, part)
        inside = (term for term in terms if {bit for _, bit in term} <= set(part))
        means |= {term: mixture.parity([bit for _, bit in term]) for term in inside}
    zero = values.new_zeros(len(values))
    sums = [sum((coeff * means[term] for term, coeff in o.terms), zero) for o in observables]
    return torch.stack(sums, dim=1) if sums else values.new_zeros(len(values), 0)


def bit_probabilities(circuit: Circuit, bits: Sequence[int], values: Tensor) -> Tensor:
    """Probability of every final value of classical `bits`, (batch, variables) -> (batch, 2^k)."""
    return simulate(circuit, (), values, bits).bit_probabilities(bits)


@dataclass(frozen=True)
class Mixture:
    """The sum of all branches.

    qubits: the circuit's qubits that are kept; the k-th is bit k of a state's index, all others are not needed.
    states: (branches, batch, 2^n) state vectors, or with `density` the entries rho[i, j] of density matrices at index
    i + 2^n j. bits: (branches, classical bits). blurred: qubits that were measured by a measurement left out: nothing
    after it changed their computational basis, so it only takes the coherence between 0 and 1 away.
    """

    qubits: tuple[int, ...]
    states: Tensor
    bits: np.ndarray
    density: bool
    blurred: frozenset[int]

    def entries(self, flipped: int) -> Tensor:
        """rho[k, k xor flipped] for every k, (batch, 2^n)."""
        n = len(self.qubits)
        index = torch.arange(1 << n, device=self.states.device)
        if self.density:
            return self.states[:, :, index + ((index ^ flipped) << n)].sum(0)
        return (self.states * self.states[:, :, index ^ flipped].conj()).sum(0)

    def probabilities(self, qubits: Sequence[int]) -> Tensor:
        """Probability of every value of `qubits`, (batch, 2^k)."""
        weights = self.entries(0).real
        n, batch = len(self.qubits), len(weights)
        spread = weights.reshape(batch, *(2,) * n)
        wanted = [self.qubits.index(q) for q in qubits]
        rest = [k for k in range(n) if k not in wanted]
        order = [0, *(n - k for k in reversed(wanted)), *(n - k for k in rest)]
        return spread.permute(order).reshape(batch, 1 << len(wanted), 1 << len(rest)).sum(-1)

    def weights(self) -> Tensor:
        """Probability of every branch, (branches, batch)."""
        if self.density:
            diagonal = torch.arange(1 << len(self.qubits), device=self.states.device) * ((1 << len(self.qubits)) + 1)
            return self.states[:, :, diagonal].real.sum(-1)
        return (self.states * self.states.conj()).real.sum(-1)

    def parity(self, bits: Sequence[int]) -> Tensor:
        """Mean of (-1)^(sum of the classical `bits`), (batch,)."""
        signs = 1.0 - 2.0 * (self.bits[:, list(bits)].sum(axis=1) % 2)
        weights = self.weights()
        return torch.as_tensor(signs, dtype=weights.dtype, device=weights.device) @ weights

    def bit_probabilities(self, bits: Sequence[int]) -> Tensor:
        """Probability of every value of the classical `bits`, (batch, 2^k)."""
        weights = self.weights()
        index = self.bits[:, list(bits)].astype(np.int64) @ (1 << np.arange(len(bits), dtype=np.int64))
        out = weights.new_zeros(1 << len(bits), weights.shape[1])
        return out.index_add(0, torch.as_tensor(index, device=weights.device), weights).T

    def expectation(self, observable: PauliSum) -> Tensor:
        """<O>, (batch,)."""
        total = torch.zeros(self.states.shape[1], dtype=self.states.real.dtype, device=self.states.device)
        for term, coeff in observable.terms:
            if not any(q in self.blurred and letter != "Z" for letter, q in term):
                total = total + coeff * self._pauli(term)
        return total

    def _pauli(self, term: PauliTerm) -> Tensor:
        """Re sum_k <k|rho|k xor x> <k xor x|P|k>."""
        index = torch.arange(1 << len(self.qubits), device=self.states.device)
        factor = torch.ones(len(index), dtype=self.states.dtype, device=self.states.device)
        flipped = 0
        for letter, qubit in term:
            place = self.qubits.index(qubit)
            bit = (index >> place) & 1
            if letter != "X":
                factor = factor * (1 - 2 * bit)
            if letter == "Y":
                factor = factor * 1j
            if letter != "Z":
                flipped |= 1 << place
        return (self.entries(flipped) * factor).real.sum(-1)


def simulate(circuit: Circuit, read: Iterable[int], values: Tensor, bits: Iterable[int] = ()) -> Mixture:
    """The final mixture for angle variables `values` (batch, variables), exact for readouts of the qubits `read` and of
    the classical `bits`.

    Raises InputError R0005 where it would take more than LIMIT amplitudes.
    """
    script = plan(circuit, read, bits)
    events = sum(row.opcode in (_MEASURE, _RESET) for row in script.rows)
    run = _Run(circuit, len(script.qubits), values, density=events > len(script.qubits))
    for row, live in zip(script.rows, script.live, strict=True):
        run.apply(row)
        run.merge(live)
    return Mixture(script.qubits, run.states, run.bits, run.density, script.blurred)


# What has to be done


@dataclass(frozen=True)
class Script:
    """What matters for a readout: the qubits, the rows with wires that number these, the classical bits that are read
    after each row, and the blurred qubits."""

    qubits: tuple[int, ...]
    rows: list[GateRow]
    live: list[tuple[int, ...]]
    blurred: frozenset[int]


def plan(circuit: Circuit, read: Iterable[int], bits: Iterable[int] = ()) -> Script:
    """Walk back from the readout: rows that only touch what nothing reads any more are left out."""
    needed, live = set(read), set(bits)
    kept = set(needed)
    turned = set[int]()  # qubits that a later row does not leave diagonal
    blurred = set[int]()
    rows: list[GateRow] = []
    lives: list[tuple[int, ...]] = []
    for row in reversed(circuit.rows()):
        writes = row.opcode == _MEASURE and row.clbits[0] in live
        if row.opcode == _BARRIER or not (writes or needed.intersection(row.wires)):
            continue
        certain = row.condition < 0
        if row.opcode == _MEASURE and not writes and certain and row.wires[0] not in turned:
            blurred.add(row.wires[0])
            continue
        rows.append(row)
        lives.append(tuple(sorted(live)))
        if row.opcode == _MEASURE and certain:
            live.discard(row.clbits[0])
        if row.opcode == _RESET and certain:
            needed.discard(row.wires[0])
        else:
            needed.update(row.wires)
            kept.update(row.wires)
        axes = circuit.payloads[row.payload] if row.opcode == _PAULI else row.gate.axes
        turned.update(q for q, axis in zip(row.wires, axes, strict=True) if axis not in "ZI")
        if not certain:
            live.update(bits_of(circuit.conditions[row.condition]))
    qubits = tuple(sorted(kept))
    place = {q: k for k, q in enumerate(qubits)}
    rows = [row._replace(wires=tuple(place[w] for w in row.wires)) for row in reversed(rows)]
    return Script(qubits, rows, lives[::-1], frozenset(blurred))


# Doing it


class _Run:
    """The mixture while the rows are applied."""

    def __init__(self, circuit: Circuit, num_qubits: int, values: Tensor, density: bool) -> None:
        self.circuit = circuit
        self.num_qubits = num_qubits
        self.density = density
        self.angles = bind(circuit.angles, values)
        kind = torch.complex128 if values.dtype == torch.float64 else torch.complex64
        size = 1 << num_qubits * (2 if density else 1)
        self._check(len(values) * size)
        self.states = torch.zeros(1, len(values), size, dtype=kind, device=values.device)
        self.states[:, :, 0] = 1
        self.bits = np.zeros((1, circuit.num_clbits), bool)
        self.clean = set(range(num_qubits))  # still |0>

    def _check(self, amplitudes: int) -> None:
        if amplitudes > LIMIT:
            raise InputError.of(
                "R0005",
                f"circuit {self.circuit.name}: exact simulation of {self.num_qubits} qubits takes {amplitudes:.2g} "
                f"amplitudes, at most {LIMIT:.2g} are kept",
                self.circuit.place,
                help="give fewer inputs at a time, or read fewer qubits",
            )

    def apply(self, row: GateRow) -> None:
        """One row, on the branches whose bits meet its condition."""
        if row.opcode == _RESET and row.wires[0] in self.clean:
            return
        if row.condition < 0:
            self.states, self.bits = self._changed(row, self.states, self.bits)
        else:
            meets = evaluate(self.circuit.conditions[row.condition], list(self.bits.T))
            states, bits = self._changed(row, self.states[np.flatnonzero(meets)], self.bits[meets])
            self.states = torch.cat([self.states[np.flatnonzero(~meets)], states])
            self.bits = np.concatenate([self.bits[~meets], bits])
        if row.opcode == _RESET and row.condition < 0:
            self.clean.add(row.wires[0])
        elif row.opcode != _RESET:
            self.clean.difference_update(row.wires)

    def _changed(self, row: GateRow, states: Tensor, bits: np.ndarray) -> tuple[Tensor, np.ndarray]:
        if row.opcode not in (_MEASURE, _RESET):
            return self._turned(states, gate_matrix(self.circuit, row, self.angles), row.wires), bits
        self._check(2 * self.states.numel())
        zero, one = (self._projected(states, row.wires[0], outcome) for outcome in (0, 1))
        if row.opcode == _RESET:
            flip = torch.as_tensor([[[0, 1], [1, 0]]], dtype=states.dtype, device=states.device)
            one = self._turned(one, flip, row.wires)
            if self.density:
                return zero + one, bits
            return torch.cat([zero, one]), np.concatenate([bits, bits])
        bits = np.concatenate([bits, bits])
        bits[:, row.clbits[0]] = np.arange(len(bits)) >= len(bits) // 2
        return torch.cat([zero, one]), bits

    def _turned(self, states: Tensor, matrix: Tensor, wires: tuple[int, ...]) -> Tensor:
        states = apply(states, matrix, wires)
        if self.density:
            states = apply(states, matrix.conj(), tuple(w + self.num_qubits for w in wires))
        return states

    def _projected(self, states: Tensor, qubit: int, outcome: int) -> Tensor:
        index = torch.arange(states.shape[-1], device=states.device)
        keep = (index >> qubit) & 1 == outcome
        if self.density:
            keep &= (index >> (qubit + self.num_qubits)) & 1 == outcome
        return states * keep

    def merge(self, live: tuple[int, ...]) -> None:
        """Forget bits that nothing reads any more; drop branches that cannot happen; add up equal histories."""
        dead = np.ones(self.circuit.num_clbits, bool)
        dead[list(live)] = False
        self.bits[:, dead] = False
        if len(self.bits) == 1:
            return
        if not self.states.requires_grad:
            there = (self.states != 0).flatten(1).any(1).cpu().numpy()
            self.states, self.bits = self.states[np.flatnonzero(there)], self.bits[there]
        if self.density:
            keys, group = np.unique(self.bits, axis=0, return_inverse=True)
            total = torch.zeros(len(keys), *self.states.shape[1:], dtype=self.states.dtype, device=self.states.device)
            where = torch.as_tensor(group.reshape(-1), device=self.states.device)
            self.states, self.bits = total.index_add(0, where, self.states), keys
