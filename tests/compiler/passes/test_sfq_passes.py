"""Logic to RSFQ cells: the meaning after every pass, the rules of a mapped netlist, the fewest balancing DFFs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.compiler.passes.balance_paths import BalancePaths, without_splitters
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.insert_splitters import InsertSplitters
from qsc.compiler.passes.map_rsfq import MapRsfq
from qsc.compiler.passes.simplify_logic import SimplifyLogic
from qsc.compiler.passes.stage_levels import Stages
from qsc.ir import InputError, Location, Module, Netlist, NetlistEditor, TargetError, print_module, verify
from qsc.ir.cells import CELLS
from qsc.ir.interpreter.logic import evaluate_netlist, latency, pulses
from qsc.ir.stages import clock_nets, net_stages, stage_faults
from scipy.optimize import linprog

PASSES = (SimplifyLogic(), MapRsfq(), BalancePaths(), InsertSplitters())
LOGIC = [cell for cell in CELLS if cell.logic]
GATES = [cell for cell in LOGIC if cell.inputs]


@st.composite
def logic(draw, max_inputs=8, max_cells=40, cells=LOGIC):
    """Random logic: cells on earlier nets, outputs anywhere, inputs and constants included."""
    editor = NetlistEditor("net", [f"i{k}" for k in range(draw(st.integers(1, max_inputs)))])
    nets = [net for _, net in editor.inputs]
    for _ in range(draw(st.integers(0, max_cells))):
        cell = draw(st.sampled_from(cells))
        nets += editor.add(cell.name, [draw(st.sampled_from(nets)) for _ in cell.inputs])
    outputs = draw(st.lists(st.sampled_from(nets), min_size=1, max_size=4))
    return editor.netlist([(f"o{k}", net) for k, net in enumerate(outputs)])


def table(width):
    """Every input once: (2**width, width)."""
    return (np.arange(1 << width)[:, None] >> np.arange(width)) & 1 == 1


def run(pass_, netlist, context=None):
    """The netlist after a pass, verified."""
    module = pass_.run(Module("m", netlists={netlist.name: netlist}), context or Context())
    verify(module)
    return module.netlists[netlist.name]


def pipeline(netlist, passes=PASSES):
    for pass_ in passes:
        netlist = run(pass_, netlist)
    return netlist


def build(inputs, make):
    """A netlist from a function of the editor and the input nets that returns the output nets."""
    editor = NetlistEditor("net", inputs, Location("net.qsc", 1))
    nets = make(lambda cell, *nets: editor.add(cell, nets)[0], *(net for _, net in editor.inputs))
    return editor.netlist([(f"y{k}", net) for k, net in enumerate(nets)])


# Meaning


@settings(max_examples=80, deadline=None)
@given(logic())
def test_every_pass_keeps_the_truth_table(netlist):
    rows = table(len(netlist.inputs))
    wanted = evaluate_netlist(netlist, rows)
    for pass_ in PASSES:
        ports = netlist.inputs, [port for port, _ in netlist.outputs]
        netlist = run(pass_, netlist)
        assert ([p for p, _ in netlist.inputs], [p for p, _ in netlist.outputs]) == ([p for p, _ in ports[0]], ports[1])
        assert np.array_equal(evaluate_netlist(netlist, rows), wanted), pass_


@settings(max_examples=40, deadline=None)
@given(logic(), st.randoms(use_true_random=False))
def test_pulses_streamed_back_to_back_give_the_truth_table(netlist, random):
    rows = table(len(netlist.inputs))[: 1 << 6]
    order = random.sample(range(len(rows)), len(rows))
    mapped = pipeline(netlist)
    streamed = pulses(mapped, rows[order])
    assert np.array_equal(streamed[latency(mapped) :], evaluate_netlist(netlist, rows[order]))


@settings(max_examples=60, deadline=None)
@given(logic())
def test_the_result_obeys_the_rules_of_pulse_logic(netlist):
    mapped = pipeline(netlist)
    assert not stage_faults(mapped)
    sinks = np.bincount([*mapped.input_nets.tolist(), *(net for _, net in mapped.outputs)], minlength=mapped.num_nets)
    assert sinks.max() == 1
    clocks, rows = clock_nets(mapped), mapped.rows()
    clocked = sum(row.cell.clocked for row in rows)
    assert sum(row.cell.name == "SPLIT" and row.inputs[0] in clocks for row in rows) == max(0, clocked - 1)
    assert all(row.inputs[-1] in clocks for row in rows if row.cell.clocked)
    assert {row.cell.name for row in rows} <= {"AND2", "OR2", "XOR2", "XNOR2", "NOT", "DFF", "SPLIT"}


@settings(max_examples=30, deadline=None)
@given(logic())
def test_the_pipeline_changes_nothing_the_second_time(netlist):
    once = pipeline(netlist)
    assert pipeline(once) == once
    assert print_module(Module("m", netlists={"net": pipeline(netlist)})) == print_module(
        Module("m", netlists={"net": once})
    )


@settings(max_examples=30, deadline=None)
@given(logic(max_cells=20))
def test_mapping_without_simplification_keeps_the_truth_table(netlist):
    rows = table(len(netlist.inputs))
    assert np.array_equal(evaluate_netlist(pipeline(netlist, PASSES[1:]), rows), evaluate_netlist(netlist, rows))


# simplify-logic


@settings(max_examples=60, deadline=None)
@given(logic())
def test_simplifying_never_adds_cells_and_leaves_no_constant_inside(netlist):
    small = run(SimplifyLogic(), netlist)
    assert len(small) <= len(netlist)
    outputs = {net for _, net in small.outputs}
    for row in small.rows():
        assert row.cell.name != "buf"
        assert row.cell.inputs or set(row.outputs) <= outputs
    assert run(SimplifyLogic(), small) == small


IDENTITIES = {
    "double inversion": (lambda c, a, b: [c("not", c("not", a))], {}),
    "x and not x": (lambda c, a, b: [c("and", a, c("not", a))], {"zero": 1}),
    "x or one": (lambda c, a, b: [c("or", a, c("one"))], {"one": 1}),
    "x xor x": (lambda c, a, b: [c("xor", c("and", a, b), c("and", b, a))], {"zero": 1}),
    "x xor one": (lambda c, a, b: [c("xor", a, c("one"))], {"not": 1}),
    "xnor with zero": (lambda c, a, b: [c("xnor", a, c("zero"))], {"not": 1}),
    "not of xor": (lambda c, a, b: [c("not", c("xor", a, b))], {"xnor": 1}),
    "xor of complements": (lambda c, a, b: [c("xor", c("not", a), c("not", b))], {"xor": 1}),
    "not of nand": (lambda c, a, b: [c("not", c("nand", a, b))], {"and": 1}),
    "and of complements": (lambda c, a, b: [c("and", c("not", a), c("not", b))], {"nor": 1}),
    "nand of complements": (lambda c, a, b: [c("nand", c("not", a), c("not", b))], {"or": 1}),
    "equal cells": (lambda c, a, b: [c("and", a, b), c("and", b, a)], {"and": 1}),
    "not of a shared xor": (lambda c, a, b: [c("xor", a, b), c("xnor", b, a)], {"xor": 1, "not": 1}),
    "dead cell": (lambda c, a, b: [c("xor", a, b) and c("or", a, b)], {"or": 1}),
    "buffers": (lambda c, a, b: [c("buf", c("buf", b))], {}),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities(name):
    make, cells = IDENTITIES[name]
    before = build("ab", make)
    after = run(SimplifyLogic(), before)
    assert after.cell_counts() == cells
    assert np.array_equal(evaluate_netlist(after, table(2)), evaluate_netlist(before, table(2)))


def test_cells_keep_their_places():
    editor = NetlistEditor("net", "ab")
    (a, b) = (net for _, net in editor.inputs)
    (h,) = editor.add("and", [a, b], location=Location("x.qsc", 3, 5))
    (y,) = editor.add("or", [h, a], location=Location("x.qsc", 4, 5))
    mapped = pipeline(editor.netlist([("y", y)]))
    lines = {mapped.rows()[k].cell.name: mapped.place_of(k).line for k in range(len(mapped))}
    assert (lines["AND2"], lines["OR2"]) == (3, 4)


# map-rsfq


def test_nand_and_nor_take_an_inverter():
    netlist = build("ab", lambda c, a, b: [c("nand", a, b), c("nor", a, b)])
    assert run(MapRsfq(), netlist).cell_counts() == {"NOT": 2, "AND2": 1, "OR2": 1}


def test_constants_are_made_from_the_first_input():
    netlist = build("ab", lambda c, a, b: [c("zero"), c("one")])
    mapped = pipeline(netlist)
    assert mapped.cell_counts() == {"SPLIT": 4, "XNOR2": 1, "XOR2": 1}
    assert evaluate_netlist(mapped, table(2)).tolist() == [[False, True]] * 4


def test_logic_without_inputs_is_refused_with_its_place():
    netlist = build("", lambda c: [c("one")])
    with pytest.raises(TargetError) as caught:
        run(MapRsfq(), netlist)
    (fault,) = caught.value.diagnostics
    assert (fault.code, str(fault.location)) == ("T0003", "net.qsc:1")


def test_an_output_that_is_an_input_gets_one_dff():
    mapped = pipeline(build("a", lambda c, a: [a]))
    assert mapped.cell_counts() == {"DFF": 1}


# balance-paths


def fewest_dffs(problem: Stages) -> float:
    """The number of DFFs by linear programming: the optimum is whole, so rounding is safe."""
    cells, nets = problem.count, len(problem.drivers)
    depth = problem.depth(problem.earliest())
    cost, rows, bounds = np.zeros(cells + nets), [], []
    constant = 0

    def at_most(entries: dict[int, int], limit: int) -> None:
        row = np.zeros(cells + nets)
        for k, value in entries.items():
            row[k] += value
        rows.append(row)
        bounds.append(limit)

    for net, driver in enumerate(problem.drivers):
        if not problem.sinks[net] and not problem.at_output[net]:
            continue
        last = cells + net
        cost[last] += 1
        constant -= 1
        if driver >= 0:
            cost[driver] -= 1
        for sink in problem.sinks[net]:
            at_most({sink: 1, last: -1}, 0)
            at_most({driver: 1, sink: -1} if driver >= 0 else {sink: -1}, -1)
        if problem.at_output[net]:
            at_most({last: -1}, -(depth + 1))
            if driver >= 0:
                at_most({driver: 1}, depth)
    limits = [(0, None)] * (cells + nets)
    found = linprog(cost, np.array(rows), bounds, bounds=limits, method="highs")
    return found.fun + constant


@settings(max_examples=60, deadline=None)
@given(logic(max_inputs=6, max_cells=40, cells=GATES))
def test_the_number_of_dffs_is_the_optimum_of_a_linear_program(netlist):
    mapped = run(MapRsfq(), netlist)
    context = Context()
    best = run(BalancePaths(), mapped)
    early = run(BalancePaths("earliest"), mapped, context)
    added = len(best) - len(mapped)
    assert len(best) <= len(early)
    assert latency(best) == latency(early)
    assert added == round(fewest_dffs(stages_of(mapped)))


def test_cells_that_no_output_needs_count_too():
    """Cells behind an output may work in later stages than the output."""
    drivers, at_output = [-1, -1, -1, 0, 1, 2, 3, 4, 5, 6], [n in (0, 3) for n in range(10)]
    sinks = [[0, 1, 2, 3], [0, 4], [], [1, 2, 3], [5], [4], [], [5], [6], []]
    problem = Stages(7, drivers, sinks, at_output)
    stage, depth = problem.cheapest(), 1
    used = [problem.last(n, stage, depth) - 1 - problem.driver_stage(n, stage) for n in problem.used()]
    assert sum(used) == fewest_dffs(problem) == 4


def stages_of(netlist: Netlist) -> Stages:
    """The problem that balancing a mapped netlist poses; rows are in order."""
    rows = netlist.rows()
    drivers, sinks = [-1] * netlist.num_nets, [[] for _ in range(netlist.num_nets)]
    for k, row in enumerate(rows):
        drivers[row.outputs[0]] = k
        for net in dict.fromkeys(row.inputs[:-1]):
            sinks[net].append(k)
    outputs = {net for _, net in netlist.outputs}
    return Stages(len(rows), drivers, sinks, [net in outputs for net in range(netlist.num_nets)])


def test_sinks_of_a_net_share_one_chain_of_dffs():
    def make(c, a, b):
        x = c("and", a, b)
        y = c("or", x, b)
        return [c("xor", y, b)]

    mapped = run(BalancePaths(), run(MapRsfq(), build("ab", make)))
    # b is read at stages 1, 2 and 3: a chain of two.
    assert mapped.cell_counts()["DFF"] == 2


def test_moving_a_cell_later_saves_dffs():
    def make(c, a, b):
        x = a
        for _ in range(4):
            x = c("not", x)
        # Both `and` and `xor` wait for x: it is cheaper when the chain of b, which they share, waits.
        return [c("or", c("and", b, c("not", b)), x), c("or", c("xor", b, c("not", b)), x)]

    netlist = run(MapRsfq(), build("ab", make))
    best, early = run(BalancePaths(), netlist), run(BalancePaths("earliest"), netlist)
    assert best.cell_counts()["DFF"] < early.cell_counts()["DFF"]


def test_an_unbalanced_netlist_with_splitters_is_balanced_anew():
    fine = pipeline(build("ab", lambda c, a, b: [c("and", c("or", a, b), a)]))
    rows = fine.rows()
    (dff,) = (k for k, row in enumerate(rows) if row.cell.name == "DFF")
    broken = Netlist.of(
        "net",
        fine.inputs,
        fine.outputs,
        [
            row._replace(inputs=tuple(rows[dff].inputs[0] if n == rows[dff].outputs[0] else n for n in row.inputs))
            for k, row in enumerate(rows)
            if k != dff
        ],
        num_nets=fine.num_nets,
        clock=fine.clock,
    )
    assert stage_faults(broken)
    repaired = run(InsertSplitters(), run(BalancePaths(), broken))
    assert repaired.cell_counts() == fine.cell_counts()
    assert not stage_faults(repaired)


def test_what_cannot_be_balanced_is_left_with_a_remark():
    editor = NetlistEditor("net", "ab", clock=True)
    (a, b) = (net for _, net in editor.inputs)
    (late,) = editor.add("DFF", [a, editor.clock])
    (near,) = editor.add("JTL", [b], location=Location("x.qsc", 2))
    (y,) = editor.add("AND2", [late, near, editor.clock])
    netlist, context = editor.netlist([("y", y)]), Context()
    assert run(BalancePaths(), netlist, context) is netlist
    (remark,) = context.remarks
    assert "JTL" in remark.message
    assert remark.location.line == 2


def test_levels_takes_two_values():
    with pytest.raises(InputError, match="optimal or earliest"):
        run(BalancePaths("latest"), pipeline(build("a", lambda c, a: [a])))


# insert-splitters


@pytest.mark.parametrize("fanout", [1, 2, 3, 5, 8, 13])
def test_a_net_gets_one_splitter_less_than_sinks_in_a_balanced_tree(fanout):
    mapped = run(BalancePaths(), run(MapRsfq(), build("a", lambda c, a: [c("not", a) for _ in range(fanout)])))
    split = run(InsertSplitters(), mapped)
    assert split.cell_counts().get("SPLIT", 0) == 2 * (fanout - 1)
    depths = split_depths(split)
    for pin in (0, 1):
        found = [depths[row.inputs[pin]] for row in split.rows() if row.cell.clocked]
        assert max(found) - min(found) <= 1
        assert max(found) == (fanout - 1).bit_length()


def split_depths(netlist):
    depth = [0] * netlist.num_nets
    for row in netlist.rows():
        if row.cell.name == "SPLIT":
            for net in row.outputs:
                depth[net] = depth[row.inputs[0]] + 1
    return depth


@settings(max_examples=40, deadline=None)
@given(logic())
def test_no_cell_is_clocked_later_than_a_cell_that_feeds_it(netlist):
    mapped = pipeline(netlist)
    depth, stage, rows = split_depths(mapped), net_stages(mapped), mapped.rows()
    clocked = sorted((stage[row.outputs[0]], depth[row.inputs[-1]]) for row in rows if row.cell.clocked)
    by_stage = {}
    for s, d in clocked:
        by_stage.setdefault(s, []).append(d)
    for s in list(by_stage)[1:]:
        assert max(by_stage[s]) <= min(by_stage[s - 1])


def test_taking_splitters_out_and_putting_them_in_changes_nothing():
    fine = pipeline(build("abd", lambda c, a, b, d: [c("and", c("or", a, b), d), c("xor", a, d)]))
    assert run(InsertSplitters(), without_splitters(fine)).cell_counts() == fine.cell_counts()


def test_remarks_say_how_many_cells_came():
    netlist, context = build("ab", lambda c, a, b: [c("and", c("or", a, b), c("nand", a, b))]), Context()
    for pass_ in PASSES:
        netlist = run(pass_, netlist, context)
    assert [str(r) for r in context.remarks] == [
        "map-rsfq: net: 2 AND2, 1 NOT, 1 OR2",
        "balance-paths: net: 1 balancing DFFs, 3 stages (cells +1)",
        "insert-splitters: net: 2 splitters on data nets, 4 in the clock tree (cells +6)",
    ]


def test_netlists_with_cells_are_not_simplified_and_logic_is_not_balanced():
    gates = build("ab", lambda c, a, b: [c("and", a, c("buf", b))])
    assert run(BalancePaths(), gates) is gates
    assert run(InsertSplitters(), gates) is gates
    mapped = pipeline(gates)
    assert run(SimplifyLogic(), mapped) is mapped
    assert run(MapRsfq(), mapped) is mapped
