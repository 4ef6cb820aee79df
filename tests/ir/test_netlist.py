"""Netlists as columns: levels, equality, the editor."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import Location, Netlist, NetlistEditor
from qsc.ir.cells import CELL_CODES, CELLS
from qsc.ir.netlist import CellRow


def make_netlist(seed: int, cells: int = 40) -> Netlist:
    """Random technology-independent logic."""
    rng = np.random.default_rng(seed)
    editor = NetlistEditor("random", ["a", "b", "c"])
    nets = [net for _, net in editor.inputs]
    logic = [cell for cell in CELLS if cell.logic]
    for _ in range(cells):
        cell = logic[int(rng.integers(len(logic)))]
        nets += editor.add(cell.name, rng.choice(nets, len(cell.inputs)).tolist())
    return editor.netlist([(f"q{k}", int(net)) for k, net in enumerate(rng.choice(nets, 4))])


@pytest.fixture(params=range(6))
def netlist(request) -> Netlist:
    return make_netlist(request.param)


def test_rows_and_columns_hold_the_same(netlist):
    again = Netlist.of("random", netlist.inputs, netlist.outputs, netlist.rows(), num_nets=netlist.num_nets)
    assert again == netlist
    assert again.rows() == netlist.rows()
    counts = netlist.cell_counts()
    assert sum(counts.values()) == len(netlist)
    assert counts == {name: [r.cell.name for r in netlist.rows()].count(name) for name in counts}


def test_equality_does_not_see_net_numbers(netlist):
    order = np.random.default_rng(0).permutation(netlist.num_nets)

    def renamed(nets):
        return tuple(int(order[n]) for n in nets)

    rows = [CellRow(r.opcode, renamed(r.inputs), renamed(r.outputs)) for r in netlist.rows()]
    inputs, outputs = ([(name, int(order[net])) for name, net in p] for p in (netlist.inputs, netlist.outputs))
    assert Netlist.of("random", inputs, outputs, rows) == netlist


def test_equality_sees_cells_wires_and_names(netlist):
    rows = netlist.rows()
    for k, row in enumerate(rows):
        other = CELL_CODES["nor" if row.cell.name == "nand" else "nand"]
        if len(row.inputs) == 2:
            changed = [*rows[:k], row._replace(opcode=other), *rows[k + 1 :]]
            assert Netlist.of("random", netlist.inputs, netlist.outputs, changed) != netlist
    swapped = [netlist.outputs[1], netlist.outputs[0], *netlist.outputs[2:]]
    if swapped[0][1] != swapped[1][1]:
        nets = [net for _, net in swapped]
        outputs = [(name, net) for (name, _), net in zip(netlist.outputs, nets, strict=True)]
        assert Netlist.of("random", netlist.inputs, outputs, rows) != netlist
    assert Netlist.of("other", netlist.inputs, netlist.outputs, rows) != netlist


def levels_by_definition(netlist: Netlist) -> list[int]:
    depth: dict[int, int] = {}
    out = []
    for row in netlist.rows():  # rows of the editor come after what they read
        level = max((depth[n] + 1 for n in row.inputs if n in depth), default=0)
        depth.update(dict.fromkeys(row.outputs, level))
        out.append(level)
    return out


def test_levels_are_longest_paths_in_any_order_of_cells(netlist):
    wanted = levels_by_definition(netlist)
    assert netlist.levels().tolist() == wanted
    order = np.random.default_rng(0).permutation(len(netlist))
    rows = netlist.rows()
    mixed = Netlist.of("random", netlist.inputs, netlist.outputs, [rows[k] for k in order])
    assert mixed.levels().tolist() == [wanted[k] for k in order]


def test_levels_around_a_cycle():
    inputs, outputs = [("a", 0)], [("q", 4)]
    codes = CELL_CODES
    rows = [
        CellRow(codes["and"], (0, 3), (1,)),
        CellRow(codes["not"], (0,), (2,)),
        CellRow(codes["or"], (1, 2), (3,)),
        CellRow(codes["buf"], (3,), (4,)),
    ]
    assert Netlist.of("loop", inputs, outputs, rows).levels().tolist() == [-1, 0, -1, -1]


def test_a_clocked_cell_waits_for_its_clock_only():
    editor = NetlistEditor("toggle", ["a"], clock=True)
    back = editor.net()
    (merged,) = editor.add("MERGE", [editor.inputs[0][1], back])
    first, second = editor.add("SPLIT", [merged])
    rows = [*editor.rows, CellRow(CELL_CODES["DFF"], (second, editor.clock), (back,))]
    loop = Netlist.of("loop", editor.inputs, [("q", first)], rows, clock=editor.clock)
    assert loop.levels().tolist() == [-1, -1, -1]
    assert loop.levels(through_clocked=False).tolist() == [1, 2, 0]


def test_the_editor_gives_new_nets_and_keeps_places():
    editor = NetlistEditor("n", ["a", "b"], Location("n.qsc", 1), clock=True)
    assert editor.clock == 2
    (q,) = editor.add("AND2", [0, 1, editor.clock], location=Location("n.qsc", 2))
    editor.add("JTL", [q])
    netlist = editor.netlist([("q", q + 1)])
    assert (netlist.num_nets, netlist.clock, netlist.inputs) == (5, 2, (("a", 0), ("b", 1)))
    assert [str(netlist.place_of(k)) for k in range(2)] == ["n.qsc:2", "n.qsc:1"]
    with pytest.raises(KeyError):
        editor.add("AND3", [0, 1])


def test_cell_table():
    assert all(CELLS[code].name == name for name, code in CELL_CODES.items())
    for cell in CELLS:
        assert cell.logic == cell.name.islower()
        assert cell.clocked == (cell.inputs[-1:] == ("clk",))
        data = [np.array([False, True])] * len(cell.data_inputs)
        assert len(cell.function(*data)) == len(cell.outputs)
