"""The cell table: what every logic gate and every pulse-logic cell does.

Lower-case rows are logic functions without a technology. Upper-case rows are SFQ cells: their meaning on pulses is the
same Boolean function of "a pulse came in this clock period"; what they cost is data of the target's cell library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[..., tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Cell:
    """One cell kind.

    inputs, outputs: pin names in order; a clocked cell has its clock pin last among the inputs, named `clk`.
    function: Boolean arrays of the data inputs -> Boolean arrays of the outputs.
    clocked: whether the output comes one clock period after the inputs.
    logic: whether the cell belongs to technology-independent logic.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Function
    clocked: bool = False
    logic: bool = False

    @property
    def data_inputs(self) -> tuple[str, ...]:
        return self.inputs[:-1] if self.clocked else self.inputs


def _logic(name: str, inputs: int, function: Callable[..., np.ndarray]) -> Cell:
    return Cell(name, ("a", "b")[:inputs], ("q",), lambda *x: (function(*x),), logic=True)


def _clocked(name: str, inputs: int, function: Callable[..., np.ndarray]) -> Cell:
    return Cell(name, (*("a", "b")[:inputs], "clk"), ("q",), lambda *x: (function(*x),), clocked=True)


def _wire(name: str, outputs: tuple[str, ...] = ("q",)) -> Cell:
    return Cell(name, ("a",), outputs, lambda a: (a,) * len(outputs))


CELLS: tuple[Cell, ...] = (
    _logic("buf", 1, lambda a: a),
    _logic("not", 1, lambda a: ~a),
    _logic("and", 2, lambda a, b: a & b),
    _logic("or", 2, lambda a, b: a | b),
    _logic("xor", 2, lambda a, b: a ^ b),
    _logic("nand", 2, lambda a, b: ~(a & b)),
    _logic("nor", 2, lambda a, b: ~(a | b)),
    _logic("xnor", 2, lambda a, b: ~(a ^ b)),
    Cell("zero", (), ("q",), lambda: (np.zeros((), bool),), logic=True),
    Cell("one", (), ("q",), lambda: (np.ones((), bool),), logic=True),
    _clocked("AND2", 2, lambda a, b: a & b),
    _clocked("OR2", 2, lambda a, b: a | b),
    _clocked("XOR2", 2, lambda a, b: a ^ b),
    _clocked("XNOR2", 2, lambda a, b: ~(a ^ b)),
    _clocked("NOT", 1, lambda a: ~a),
    _clocked("DFF", 1, lambda a: a),
    _wire("JTL"),
    _wire("SPLIT", ("q0", "q1")),
    Cell("MERGE", ("a", "b"), ("q",), lambda a, b: (a | b,)),
    _wire("DCSFQ"),
    _wire("SFQDC"),
)

CELL_CODES: dict[str, int] = {cell.name: code for code, cell in enumerate(CELLS)}
"""Cell name -> opcode, the value in a netlist's `opcode` column."""
