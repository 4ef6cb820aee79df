"""late_angles: the Euler angles of every wire, for the whole batch, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qsc.frontends.text import read
from qsc.ir import InputError, print_module
from qsc.ir.gates import GATES, OPCODES
from qsc.ir.interpreter import evaluate, late
from qsc.ir.interpreter.compare import unitary
from qsc.ir.verifier import verify

TEXT = """
circuit k(x[2]) on 3 qubits {
  rx(x[0]) q[0];
  ry(x[1]) q[0];
  rx(x[0] + pi/3) q[0];
  h q[1];
  u3(x[0], x[1], 0.5) q[1];
  p(x[1]) q[1];
  rz(x[0]) q[2];
}
main(x: f64[?,2]) {
  y = late_angles(x, circuit="k");
  return y;
}
"""


def test_round_trip():
    module = read(TEXT)
    assert read(print_module(module)) == module


def test_angles_are_those_of_the_products():
    module = read(TEXT)
    x = np.random.default_rng(0).normal(size=(5, 2))
    (angles,) = evaluate(module, [x])
    assert angles.shape == (5, 3, 3)
    u3 = GATES[OPCODES["u3"]].matrix
    assert u3 is not None
    for sample in range(5):
        first, second, third = (u3(*angles[sample, wire].tolist()) for wire in range(3))
        whole = np.kron(third, np.kron(second, first))
        assert abs(abs(np.vdot(whole, unitary(module.circuits["k"], x[sample]))) / 8 - 1) < 1e-12


def test_gradient():
    module = read(TEXT.replace("  rz(x[0]) q[2];\n", "  ry(x[0]) q[2];\n"))
    x = torch.tensor(np.random.default_rng(1).normal(size=(3, 2)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: late.angles(module.circuits["k"], v), (x,))


def test_only_one_qubit_gates():
    with pytest.raises(InputError, match="one qubit"):
        verify(read(TEXT.replace("  h q[1];\n", "  cx q[0], q[1];\n")))
