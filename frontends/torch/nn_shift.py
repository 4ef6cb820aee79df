"""Gradients of a circuit's readout by parameter shifts: the rules, and which shifted circuits a gradient needs.

A gate exp(-i angle G) makes any expectation a trigonometric polynomial in its angle, whose frequencies are the
differences of eigenvalues of G. Where these are 1, ..., R times one base frequency, 2R shifted values give the exact
derivative (Wierichs, Izaac, Wang and Lin, arXiv 2107.12390, equation 16; R = 2 for controlled rotations are the four
terms of Anselmetti et al., arXiv 2104.05695). An angle that several gates share adds up over the gates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from ...ir import AngleInput, Circuit, InputError
from ...ir.angles import AngleTable, make_row
from ...ir.gates import GATES, Gate

OCCURRENCES = "occurrence"
"""Name of the angle input of a circuit in which every gate's angle is a variable of its own."""

Rule = tuple[tuple[float, float], ...]
"""((shift in radians, coefficient), ...): the derivative is the sum of coefficient * value at angle + shift."""

_STEP = 1e-4
_SAME = 1e-6
_ELSEWHERE = 0.7
"""Where a generator is looked at: it has the same eigenvalues for every angle."""


class NoShiftRule(Exception):  # noqa: N818 - told to the caller, who knows the place
    """The frequencies of a gate are not multiples of one."""


@cache
def rule_of(gate: Gate, position: int) -> Rule:
    """The rule for the angle at `position` of a gate. NoShiftRule where there is none."""
    gaps = [1.0] if gate.matrix is None else _gaps(gate, position)
    base = min(gaps, default=1.0)
    orders = [gap / base for gap in gaps]
    if any(abs(order - round(order)) > _SAME for order in orders):
        raise NoShiftRule(f"{gate.name} has the frequencies {', '.join(f'{gap:.3g}' for gap in gaps)}")
    return equidistant_rule(round(max(orders, default=1)), base)


def equidistant_rule(count: int, base: float = 1.0) -> Rule:
    """The rule for the frequencies base, 2 base, ..., count base; shifts in (-pi/base, pi/base)."""
    out: list[tuple[float, float]] = []
    for k in range(1, 2 * count + 1):
        angle = (2 * k - 1) * math.pi / (2 * count)
        weight = (-1) ** (k - 1) / (4 * count * math.sin(angle / 2) ** 2)
        out.append(((angle if angle < math.pi else angle - 2 * math.pi) / base, weight * base))
    return tuple(out)


def _gaps(gate: Gate, position: int) -> list[float]:
    """The distinct positive differences of the generator's eigenvalues, i dU/dangle U^dag."""
    assert gate.matrix is not None
    angles = np.full(gate.angles, _ELSEWHERE)
    step = np.eye(gate.angles)[position] * _STEP
    # Fourth order, so that the eigenvalues are good to about 1e-12.
    near, far = (gate.matrix(*(angles + k * step)) - gate.matrix(*(angles - k * step)) for k in (1, 2))
    generator = 1j * (8 * near - far) / (12 * _STEP) @ gate.matrix(*angles).conj().T
    levels = np.linalg.eigvalsh((generator + generator.conj().T) / 2)
    gaps: list[float] = []
    for gap in sorted((levels[:, None] - levels[None, :]).ravel().tolist()):
        if gap > _SAME and not any(abs(gap - known) < _SAME for known in gaps):
            gaps.append(round(gap, 6))
    return gaps


class Shifts:
    """The gradients of one circuit with respect to its angle variables.

    circuit: the same gates, with one variable for every gate's angle that varies ("occurrence"), in order. `table`
    holds what each occurrence is in the variables of the source circuit, so that binding is one sparse product.
    """

    def __init__(self, source: Circuit) -> None:
        rows = source.angles.rows()
        used = source.angle_rows.tolist()
        varying = [k for k, row in enumerate(used) if rows[row][3]]
        self.variables = source.num_variables
        self.source = source
        self.table = AngleTable.from_rows([rows[used[k]] for k in varying])
        numbered = used.copy()
        for occurrence, k in enumerate(varying):
            numbered[k] = len(rows) + occurrence
        plain = [row if not row[3] else make_row() for row in rows]
        own = [make_row(0, 0.0, [(occurrence, 1.0)]) for occurrence in range(len(varying))]
        # The global phase is dropped: no readout sees it.
        self.circuit = replace(
            source,
            inputs=(AngleInput(OCCURRENCES, (len(varying),)),),
            angles=AngleTable.from_rows(plain + own),
            angle_rows=np.array(numbered, np.int32),
            phase=-1,
        )
        self._places = [self._place(k) for k in varying]

    def _place(self, k: int) -> tuple[int, int]:
        """(row of the circuit, position among its angles) of angle k."""
        row = int(np.searchsorted(self.source.angle_ptr, k, side="right")) - 1
        return row, k - int(self.source.angle_ptr[row])

    def __len__(self) -> int:
        """The number of occurrences."""
        return len(self._places)

    def bind(self, variables: np.ndarray) -> np.ndarray:
        """(batch, variables) -> the angle of every occurrence, (batch, occurrences)."""
        return self.table.bind(variables)

    def rule(self, occurrence: int) -> Rule:
        """The rule of one occurrence. InputError P0005 where its gate has none."""
        row, position = self._places[occurrence]
        gate = GATES[int(self.source.opcode[row])]
        try:
            return rule_of(gate, position)
        except NoShiftRule as fault:
            raise InputError.of(
                "P0005",
                f"circuit {self.source.name} has no gradient on a backend: {fault}, which are not multiples of one",
                self.source.place_of(row),
                help="write the gate as rotations, or train in the exact simulation (without backend=)",
            ) from fault

    def needed(self, wanted: np.ndarray) -> list[tuple[int, float, float]]:
        """(occurrence, shift, coefficient) of every shifted circuit for the gradient of the variables `wanted`."""
        asked = np.zeros(len(self), np.bool_)
        asked[self.table.term_rows[wanted[self.table.variables]]] = True
        return [(int(k), shift, weight) for k in np.flatnonzero(asked) for shift, weight in self.rule(int(k))]

    def shifted(self, angles: np.ndarray, needed: Sequence[tuple[int, float, float]]) -> np.ndarray:
        """(batch, occurrences) -> (batch, len(needed), occurrences)."""
        out = np.repeat(angles[:, None, :], len(needed), axis=1)
        out[:, np.arange(len(needed)), [k for k, _, _ in needed]] += [shift for _, shift, _ in needed]
        return out

    def gathered(self, values: np.ndarray, needed: Sequence[tuple[int, float, float]]) -> np.ndarray:
        """Values of the shifted circuits (batch, len(needed)) -> the gradient (batch, variables)."""
        by_occurrence = np.zeros((len(self), len(values)))
        np.add.at(by_occurrence, [k for k, _, _ in needed], (values * [weight for _, _, weight in needed]).T)
        out = np.zeros((self.variables, len(values)))
        np.add.at(out, self.table.variables, by_occurrence[self.table.term_rows] * self.table.coeffs[:, None])
        return out.T
