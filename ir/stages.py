"""Clock stages of a netlist of pulse logic: how many clocked cells a pulse has passed."""

from __future__ import annotations

import numpy as np

from .netlist import CellRow, Netlist

NO_STAGE = -1
"""The stage of clock nets and of nets without a driver."""


def ordered_rows(netlist: Netlist) -> list[int]:
    """Cell numbers in an order in which every cell follows the drivers of its inputs; cells of a cycle are left out."""
    levels = netlist.levels()
    order = np.argsort(levels, kind="stable")
    return order[np.count_nonzero(levels < 0) :].tolist()


def clock_nets(netlist: Netlist) -> set[int]:
    """The nets of the clock tree: the clock port and what splitters and JTLs make of it."""
    if netlist.clock < 0:
        return set()
    rows, found = netlist.rows(), {netlist.clock}
    for k in ordered_rows(netlist):
        row = rows[k]
        if is_wire(row) and found.issuperset(row.inputs):
            found.update(row.outputs)
    return found


def is_wire(row: CellRow) -> bool:
    """Whether the cell only hands on its one input: splitters, JTLs, converters."""
    return not row.cell.clocked and not row.cell.logic and len(row.inputs) == 1


def data_nets(row: CellRow) -> tuple[int, ...]:
    """The nets on the cell's data pins, the clock pin left out."""
    return row.inputs[:-1] if row.cell.clocked else row.inputs


def net_stages(netlist: Netlist) -> list[int]:
    """For every net the largest number of clocked cells between an input port and the net; NO_STAGE for clock nets."""
    clocks, rows = clock_nets(netlist), netlist.rows()
    stage = [NO_STAGE] * netlist.num_nets
    for _, net in netlist.inputs:
        stage[net] = 0
    for k in ordered_rows(netlist):
        row = rows[k]
        reached = max((stage[n] for n in data_nets(row)), default=0) + row.cell.clocked
        for net in row.outputs:
            if net not in clocks:
                stage[net] = reached
    return stage


def stage_faults(netlist: Netlist) -> list[str]:
    """What is not balanced: cells whose inputs come from different stages, outputs that are not aligned, and outputs
    that no clocked cell drives. Empty for a balanced netlist."""
    stage = net_stages(netlist)
    found: list[str] = []
    for k, row in enumerate(netlist.rows()):
        stages = {stage[n] for n in data_nets(row)}
        if len(stages) > 1:
            found.append(f"cell {k} ({row.cell.name}) takes pulses of stages {', '.join(map(str, sorted(stages)))}")
    outputs = {stage[net] for _, net in netlist.outputs}
    if len(outputs) > 1 or 0 in outputs:
        found.append(f"the outputs are at stages {', '.join(map(str, sorted(outputs)))}")
    return found
