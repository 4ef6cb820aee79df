"""Netlists: Boolean meaning against plain evaluation and Icarus Verilog; pulses period by period."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import numpy as np
import pytest
import torch
from qsc.ir import Netlist, NetlistEditor, ops
from qsc.ir.cells import CELL_CODES, CELLS
from qsc.ir.interpreter import evaluate_netlist, latency, pulses
from qsc.ir.netlist import CellRow

FUNCTIONS = {
    "buf": lambda a: a,
    "not": lambda a: not a,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
    "xnor": lambda a, b: a == b,
    "zero": lambda: False,
    "one": lambda: True,
}
SFQ = {"AND2": "and", "OR2": "or", "XOR2": "xor", "XNOR2": "xnor", "NOT": "not", "DFF": "buf", "JTL": "buf"}
SFQ |= {"SPLIT": "buf", "MERGE": "or", "DCSFQ": "buf", "SFQDC": "buf"}


def random_netlist(seed: int, cells: int = 30, inputs: int = 4, shuffled: bool = True) -> Netlist:
    rng = np.random.default_rng(seed)
    editor = NetlistEditor("random", [f"i{k}" for k in range(inputs)])
    nets = [net for _, net in editor.inputs]
    for _ in range(cells):
        name = str(rng.choice(list(FUNCTIONS)))
        nets += editor.add(name, rng.choice(nets, len(CELLS[CELL_CODES[name]].inputs)).tolist())
    outputs = [(f"o{k}", int(net)) for k, net in enumerate([*rng.choice(nets, 3), nets[-1]])]
    netlist = editor.netlist(outputs)
    rows = netlist.rows()
    order = rng.permutation(len(rows)) if shuffled else range(len(rows))
    return Netlist.of("random", netlist.inputs, outputs, [rows[k] for k in order], num_nets=netlist.num_nets)


def all_bits(count: int) -> np.ndarray:
    return np.array(list(itertools.product([False, True], repeat=count))).reshape(-1, count)


def one_by_one(netlist: Netlist, bits: np.ndarray) -> list[bool]:
    """The outputs for one input, by looking up drivers."""
    known = {net: bool(b) for (_, net), b in zip(netlist.inputs, bits, strict=True)}
    driver = {net: row for row in netlist.rows() for net in row.outputs}

    def value(net: int) -> bool:
        if net not in known:
            row = driver[net]
            name = SFQ.get(row.cell.name, row.cell.name)
            pins = row.inputs[: len(row.cell.data_inputs)]
            result = bool(FUNCTIONS[name](*map(value, pins)))
            known.update(dict.fromkeys(row.outputs, result))
        return known[net]

    return [value(net) for _, net in netlist.outputs]


@pytest.mark.parametrize("seed", range(8))
def test_logic_in_any_order_of_cells(seed, apply):
    netlist = random_netlist(seed)
    bits = all_bits(4)
    wanted = np.array([one_by_one(netlist, row) for row in bits])
    np.testing.assert_array_equal(evaluate_netlist(netlist, bits), wanted)
    (result,) = apply(ops.Logic("n"), torch.from_numpy(bits), netlists={"n": netlist})
    np.testing.assert_array_equal(result, wanted)
    np.testing.assert_array_equal(evaluate_netlist(netlist, bits.reshape(4, 4, 4)), wanted.reshape(4, 4, -1))
    assert evaluate_netlist(netlist, bits[:0]).shape == (0, 4)
    np.testing.assert_array_equal(evaluate_netlist(netlist, bits[3]), wanted[3])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")
@pytest.mark.parametrize("seed", range(2))
def test_icarus_agrees(seed, tmp_path):
    netlist = random_netlist(seed, 60)
    primitives = {"zero": "assign n{0} = 1'b0;", "one": "assign n{0} = 1'b1;"}
    lines = [
        primitives.get(r.cell.name, r.cell.name + "({0});").format(", ".join(f"n{n}" for n in r.outputs + r.inputs))
        if r.inputs
        else primitives[r.cell.name].format(*r.outputs)
        for r in netlist.rows()
    ]
    nets = ", ".join(f"n{k}" for k in range(netlist.num_nets) if k >= 4)
    ports = ", ".join(f"n{net}" for _, net in reversed(netlist.outputs))
    text = f"""module t; reg n0, n1, n2, n3; wire {nets}; integer k;
    {" ".join(line.replace("(", " (", 1) for line in lines)}
    initial for (k = 0; k < 16; k = k + 1) begin {{n0, n1, n2, n3}} = k; #1 $display("%b", {{{ports}}}); end
    endmodule"""
    (tmp_path / "t.v").write_text(text)
    subprocess.run(["iverilog", "-o", tmp_path / "t", tmp_path / "t.v"], check=True)
    shown = subprocess.run([tmp_path / "t"], check=True, capture_output=True, text=True).stdout.split()
    theirs = np.array([[c == "1" for c in reversed(line)] for line in shown])
    np.testing.assert_array_equal(evaluate_netlist(netlist, all_bits(4)), theirs)


def test_a_cycle_has_no_meaning():
    rows = [CellRow(CELL_CODES["and"], (0, 2), (1,)), CellRow(CELL_CODES["not"], (1,), (2,))]
    loop = Netlist.of("loop", [("a", 0)], [("q", 1)], rows)
    for call in (lambda: evaluate_netlist(loop, all_bits(1)), lambda: pulses(loop, all_bits(1)), lambda: latency(loop)):
        with pytest.raises(ValueError, match="loop has a cycle"):
            call()


def test_ports_may_be_wired_through():
    netlist = Netlist.of("wires", [("a", 0), ("b", 1)], [("x", 1), ("y", 0), ("z", 1)], [])
    np.testing.assert_array_equal(evaluate_netlist(netlist, all_bits(2)), all_bits(2)[:, [1, 0, 1]])


def test_logic_without_inputs():
    editor = NetlistEditor("constant", [])
    netlist = editor.netlist([("q", editor.add("one", [])[0])])
    assert evaluate_netlist(netlist, np.zeros((3, 0), bool)).tolist() == [[True]] * 3


# Pulses


class Pulsed:
    """A netlist of pulse cells under construction, each clock pin with a branch of the clock of its own."""

    def __init__(self, inputs: list[str]) -> None:
        self.editor = NetlistEditor("sfq", inputs, clock=True)
        self.nets = [net for _, net in self.editor.inputs]

    def clocked(self, name: str, *nets: int) -> int:
        return self.editor.add(name, [*nets, self.editor.clock])[0]

    def add(self, name: str, *nets: int) -> tuple[int, ...]:
        return self.editor.add(name, nets)


def xor_of_gates(balanced: bool = True) -> Netlist:
    """a xor b as (a or b) and not (a and b): two stages, three where balanced is off on one side."""
    p = Pulsed(["a", "b"])
    (a0, a1), (b0, b1) = p.add("SPLIT", p.nets[0]), p.add("SPLIT", p.nets[1])
    either, both = p.clocked("OR2", a0, b0), p.clocked("AND2", a1, b1)
    not_both = p.clocked("NOT", both)
    if balanced:
        either = p.clocked("DFF", either)
    return p.editor.netlist([("q", p.clocked("AND2", either, not_both))])


def test_pulse_cells_are_boolean_functions():
    netlist = xor_of_gates()
    assert evaluate_netlist(netlist, all_bits(2))[:, 0].tolist() == [False, True, True, False]
    for cell in CELLS:
        if not cell.logic:
            editor = NetlistEditor("one", cell.data_inputs, clock=True)
            pins = [net for _, net in editor.inputs] + [editor.clock] * cell.clocked
            outputs = [(f"q{k}", net) for k, net in enumerate(editor.add(cell.name, pins))]
            bits = all_bits(len(cell.data_inputs))
            wanted = [one_by_one(editor.netlist(outputs), row) for row in bits]
            assert evaluate_netlist(editor.netlist(outputs), bits).tolist() == wanted


def test_a_balanced_pipeline_takes_a_new_input_every_period():
    netlist = xor_of_gates()
    assert latency(netlist) == 3
    rng = np.random.default_rng(0)
    stimulus = rng.random((50, 2)) < 0.5
    out = pulses(netlist, stimulus)
    assert out.shape == (53, 1)
    np.testing.assert_array_equal(out[3:, 0], stimulus[:, 0] ^ stimulus[:, 1])


def test_an_unbalanced_pipeline_mixes_inputs():
    netlist = xor_of_gates(balanced=False)
    stimulus = np.random.default_rng(0).random((50, 2)) < 0.5
    out = pulses(netlist, stimulus)[latency(netlist) :, 0]
    assert (out != stimulus[:, 0] ^ stimulus[:, 1]).any()
    held = np.repeat(stimulus[:10], 5, axis=0)
    out = pulses(netlist, held)[latency(netlist) :, 0]
    np.testing.assert_array_equal(out[2::5], stimulus[:10, 0] ^ stimulus[:10, 1])


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_a_chain_of_flip_flops_delays(depth):
    p = Pulsed(["a"])
    net = p.nets[0]
    for _ in range(depth):
        net = p.clocked("DFF", net)
    netlist = p.editor.netlist([("q", net)])
    stimulus = np.random.default_rng(1).random((20, 5, 1)) < 0.5
    out = pulses(netlist, stimulus)
    assert latency(netlist) == depth
    assert out.shape == (20 + depth, 5, 1)
    np.testing.assert_array_equal(out[depth:], stimulus)
    assert not out[:depth].any()
    assert pulses(netlist, stimulus, periods=4).shape == (4, 5, 1)


def test_an_inverting_cell_pulses_when_nothing_came():
    p = Pulsed(["a"])
    netlist = p.editor.netlist([("q", p.clocked("NOT", p.nets[0]))])
    out = pulses(netlist, np.array([[True], [False], [True]]))
    assert out[:, 0].tolist() == [True, False, True, False]


def test_feedback_through_a_flip_flop_toggles():
    """q(t+1) = q(t) xor a(t): a divider by two."""
    editor = NetlistEditor("toggle", ["a"], clock=True)
    back = editor.net()
    (state,) = editor.add("XOR2", [0, back, editor.clock])
    q, again = editor.add("SPLIT", [state])
    rows = [*editor.rows, CellRow(CELL_CODES["JTL"], (again,), (back,))]
    netlist = Netlist.of("toggle", editor.inputs, [("q", q)], rows, clock=editor.clock)
    stimulus = np.random.default_rng(2).random((30, 1)) < 0.5
    out = pulses(netlist, stimulus, periods=31)
    np.testing.assert_array_equal(out[1:, 0], np.cumsum(stimulus[:, 0]) % 2 == 1)
    with pytest.raises(ValueError, match="cycle"):
        pulses(netlist, stimulus)


def test_a_cell_without_a_clock_pulse_keeps_what_it_took():
    """The clock pin on a data input: the cell gives what it collected since the last clock pulse."""
    editor = NetlistEditor("gated", ["a", "go"])
    (q,) = editor.add("DFF", [0, 1])
    netlist = editor.netlist([("q", q)])
    stimulus = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [1, 1], [0, 1]], bool)
    assert pulses(netlist, stimulus)[:6, 0].tolist() == [False, False, True, False, False, True]


def test_a_clock_tree_reaches_every_cell():
    editor = NetlistEditor("tree", ["a"], clock=True)
    left, right = editor.add("SPLIT", [editor.clock])
    (first,) = editor.add("DFF", [0, left])
    (second,) = editor.add("DFF", [first, right])
    out = pulses(editor.netlist([("q", second)]), np.array([[True], [False], [True]]))
    assert out[:, 0].tolist() == [False, False, True, False, True]
