"""Static timing against simulation: what the analysis allows runs, what it forbids is seen to fail."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from qsc.backends.sfq import TARGET
from qsc.backends.sfq.library import Library
from qsc.backends.sfq.pulse_orders import Window, all_pairs, number_of_arrangements
from qsc.backends.sfq.timing import TimingFault, analyse
from qsc.ir import NetlistEditor, TargetError

LIBRARY = Library.of(TARGET)


def instance(compiled, cell: str, number: int = 0) -> str:
    """The number-th line of the structural Verilog that places such a cell."""
    lines = compiled.emission.files[compiled.main].decode().splitlines()
    return [line for line in lines if line.startswith(f"  {cell} ")][number]


def pin(line: str, name: str) -> str:
    return line.split(f".{name}(")[1].split(")")[0]


# Every order of pulses


def test_every_pulse_order_of_xor_is_right(compile_logic, xor):
    result = compile_logic(xor).check()
    # 15 arrangements: none, 3 for each single pulse, 2 at once and 2 orders x 3 spreads for both; all their pairs.
    assert result == {"cases": 225, "total": 225, "failures": 0, "exhaustive": True, "first": ""}


def test_every_pulse_order_of_the_full_adder_is_right(compile_logic, full_adder):
    result = compile_logic(full_adder).check()
    assert (result["cases"], result["failures"], result["exhaustive"]) == (54**2, 0, True)


def test_pulse_orders_of_wide_logic_are_sampled(compile_logic, random_logic):
    result = compile_logic(random_logic(1, 8, 40, 4)).check()
    assert not result["exhaustive"]
    assert (result["failures"], result["total"]) == (0, number_of_arrangements(8) ** 2)


@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
def test_the_number_of_arrangements(inputs):
    window = Window(0, 5000)
    values = [tuple(bool(v >> k & 1) for k in range(inputs)) for v in range(1 << inputs)]
    kinds = [a for bits in values for a in window.arrangements(bits)]
    assert len(kinds) == number_of_arrangements(inputs)
    assert all(0 <= at <= 5000 for a in kinds for _, at in a.row)
    assert all(sorted(port for port, _ in a.row) == [k for k in range(inputs) if a.bits[k]] for a in kinds)


@pytest.mark.parametrize("count", [1, 2, 3, 15])
def test_a_walk_takes_every_pair_once(count):
    walk = all_pairs(count)
    assert sorted(pairwise(walk)) == [(a, b) for a in range(count) for b in range(count)]


# Broken netlists


def test_a_missing_balancing_dff_is_caught(compile_logic, xor):
    compiled = compile_logic(xor)
    dff = instance(compiled, "DFF")
    result = compiled.check(compiled.changed(dff, f"  assign {pin(dff, 'q')} = {pin(dff, 'a')};"))
    assert result["failures"] > 0
    assert result["first"]


def test_a_missing_splitter_is_caught(compile_logic, xor):
    compiled = compile_logic(xor)
    split = instance(compiled, "SPLIT")
    result = compiled.check(compiled.changed(split, f"  assign {pin(split, 'q0')} = {pin(split, 'a')};"))
    assert result["failures"] > 0


def test_a_late_clock_is_caught(compile_logic, xor):
    """With the clock branches of the first and the last stage exchanged, pulses race through two stages."""
    compiled = compile_logic(xor)
    first, last = instance(compiled, "OR2"), instance(compiled, "AND2", 1)
    early, late = pin(last, "clk"), pin(first, "clk")
    files = compiled.changed(f".clk({early})", ".clk(other)")
    text = files[compiled.main].decode().replace(f".clk({late})", f".clk({early})").replace("(other)", f"({late})")
    result = compiled.check(files | {compiled.main: text.encode()})
    assert result["failures"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_shortest_period_runs_and_a_shorter_one_does_not(seed, compile_logic, random_logic):
    compiled = compile_logic(random_logic(seed, 3, 14, 2))
    timing = analyse(compiled.netlist, LIBRARY)
    assert timing.shortest <= timing.period
    assert compiled.check(compiled.at_period(timing.shortest))["failures"] == 0
    # A window that is too short to be useful breaks nothing; a path that is too long, or the cells' own limit, does.
    shorter = timing.shortest * 3 // 4 if " to " in timing.critical else 9900
    assert compiled.check(compiled.at_period(shorter))["failures"] > 0


def test_the_analysis_is_exact_to_the_femtosecond(compile_logic, xor):
    compiled = compile_logic(xor)
    timing = analyse(compiled.netlist, LIBRARY)
    assert timing.critical == "u6 (OR2) to u9 (DFF)"
    assert compiled.check(compiled.at_period(timing.shortest))["failures"] == 0
    result = compiled.check(compiled.at_period(timing.shortest - 1))
    assert result["failures"] > 0
    assert "setup at pin a of u9" in result["first"]


@pytest.mark.parametrize(
    ("separation", "side", "what"), [(10e-12, 0, "hold"), (10e-12, 1, "separation"), (5e-12, 1, "setup")]
)
def test_the_input_window_is_exact_to_the_femtosecond(separation, side, what, compile_logic, xor, library_target):
    target = library_target(**{name: {"separation": separation} for name in TARGET.data["cells"]})
    compiled = compile_logic(xor, target)
    assert compiled.check()["failures"] == 0
    table = json.loads(compiled.emission.files["netlist.json"])
    table["input_window_fs"][side] += (-1, 1)[side]
    result = compiled.check(compiled.emission.files | {"netlist.json": json.dumps(table).encode()})
    assert what in result["first"]


# Numbers


def test_timing_of_one_cell():
    editor = NetlistEditor("net", "ab", clock=True)
    (y,) = editor.add("XOR2", [*(net for _, net in editor.inputs), editor.clock])
    timing = analyse(editor.netlist([("y", y)]), LIBRARY)
    assert timing.outputs == (5000,)
    assert timing.clock == (0,)
    # Pulses of an input are 10 ps apart even when one comes last and the next one first in a window of 5 ps.
    assert (timing.shortest, timing.period) == (15000, 17000)
    assert timing.window == (3000, 10000)
    assert (timing.setup_slack, timing.hold_slack) == (None, None)


def chain(*cells, clock_of_second=0):
    """Two DFFs with wire cells between; the second is clocked later by so many JTLs."""
    editor = NetlistEditor("net", "a", clock=True)
    first, second = editor.add("SPLIT", [editor.clock])
    (net,) = editor.add("DFF", [editor.inputs[0][1], first])
    for cell in cells:
        (net,) = editor.add(cell, [net])
    for _ in range(clock_of_second):
        (second,) = editor.add("JTL", [second])
    (y,) = editor.add("DFF", [net, second])
    return editor.netlist([("y", y)])


def test_slack_by_hand():
    timing = analyse(chain("JTL"), LIBRARY, 20000)
    # 6.3 of the DFF and 3.5 of the JTL; hold 3, setup 4.
    assert timing.hold_slack == 6300 + 3500 - 3000
    assert timing.setup_slack == 20000 - 6300 - 3500 - 4000


def test_a_late_clock_needs_delay_on_the_data():
    with pytest.raises(TimingFault, match=r"u1 \(DFF\) to u3 \(DFF\) comes 0\.2 ps too early"):
        analyse(chain(clock_of_second=1), LIBRARY)
    assert analyse(chain("JTL", clock_of_second=1), LIBRARY).hold_slack == 3300


def test_the_clock_is_no_data_and_data_no_clock():
    editor = NetlistEditor("net", "a", clock=True)
    first, second = editor.add("SPLIT", [editor.clock])
    (y,) = editor.add("DFF", [first, second])
    with pytest.raises(TimingFault, match="takes the clock as data"):
        analyse(editor.netlist([("y", y)]), LIBRARY)
    editor = NetlistEditor("net", "ab", clock=True)
    (y,) = editor.add("DFF", [net for _, net in editor.inputs])
    with pytest.raises(TimingFault, match="not driven by the clock tree"):
        analyse(editor.netlist([("y", y)]), LIBRARY)


def test_a_fixed_clock_that_is_too_fast(compile_logic, xor, library_target):
    assert compile_logic(xor, library_target({"period": 40e-12})).emission.costs["period_s"] == 40e-12
    with pytest.raises(TargetError) as caught:
        compile_logic(xor, library_target({"period": 12e-12}))
    (fault,) = caught.value.diagnostics
    assert fault.message == "netlist xor needs a clock period of 15.8 ps, the library rsfq has 12 ps: 3.8 ps too short"
    assert fault.notes == ("limited by u6 (OR2) to u9 (DFF)",)


def test_cells_that_race_at_any_clock(compile_logic, xor, library_target):
    slow = {name: {"hold": 8e-12} for name in ("DFF", "NOT", "AND2", "OR2")}
    with pytest.raises(TargetError, match="too early for its hold time, at any clock period") as caught:
        compile_logic(xor, library_target(**slow))
    assert caught.value.diagnostics[0].location.line == 4
