"""The verifier: one broken module a code, with the place of the fault; several faults at once; size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from qsc.ir import (
    AngleInput,
    Circuit,
    CircuitEditor,
    Graph,
    GraphBuilder,
    InputError,
    Location,
    Module,
    Netlist,
    NetlistEditor,
    Node,
    PauliSum,
    Type,
    Value,
    Z,
    ops,
    verify,
)
from qsc.ir.angles import AngleTable, make_row
from qsc.ir.cells import CELL_CODES
from qsc.ir.circuit import GateRow
from qsc.ir.gates import OPCODES
from qsc.ir.netlist import CellRow
from qsc.ir.verifier import circuit_faults, find_faults, netlist_faults

X4 = Value("x", Type("f32", (-1, 4)))
PLACE = Location("model.qsc", 7, 3)


def node(op, operands, results, place=PLACE) -> Node:
    return Node(op, tuple(operands), tuple(results), place)


def graph_module(*nodes: Node, outputs=(), inputs=(X4,), **parts) -> Module:
    return Module("m", Graph(tuple(inputs), nodes, tuple(outputs)), **parts)


def value(name: str, *shape: int, dtype: str = "f32") -> Value:
    return Value(name, Type(dtype, shape))


Y4 = value("y", -1, 4)
WEIGHT = np.ones((3, 4), np.float32)


def readout(observable: PauliSum) -> Module:
    op = ops.Expectation("c", (observable,))
    circuit = CircuitEditor("c", 2).circuit()
    return graph_module(node(op, [], [value("e", 1, dtype="f64")]), circuits={"c": circuit})


GRAPHS: dict[str, tuple[str, str, Callable[[], Module]]] = {
    "used before defined": (
        "I0001",
        "y is used before",
        lambda: graph_module(node(ops.Relu(), [Y4], [value("z", -1, 4)])),
    ),
    "output not defined": (
        "I0001",
        "y is used before",
        lambda: graph_module(node(ops.Relu(), [X4], [value("z", -1, 4)]), outputs=[Y4]),
    ),
    "defined twice": (
        "I0002",
        "y is defined twice",
        lambda: graph_module(node(ops.Relu(), [X4], [Y4], Location()), node(ops.Neg(), [X4], [Y4])),
    ),
    "shadows an input": ("I0002", "x is defined twice", lambda: graph_module(node(ops.Relu(), [X4], [X4]))),
    "wrong declared type": (
        "I0003",
        "relu gives f32\\[\\?,4\\], declared f32\\[\\?,5\\]",
        lambda: graph_module(node(ops.Relu(), [X4], [value("y", -1, 5)])),
    ),
    "operands do not fit": (
        "I0003",
        "do not broadcast",
        lambda: graph_module(node(ops.Add(), [X4, value("z", -1, 3)], [Y4]), inputs=(X4, value("z", -1, 3))),
    ),
    "used as another type": (
        "I0003",
        "x: f32\\[4\\] is used",
        lambda: graph_module(node(ops.Relu(), [value("x", 4)], [value("y", 4)])),
    ),
    "mixes the batch": ("I0003", "would mix", lambda: graph_module(node(ops.Mean(dims=(0,)), [X4], [value("y", 4)]))),
    "no such weight": (
        "I0004",
        "no weight @w",
        lambda: graph_module(node(ops.Linear(), [X4, value("@w", 3, 4)], [value("y", -1, 3)])),
    ),
    "no such circuit": (
        "I0004",
        "no circuit 'c'",
        lambda: graph_module(node(ops.Samples("c", (0,)), [], [value("b", 1024, 1, dtype="bit")])),
    ),
    "no such netlist": (
        "I0004",
        "no netlist 'n'",
        lambda: graph_module(
            node(ops.Logic("n"), [value("b", -1, 2, dtype="bit")], [value("q", -1, 1, dtype="bit")]),
            inputs=(value("b", -1, 2, dtype="bit"),),
        ),
    ),
    "too few operands": (
        "I0005",
        "matmul needs 2 operands, got 1",
        lambda: graph_module(node(ops.Matmul(), [X4], [Y4])),
    ),
    "too many operands": (
        "I0005",
        "linear needs 2 to 3 operands, got 4",
        lambda: graph_module(node(ops.Linear(), [X4] * 4, [Y4])),
    ),
    "too few results": ("I0005", "relu gives 1 results, declared 0", lambda: graph_module(node(ops.Relu(), [X4], []))),
    "weight of another shape": (
        "I0006",
        "the module holds f32\\[3,4\\]",
        lambda: graph_module(node(ops.Linear(), [X4, value("@w", 4, 4)], [Y4]), weights={"w": WEIGHT}),
    ),
    "weight not finite": (
        "M0006",
        "w holds nan at index \\[1, 2\\]",
        lambda: graph_module(
            node(ops.Linear(), [X4, value("@w", 3, 4)], [value("y", -1, 3)]),
            weights={"w": np.where(np.arange(12).reshape(3, 4) == 6, np.nan, WEIGHT).astype(np.float32)},
        ),
    ),
    "observable outside": ("C0005", "2-qubit circuit", lambda: readout(Z(0) * Z(2))),
    "observable not finite": ("P0004", "not a finite number", lambda: readout(float("inf") * Z(0))),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_broken_graphs(name):
    code, message, make = GRAPHS[name]
    with pytest.raises(InputError, match=message) as fault:
        verify(make())
    assert [d.code for d in fault.value.diagnostics] == [code]
    assert fault.value.diagnostics[0].location == PLACE


def gates(*rows: tuple, qubits: int = 3, bits: int = 1, **changes) -> Circuit:
    """A circuit with these rows: (name, wires, angles, clbits, condition), unchecked."""
    editor = CircuitEditor("c", qubits, bits, [AngleInput("t")], Location("c.qsc", 1))
    for k, (name, wires, *rest) in enumerate(rows):
        angles, clbits, condition = [*rest, *((), (), None)[len(rest) :]]
        editor.add(
            name,
            wires,
            angles,
            clbits=clbits,
            condition=condition,
            location=Location("c.qsc", 2 + k),
            pauli="XQ" if name == "pauli" else None,
        )
    return replace(editor.circuit(), **changes)


def column(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


CIRCUITS: dict[str, tuple[str, str, Circuit]] = {
    "qubit too high": ("C0001", "cx on q\\[1\\], q\\[3\\], but the circuit has 3", gates(("h", [0]), ("cx", [1, 3]))),
    "negative qubit": ("C0001", "gate 1: x on q\\[-1\\]", gates(("h", [0]), ("x", [-1]))),
    "one qubit twice": (
        "C0002",
        "gate 1: ccx on q\\[2\\], q\\[1\\], q\\[2\\] uses",
        gates(("h", [0]), ("ccx", [2, 1, 2])),
    ),
    "too few qubits": ("C0003", "gate 1: cx on q\\[1\\]", gates(("h", [0]), ("cx", [1]))),
    "too many angles": ("C0003", "gate 1: rx on q\\[1\\]", gates(("h", [0]), ("rx", [1], (0.1, 0.2)))),
    "no angle": ("C0003", "gate 1: rx", gates(("h", [0]), ("rx", [1]))),
    "measure into nothing": ("C0003", "gate 1: measure", gates(("h", [0]), ("measure", [1]))),
    "a gate with a bit": ("C0003", "gate 1: x", gates(("h", [0]), ("x", [1], (), [0]))),
    "not a Pauli letter": ("C0003", "gate 1: pauli", gates(("h", [0]), ("pauli", [0, 1], (0.5,)))),
    "bit too high": ("C0004", "gate 1: measure on q\\[1\\] writes", gates(("h", [0]), ("measure", [1], (), [1]))),
    "condition on no bit": (
        "C0004",
        "gate 1: x on q\\[1\\] reads",
        gates(("h", [0]), ("x", [1], (), (), ("not", ("bit", 1)))),
    ),
    "condition on a negative bit": (
        "C0004",
        "gate 1: x on q\\[1\\] reads",
        gates(("h", [0]), ("x", [1], (), (), ("bit", -1))),
    ),
    "no such angle row": ("C0006", "gate 1: rx", gates(("h", [0]), ("rx", [1], (0.5,)), angle_rows=column(3))),
    "no such payload": (
        "C0006",
        "gate 1: x refers to a Pauli string",
        gates(("h", [0]), ("x", [1]), payload=column(-1, 0)),
    ),
    "no such condition": (
        "C0006",
        "gate 1: x refers to a condition",
        gates(("h", [0]), ("x", [1]), condition=column(-1, 5)),
    ),
}

WHOLE_CIRCUITS: dict[str, tuple[str, str, Circuit]] = {
    "no such opcode": ("C0006", "columns", gates(("h", [0]), opcode=np.array([200], np.uint8))),
    "columns of two lengths": ("C0006", "columns", gates(("h", [0]), payload=column(-1, -1))),
    "pointers that fall": ("C0006", "columns", gates(("h", [0]), ("x", [1]), wire_ptr=column(0, 3, 2))),
    "no such variable": (
        "C0006",
        "variable",
        gates(("h", [0]), angles=AngleTable.from_rows([make_row(0, 0, [(1, 1.0)])])),
    ),
    "no such phase": ("C0006", "global phase", gates(("h", [0]), phase=0)),
    "an input twice": (
        "I0002",
        "input t is defined twice",
        gates(("h", [0]), inputs=(AngleInput("t"), AngleInput("t", (2,)))),
    ),
    "angle not finite": ("P0004", "not a finite", gates(("rx", [0], (float("nan"),)))),
    "coefficient not finite": ("P0004", "not a finite", gates(("rx", [0], (make_row(0, 0, [(0, float("inf"))]),)))),
}


@pytest.mark.parametrize("name", [*CIRCUITS, *WHOLE_CIRCUITS])
def test_broken_circuits(name):
    code, message, circuit = (CIRCUITS | WHOLE_CIRCUITS)[name]
    with pytest.raises(InputError, match=message) as fault:
        verify(Module("m", circuits={"c": circuit}))
    assert [d.code for d in fault.value.diagnostics] == [code]
    assert fault.value.diagnostics[0].location == Location("c.qsc", 3 if name in CIRCUITS else 1)


def cells(*rows: tuple[str, tuple[int, ...], tuple[int, ...]], inputs=2, output=None, **changes) -> Netlist:
    """A netlist of (cell, input nets, output nets), unchecked; the last output net is the output."""
    known = Location("n.qsc", 1)
    editor = NetlistEditor("n", [f"i{k}" for k in range(inputs)], known)
    for k, (name, _, _) in enumerate(rows):
        editor.add(name, [], location=Location("n.qsc", 2 + k))
    made = [CellRow(CELL_CODES[n], i, o, k) for k, (n, i, o) in enumerate(rows)]
    locations = editor.netlist([]).locations
    outputs = [("q", rows[-1][2][-1] if output is None else output)]
    netlist = Netlist.of("n", editor.inputs, outputs, made, locations=locations, place=known)
    return replace(netlist, **changes)


NETLISTS: dict[str, tuple[str, str, Netlist]] = {
    "no driver": ("N0001", "net 3 has no driver", cells(("not", (0,), (2,)), ("and", (2, 3), (4,)))),
    "two drivers": (
        "N0001",
        "net 2 has 2 drivers",
        cells(("buf", (1,), (3,)), ("not", (0,), (2,)), ("buf", (1,), (2,))),
    ),
    "drives an input": ("N0001", "net 0 has 2 drivers", cells(("buf", (1,), (3,)), ("not", (1,), (0,)), output=3)),
    "too few pins": (
        "N0002",
        "cell 1: and has the wrong number of pins: 1 inputs and 1 outputs, it needs 2 and 1",
        cells(("not", (0,), (2,)), ("and", (2,), (3,))),
    ),
    "too many outputs": ("N0002", "cell 1: buf", cells(("not", (0,), (2,)), ("buf", (2,), (3, 4)))),
    "a cycle": (
        "N0003",
        "waits for its own output",
        cells(("not", (0,), (5,)), ("and", (5, 3), (2,)), ("or", (2, 1), (3,)), ("buf", (3,), (4,))),
    ),
    "fan-out of a pulse": (
        "N0004",
        "net 2 has 2 sinks",
        cells(("JTL", (1,), (3,)), ("SPLIT", (0,), (2, 5)), ("MERGE", (2, 2), (4,))),
    ),
    "net outside": ("N0005", "no net 9", cells(("not", (0,), (2,)), ("not", (9,), (3,)), num_nets=5)),
    "no such cell": ("N0005", "columns", cells(("not", (0,), (2,)), opcode=np.array([99], np.uint8))),
}
WHOLE_NETLISTS = ("net outside", "no such cell")


@pytest.mark.parametrize("name", NETLISTS)
def test_broken_netlists(name):
    code, message, netlist = NETLISTS[name]
    with pytest.raises(InputError, match=message) as fault:
        verify(Module("m", netlists={"n": netlist}))
    assert [d.code for d in fault.value.diagnostics] == [code]
    line = fault.value.diagnostics[0].location.line
    assert line == 1 if name in WHOLE_NETLISTS else line >= 3


def test_the_cell_named_for_a_cycle_is_on_it():
    chain = [("buf", (k,), (k + 1,)) for k in range(10, 14)]
    ring = [("and", (0, 6), (4,)), ("not", (4,), (5,)), ("not", (5,), (6,)), ("buf", (6,), (10,))]
    (fault,) = netlist_faults(cells(*reversed(chain), *ring))
    assert "not waits" in fault.message or "and waits" in fault.message
    (own,) = netlist_faults(cells(("and", (2, 0), (2,))))
    assert "cell 0: and waits for its own output" in own.message


def test_a_net_without_driver_is_no_cycle():
    assert [d.code for d in netlist_faults(cells(("not", (5,), (2,)), ("not", (2,), (3,))))] == ["N0001"]


def test_clock_and_ports_are_drivers():
    editor = NetlistEditor("n", ["a"], clock=True)
    (q,) = editor.add("DFF", [0, editor.clock])
    assert not [*netlist_faults(editor.netlist([("q", q)]))]
    passing = NetlistEditor("wire", ["a"])
    assert not [*netlist_faults(passing.netlist([("q", 0)]))]
    assert not [*netlist_faults(Netlist.of("empty", [], [], []))]


def test_faults_of_bodies_are_found():
    body = Graph((Y4,), (node(ops.Neg(), [value("x", -1, 4)], [value("z", -1, 4)]),), (Y4,))
    launch = ops.Launch("nir", "a", body)
    with pytest.raises(InputError, match="x is used before") as fault:
        verify(graph_module(node(launch, [X4], [value("r", -1, 4)])))
    assert [d.code for d in fault.value.diagnostics] == ["I0001"], "a body does not see the values around it"


def test_all_faults_at_once():
    circuit = gates(("cx", [0, 7]), ("cx", [1, 1]), ("rx", [0]), ("measure", [0], (), [4]))
    netlist = cells(("not", (7,), (2,)), ("and", (2,), (3,)))
    broken = graph_module(
        node(ops.Relu(), [value("a", 1)], [value("b", 1)]),
        node(ops.Relu(), [X4], [value("b", 2)]),
        node(ops.Linear(), [X4, value("@v", 3, 4)], [value("c", -1, 3)]),
        circuits={"c": circuit, "d": gates(("x", [9]))},
        netlists={"n": netlist},
        weights={"w": np.array([np.inf])},
    )
    codes = sorted(d.code for d in find_faults(broken))
    assert codes == sorted(
        ["M0006", "C0001", "C0002", "C0003", "C0004", "C0001", "N0001", "N0002", "I0001", "I0003", "I0002", "I0004"]
    )
    with pytest.raises(InputError) as fault:
        verify(broken)
    assert len(fault.value.diagnostics) == len(codes)
    assert str(fault.value).count("error[") == len(codes)


def test_many_faults_of_one_kind_are_cut_to_ten():
    assert len([*circuit_faults(gates(*[("x", [9])] * 50))]) == 10


@pytest.mark.parametrize("seed", range(5))
def test_random_circuits_are_whole(seed, random_circuit):
    assert not [*circuit_faults(random_circuit(seed, 5, 80, bits=3, dynamic=True))]


def test_whole_modules_pass():
    verify(Module("empty"))
    module = Module("m", weights={"w": WEIGHT})
    builder = GraphBuilder(module)
    (y,) = builder.add(ops.Linear(), builder.input("x", X4.type), builder.weight("w"))
    verify(module.with_(graph=builder.graph(y, y)))


def best_time(call) -> float:
    """The least of three times, so that a busy machine does not fail the test."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_large_circuit_is_verified_quickly():
    editor = CircuitEditor("c", 60, 0, [AngleInput("x", (60,))])
    for k in range(60):
        editor.add("h", [k])
        editor.add("cx", [k, (k + 1) % 60])
        editor.add("rz", [k], [make_row(Fraction(k, 7), 0, [(k, 0.5)])])
    circuit = editor.circuit()
    large = circuit.with_rows(circuit.rows() * 556)
    assert len(large) > 100_000
    assert best_time(lambda: verify(Module("m", circuits={"c": large}))) < 0.1


def test_a_long_chain_of_cells_is_verified_in_linear_time():
    rows = [CellRow(CELL_CODES["buf"], (k,), (k + 1,)) for k in range(50_000)]
    backwards = Netlist.of("n", [("a", 0)], [("q", 50_000)], rows[::-1])
    assert best_time(lambda: verify(Module("m", netlists={"n": backwards}))) < 0.5


def test_opcodes_survive_as_bytes():
    row = GateRow(OPCODES["cx"], (0, 1))
    assert gates().with_rows([row]).opcode.dtype == np.uint8
