"""Smaller Boolean logic with the same meaning."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from ...ir import Location, Module, Netlist, NetlistEditor
from ...ir.cells import CELLS
from ...ir.diagnostics import UNKNOWN, join_locations
from ...ir.stages import ordered_rows
from .base import Context, Contract, Pass

ZERO, ONE = -1, -2
"""Node numbers of the constants."""

INVERTED = {"nand": "and", "nor": "or", "xnor": "xor"}
"""Cells that are the complement of another one."""

COMPLEMENT = {cell: inverse for inverse, cell in INVERTED.items()} | INVERTED
DUAL = {"and": "nor", "or": "nand"}
"""De Morgan: `and` of two complements is `nor` of what they complement."""

ROUNDS = 8
"""Rewrites that only the smaller logic allows are found in the next round; more rounds than this find nothing."""


@dataclass(frozen=True)
class SimplifyLogic(Pass):
    """Fold constants, drop buffers, double inversions and dead cells, share equal cells, join inverters with cells.

    Works on netlists of technology-independent logic; netlists with SFQ cells are left as they are. Ports stay.
    """

    name: ClassVar[str] = "simplify-logic"
    contract: ClassVar[Contract] = Contract.VALUES

    def run(self, module: Module, context: Context) -> Module:
        netlists = dict(module.netlists)
        for name, before in module.netlists.items():
            if not is_logic(before):
                continue
            after = simplified(before)
            saved = len(before) - len(after)
            if saved:
                message = f"{name}: {len(before)} logic cells became {len(after)}"
                context.remark(self, message, before.place, cells=saved)
            netlists[name] = after
        return module.with_(netlists=netlists)


def is_logic(netlist: Netlist) -> bool:
    """Whether every cell is technology-independent logic."""
    return all(CELLS[code].logic for code in set(netlist.opcode.tolist()))


def simplified(netlist: Netlist) -> Netlist:
    """The netlist with fewer cells and the same Boolean function of every output."""
    for _ in range(ROUNDS):
        smaller = _Hashed(netlist).netlist()
        if smaller == netlist:
            return netlist
        netlist = smaller
    return netlist


class _Hashed:
    """Logic as a table of distinct nodes: inputs, `not`, `and`, `or`, `xor`; equal nodes have one number."""

    def __init__(self, source: Netlist) -> None:
        self.source = source
        self.nodes: list[tuple[str, tuple[int, ...]]] = []
        self.places: list[Location] = []
        self._number: dict[tuple[str, tuple[int, ...]], int] = {}
        self._place = UNKNOWN
        node_of = {net: self._node("input", (k,)) for k, (_, net) in enumerate(source.inputs)}
        rows = source.rows()
        for k in ordered_rows(source):
            row = rows[k]
            self._place = source.place_of(k)
            node_of[row.outputs[0]] = self.make(row.cell.name, *(node_of[n] for n in row.inputs))
        self.outputs = [(port, node_of[net]) for port, net in source.outputs]

    def make(self, cell: str, *operands: int) -> int:
        """The node for a cell of these nodes."""
        if cell in ("zero", "one"):
            return ZERO if cell == "zero" else ONE
        if cell == "buf":
            return operands[0]
        if cell == "not":
            return self._complement(operands[0])
        if cell in INVERTED:
            return self._complement(self.make(INVERTED[cell], *operands))
        return self._xor(*operands) if cell == "xor" else self._and_or(cell, *operands)

    def _node(self, kind: str, operands: tuple[int, ...]) -> int:
        key = (kind, operands)
        if key not in self._number:
            self._number[key] = len(self.nodes)
            self.nodes.append(key)
            self.places.append(self._place)
        return self._number[key]

    def _complement(self, a: int) -> int:
        if a < 0:
            return ONE if a == ZERO else ZERO
        kind, operands = self.nodes[a]
        return operands[0] if kind == "not" else self._node("not", (a,))

    def _without_not(self, a: int) -> tuple[int, bool]:
        """The node below an inverter, and whether there was one."""
        if a < 0:
            return ZERO, a == ONE
        kind, operands = self.nodes[a]
        return (operands[0], True) if kind == "not" else (a, False)

    def _xor(self, a: int, b: int) -> int:
        (a, a_inverted), (b, b_inverted) = self._without_not(a), self._without_not(b)
        if a == b:
            out = ZERO
        elif ZERO in (a, b):
            out = max(a, b)
        else:
            out = self._node("xor", (min(a, b), max(a, b)))
        return self._complement(out) if a_inverted != b_inverted else out

    def _and_or(self, cell: str, a: int, b: int) -> int:
        ruling, neutral = (ZERO, ONE) if cell == "and" else (ONE, ZERO)
        if ruling in (a, b):
            return ruling
        if neutral in (a, b):
            return b if a == neutral else a
        if a == b:
            return a
        if self._without_not(a)[0] == self._without_not(b)[0]:
            return ruling
        return self._node(cell, (min(a, b), max(a, b)))

    # Back to a netlist

    def netlist(self) -> Netlist:
        """The live nodes as a netlist; an inverter of a cell that only it reads is joined with the cell."""
        uses, live = self._uses()
        editor = NetlistEditor(self.source.name, [port for port, _ in self.source.inputs], self.source.place)
        net = {k: n for k, (_, n) in enumerate(editor.inputs)}
        joined = {self.nodes[k][1][0] for k in live if self._joins(k, uses)}
        for k in sorted(live - joined - net.keys()):
            if k < 0:
                net[k] = editor.add("zero" if k == ZERO else "one", ())[0]
                continue
            cell, operands = self._cell(k, uses, joined)
            place = join_locations(self.places[o] for o in (*self._below(k, joined), k))
            net[k] = editor.add(cell, [net[o] for o in operands], location=place)[0]
        return editor.netlist([(port, net[node]) for port, node in self.outputs])

    def _uses(self) -> tuple[Counter[int], set[int]]:
        uses: Counter[int] = Counter(node for _, node in self.outputs)
        live = set(uses)
        for k in range(len(self.nodes) - 1, -1, -1):
            kind, operands = self.nodes[k]
            if k in live and kind != "input":
                uses.update(operands)
                live.update(operands)
        return uses, live

    def _joins(self, k: int, uses: Counter[int]) -> bool:
        """Whether node k is an inverter that becomes one cell with the node below it."""
        if k < 0 or self.nodes[k][0] != "not":
            return False
        below = self.nodes[k][1][0]
        return self.nodes[below][0] in COMPLEMENT and uses[below] == 1

    def _cell(self, k: int, uses: Counter[int], joined: set[int]) -> tuple[str, tuple[int, ...]]:
        """Cell and operands for node k."""
        below = self._below(k, joined)
        kind, operands = self.nodes[below[0] if below else k]
        if kind in DUAL and all(self._is_own_inverter(o, uses, joined) for o in operands):
            kind, operands = DUAL[kind], tuple(self.nodes[o][1][0] for o in operands)
        return COMPLEMENT[kind] if below else kind, operands

    def _below(self, k: int, joined: set[int]) -> tuple[int, ...]:
        """The node that inverter k is joined with, if any."""
        kind, operands = self.nodes[k]
        return operands if kind == "not" and operands[0] in joined else ()

    def _is_own_inverter(self, k: int, uses: Counter[int], joined: set[int]) -> bool:
        return self.nodes[k][0] == "not" and uses[k] == 1 and self.nodes[k][1][0] not in joined
