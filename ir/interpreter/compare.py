"""Helpers to compare programs: unitaries, random inputs, errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..circuit import Circuit, GateRow
from ..gates import OPCODES, rotation_matrix
from ..module import Module
from ..types import DTYPES, DYNAMIC


def unitary(circuit: Circuit, values: Sequence[float] | np.ndarray = ()) -> np.ndarray:
    """The matrix (2^n, 2^n) of a circuit, global phase included, qubit 0 the least significant bit of an index.

    values: one number an angle variable. ValueError for a circuit that measures, resets or is conditioned. The matrix
    takes 16 * 4^n bytes.
    """
    if circuit.has_measurement:
        raise ValueError(f"circuit {circuit.name} is not one unitary")
    angles = circuit.angles.bind(np.asarray(values, np.float64).reshape(1, circuit.num_variables))[0]
    n = circuit.num_qubits
    phase = np.exp(1j * angles[circuit.phase]) if circuit.phase >= 0 else 1.0
    out = (phase * np.eye(1 << n, dtype=complex)).reshape((2,) * n + (1 << n,))
    for row in circuit.rows():
        if row.opcode == OPCODES["barrier"]:
            continue
        k = len(row.wires)
        # Axis n - 1 - q holds qubit q; the last axes of the matrix are its wires, the first wire last.
        axes = [n - 1 - q for q in reversed(row.wires)]
        matrix = row_matrix(circuit, row, angles).reshape((2,) * (2 * k))
        out = np.moveaxis(np.tensordot(matrix, out, (range(k, 2 * k), axes)), range(k), axes)
    return out.reshape(1 << n, 1 << n)


def row_matrix(circuit: Circuit, row: GateRow, angles: np.ndarray) -> np.ndarray:
    """The matrix of a unitary row for bound angles (rows,), its first wire the least significant bit."""
    given = [float(angles[a]) for a in row.angles]
    if row.payload >= 0:
        return rotation_matrix(circuit.payloads[row.payload], *given)
    if row.gate.matrix is None:
        raise ValueError(f"{row.gate.name} has no matrix")
    return row.gate.matrix(*given)


def random_inputs(module: Module, batch: int = 4, seed: int = 0) -> list[np.ndarray]:
    """One array an input of the module's graph, of its declared type: bits and spikes at random, numbers normal."""
    rng = np.random.default_rng(seed)
    out: list[np.ndarray] = []
    for value in module.graph.inputs:
        shape = tuple(batch if d == DYNAMIC else d for d in value.type.shape)
        dtype = DTYPES[value.type.dtype]
        if value.type.dtype in ("bit", "spike"):
            out.append((rng.random(shape) < 0.5).astype(dtype))
        elif value.type.is_float:
            out.append(rng.standard_normal(shape).astype(dtype))
        else:
            limits = np.iinfo(dtype)
            out.append(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    return out


def max_error(a: np.ndarray | Tensor, b: np.ndarray | Tensor) -> float:
    """Largest absolute difference of two arrays of one shape; NaN where either holds one, 0 for empty arrays."""
    x, y = (np.asarray(v.detach().cpu() if isinstance(v, Tensor) else v) for v in (a, b))
    if x.shape != y.shape:
        raise ValueError(f"shapes {x.shape} and {y.shape} differ")
    if not x.size:
        return 0.0
    wide = np.complex128 if "c" in (x.dtype.kind, y.dtype.kind) else np.float64
    return float(np.abs(x.astype(wide) - y.astype(wide)).max())
