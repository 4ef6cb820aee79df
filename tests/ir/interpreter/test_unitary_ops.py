"""Evolution by data and dense unitaries: ops, builder and layer against scipy's matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.frontends.text import read
from qsc.ir import InputError, print_module
from qsc.ir.interpreter import evaluate
from qsc.ir.interpreter.compare import unitary
from scipy.linalg import expm
from scipy.stats import unitary_group

TEXT = """
circuit dense(a[69]) on 3 qubits { ry(a[0]) q[0]; }
main(m: f64[?,8,8], t: f64[2]) {
  u = hermitian_evolution(m, t);
  return u, unitary_angles(u);
}
"""


def same(given: np.ndarray, wanted: np.ndarray) -> bool:
    phase = np.vdot(given.ravel(), wanted.ravel())
    return bool(np.abs(given * phase / abs(phase) - wanted).max() < 1e-12)


def test_evolution_and_its_angles():
    module = read(TEXT)
    assert read(print_module(module)) == module
    m, t = np.random.default_rng(0).normal(size=(3, 8, 8)), np.array([0.3, -1.7])
    parts, angles = (x.numpy() for x in evaluate(module, [m, t]))
    assert parts.shape == (3, 2, 2, 8, 8)
    assert angles.shape == (3, 2, 69)
    for sample, row, given in zip(m, parts, angles, strict=True):
        for time, (real, imaginary), numbers in zip(t, row, given, strict=True):
            wanted = expm(-0.5j * time * (sample + sample.T) / 2)
            assert np.abs(real + 1j * imaginary - wanted).max() < 1e-12
            c = qsc.Circuit(3)
            c.dense(numbers.tolist(), (0, 1, 2))
            assert same(unitary(c.build()), wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("main(m: f64[?,3,3], t: f64[2]) { return hermitian_evolution(m, t); }", "power of two"),
        ("main(m: f64[?,32,32], t: f64[2]) { return hermitian_evolution(m, t); }", "2 to 16 rows"),
        ("main(m: f64[?,8,8]) { return unitary_angles(m); }", "real and imaginary"),
    ],
)
def test_wrong_types(text: str, message: str):
    with pytest.raises(InputError, match=message):
        read(text)


def test_a_constant_unitary_in_a_circuit():
    matrix = unitary_group.rvs(4, random_state=0)
    c = qsc.Circuit(3)
    c.unitary(matrix, (2, 0))
    wanted = np.zeros((8, 8), complex)
    for row in range(8):
        for column in range(8):
            if (row ^ column) & 2 == 0:
                wanted[row, column] = matrix[(row >> 2) | (row & 1) << 1, (column >> 2) | (column & 1) << 1]
    assert same(unitary(c.build()), wanted)
    with pytest.raises(InputError, match="no unitary"):
        c.unitary(2 * matrix, (0, 1))
    with pytest.raises(InputError, match="15 angles"):
        c.dense([0.1], (0, 1))


def test_the_layer_compiles():
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.evolution = qsc.nn.Evolution(2, 1, dtype=torch.float64)
            c = qsc.Circuit(2)
            c.dense(c.inputs("a", 15), (0, 1))
            self.read = qsc.nn.Quantum(c, ["Z0", "Z1"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.read(self.evolution(x).flatten(1))

    images = torch.randn(4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    net = Net()
    bundle = qsc.compile(net, target="line:2", example_input=images, effort="fast")
    with torch.no_grad():
        assert np.abs(bundle.run(images) - net(images).numpy()).max() < 1e-9
    assert bundle.costs["two_qubit_gates"] <= 3
    with pytest.raises(InputError, match="evolution on 2 qubits"):
        net(torch.zeros(4, 3, 3))
