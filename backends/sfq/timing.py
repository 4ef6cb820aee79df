"""Static timing analysis: when pulses arrive, how fast the clock may be, when inputs may come.

Times are whole femtoseconds. A clock pulse enters at time 0 and again every period. Delays are nominal: the margin on
the period stands for their spread. Input pulses of row r come in a window that is counted from clock pulse r; the first
clocked cells take them with clock pulse r + 1, and an output at stage s comes after clock pulse r + s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ...ir import Netlist
from ...ir.netlist import CellRow
from ...ir.stages import data_nets, ordered_rows
from .library import Library

PICO = 1000
"""Femtoseconds in a picosecond."""

CLOCK = -1


class Arrival(NamedTuple):
    """A pulse on a net: `origin` is the clocked cell that sent it, CLOCK, or -2 - k for input port k.

    delay: from the origin's clock pin, the clock port, or the input port. separation: the largest that the cells
    without a clock on the way need.
    """

    origin: int
    delay: int
    separation: int = 0

    @property
    def from_input(self) -> bool:
        return self.origin < CLOCK


class TimingFault(ValueError):  # noqa: N818 - a fault of the netlist, not of qsc
    """The netlist cannot be timed, or pulses race at any clock period. `cell` is where, -1 for the whole netlist."""

    def __init__(self, message: str, cell: int = -1) -> None:
        super().__init__(message)
        self.cell = cell


@dataclass(frozen=True)
class Timing:
    """What the analysis found; times in femtoseconds.

    period: the one analysed for. shortest: the shortest safe one, and `critical`, the path or rule that limits it.
    setup_slack, hold_slack: the smallest of all data pins between cells (None where there are none). window: input
    pulses of row r may come from `window[0]` to `window[1]` after clock pulse r. clock: arrival of a clock pulse at
    every cell (-1 for cells without a clock pin). outputs: arrival after the clock pulse that releases them.
    """

    period: int
    shortest: int
    critical: str
    setup_slack: int | None
    hold_slack: int | None
    window: tuple[int, int]
    clock: tuple[int, ...]
    outputs: tuple[int, ...]


def analyse(netlist: Netlist, library: Library, period: int | None = None) -> Timing:
    """Timing of a balanced netlist with its clock tree, at `period` or at the library's.

    Where neither gives a period it is the shortest safe one and the library's margin, in whole picoseconds; a given
    period below the shortest safe one is analysed all the same. Raises TimingFault where pulses race at any period,
    where the clock does not reach a clock pin or reaches a data pin.
    """
    return _Analysis(netlist, library).result(period or library.period)


class _Analysis:
    def __init__(self, netlist: Netlist, library: Library) -> None:
        self.netlist, self.library = netlist, library
        self.rows = netlist.rows()
        self.figures = [library.cells[row.cell.name] for row in self.rows]
        self.arrivals = self._trace()
        self.clock = [self._clock_at(k) if row.cell.clocked else -1 for k, row in enumerate(self.rows)]
        self.needs: list[tuple[int, str]] = []
        self.holds: list[int] = []
        self.setups: list[int] = []
        self.opens: list[int] = []
        self.closes: list[int] = []
        self.input_separation = 0
        for k, row in enumerate(self.rows):
            self._check_cell(k, row)

    def _trace(self) -> dict[int, Arrival]:
        found = {net: Arrival(-2 - k, 0) for k, (_, net) in enumerate(self.netlist.inputs)}
        found[self.netlist.clock] = Arrival(CLOCK, 0)
        for k in ordered_rows(self.netlist):
            row, figures = self.rows[k], self.figures[k]
            if row.cell.clocked:
                found[row.outputs[0]] = Arrival(k, figures.delay)
                continue
            origin, delay, separation = found[row.inputs[0]]
            out = Arrival(origin, delay + figures.delay, max(separation, figures.separation))
            found.update(dict.fromkeys(row.outputs, out))
        return found

    def _clock_at(self, cell: int) -> int:
        arrival = self.arrivals[self.rows[cell].inputs[-1]]
        if arrival.origin != CLOCK:
            raise TimingFault(f"the clock pin of {self._name(cell)} is not driven by the clock tree", cell)
        return arrival.delay

    def _name(self, cell: int) -> str:
        return f"u{cell} ({self.rows[cell].cell.name})"

    def _check_cell(self, k: int, row: CellRow) -> None:
        figures = self.figures[k]
        self.needs.append((figures.separation, f"two pulses at {self._name(k)}"))
        if not row.cell.clocked:
            return
        own = self.clock[k]
        for net, pin in zip(data_nets(row), row.cell.data_inputs, strict=True):
            arrival = self.arrivals[net]
            if arrival.origin == CLOCK:
                raise TimingFault(f"pin {pin} of {self._name(k)} takes the clock as data", k)
            if arrival.from_input:
                self.opens.append(own + figures.hold - arrival.delay)
                self.closes.append(own - figures.setup - arrival.delay)
                self.input_separation = max(self.input_separation, figures.separation, arrival.separation)
                continue
            reached = self.clock[arrival.origin] + arrival.delay
            path = f"{self._name(arrival.origin)} to {self._name(k)}"
            self.holds.append(reached - own - figures.hold)
            self.setups.append(own - figures.setup - reached)
            self.needs.append((-self.setups[-1], path))
            if self.holds[-1] < 0:
                raise TimingFault(
                    f"a pulse from {path} comes {-self.holds[-1] / PICO:g} ps too early for its hold time, "
                    "at any clock period",
                    k,
                )

    def result(self, period: int | None) -> Timing:
        opens, closes = max(self.opens, default=0), min(self.closes, default=0)
        needs = list(self.needs)
        if self.opens:
            window = self.library.window
            needs.append((self.input_separation + window, "two pulses of one input, with the input window"))
            needs.append((opens - closes + window, "the input window"))
        shortest, critical = max(needs, default=(PICO, "nothing"), key=lambda need: need[0])
        if period is None:
            period = math.ceil(shortest * (1 + self.library.margin) / PICO) * PICO
        last = min(closes + period, opens + period - self.input_separation)
        return Timing(
            period,
            shortest,
            critical,
            min(self.setups) + period if self.setups else None,
            min(self.holds, default=None),
            (opens, last),
            tuple(self.clock),
            tuple(self._output(net) for _, net in self.netlist.outputs),
        )

    def _output(self, net: int) -> int:
        arrival = self.arrivals[net]
        if arrival.origin < 0:
            raise TimingFault("an output is not driven by a clocked cell")
        return self.clock[arrival.origin] + arrival.delay
