"""The circuit builder: gates, exact angles, places, conditions, and what it refuses."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import qsc
from hypothesis import given
from hypothesis import strategies as st
from qsc.frontends.builder import Angle
from qsc.ir import InputError, Module, verify
from qsc.ir.angles import make_row
from qsc.ir.gates import GATES, OPCODES
from qsc.ir.printer import print_circuit


def small() -> tuple[qsc.Circuit, np.ndarray]:
    c = qsc.Circuit(3, bits=2)
    return c, c.inputs("x", 3)


def angle_of(c: qsc.Circuit, angle) -> tuple:
    """The row that a gate gets."""
    c.rx(angle, 0)
    built = c.build()
    return built.angles.row(int(built.angle_rows[-1]))


@pytest.mark.parametrize("gate", [g for g in GATES if g.unitary and g.qubits > 0], ids=lambda g: g.name)
def test_every_gate_has_a_method_named_as_in_the_text(gate):
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    getattr(c, gate.name)(*x[: gate.angles], *range(gate.qubits))
    (row,) = c.build().rows()
    assert row.opcode == OPCODES[gate.name]
    assert row.wires == tuple(range(gate.qubits))
    assert len(row.angles) == gate.angles


def test_a_whole_circuit_as_text():
    c = qsc.Circuit(4, bits=2)
    x, w = c.inputs("x", 4), c.weights("w", (2, 4))
    scale = c.inputs("scale")
    for q in range(2):
        c.ry(x[q], q)
    for q, angle in enumerate(2 * w[1, :2] + x[2:]):
        c.rz(angle - scale / 4, q)
    c.pauli(Fraction(1, 3), "XIZ", [0, 2, 3])
    c.u3(math.pi / 2, -x[0], qsc.pi / 3 + 0.25, 3)
    c.barrier(0, 1)
    first = c.measure(0, 0)
    second = c.measure(1, 1)
    c.x(2, condition=first & ~second)
    c.reset(0, condition=first ^ c.bit(1))
    c.phase(qsc.pi * Fraction(1, 7))
    verify(Module("m", circuits={"net": c.build("net")}))
    assert print_circuit(c.build("net")) == "\n".join(
        [
            "circuit net(x[4], weight w[2,4], scale) on 4 qubits, 2 bits {",
            "  phase(pi/7);",
            "  ry(x[0]) q[0];",
            "  ry(x[1]) q[1];",
            "  rz(x[2] + 2.0*w[1,0] - 0.25*scale) q[0];",
            "  rz(x[3] + 2.0*w[1,1] - 0.25*scale) q[1];",
            '  pauli("XIZ", pi/3) q[0], q[2], q[3];',
            "  u3(pi/2, -x[0], pi/3 + 0.25) q[3];",
            "  barrier q[0], q[1];",
            "  measure q[0] -> c[0];",
            "  measure q[1] -> c[1];",
            "  x q[2] if c[0] & !c[1];",
            "  reset q[0] if c[0] ^ c[1];",
            "}",
        ]
    )


@given(st.integers(-(2**12), 2**12), st.integers(0, 16))
def test_floats_that_are_exact_multiples_of_pi_become_rational(k, j):
    value = k * math.pi / 2**j
    assert Angle.of(value).row == make_row(Fraction(k, 2**j))
    assert Angle.of(np.float64(value)).row == make_row(Fraction(k, 2**j))


@given(st.floats(-1e6, 1e6))
def test_any_float_keeps_its_value(value):
    assert float(Angle.of(value)) == pytest.approx(value, rel=1e-15, abs=0)


@given(
    st.lists(st.tuples(st.sampled_from("+-*/"), st.sampled_from([1, 2, -3, 0.5, 1.7, Fraction(2, 3)])), max_size=6),
    st.floats(-3, 3),
)
def test_arithmetic_is_that_of_numbers(steps, at):
    c = qsc.Circuit(1)
    x = c.inputs("x")
    expression, value = x, at
    for operation, number in steps:
        # A Fraction that is added is a multiple of pi; one that multiplies is a plain number.
        added = number * math.pi if isinstance(number, Fraction) else number
        if operation == "+":
            expression, value = expression + number, value + added
        elif operation == "-":
            expression, value = number - expression, added - value
        elif operation == "*":
            expression, value = number * expression, value * float(number)
        else:
            expression, value = expression / number, value / float(number)
    num, den, offset, terms = angle_of(c, expression)
    bound = num / den * math.pi + offset + sum(k * at for _, k in terms)
    assert bound == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_multiples_of_pi_stay_exact():
    c, x = small()
    assert angle_of(c, qsc.pi / 3) == (1, 3, 0.0, ())
    assert angle_of(c, 2 * qsc.pi * Fraction(1, 7) - qsc.pi) == (-5, 7, 0.0, ())
    assert angle_of(c, 0.5 * (qsc.pi + x[1])) == (1, 2, 0.0, ((1, 0.5),))
    assert angle_of(c, Fraction(3, 5)) == (3, 5, 0.0, ())
    assert angle_of(c, qsc.pi * x[0]) == (0, 1, 0.0, ((0, math.pi),))
    assert angle_of(c, x[0] - x[0]) == (0, 1, 0.0, ())


def test_places_are_the_callers_lines():
    here = inspect.currentframe()
    assert here is not None
    c = qsc.Circuit(2)
    first = here.f_lineno
    c.h(0)
    for q in range(2):
        c.rx(0.1, q)
    built = c.build()
    assert built.place.file == __file__
    assert built.place.line == first - 1
    assert [built.place_of(k).line for k in range(3)] == [first + 1, first + 3, first + 3]


TEXT: Any = "a"
HALF: Any = 1.5

WRONG = {
    "product": ("P0005", "product of the angles x\\[0\\] and x\\[1\\]", lambda c, x: x[0] * x[1]),
    "qubit": ("C0001", "qubit 3", lambda c, x: c.h(3)),
    "negative": ("C0001", "qubit -1", lambda c, x: c.h(-1)),
    "twice": ("C0002", r"cx on q\[1\], q\[1\] uses one qubit twice", lambda c, x: c.cx(1, 1)),
    "bit": ("C0004", "bit 2", lambda c, x: c.measure(0, 2)),
    "condition": ("P0005", "a condition is a Bit", lambda c, x: c.x(0, condition=1)),
    "order": ("P0005", "takes qubits as integers", lambda c, x: c.rx(0, x[0])),
    "string": ("P0005", "an angle is a number", lambda c, x: c.rx("pi", 0)),
    "nan": ("P0004", "not a finite number", lambda c, x: c.rx(math.nan, 0)),
    "infinite factor": ("P0004", "multiplied by inf", lambda c, x: x[0] * math.inf),
    "zero": ("P0004", "divided by zero", lambda c, x: x[0] / 0),
    "letters": ("P0005", "one letter", lambda c, x: c.pauli(0.1, "XW", [0, 1])),
    "other circuit": ("P0005", "another circuit", lambda c, x: qsc.Circuit(1).rx(x[0], 0)),
    "two circuits": ("P0005", "two different circuits", lambda c, x: x[0] + qsc.Circuit(1).inputs("y")),
    "name": ("P0005", "plain identifier", lambda c, x: c.inputs("a b")),
    "same name": ("P0003", "declared twice", lambda c, x: c.weights("x", 2)),
    "shape": ("P0004", "holds no angle", lambda c, x: c.inputs("y", (2, 0))),
    "no qubits": ("P0004", "at least one qubit", lambda c, x: qsc.Circuit(0)),
    "qubits as text": ("P0005", "the number of qubits is 'a'", lambda c, x: qsc.Circuit(TEXT)),
    "half a qubit": ("P0005", "the number of qubits is 1.5", lambda c, x: qsc.Circuit(HALF)),
    "bits as text": ("P0005", "the number of classical bits is 'a'", lambda c, x: qsc.Circuit(2, bits=TEXT)),
    "name as number": ("P0005", "angle input 3 is not named", lambda c, x: c.inputs(3)),
    "shape as text": ("P0005", "angle input 'y' has the shape 'a'", lambda c, x: c.inputs("y", "a")),
    "half a size": ("P0005", "angle input 'y' has the shape 1.5", lambda c, x: c.weights("y", 1.5)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_line(name):
    code, message, act = WRONG[name]
    c, x = small()
    with pytest.raises(InputError, match=message) as caught:
        act(c, x)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.location.file == __file__
