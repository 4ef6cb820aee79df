"""Pauli rotations by their product: the builder, the text form, and the layer."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.frontends.text import read
from qsc.ir import InputError
from qsc.ir.interpreter.compare import unitary
from qsc.ir.observables import pauli_product


def test_the_product_says_letters_and_qubits():
    assert pauli_product("X16 Z3") == ("ZX", (3, 16))
    assert pauli_product(qsc.Y(2) * qsc.Z(0)) == ("ZY", (0, 2))
    for wrong in ("", "2*Z0", "Z0 + Z1", "Z0 Z0", "Q1", "1.0"):
        with pytest.raises(ValueError, match=r"Pauli|product"):
            pauli_product(wrong)


def test_builder_and_text_say_the_same():
    c = qsc.Circuit(4)
    t = c.inputs("t")
    c.pauli_rot("Z1 X3", 2 * t)
    c.pauli_rot("Y0", 0.3)
    text = 'circuit c(t) on 4 qubits { pauli_rot("Z1 X3", 2*t); pauli_rot("Y0", 0.3); }'
    plain = 'circuit c(t) on 4 qubits { pauli("ZX", 2*t) q[1], q[3]; pauli("Y", 0.3) q[0]; }'
    assert read(text).circuits["c"] == read(plain).circuits["c"] == c.build("c")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pauli_rot(Z0, 0.3);", "in quotes"),
        ('pauli_rot("Z0 Z0", 0.3);', "twice"),
        ('pauli_rot("Z0", 0.3) q[0];', "names its qubits"),
        ('pauli_rot("Z7", 0.3);', "no qubit"),
        ('pauli_rot("Z0");', "takes 1 angle"),
    ],
)
def test_wrong_text(line: str, message: str):
    with pytest.raises(InputError, match=message):
        read(f"circuit c() on 2 qubits {{ {line} }}")


def test_wrong_product_in_the_builder():
    with pytest.raises(InputError, match="not a product"):
        qsc.Circuit(2).pauli_rot("Z0 + Z1", 0.3)
    with pytest.raises(InputError, match="qubit 5"):
        qsc.Circuit(2).pauli_rot("Z5", 0.3)


def test_layer_of_pauli_rotations():
    """<Y1> against the matrices: prod exp(-i w/2 P) on |z, 1>."""
    products = ["Z0 X1", "X0 X1", "Y0"]
    layer = qsc.nn.PauliRotLayer(2, products, ["Y1"], inputs=1, ones=[1], dtype=torch.float64)
    assert layer.weights["w"].shape == (3,)
    bare = qsc.Circuit(2)
    for product, angle in zip(products, bare.inputs("w", 3), strict=True):
        bare.pauli_rot(product, angle)
    matrix = unitary(bare.build(), layer.weights["w"].detach().numpy())
    y1 = np.kron([[0, -1j], [1j, 0]], np.eye(2))
    for bit in (0, 1):
        state = matrix[:, 2 + bit]
        wanted = (state.conj() @ y1 @ state).real
        assert layer(torch.tensor([[float(bit)]])).item() == pytest.approx(wanted, abs=1e-12)


def test_a_fault_of_a_layer_has_the_callers_place():
    with pytest.raises(InputError, match="pauli on qubit 5") as caught:
        qsc.nn.PauliRotLayer(2, ["Z0 Z5"], ["Z0"], inputs=2)
    (fault,) = caught.value.diagnostics
    assert fault.location.file == __file__
