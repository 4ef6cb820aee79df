"""Meaning of netlists: Boolean functions, and pulses clock period by clock period."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import ops
from ..cells import CELLS
from ..netlist import Netlist
from .walk import Environment, meaning


@meaning(ops.Logic)
def _logic(op: ops.Logic, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    bits = args[0].cpu().numpy()
    return (torch.from_numpy(evaluate_netlist(env.module.netlists[op.netlist], bits)).to(env.device),)


class Bank(NamedTuple):
    """Cells of one kind that can be evaluated together: net numbers by pin, (pins, cells)."""

    opcode: int
    inputs: np.ndarray
    outputs: np.ndarray


def evaluate_netlist(netlist: Netlist, bits: np.ndarray) -> np.ndarray:
    """The netlist as a Boolean function: bits (..., inputs) -> (..., outputs).

    A pulse cell is the function of "a pulse came", whatever its latency. Raises ValueError where the logic has a cycle.
    """
    flat = bits.reshape(math.prod(bits.shape[:-1]), len(netlist.inputs)).T
    nets = np.zeros((netlist.num_nets, flat.shape[1]), bool)
    nets[[net for _, net in netlist.inputs]] = flat
    for bank in banks(netlist, netlist.levels()):
        cell = CELLS[bank.opcode]
        pins = [nets[pin] for pin in bank.inputs[: len(cell.data_inputs)]]
        for pin, value in zip(bank.outputs, cell.function(*pins), strict=True):
            nets[pin] = value
    return nets[[net for _, net in netlist.outputs]].T.reshape(*bits.shape[:-1], len(netlist.outputs))


def pulses(netlist: Netlist, stimulus: np.ndarray, periods: int | None = None) -> np.ndarray:
    """Pulses period by period: stimulus (T, ..., inputs) -> (T + latency, ..., outputs).

    In a period the clock comes first: every clocked cell gives the function of the pulses that it took since the
    clock before, then takes the new ones; cells without a clock pass pulses on within the period. Before the first
    period nothing came, so an inverting cell pulses in it. periods: how many periods to run, by default as many as the
    last stimulus needs to come out. Raises ValueError where cells without a clock form a cycle.
    """
    held_levels = netlist.levels(through_clocked=False)
    order = banks(netlist, held_levels)
    batch = stimulus.shape[1:-1]
    if periods is None:
        periods = len(stimulus) + latency(netlist)
    flat = stimulus.reshape(len(stimulus), math.prod(batch), len(netlist.inputs)).astype(bool)
    nets = np.zeros((netlist.num_nets, flat.shape[1]), bool)
    held = [[np.zeros((b.inputs.shape[1], flat.shape[1]), bool) for _ in CELLS[b.opcode].data_inputs] for b in order]
    inputs, outputs = [net for _, net in netlist.inputs], [net for _, net in netlist.outputs]
    out = np.zeros((periods, flat.shape[1], len(outputs)), bool)
    for t in range(periods):
        nets[inputs] = flat[t].T if t < len(flat) else False
        if netlist.clock >= 0:
            nets[netlist.clock] = True
        for bank, taken in zip(order, held, strict=True):
            _emit(bank, taken, nets)
        for bank, taken in zip(order, held, strict=True):
            if CELLS[bank.opcode].clocked:
                for state, pin in zip(taken, bank.inputs, strict=False):
                    state |= nets[pin]
        out[t] = nets[outputs].T
    return out.reshape(periods, *batch, len(outputs))


def _emit(bank: Bank, taken: list[np.ndarray], nets: np.ndarray) -> None:
    """Set the output nets of a bank for this period; a clock pulse empties what clocked cells took."""
    cell = CELLS[bank.opcode]
    if not cell.clocked:
        results = cell.function(*(nets[pin] for pin in bank.inputs))
    else:
        clock = nets[bank.inputs[-1]]
        results = tuple(clock & r for r in cell.function(*taken))
        for state in taken:
            state &= ~clock
    for pin, value in zip(bank.outputs, results, strict=True):
        nets[pin] = value


def latency(netlist: Netlist) -> int:
    """Clock periods from an input to the last output: the most clocked cells on any path. ValueError for a cycle."""
    depth = np.zeros(netlist.num_nets, np.int64)
    for bank in banks(netlist, netlist.levels()):
        cell = CELLS[bank.opcode]
        pins = bank.inputs[: len(cell.data_inputs)]
        if len(pins):
            depth[bank.outputs] = depth[pins].max(axis=0) + cell.clocked
    return int(max((depth[net] for _, net in netlist.outputs), default=0))


def banks(netlist: Netlist, levels: np.ndarray) -> list[Bank]:
    """The cells in an order in which each comes after what it reads, cells of one level and kind together."""
    if (levels < 0).any():
        raise ValueError(f"netlist {netlist.name} has a cycle")
    order = np.lexsort((netlist.opcode, levels))
    keys = list(zip(levels[order].tolist(), netlist.opcode[order].tolist(), strict=True))
    out: list[Bank] = []
    for (_, opcode), group in groupby(range(len(order)), keys.__getitem__):
        cells = order[list(group)]
        cell = CELLS[opcode]
        pins_in = netlist.input_ptr[cells] + np.arange(len(cell.inputs))[:, None]
        pins_out = netlist.output_ptr[cells] + np.arange(len(cell.outputs))[:, None]
        out.append(Bank(opcode, netlist.input_nets[pins_in], netlist.output_nets[pins_out]))
    return out
