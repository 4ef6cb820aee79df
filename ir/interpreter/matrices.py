"""Gate matrices as torch tensors, differentiable in their angles, all made from the gate table."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..angles import AngleTable
from ..circuit import Circuit, GateRow
from ..gates import GATES, OPCODES, pauli_matrix


def bind(angles: AngleTable, values: Tensor) -> Tensor:
    """Every angle row in radians, (batch, variables) -> (batch, rows), in the float type of `values`."""
    constants = torch.as_tensor(angles.constants, dtype=values.dtype, device=values.device)
    variables, rows, coeffs = (
        torch.as_tensor(column, device=values.device) for column in (angles.variables, angles.term_rows, angles.coeffs)
    )
    return constants.expand(len(values), -1).index_add(1, rows, values[:, variables] * coeffs.to(values.dtype))


def gate_matrix(circuit: Circuit, row: GateRow, angles: Tensor) -> Tensor:
    """The matrix of a unitary row for bound angles (batch, rows), its first wire the least significant bit.

    Shape (batch or 1, 2^k, 2^k).
    """
    kind = torch.complex128 if angles.dtype == torch.float64 else torch.complex64
    if row.gate.name == "u3":
        theta, phi, lam = (angles[:, a] for a in row.angles)
        return _waves("p", phi, kind) @ _waves("ry", theta, kind) @ _waves("p", lam, kind)
    if row.gate.name == "pauli":
        half = angles[:, row.angles[0], None, None] / 2
        pauli = torch.as_tensor(pauli_matrix(circuit.payloads[row.payload]), dtype=kind, device=angles.device)
        return torch.cos(half) * torch.eye(len(pauli), dtype=kind, device=angles.device) - 1j * torch.sin(half) * pauli
    if row.angles:
        return _waves(row.gate.name, angles[:, row.angles[0]], kind)
    assert row.gate.matrix is not None
    return torch.as_tensor(row.gate.matrix().copy(), dtype=kind, device=angles.device)[None]


@cache
def wave_coefficients(gate: str) -> np.ndarray:
    """C with matrix(angle) = sum_k C[k] exp(i (k - 2) angle / 2), k = 0..4, of a gate with one angle."""
    matrix = GATES[OPCODES[gate]].matrix
    assert matrix is not None
    samples = np.stack([matrix(4 * math.pi * j / 5) for j in range(5)])
    waves = np.exp(-2j * np.pi * np.outer(np.arange(-2, 3), np.arange(5)) / 5) / 5
    found = np.tensordot(waves, samples, 1)
    return np.where(np.abs(found) < 1e-12, 0, found)


def _waves(gate: str, angle: Tensor, kind: torch.dtype) -> Tensor:
    coefficients = torch.as_tensor(wave_coefficients(gate), dtype=kind, device=angle.device)
    orders = torch.arange(-2, 3, dtype=angle.dtype, device=angle.device)
    return torch.tensordot(torch.exp(0.5j * orders * angle[:, None]), coefficients, 1)


def apply(state: Tensor, matrix: Tensor, qubits: tuple[int, ...]) -> Tensor:
    """Multiply a matrix (batch or 1, 2^k, 2^k) onto `qubits` of states (branches, batch, 2^n)."""
    branches, batch, size = state.shape
    n = size.bit_length() - 1
    # Dimension 2 + n - 1 - q holds qubit q; the matrix has its first wire in the last place.
    places = [2 + n - 1 - q for q in reversed(qubits)]
    rest = [d for d in range(2, 2 + n) if d not in places]
    order = [0, 1, *places, *rest]
    spread = state.reshape(branches, batch, *(2,) * n).permute(order)
    product = matrix @ spread.reshape(branches, batch, 1 << len(qubits), size >> len(qubits))
    inverse = [order.index(d) for d in range(2 + n)]
    return product.reshape(spread.shape).permute(inverse).reshape(branches, batch, size)
