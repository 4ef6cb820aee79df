"""Netlists as columns: one row a cell, nets are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .cells import CELL_CODES, CELLS, Cell
from .circuit import join_groups, split_groups
from .diagnostics import UNKNOWN, Location
from .locations import NO_LOCATIONS, LocationTable


class CellRow(NamedTuple):
    """One cell as plain values: pins are net numbers in the order of the cell's pins."""

    opcode: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    location: int = -1

    @property
    def cell(self) -> Cell:
        return CELLS[self.opcode]


@dataclass(frozen=True, eq=False)
class Netlist:
    """Cells on nets `0 .. num_nets-1`. `inputs` and `outputs` are the ports in order: (name, net).

    `clock` is the net of the clock port, or -1 for logic without a clock. Locations take no part in equality.
    """

    name: str
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    num_nets: int
    opcode: np.ndarray
    input_ptr: np.ndarray
    input_nets: np.ndarray
    output_ptr: np.ndarray
    output_nets: np.ndarray
    location: np.ndarray
    locations: LocationTable = field(default=NO_LOCATIONS)
    clock: int = -1
    place: Location = UNKNOWN

    def __len__(self) -> int:
        return len(self.opcode)

    @classmethod
    def of(
        cls,
        name: str,
        inputs: Sequence[tuple[str, int]],
        outputs: Sequence[tuple[str, int]],
        rows: Sequence[CellRow],
        *,
        num_nets: int | None = None,
        clock: int = -1,
        locations: LocationTable = NO_LOCATIONS,
        place: Location = UNKNOWN,
    ) -> Netlist:
        """The netlist with these cells."""
        input_nets, input_ptr = join_groups([r.inputs for r in rows])
        output_nets, output_ptr = join_groups([r.outputs for r in rows])
        nets = [clock, *(net for _, net in (*inputs, *outputs)), *input_nets.tolist(), *output_nets.tolist()]
        return cls(
            name,
            tuple(inputs),
            tuple(outputs),
            1 + max(nets) if num_nets is None else num_nets,
            np.array([r.opcode for r in rows], np.uint8),
            input_ptr,
            input_nets,
            output_ptr,
            output_nets,
            np.array([r.location for r in rows], np.int32),
            locations,
            clock,
            place,
        )

    def rows(self) -> list[CellRow]:
        """All cells as plain tuples."""
        return list(
            map(
                CellRow,
                self.opcode.tolist(),
                split_groups(self.input_ptr, self.input_nets),
                split_groups(self.output_ptr, self.output_nets),
                self.location.tolist(),
            )
        )

    def place_of(self, index: int) -> Location:
        """The source location of cell `index`, or the netlist's own."""
        return self.locations[int(self.location[index])] or self.place

    def levels(self, through_clocked: bool = True) -> np.ndarray:
        """For every cell the number of cells before it on the longest path, -1 where it waits for a cycle; (cells,).

        through_clocked: False lets a clocked cell wait for its clock pin only, as within one clock period.
        """
        reader = np.repeat(np.arange(len(self)), np.diff(self.input_ptr))
        driver = np.full(self.num_nets, -1)
        driver[self.output_nets] = np.repeat(np.arange(len(self)), np.diff(self.output_ptr))
        source = driver[self.input_nets]
        counted = source >= 0
        if not through_clocked:
            is_clock = np.arange(len(reader)) == self.input_ptr[1:][reader] - 1
            counted &= is_clock | ~np.array([cell.clocked for cell in CELLS])[self.opcode[reader]]
        reader, source = reader[counted], source[counted]
        order = np.argsort(source, kind="stable")
        starts = np.searchsorted(source[order], np.arange(len(self) + 1)).tolist()
        sinks, waits = reader[order].tolist(), np.bincount(reader, minlength=len(self)).tolist()
        levels = [0 if not count else -1 for count in waits]
        ready = [k for k, count in enumerate(waits) if not count]
        for k in ready:
            for sink in sinks[starts[k] : starts[k + 1]]:
                waits[sink] -= 1
                if not waits[sink]:
                    # Cells become ready by rising level, so the last source is the deepest.
                    levels[sink] = levels[k] + 1
                    ready.append(sink)
        return np.array(levels, np.int64)

    def cell_counts(self) -> dict[str, int]:
        """Number of cells of every kind, by falling count."""
        counts = np.bincount(self.opcode, minlength=len(CELLS))
        pairs = [(CELLS[code].name, int(n)) for code, n in enumerate(counts) if n]
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def canonical(self) -> tuple:
        """Everything that equality compares: nets renumbered by first use, so names of nets do not matter."""
        number: dict[int, int] = {}

        def renumber(nets: Iterable[int]) -> tuple[int, ...]:
            return tuple(number.setdefault(n, len(number)) for n in nets)

        ports = renumber(net for _, net in self.inputs)
        clock = renumber([self.clock]) if self.clock >= 0 else ()
        rows = tuple((r.opcode, renumber(r.inputs), renumber(r.outputs)) for r in self.rows())
        outputs = renumber(net for _, net in self.outputs)
        names = tuple(n for n, _ in self.inputs), tuple(n for n, _ in self.outputs)
        return (self.name, names, ports, clock, rows, outputs)

    def __eq__(self, other: object) -> bool:
        return self.canonical() == other.canonical() if isinstance(other, Netlist) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, len(self)))


class NetlistEditor:
    """Collects cells one by one; `net()` makes a new net."""

    def __init__(self, name: str, inputs: Iterable[str], place: Location = UNKNOWN, *, clock: bool = False) -> None:
        self.name = name
        self.place = place
        self.num_nets = 0
        self.inputs = tuple((port, self.net()) for port in inputs)
        self.clock = self.net() if clock else -1
        self.rows: list[CellRow] = []
        self._locations: dict[Location, int] = {}

    def net(self) -> int:
        """A new net."""
        self.num_nets += 1
        return self.num_nets - 1

    def add(self, cell: str, inputs: Sequence[int], *, location: Location = UNKNOWN) -> tuple[int, ...]:
        """Append a cell on the nets `inputs` (clock included) and return its output nets, all new."""
        code = CELL_CODES[cell]
        outputs = tuple(self.net() for _ in CELLS[code].outputs)
        at = self._locations.setdefault(location, len(self._locations)) if location else -1
        self.rows.append(CellRow(code, tuple(inputs), outputs, at))
        return outputs

    def netlist(self, outputs: Sequence[tuple[str, int]]) -> Netlist:
        """The finished netlist."""
        return Netlist.of(
            self.name,
            self.inputs,
            outputs,
            self.rows,
            num_nets=self.num_nets,
            clock=self.clock,
            locations=LocationTable.of(self._locations),
            place=self.place,
        )
