"""Two-qubit blocks of constants: fewest entangling gates for a matrix, or for the state that it makes from |00>."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ir.angles import ZERO_ROW, Row, add_rows
from ...ir.gates import OPCODES, rotation_matrix
from . import weyl
from .euler import angles_of, matrix_template, snapped
from .frames import Resynthesis
from .templates import Step, Template

_CX, _SWAP = OPCODES["cx"], OPCODES["swap"]
_CX_ROWS = {(0, 1): [0, 3, 2, 1], (1, 0): [0, 1, 3, 2]}
"""(control, target) -> where a CX takes the rows of a matrix from"""
_PRODUCT_STATE = 1e-11
_I = np.eye(2, dtype=complex)
_HALF = np.pi / 2


def _rz(angle: float) -> np.ndarray:
    return rotation_matrix("Z", angle)


def _ry(angle: float) -> np.ndarray:
    return rotation_matrix("Y", angle)


def _rx(angle: float) -> np.ndarray:
    return rotation_matrix("X", angle)


Layer = tuple[np.ndarray, np.ndarray]
"""One-qubit gates on wires 0 and 1."""


def core_layers(x: float, y: float, z: float, count: int) -> tuple[list[Layer], list[tuple[int, int]]]:
    """exp(i (x XX + y YY + z ZZ)) up to a phase, as layers of one-qubit gates with CX (control, target) between them.

    count: number of CX. One needs x = pi/4 and y = z = 0, two need z = 0.
    """
    if count == 0:
        return [(_I, _I)], []
    if count == 1:
        # CX = exp(i pi/4 ZX) Rz(pi/2) Rx(pi/2) up to a phase; a turn about Y by pi/2 makes X of Z.
        turn = _ry(_HALF)
        return [(turn.conj().T, _I), (turn @ _rz(-_HALF), _rx(-_HALF))], [(0, 1)]
    if count == 2:
        # Between two CX, Rx on the control is exp(XX) and Rz on the target exp(ZZ); Rx(pi/2) on both makes YY of ZZ.
        side = _rx(_HALF)
        undo = side.conj().T
        return [(undo, undo), (_rx(-2 * x), _rz(-2 * y)), (side, side)], [(0, 1), (0, 1)]
    # Vatan and Williams, quant-ph/0308006, figure 6.
    return [
        (_I, _rz(-_HALF)),
        (_rz(_HALF - 2 * z), _ry(2 * x - _HALF)),
        (_I, _ry(_HALF - 2 * y)),
        (_rz(_HALF), _I),
    ], [(1, 0), (0, 1), (1, 0)]


def synthesise(
    matrices: np.ndarray, from_zero: np.ndarray, limits: Sequence[int], rotations: bool, swaps: bool
) -> list[Resynthesis | None]:
    """A circuit of at most `limits[k]` entangling gates for every matrix (batch, 4, 4); None where there is none.

    from_zero: which need only be right from |00>. rotations: count rotations about pairs of letters instead of CX.
    swaps: whether a swap at the end is free.
    """
    found = weyl.canonical(matrices)
    counts = found.rotation_counts() if rotations else found.cx_counts()
    other = weyl.canonical(weyl.mirrored(matrices)) if swaps else found
    other_counts = other.rotation_counts() if rotations else other.cx_counts()
    out: list[Resynthesis | None] = []
    for k, limit in enumerate(limits):
        if from_zero[k]:
            made = _prepared(matrices[k][:, 0])
        elif swaps and other_counts[k] < counts[k]:
            made = _drawn(other, k, int(other_counts[k]), rotations, True)
        else:
            made = _drawn(found, k, int(counts[k]), rotations, False)
        out.append(made if made.cost <= limit else None)
    return out


def _drawn(found: weyl.Canonical, k: int, count: int, rotations: bool, swap: bool) -> Resynthesis:
    x, y, z = found.coordinates[k].tolist()
    before, after, phase = found.before[k], found.after[k], float(found.phase[k])
    if rotations and count < 3:
        steps = [_local(wire, before[wire]) for wire in (0, 1)]
        angles = zip(("rxx", "ryy", "rzz"), (x, y, z), strict=True)
        middle = [Step(OPCODES[n], (0, 1), (snapped(-2 * a),)) for n, a in angles if abs(a) > weyl.NEAR]
        template = _joined([*steps, Template(tuple(middle)), *(_local(wire, after[wire]) for wire in (0, 1))])
    else:
        layers, entanglers = core_layers(x, y, z, count)
        phase += _core_phase((x, y, z), layers, entanglers)
        layers[0] = (layers[0][0] @ before[0], layers[0][1] @ before[1])
        layers[-1] = (after[0] @ layers[-1][0], after[1] @ layers[-1][1])
        template = _layered(layers, entanglers)
    steps = (*template.steps, Step(_SWAP, (0, 1))) if swap else template.steps
    return Resynthesis(Template(tuple(steps), add_rows(template.phase, snapped(phase))), count)


def _core_phase(at: tuple[float, float, float], layers: list[Layer], entanglers: list[tuple[int, int]]) -> float:
    made = _both(*layers[0])
    for (low, high), wires in zip(layers[1:], entanglers, strict=True):
        made = _both(low, high) @ made[_CX_ROWS[wires]]
    return float(np.angle(np.vdot(made, weyl.core(np.array([at]))[0])))


def _both(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """One-qubit gates on wires 0 and 1 as one matrix."""
    return (high[:, None, :, None] * low[None, :, None, :]).reshape(4, 4)


def _layered(layers: Sequence[Layer], entanglers: Sequence[tuple[int, int]]) -> Template:
    parts: list[Template] = []
    for k, layer in enumerate(layers):
        parts += [_local(wire, matrix) for wire, matrix in enumerate(layer)]
        if k < len(entanglers):
            parts.append(Template((Step(_CX, entanglers[k]),)))
    return _joined(parts)


def _local(wire: int, matrix: np.ndarray) -> Template:
    """A constant one-qubit gate as at most one gate."""
    made = matrix_template(angles_of(matrix).tolist(), "u3")
    return Template(tuple(step._replace(wires=(wire,)) for step in made.steps), made.phase)


def _joined(parts: Sequence[Template]) -> Template:
    phase: Row = ZERO_ROW
    for part in parts:
        phase = add_rows(phase, part.phase)
    return Template(tuple(step for part in parts for step in part.steps), phase)


def _prepared(state: np.ndarray) -> Resynthesis:
    """The state (4,) from |00>, by its Schmidt decomposition: at most one CX."""
    left, sizes, right = np.linalg.svd(state.reshape(2, 2))  # rows belong to wire 1
    high, low = left, right.T
    if sizes[1] < _PRODUCT_STATE:
        parts = [_local(0, low), _local(1, high)]
        return Resynthesis(_joined(parts), 0)
    tilt = Template((Step(OPCODES["ry"], (0,), (snapped(2 * float(np.arctan2(sizes[1], sizes[0]))),)),))
    parts = [tilt, Template((Step(_CX, (0, 1)),)), _local(0, low), _local(1, high)]
    return Resynthesis(_joined(parts), 1)
