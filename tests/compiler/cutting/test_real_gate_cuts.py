"""Gates that are cut in real circuits: three settings an end, and why fewer numbers do not do."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import qsc
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cut import Cut
from qsc.frontends.readouts import module_of
from qsc.ir.gates import PAULI
from qsc.ir.interpreter import evaluate

X = np.random.default_rng(0).uniform(-3, 3, (5, 4))


def circuit(gates: list[tuple[str, int, int]], *, real: bool = True) -> qsc.Circuit:
    """Turns about Y, about X in place of some where it is not real, between gates on pairs of three qubits."""
    c = qsc.Circuit(1 + max(max(pair) for _, *pair in gates))
    x = c.inputs("x", 4)
    for q in range(c.num_qubits):
        c.ry(0.4 + x[q], q)
    for k, (name, a, b) in enumerate(gates):
        getattr(c, name)(*([x[3]] if name == "cry" else []), a, b)
        c.ry(0.7 * x[k % 3], a)
        (c.ry if real else c.rx)(0.3 + k, b)
    return c


def cut(source: qsc.Circuit, readout: str) -> tuple[int, float]:
    """(executions on one qubit, largest error)."""
    module, context = module_of(source.build(), readout), Context()
    after = Cut(max_qubits=1, reuse=False).run(module, context)
    before, made = (evaluate(m, [X], precision="f64")[0] for m in (module, after))
    (plan,) = [r.data for r in context.remarks if r.data]
    return plan["executions"], float((before - made).abs().max())


@pytest.mark.parametrize("gate", ["cz", "cx", "cry"])
def test_one_gate_takes_three_settings_an_end(gate: str):
    """The angle of CRY is free."""
    executions, error = cut(circuit([(gate, 0, 1)]), "X0*Z1")
    assert executions == 6
    assert error < 1e-13
    executions, error = cut(circuit([(gate, 0, 1)], real=False), "X0*Z1")
    assert executions == 8
    assert error < 1e-13


def test_gates_in_a_row_take_three_each():
    executions, error = cut(circuit([("cz", 0, 1), ("cry", 1, 2)]), "X0*Z1*X2")
    assert executions == 3 + 3 * 3 + 3
    assert error < 1e-13


def test_two_gates_between_the_same_parts_take_four_each():
    """What is odd at both ends counts: see below."""
    executions, error = cut(circuit([("cz", 0, 1), ("cry", 1, 0)]), "X0*Z1")
    assert executions == 4 * 4 + 4 * 4
    assert error < 1e-13


def test_a_readout_of_y_is_not_real():
    assert cut(circuit([("cz", 0, 1)]), "Y0*X1")[0] == 8


# Why: the rank of what the four maps of every end give, over random circuits around them


def orthogonal(rng: np.random.Generator, real: bool) -> np.ndarray:
    size = (8, 8)
    return np.linalg.qr(rng.standard_normal(size) + (0 if real else 1j) * rng.standard_normal(size))[0]


def readings(rng: np.random.Generator, ends: list[tuple[str, float]], real: bool) -> np.ndarray:
    """What a random observable reads for each choice of a map at each end (letter, own turn) of a random circuit."""
    first = orthogonal(rng, real)[:, 0]
    found = [np.outer(first, first.conj())]
    for qubit, (letter, own) in enumerate(ends):
        axis = np.kron(np.eye(2**qubit), np.kron(PAULI[letter], np.eye(2 ** (2 - qubit))))
        turn = np.cos(own / 2) * np.eye(8) - 1j * np.sin(own / 2) * axis
        after, made = orthogonal(rng, real), []
        for state in found:
            s = turn @ state @ turn.conj().T
            maps = (s, axis @ s @ axis, -1j * (axis @ s - s @ axis), (axis @ s + s @ axis) / 2)
            made += [after @ m @ after.conj().T for m in maps]
        found = made
    basis = orthogonal(rng, real)
    observable = basis @ np.diag(rng.standard_normal(8)) @ basis.conj().T
    return np.array([np.trace(observable @ state).real for state in found])


ENDS = [("Z", np.pi / 2), ("X", np.pi / 2), ("Z", 0.0), ("Y", 0.7)]
"""Of CZ and CX, and the control and the target of CRY."""


@pytest.mark.parametrize("real", [True, False])
def test_the_rank_of_the_maps(real: bool):
    """Three numbers pass an end of a real circuit, and with two ends nine, and the product of what is odd at both."""
    rng = np.random.default_rng(0)
    for end in ENDS:
        assert np.linalg.matrix_rank([readings(rng, [end], real) for _ in range(20)], 1e-9) == (3 if real else 4)
    for two in product(ENDS[::3], repeat=2):
        rank = np.linalg.matrix_rank([readings(rng, list(two), real) for _ in range(50)], 1e-9)
        assert rank == (3 * 3 + 1 if real else 16)
