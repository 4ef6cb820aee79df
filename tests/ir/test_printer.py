"""The canonical text, form by form. That it reads back is tested with the reader, in tests/frontends/text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.ir import (
    DYNAMIC,
    AngleInput,
    Circuit,
    CircuitEditor,
    Graph,
    GraphBuilder,
    Location,
    Module,
    NetlistEditor,
    PauliSum,
    Type,
    Value,
    ops,
    print_module,
)
from qsc.ir.angles import ZERO_ROW, make_row
from qsc.ir.printer import (
    RESERVED,
    angle_texts,
    format_angle,
    format_attribute,
    format_place,
    print_circuit,
    print_netlist,
    quote_name,
)


def model() -> Module:
    """A module with one of everything."""
    editor = CircuitEditor("ansatz", 3, 2, [AngleInput("x", (2,)), AngleInput("w", (1, 2), "weight"), AngleInput("t")])
    editor.add("h", [0])
    editor.add("rz", [1], [make_row(Fraction(-3, 4), 0.5, [(0, 1.0), (3, -0.25)])])
    editor.add("cx", [2, 0], condition=("and", ("bit", 0), ("not", ("bit", 1))))
    editor.add("pauli", [0, 2], [make_row(0, 0.1)], pauli="XY")
    editor.add("barrier", [0, 1, 2])
    editor.add("measure", [1], clbits=[1])
    editor.add("u3", [0], [0.0, Fraction(1), make_row(0, 0, [(4, 1.0)])])
    editor.phase = make_row(Fraction(1, 3))
    logic = NetlistEditor("table", ["a", "b"], clock=True)
    (both,) = logic.add("AND2", [0, 1, logic.clock])
    one, two = logic.add("SPLIT", [both])
    module = Module(
        "one of all",
        circuits={"ansatz": editor.circuit()},
        netlists={"table": logic.netlist([("y", one), ("z", two), ("same", two)])},
        weights={
            "0.weight": np.array([[1.0, -0.1]], np.float32),
            "beta": np.array(0.1),
            "bits": np.array([True, False]),
            "large": np.zeros((5, 7), np.int8),
            "broken": np.array([np.nan], np.float32),
        },
    )
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32", (DYNAMIC, 2)))
    steps = builder.input("steps", Type("f32", (4, DYNAMIC, 2)))
    inner = GraphBuilder(module)
    v, now = inner.input("v", x.type), inner.input("now", x.type)
    (total,) = inner.add(ops.Add(), v, now)
    scan = ops.Scan(4, inner.graph(total, total), 1, 1)
    last, all_of_them = builder.add(scan, x, steps, name="total", location=Location("net.py", 12, 3, "features.0"))
    (flat,) = builder.add(ops.Reshape((DYNAMIC, 8)), builder.add(ops.Permute((1, 0, 2)), all_of_them)[0])
    (mean,) = builder.add(ops.Mean((-1,)), flat, location=Location(path="0.head"))
    return module.with_(graph=builder.graph(last, mean, builder.weight("0.weight")))


def test_everything_once(golden: Callable[[str, str], None]):
    golden("everything.qsc", print_module(model()))


# Names


@pytest.mark.parametrize("name", ["x", "_x1", "features.0.weight", "a.b.c", "on", "circuit"])
def test_plain_names_stand_as_they_are(name: str):
    assert quote_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "0.weight", "a-b", "a b", "a.", ".a", "a..b", "ü", "x\n", 'a"b', "\\", *sorted(RESERVED)]
)
def test_other_names_are_strings(name: str):
    assert json.loads(quote_name(name)) == name
    assert quote_name(name).isascii()


def test_a_block_under_another_name():
    circuit, netlist = CircuitEditor("c", 1).circuit(), NetlistEditor("n", ["a"]).netlist([])
    text = print_module(Module("m", circuits={"other": circuit}, netlists={"one more": netlist}))
    assert "circuit other as c() on 1 qubits {" in text
    assert 'netlist "one more" as n(a) -> () {' in text


# Angles


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (ZERO_ROW, "0"),
        (make_row(1), "pi"),
        (make_row(-1), "-pi"),
        (make_row(Fraction(1, 2)), "pi/2"),
        (make_row(Fraction(-3, 4)), "-3*pi/4"),
        (make_row(0, -2.0), "-2.0"),
        (make_row(0, 1e-7), "1e-07"),
        (make_row(1, -0.5), "pi - 0.5"),
        (make_row(0, 0, [(1, 1.0), (0, -1.0)]), "-x[0] + x[1]"),
        (make_row(2, 0.25, [(2, -0.5)]), "2*pi + 0.25 - 0.5*t"),
    ],
)
def test_angles(row: tuple, text: str):
    assert format_angle(row, ("x[0]", "x[1]", "t")) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_offsets_keep_every_bit(value: float):
    assert float(format_angle(make_row(0, value), ())) == value


def test_names_of_angle_inputs_are_quoted():
    editor = CircuitEditor("c", 1, 0, [AngleInput("pi"), AngleInput("a b", (2,))])
    editor.add("rx", [0], [make_row(0, 0, [(0, 1.0), (2, 2.0)])])
    assert angle_texts(editor.circuit()) == ['"pi" + 2.0*"a b"[1]']


def test_a_phase_of_nothing_is_not_printed():
    editor = CircuitEditor("c", 1)
    editor.add("rx", [0], [0.0])
    circuit = editor.circuit()
    assert "phase" not in print_circuit(replace(circuit, phase=0))


def test_unused_rows_change_nothing(random_circuit: Callable[..., Circuit]):
    circuit = random_circuit(3, bits=2, dynamic=True)
    kept = circuit.select(np.arange(len(circuit)) % 2 == 0)
    assert print_circuit(kept) == print_circuit(kept.compacted())


# Nets


def test_nets_are_called_after_ports_that_are_free():
    editor = NetlistEditor("n", ["n0", "n2", "clk"], clock=True)
    (a,) = editor.add("AND2", [0, 1, editor.clock])
    (b,) = editor.add("DFF", [a, editor.clock])
    (c,) = editor.add("DFF", [b, editor.clock])
    text = print_netlist(editor.netlist([("n2", c), ("y", b), ("again", b), ("through", 0)]))
    assert text.splitlines() == [
        "netlist n(n0, n2, clk, clock clk1) -> (n2=n3, y, again=y, through=n0) {",
        "  n1 = AND2(n0, n2, clk1);",
        "  y = DFF(n1, clk1);",
        "  n3 = DFF(y, clk1);",
        "}",
    ]


# The graph


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (np.False_, "false"),
        (-1, "-1"),
        (np.int64(3), "3"),
        (0.5, "0.5"),
        (np.float32(0.5), "0.5"),
        (float("inf"), "inf"),
        ((1, -1, (2.0,)), "[1, -1, [2.0]]"),
        ("a\n", '"a\\n"'),
        (PauliSum.parse("Z0 - 2*X1"), '"-2.0*X1 + Z0"'),
    ],
)
def test_attributes(value: object, text: str):
    assert format_attribute(value) == text


def test_the_batch_size_is_a_question_mark_in_shapes_only():
    module = Module("m")
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32", (DYNAMIC, 2)))
    (y,) = builder.add(ops.Reshape((DYNAMIC, 1, 2)), x)
    (z,) = builder.add(ops.Sum((-1,)), y)
    text = print_module(module.with_(graph=builder.graph(z)))
    assert "shape=[?, 1, 2]" in text
    assert "dims=[-1]" in text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Location(), ""),
        (Location("a.py"), ' at "a.py"'),
        (Location("a.py", 3), ' at "a.py":3'),
        (Location('a"b.py', 3, 7), ' at "a\\"b.py":3:7'),
        (Location("a.py", 3, 7, "net.0"), ' at "a.py":3:7 in net.0'),
        (Location(path="0 or 1"), ' in "0 or 1"'),
    ],
)
def test_places(place: Location, text: str):
    assert format_place(place) == text


def test_results_and_outputs_may_be_none():
    x = Value("x", Type("f32"))
    body = Graph((x,), (), ())
    module = Module("m")
    builder = GraphBuilder(module)
    given = builder.input("x", x.type)
    builder.add(ops.Launch("d", "a", body), given)
    text = print_module(module.with_(graph=builder.graph()))
    assert (
        '  launch(x, device="d", artifact="a") {\n    body(x: f32[]) {\n      return;\n    }\n  }\n  return;\n' in text
    )


def test_hundred_thousand_gates_are_printed_at_once():
    rng = np.random.default_rng(0)
    editor = CircuitEditor("c", 50)
    for k in range(100_000):
        if k % 3:
            editor.add("rz", [int(rng.integers(50))], [float(rng.normal())])
        else:
            editor.add("cx", rng.permutation(50)[:2].tolist())
    circuit = editor.circuit()
    start = time.process_time()
    text = print_circuit(circuit)
    seconds = time.process_time() - start
    assert text.count("\n") == 100_001
    # Ten times what it takes, so that a busy machine does not fail.
    assert seconds < 2.0
