"""Passes with one mistake each: the check of contracts has to catch every one.

A fault takes what the true pass made and spoils it as a mistake in that pass would. Every program is one on which the
true pass holds its contract, which is checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from qsc.compiler.contracts import check
from qsc.compiler.passes.base import Context, Pass
from qsc.compiler.registry import make_pass
from qsc.frontends.text import read
from qsc.ir import CheckError, Module, PauliSum, ops, verify
from qsc.ir.angles import AngleTable, add_rows, make_row
from qsc.ir.circuit import Circuit, GateRow
from qsc.ir.gates import OPCODES
from qsc.ir.graph import Node, map_nodes

Rows = list[GateRow]


@dataclass(frozen=True)
class Fault:
    """pass_name with its options; the program; what goes wrong after the true pass ran on it."""

    pass_name: str
    program: str
    spoil: Callable[[Module], Module]
    options: tuple[tuple[str, Any], ...] = ()


def on_circuit(change: Callable[[Circuit], Circuit]) -> Callable[[Module], Module]:
    def spoil(module: Module) -> Module:
        name = next(n.op.circuit for n in module.nodes() if isinstance(n.op, ops.Readout))
        return module.with_(circuits={**module.circuits, name: change(module.circuits[name])})

    return spoil


def on_rows(change: Callable[[Rows], Rows]) -> Callable[[Module], Module]:
    return on_circuit(lambda circuit: circuit.with_rows(change(circuit.rows())))


def on_readouts(change: Callable[[Any], Any]) -> Callable[[Module], Module]:
    def visit(node: Node) -> Node:
        return replace(node, op=change(node.op)) if isinstance(node.op, ops.Readout) else node

    return lambda module: module.with_(graph=map_nodes(module.graph, visit))


def first(rows: Rows, *gates: str, conditioned: bool = False) -> int:
    found = (k for k, r in enumerate(rows) if r.gate.name in gates and (not conditioned or r.condition >= 0))
    return next(found)


def without(*gates: str) -> Callable[[Module], Module]:
    """The first gate of that kind is lost."""
    return on_rows(lambda rows: [r for k, r in enumerate(rows) if k != first(rows, *gates)])


def with_row(gate: str, change: Callable[[GateRow], GateRow], **how: bool) -> Callable[[Module], Module]:
    """The first gate of that kind is another one."""

    def spoil(rows: Rows) -> Rows:
        at = first(rows, gate, **how)
        return [change(r) if k == at else r for k, r in enumerate(rows)]

    return on_rows(spoil)


def exchanged(gate: str, other: str) -> Callable[[Module], Module]:
    """The first gates of two kinds change places."""

    def spoil(rows: Rows) -> Rows:
        a, b = first(rows, gate), first(rows, other)
        rows[a], rows[b] = rows[b], rows[a]
        return rows

    return on_rows(spoil)


def with_angles(change: Callable[[Any], Any]) -> Callable[[Module], Module]:
    """Every angle is another one."""
    return on_circuit(lambda c: replace(c, angles=AngleTable.from_rows([change(r) for r in c.angles.rows()])))


def sums(change: Callable[[Any, float], tuple[Any, float]]) -> Callable[[Module], Module]:
    """Every term of every observable is another one."""

    def reread(op: Any) -> Any:
        new = tuple(PauliSum.of(change(term, coeff) for term, coeff in o.terms) for o in op.observables)
        return replace(op, observables=new)

    return on_readouts(reread)


def moved(step: int) -> Callable[[Module], Module]:
    """Readouts are of the next qubits or bits."""
    return sums(lambda term, c: (tuple((p, q + step) for p, q in term), c))


def conditions(change: Callable[[Any], Any]) -> Callable[[Module], Module]:
    return on_circuit(lambda c: replace(c, conditions=tuple(map(change, c.conditions))))


def reversed_payloads(circuit: Circuit) -> Circuit:
    return replace(circuit, payloads=tuple(p[::-1] for p in circuit.payloads))


def shuffled_weights(module: Module) -> Module:
    """Trained weights are bound in the wrong order: 0.3 and 1.1 change places."""
    swap = {0.3: 1.1, 1.1: 0.3}
    return with_angles(lambda r: (r[0], r[1], swap.get(r[2], r[2]), r[3]))(module)


def joined_backwards(module: Module) -> Module:
    def visit(node: Node) -> Node:
        return replace(node, operands=node.operands[::-1]) if isinstance(node.op, ops.Cat) else node

    return module.with_(graph=map_nodes(module.graph, visit))


def program(gates: str, read_: str, header: str = "x[2]) on 3 qubits, 1 bits", operands: str = "x") -> str:
    body = " ".join(f"{g.strip()};" for g in gates.split(";") if g.strip())
    return f"circuit c({header} {{ {body} }}\nmain(x: f64[?,2]) {{ y = {read_}; return y; }}".replace(
        "OPERANDS", operands
    )


def z(*observables: str) -> str:
    return f'expectation(OPERANDS, circuit="c", observables=[{", ".join(repr(o) for o in observables)}])'.replace(
        "'", '"'
    )


PROBS = 'probabilities(OPERANDS, circuit="c", qubits=[0, 1, 2])'
START = "ry(x[0]) q[0]; rx(x[1]) q[1]; ry(0.4) q[2]; cx q[0], q[1]"
MEASURED = f"{START}; measure q[1] -> c[0]; ry(0.9) q[2] if c[0]; reset q[1]; rx(0.5) q[1]; cx q[2], q[1]"
UNDONE = f"h q[2]; h q[2]; {START}; rz(0.3) q[1]; rz(x[0]) q[1]; cx q[1], q[2]; p(x[1]) q[2]"
CHAIN = "ry(x[0]) q[0]; ry(x[1]) q[1]; ry(0.8) q[2]; cx q[0], q[1]; ry(0.7) q[1]; cx q[1], q[2]"
REUSE = (("reuse", True),)
FEED = (("feed_forward", True),)
SPLIT = (("max_circuits", 3),)

FAULTS: dict[str, Fault] = {
    "the sign of an angle": Fault(
        "cancel-gates", program(UNDONE, PROBS), with_angles(lambda r: add_rows(make_row(), r, -1))
    ),
    "a gate lost": Fault("cancel-gates", program(UNDONE, PROBS), without("cx")),
    "an angle lost in a merger": Fault(
        "cancel-gates", program(UNDONE, PROBS), with_angles(lambda r: r if len(r[3]) == 0 else make_row(0, 0.0, r[3]))
    ),
    "the global phase lost": Fault(
        "cancel-gates", program("rz(2*pi) q[0]; h q[1]", PROBS), on_circuit(lambda c: replace(c, phase=-1))
    ),
    "p for rz, without its phase": Fault(
        "cancel-gates", program(UNDONE, PROBS), with_row("p", lambda r: r._replace(opcode=OPCODES["rz"]))
    ),
    "wires exchanged": Fault(
        "gather-pairs",
        program("ry(x[0]) q[0]; crx(0.2) q[0], q[1]; rxx(0.3) q[1], q[2]; cx q[0], q[1]", PROBS),
        with_row("cx", lambda r: r._replace(wires=r.wires[::-1])),
    ),
    "a commutation that does not hold": Fault("cancel-gates", program(UNDONE, PROBS), exchanged("ry", "cx")),
    "letters of a Pauli string from the other end": Fault(
        "cancel-gates",
        program('h q[2]; h q[2]; pauli("XYZ", x[0]) q[0], q[1], q[2]', PROBS),
        on_circuit(reversed_payloads),
    ),
    "a condition dropped": Fault(
        "cancel-gates",
        program("h q[0]; h q[0]; " + MEASURED, PROBS),
        with_row("ry", lambda r: r._replace(condition=-1), conditioned=True),
    ),
    "a condition negated": Fault("trim-ends", program("z q[0]; " + MEASURED, PROBS), conditions(lambda c: ("not", c))),
    "a reset lost": Fault("cancel-gates", program("h q[0]; h q[0]; " + MEASURED, PROBS), without("reset")),
    "a measurement moved over a gate": Fault(
        "cancel-gates", program("h q[0]; h q[0]; " + MEASURED, PROBS), exchanged("measure", "cx")
    ),
    "a state that is not known taken for |0>": Fault(
        "trim-ends", program("rz(0.2) q[0]; " + CHAIN, PROBS), without("cx")
    ),
    "a swap without its relabelling": Fault(
        "relabel-swaps",
        program(START + "; swap q[0], q[2]", z("Z0", "Z1")),
        on_readouts(lambda op: replace(op, observables=(PauliSum.parse("Z0"), PauliSum.parse("Z1")))),
    ),
    "outcomes in another order": Fault(
        "relabel-swaps",
        program(START + "; swap q[0], q[2]", PROBS),
        on_readouts(lambda op: replace(op, qubits=(0, 1, 2))),
    ),
    "the sign of an absorbed observable": Fault(
        "absorb-clifford", program(START + "; x q[1]; cz q[1], q[2]", z("Z1", "Z0*Z1")), sums(lambda t, c: (t, abs(c)))
    ),
    "a letter of an absorbed observable": Fault(
        "absorb-clifford",
        program("ry(x[0]) q[0]; rz(x[1]) q[0]; s q[0]; h q[0]", z("Z0")),
        sums(lambda t, c: (tuple(({"X": "Y", "Y": "X"}.get(p, p), q) for p, q in t), c)),
    ),
    "a cone that is too small": Fault("light-cone", program(CHAIN, z("Z1")), without("cx")),
    "a measured bit that seems unread": Fault(
        "light-cone", program(MEASURED + "; h q[0]", z("Z2")), without("measure")
    ),
    "observables on the qubits of another numbering": Fault(
        "light-cone", program("ry(x[0]) q[1]; ry(0.3) q[2]; cx q[1], q[2]", z("Z2")), moved(-1)
    ),
    "weights in another order": Fault(
        "bake-weights",
        "weight @w: f64[2] = [0.3, 1.1];\n"
        + program(
            "ry(w[0] + x[0]) q[0]; ry(w[1] - x[1]) q[1]; cx q[0], q[1]",
            z("Z0"),
            "x[2], weight w[2]) on 3 qubits",
            "x, @w",
        ),
        shuffled_weights,
    ),
    "a qubit used again without its reset": Fault(
        "reuse-qubits", program(CHAIN, z("Z1", "Z2")), without("reset"), REUSE
    ),
    "a bit read for another": Fault("reuse-qubits", program(CHAIN, z("Z0")), moved(-1), REUSE),
    "a basis that is not changed before a measurement": Fault(
        "reuse-qubits", program(CHAIN, z("X0", "Z2")), without("h"), REUSE
    ),
    "a fed-forward gate for the wrong outcome": Fault(
        "measure-controls", program(CHAIN, z("Z2")), conditions(lambda c: ("not", c)), FEED
    ),
    "a gate fed forward before its measurement": Fault(
        "measure-controls", program(CHAIN, z("Z2")), exchanged("measure", "x"), FEED
    ),
    "values joined in another order": Fault(
        "split-readouts", program(CHAIN + "; h q[0]", z("Z2", "Z0")), joined_backwards, SPLIT
    ),
    "a run of gates multiplied the other way round": Fault(
        "fuse-single-qubit",
        program("rx(0.3) q[0]; rz(0.8) q[0]; rx(1.1) q[0]; ry(x[0]) q[1]; cx q[0], q[1]", z("X0", "Z1")),
        with_row("u3", lambda r: r._replace(angles=(r.angles[0], r.angles[2], r.angles[1]))),
    ),
}


def spoiled(fault: Fault) -> tuple[Pass, Module, Module]:
    pass_, before = make_pass(fault.pass_name, dict(fault.options)), read(fault.program)
    after = pass_.run(before, Context())
    assert after != before, "the pass finds nothing to do"
    check(pass_, before, after)
    return pass_, before, after


@pytest.mark.parametrize("name", FAULTS)
def test_caught(name: str):
    pass_, before, after = spoiled(FAULTS[name])
    wrong = FAULTS[name].spoil(after)
    assert wrong != after
    verify(wrong)
    with pytest.raises(CheckError, match="broke its contract"):
        check(pass_, before, wrong)
