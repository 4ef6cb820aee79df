"""Gates of a foreign circuit, collected as rows: blocks under conditions, and bits that are written more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from ..ir import AngleInput, Circuit, Location
from ..ir.angles import ZERO_ROW, AngleInterner, Row, add_rows
from ..ir.circuit import GateRow, empty_circuit
from ..ir.conditions import Condition, bits_of
from ..ir.diagnostics import UNKNOWN
from ..ir.gates import OPCODES
from .bits import Bit, both, choose

_MEASURE = OPCODES["measure"]
_PAULI = OPCODES["pauli"]


class BitChanged(Exception):  # noqa: N818 - a signal, no fault
    """A bit got another value while a block that had read it went on."""


class Writer:
    """Collects rows. A row's condition is read when the row runs, but a foreign block reads its condition once, at its
    start. `fresh`: give every measurement a bit of its own, so that both are the same; `bits[k]` is then the value of
    the foreign bit k as an expression over those.
    """

    def __init__(self, num_qubits: int, num_clbits: int, fresh: bool = False) -> None:
        self.num_qubits = num_qubits
        self.num_clbits = num_clbits
        self.fresh = fresh
        self.rows: list[GateRow] = []
        self.angles = AngleInterner()
        self.phase: Row = ZERO_ROW
        self.bits: list[Bit] = [False if fresh else ("bit", k) for k in range(num_clbits)]
        self._payloads: dict[str, int] = {}
        self._conditions: dict[Condition, int] = {}
        self._used: set[int] = set()
        self._written: dict[int, int] = {}
        self._last_write = 0
        self._test: Bit = True
        self._index = -1
        self._since = 0

    def add(
        self, opcode: int, wires: tuple[int, ...], angles: tuple[int, ...] = (), clbits: tuple[int, ...] = ()
    ) -> None:
        """Append a gate under the condition at hand."""
        if self._index >= 0 and self._last_write > self._since:
            self._check()
        self.rows.append(GateRow(opcode, wires, angles, clbits, -1, self._index))

    def pauli(self, letters: str, wires: tuple[int, ...], angle: int) -> None:
        """Append exp(-i angle/2 P), the first letter on the first wire."""
        self.add(_PAULI, wires, (angle,))
        payload = self._payloads.setdefault(letters, len(self._payloads))
        self.rows[-1] = self.rows[-1]._replace(payload=payload)

    def measure(self, wire: int, bit: int) -> None:
        """Append a measurement of `wire` into the foreign bit `bit`."""
        target = self._target(bit)
        self.add(_MEASURE, (wire,), (), (target,))
        self._written[target] = self._last_write = len(self.rows)
        if self.fresh:
            self.bits[bit] = choose(self._test, ("bit", target), self.bits[bit])

    def assign(self, bits: Sequence[int], values: Sequence[Bit]) -> None:
        """The foreign bits get computed values, all at once."""
        if not self.fresh:
            raise BitChanged
        for bit, value in zip(bits, values, strict=True):
            self.bits[bit] = choose(self._test, value, self.bits[bit])

    def turn(self, angle: Row) -> None:
        """Add to the global phase. Under a condition it has no effect that could be observed."""
        if self._index < 0:
            self.phase = add_rows(self.phase, angle)

    @contextmanager
    def under(self, test: Bit, since: int | None = None) -> Iterator[bool]:
        """What is added in the block runs only where `test` holds. Gives whether it ever can.

        since: the number of rows at which the test was read, where that is not now.
        """
        before = (self._test, self._index, self._since)
        start = len(self.rows) if since is None else since
        joined = both(self._test, test)
        if not isinstance(joined, bool):
            self._since = start if self._index < 0 else min(start, self._since)
            self._test, self._index = joined, self._conditions.setdefault(joined, len(self._conditions))
        try:
            yield joined is not False
        finally:
            self._test, self._index, self._since = before

    @contextmanager
    def always(self) -> Iterator[None]:
        """What is added in the block has no condition."""
        before = (self._test, self._index)
        self._test, self._index = True, -1
        try:
            yield
        finally:
            self._test, self._index = before

    def _target(self, bit: int) -> int:
        if not self.fresh or bit not in self._used:
            self._used.add(bit)
            return bit
        self.num_clbits += 1
        return self.num_clbits - 1

    def _check(self) -> None:
        assert not isinstance(self._test, bool)
        if not self.fresh and any(self._written.get(bit, 0) > self._since for bit in bits_of(self._test)):
            raise BitChanged

    def circuit(self, name: str, inputs: Sequence[AngleInput], place: Location = UNKNOWN) -> Circuit:
        """The finished circuit."""
        phase = self.angles.add(self.phase) if self.phase != ZERO_ROW else -1
        return replace(
            empty_circuit(name, self.num_qubits, self.num_clbits, inputs),
            payloads=tuple(self._payloads),
            conditions=tuple(self._conditions),
            place=place,
        ).with_rows(self.rows, self.angles.table(), phase)
