"""Late-bound angles: Euler angles of the one-qubit gates that a batch of inputs makes, all wires at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..circuit import Circuit
from ..gates import GATES, OPCODES
from .matrices import bind, wave_coefficients

_TINY = 1e-12
_U3 = OPCODES["u3"]


def angles(circuit: Circuit, values: Tensor) -> Tensor:
    """(theta, phi, lam) of the product of every wire's gates: values (batch, variables) -> (batch, wires, 3)."""
    return euler(products(circuit, values))


def products(circuit: Circuit, values: Tensor) -> Tensor:
    """The product of the one-qubit gates on every wire, (batch, variables) -> (batch, wires, 2, 2)."""
    bound = bind(circuit.angles, values)
    kind = torch.complex128 if values.dtype == torch.float64 else torch.complex64
    eye = torch.eye(2, dtype=kind, device=values.device)
    out = eye.expand(len(values), circuit.num_qubits, 2, 2)
    place = _place_on_wire(circuit)
    for level in range(int(place.max(initial=-1)) + 1):
        here = place == level
        for opcode in np.unique(circuit.opcode[here]).tolist():
            rows = np.flatnonzero(here & (circuit.opcode == opcode))
            wires = torch.as_tensor(circuit.wires[rows].astype(np.int64), device=values.device)
            columns = circuit.angle_rows[circuit.angle_ptr[rows][:, None] + np.arange(GATES[opcode].angles)]
            given = bound[:, torch.as_tensor(columns.astype(np.int64), device=values.device)]
            after = _matrices(opcode, given, kind) @ out[:, wires]
            out = out.index_copy(1, wires, after.to(kind))
    return out


def _place_on_wire(circuit: Circuit) -> np.ndarray:
    """How many gates of its wire come before each gate."""
    order = np.argsort(circuit.wires, kind="stable")
    sorted_wires = circuit.wires[order]
    starts = np.flatnonzero(np.diff(sorted_wires, prepend=-1))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return place


def _matrices(opcode: int, given: Tensor, kind: torch.dtype) -> Tensor:
    """The matrices of one kind of gate for angles (batch, gates, angles) -> (batch or 1, gates or 1, 2, 2)."""
    if opcode == _U3:
        theta, phi, lam = given.unbind(-1)
        return _waves("p", phi, kind) @ _waves("ry", theta, kind) @ _waves("p", lam, kind)
    gate = GATES[opcode]
    if gate.angles:
        return _waves(gate.name, given[..., 0], kind)
    assert gate.matrix is not None
    return torch.as_tensor(gate.matrix().copy(), dtype=kind, device=given.device)[None, None]


def _waves(gate: str, angle: Tensor, kind: torch.dtype) -> Tensor:
    coefficients = torch.as_tensor(wave_coefficients(gate), dtype=kind, device=angle.device)
    orders = torch.arange(-2, 3, dtype=angle.dtype, device=angle.device)
    return torch.tensordot(torch.exp(0.5j * orders * angle[..., None]), coefficients, 1)


def euler(matrices: Tensor) -> Tensor:
    """(theta, phi, lam) with matrix = exp(i a) u3(theta, phi, lam) for some a: (..., 2, 2) -> (..., 3)."""
    determinant = matrices[..., 0, 0] * matrices[..., 1, 1] - matrices[..., 0, 1] * matrices[..., 1, 0]
    special = matrices * torch.exp(-0.5j * torch.angle(determinant))[..., None, None]
    low, high = special[..., 1, 1], special[..., 1, 0]
    theta = 2 * torch.atan2(high.abs(), low.abs())
    total, rest = _argument(low), _argument(high)
    return torch.stack([theta, total + rest, total - rest], dim=-1)


def _argument(z: Tensor) -> Tensor:
    """The argument of complex numbers, 0 where one is about 0."""
    tiny = z.abs() < _TINY
    return torch.where(tiny, torch.zeros_like(z.real), torch.angle(torch.where(tiny, torch.ones_like(z), z)))
