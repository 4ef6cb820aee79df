"""Rotations by next to nothing survive pytket's passes."""

from __future__ import annotations

from fractions import Fraction
from math import pi

import numpy as np
import pytest
import qsc
from qsc.bridges.tket import from_tket, to_tket
from qsc.bridges.tket_presets import PRESETS, candidates
from qsc.bridges.tket_turns import with_numbers
from qsc.ir import AngleInput, Circuit, CircuitEditor
from qsc.ir.angles import make_row
from qsc.ir.gates import OPCODES
from qsc.ir.interpreter.compare import unitary

TARGETS = (
    "tket:line:3",
    "quantinuum_h1-1",
    "quantinuum_h2-1",
    "tket:fake_nairobi",
    "tket:ionq_forte_36",
    "tket:iqm_crystal_5",
    "tket:rigetti_ankaa_84",
)


def tiny_model(size: float) -> qsc.Circuit:
    """Data, and rotations by `size` beside multiples of a quarter turn, between gates that commute with them or not."""
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    c.rx(size, 0)
    c.rz(1.5 * size, 1)
    c.crx(size, 0, 1)
    c.ry(x[0], 1)
    c.rzz(2 * size, 1, 2)
    c.ry(pi / 2 + size, 2)
    c.rz(pi - size, 2)
    c.cx(1, 2)
    c.ry(x[1], 0)
    return c


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("size", [1e-6, 1e-8])
def test_tiny_turns_are_kept(target: str, effort: str, size: float):
    bundle = qsc.compile(tiny_model(size), target=target, readout="X0*Y1, Z1*X2, Y0", effort=effort)
    assert bundle.verify().passed
    assert all(check["max_error"] < 1e-11 for check in bundle.manifest["verification"]["checks"])


def constant_circuit(size: float, base: float) -> Circuit:
    """Gates of constant angles alone, so that every preset runs."""
    editor = CircuitEditor("constant", 3)
    for q in range(3):
        editor.add("ry", [q], [0.3 + 0.2 * q])
    editor.add("cx", [0, 1])
    editor.add("rx", [0], [base + size])
    editor.add("rz", [1], [base - 1.5 * size])
    editor.add("cx", [0, 1])
    editor.add("crx", [1, 2], [base + size])
    editor.add("rzz", [1, 2], [base + 2 * size])
    editor.add("u3", [0], [base + size, size, 0.4])
    editor.add("pauli", [0, 1, 2], [base + size], pauli="XYZ")
    for q in range(3):
        editor.add("ry", [q], [0.5 - 0.3 * q])
    return editor.circuit()


def distance(circuit: Circuit, other: Circuit, final: tuple[int, ...]) -> float:
    """Largest difference of two unitaries up to a phase, qubit q of the first one on `final[q]` of the other."""
    n = circuit.num_qubits
    given, made = unitary(circuit), unitary(other).reshape((2,) * n + (-1,))
    axes = [n - 1 - final[q] for q in reversed(range(n))]
    made = made.transpose([*axes, n]).reshape(given.shape)
    phase = np.vdot(made, given)
    return float(np.abs(made * phase / abs(phase) - given).max())


@pytest.mark.parametrize("base", [0.0, pi / 2, pi])
@pytest.mark.parametrize("size", [1e-4, 1e-6, 1e-8, 1e-10])
def test_every_preset_keeps_them(base: float, size: float):
    circuit = constant_circuit(size, base)
    found = candidates(circuit, "max", 0)
    assert [form.origin for form in found] == list(PRESETS)
    for form in found:
        assert distance(circuit, form.circuit, form.final) < 1e-11, form.origin


def test_barriers_of_the_circuit_stay():
    circuit = constant_circuit(1e-6, 0.0)
    editor = CircuitEditor.of(circuit)
    editor.add("barrier", range(3))
    for row in circuit.rows():
        if row.wires == (0,):
            editor.add("rx", [0], [1e-6])
    found = candidates(editor.circuit(), "default", 0)
    assert {form.origin for form in found} >= {"tket CliffordSimp", "tket FullPeepholeOptimise"}
    barrier = OPCODES["barrier"]
    assert all([row.opcode for row in form.circuit.rows()].count(barrier) == 1 for form in found)


def test_tiny_constants_are_the_last_symbols():
    editor = CircuitEditor("both", 2, 0, [AngleInput("x", (2,))])
    for angle in (1e-6, make_row(0, 0.0, [(1, 1.0)]), pi + 1e-8, make_row(Fraction(1, 2)), 0.3):
        editor.add("rx", [0], [angle])
    plain, held = to_tket(editor.circuit()), to_tket(editor.circuit(), hold_tiny=True)
    assert (plain.symbols, dict(plain.tiny)) == (("a0",), {})
    assert held.symbols == ("a0", "tiny0", "tiny1")
    assert [float(number) for number in held.tiny.values()] == pytest.approx([1e-6 / pi, 1 + 1e-8 / pi], rel=1e-15)
    assert with_numbers(held.circuit, held.tiny) == plain.circuit
    assert with_numbers(plain.circuit, held.tiny) is plain.circuit
    assert from_tket(held.circuit, held).circuit == from_tket(plain.circuit, plain).circuit
