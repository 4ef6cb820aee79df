"""The rsfq target end to end: emitted Verilog, simulated, against the truth table."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from qsc.backends.base import RunOptions
from qsc.backends.sfq import TARGET, SfqBackend
from qsc.compiler.passes.balance_paths import BalancePaths
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.map_rsfq import MapRsfq
from qsc.ir import DYNAMIC, CheckError, InputError, MissingError, Module, Netlist, NetlistEditor, TargetError, Type, ops
from qsc.ir.graph import GraphBuilder
from qsc.ir.verifier import netlist_faults


def test_xor_streams_its_truth_table(compile_logic, xor, table):
    compiled = compile_logic(xor)
    rows = np.concatenate([table(2), table(2)[::-1], table(2)])
    assert np.array_equal(compiled.run(rows)[:, 0], rows[:, 0] ^ rows[:, 1])


def test_full_adder_streams_every_pair_of_rows(compile_logic, full_adder, table):
    rows = table(3)[[k for a in range(8) for b in range(8) for k in (a, b)]]
    total = compile_logic(full_adder).run(rows) @ [1, 2]
    assert np.array_equal(total, rows.sum(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_random_logic_streams_its_truth_table(seed, compile_logic, random_logic, table):
    compiled = compile_logic(random_logic(seed, 3 + seed, 40, 4))
    rows = np.random.default_rng(seed).permutation(table(3 + seed))
    assert np.array_equal(compiled.run(rows), compiled.wanted(rows))


def test_a_wide_netlist_runs(compile_logic):
    editor = NetlistEditor("parity", [f"x{k}" for k in range(70)])
    nets = [net for _, net in editor.inputs]
    while len(nets) > 1:
        nets = [*nets[2:], *editor.add("xor", nets[:2])]
    compiled = compile_logic(editor.netlist([("y", nets[0])]))
    rows = np.random.default_rng(0).random((20, 70)) < 0.5
    assert np.array_equal(compiled.run(rows)[:, 0], rows.sum(axis=1) % 2 == 1)


@pytest.mark.parametrize("shape", [(0, 2), (2,), (2, 3, 2)])
def test_any_batch_shape(shape, compile_logic, xor):
    bits = np.random.default_rng(0).random(shape) < 0.5
    assert np.array_equal(compile_logic(xor).run(bits)[..., 0], bits[..., 0] ^ bits[..., 1])


def test_costs_of_xor(compile_logic, xor):
    """57 junctions of five cells, two data and four clock splitters of three junctions each. For comparison: a
    hand-made netlist of this network on the same cells has 77 junctions, and with a JTL on each net it passes SPICE
    simulations down to a period of 18 ps."""
    costs = compile_logic(xor).emission.costs
    assert costs["junctions"] == 15 + 15 + 12 + 8 + 7 + 2 * 3
    assert costs["junctions_with_clock"] == costs["junctions"] + 4 * 3 == 75
    assert (costs["cells"], costs["splitters"], costs["clock_splitters"], costs["balancing_dffs"]) == (11, 6, 4, 1)
    assert costs["depth"] == 3
    assert costs["bias_a"] == pytest.approx(2 * 1.225e-3 + 1.2e-3 + 0.642e-3 + 0.775e-3 + 6 * 0.525e-3)
    assert costs["period_s"] == 18e-12


def test_the_emitted_testbench_passes_and_fails(compile_logic, full_adder, icarus):
    compiled = compile_logic(full_adder)
    assert icarus(compiled.emission.files) == "PASS: 8 rows\n"
    dff = next(
        line for line in compiled.emission.files[compiled.main].decode().splitlines() if line.startswith("  DFF")
    )
    source, sink = dff.split(".a(")[1].split(")")[0], dff.split(".q(")[1].split(")")[0]
    assert "FAIL: " in icarus(compiled.changed(dff, f"  assign {sink} = {source};"))


def test_verilog_of_xor(compile_logic, xor, golden):
    files = compile_logic(xor).emission.files
    for name in ("p_xor.v", "testbench.v", "cells.v", "netlist.json"):
        golden(name, files[name].decode())


def test_the_bytes_are_the_same_every_time(compile_logic, random_logic):
    first, second = (compile_logic(random_logic(5, 8, 40, 4), seed=3).emission for _ in range(2))
    assert first == second


def test_names_that_verilog_does_not_take(compile_logic, table):
    inputs = ["clk", "CLK", "and", "x[0]", "x.0", "n0", "tb_row", "3"]
    editor = NetlistEditor("module", inputs)
    nets = [net for _, net in editor.inputs]
    outputs = [(f"{k}/x", editor.add("not", [net])[0]) for k, net in enumerate(nets)]
    compiled = compile_logic(editor.netlist(outputs))
    described = json.loads(compiled.emission.files["netlist.json"])
    ports = [port["port"] for port in (*described["inputs"], *described["outputs"], described["clock"])]
    assert len({port.lower() for port in ports}) == len(ports)
    assert [port["name"] for port in described["inputs"]] == inputs
    rows = np.concatenate([np.eye(8, dtype=bool), table(8)[::37]])
    assert np.array_equal(compiled.run(rows), ~rows)


def test_what_the_run_counts(compile_logic, xor, table):
    compiled, backend = compile_logic(xor), SfqBackend()
    backend.run(compiled.emission.files, compiled.launch, compiled.module, [table(2)], RunOptions())
    # Four input pulses, two output pulses.
    assert backend.last_counts == {"rows": 4, "pulses": 6}


# What is refused


def test_only_finished_netlists_are_taken(xor, unsupported):
    module = Module("m", netlists={"xor": xor})
    reasons = [unsupported(xor)]
    for pass_ in (MapRsfq(), BalancePaths()):
        module = pass_.run(module, Context(TARGET))
        reasons.append(unsupported(module.netlists["xor"]))
    assert [reason.split("(")[1].split()[0].rstrip(")") for reason in reasons] == [
        "map-rsfq",
        "insert-splitters",
        "insert-splitters",
    ]
    builder = GraphBuilder(module)
    builder.add(ops.Relu(), builder.input("x", Type("f32", (DYNAMIC, 2))))
    assert SfqBackend().unsupported(builder.nodes[0], module, TARGET) == "relu is not Boolean logic"


def test_a_cell_that_the_library_lacks(unsupported):
    editor = NetlistEditor("net", "ab", clock=True)
    (merged,) = editor.add("MERGE", [net for _, net in editor.inputs])
    (y,) = editor.add("DFF", [merged, editor.clock])
    assert unsupported(editor.netlist([("y", y)])) == "netlist net holds MERGE, which the library rsfq does not have"


def test_a_missing_dff_is_seen_before_the_simulation(unsupported):
    editor = NetlistEditor("net", "ab", clock=True)
    a, b = (net for _, net in editor.inputs)
    clock = editor.add("SPLIT", [editor.clock])
    (late,) = editor.add("NOT", [a, clock[0]])
    (y,) = editor.add("AND2", [late, b, clock[1]])
    assert "cell 2 (AND2) takes pulses of stages 0, 1" in unsupported(editor.netlist([("y", y)]))


def test_a_missing_splitter_is_seen_by_the_verifier(compile_logic, xor, unsupported):
    fine = compile_logic(xor).netlist
    rows = fine.rows()
    gone = rows[0].outputs
    kept = [row._replace(inputs=tuple(rows[0].inputs[0] if n in gone else n for n in row.inputs)) for row in rows[1:]]
    broken = Netlist.of("xor", fine.inputs, fine.outputs, kept, num_nets=fine.num_nets, clock=fine.clock)
    assert [fault.code for fault in netlist_faults(broken)] == ["N0004"]
    assert "insert-splitters" in unsupported(broken)


def test_limits_are_kept(compile_logic, xor, library_target):
    compile_logic(xor, library_target(limits={"junctions": 75, "pins": 4, "bias": 0.01}))
    with pytest.raises(TargetError) as caught:
        compile_logic(xor, library_target(limits={"junctions": 70, "pins": 3, "bias": 0.01}))
    assert [fault.message for fault in caught.value.diagnostics] == [
        "netlist xor needs 75 junctions, rsfq has 70: 5 too many",
        "netlist xor needs 4 pins, rsfq has 3: 1 too many",
    ]


def test_icarus_is_missing(compile_logic, xor, monkeypatch, table):
    compiled = compile_logic(xor)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingError) as caught:
        compiled.run(table(2))
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.help) == ("E0002", "apt install iverilog")
    assert "\n" not in fault.message


@pytest.mark.parametrize("options", [RunOptions(noise=True), RunOptions(importer="verilator")])
def test_options_without_a_meaning_are_refused(options, compile_logic, xor, table):
    compiled = compile_logic(xor)
    with pytest.raises(InputError) as caught:
        SfqBackend().run(compiled.emission.files, compiled.launch, compiled.module, [table(2)], options)
    assert caught.value.diagnostics[0].code == "O0002"


def test_verilog_that_does_not_compile(compile_logic, xor, table):
    compiled = compile_logic(xor)
    files = compiled.emission.files | {compiled.main: b"module p_xor(\n"}
    with pytest.raises(CheckError, match="iverilog does not take"):
        SfqBackend().run(files, compiled.launch, compiled.module, [table(2)], RunOptions())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"netlist.json": None}, "holds no netlist.json"),
        ({"netlist.json": b"{"}, "cannot be read"),
        ({"netlist.json": b"{}"}, "cannot be read: 'verilog'"),
        ({"cells.v": None}, "holds no cells.v"),
    ],
)
def test_a_broken_artifact(change, message, compile_logic, xor, table):
    compiled = compile_logic(xor)
    files = {name: data for name, data in (compiled.emission.files | change).items() if data is not None}
    with pytest.raises(InputError, match=message):
        SfqBackend().run(files, compiled.launch, compiled.module, [table(2)], RunOptions())


def test_the_self_check_says_what_it_tried(compile_logic, xor):
    compiled = compile_logic(xor)
    (check,) = SfqBackend().self_checks(compiled.emission.files, compiled.launch, compiled.module)
    assert (check.cases, check.failures) == (225, 0)
    assert check.detail == "pulse orders: all pairs of consecutive inputs"
