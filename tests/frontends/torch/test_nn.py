"""qsc.nn.Quantum as a torch module."""

from __future__ import annotations

import copy
import io
import math

import numpy as np
import pytest
import qsc
import torch
from qsc.ir import InputError, ops
from qsc.ir.interpreter import statevector
from torch import nn


def two_qubits() -> qsc.Circuit:
    c = qsc.Circuit(2)
    x, w, t = c.inputs("x", 2), c.weights("w", (2, 2)), c.inputs("t")
    for q in range(2):
        c.ry(x[q] + w[0, q], q)
    c.cx(0, 1)
    c.rx(w[1, 0] - t, 0)
    c.rz(w[1, 1], 1)
    return c


READOUT = (qsc.Z(0), "X0*X1 - 0.5*Z1")


def test_outputs_are_the_simulators():
    layer = qsc.nn.Quantum(two_qubits(), READOUT)
    x = torch.randn(5, 3)
    arrays = [x[:, :2], layer.parameters_by_name["w"], x[:, 2]]
    assert isinstance(layer.readout, ops.Expectation)
    wanted = statevector.expectations(layer.circuit, layer.readout.observables, arrays)
    torch.testing.assert_close(layer(x), wanted)
    assert layer(x).shape == (5, 2)


@pytest.mark.parametrize("lead", [(), (1,), (4,), (2, 3), (0,)])
def test_leading_dimensions(lead):
    layer = qsc.nn.Quantum(two_qubits(), "probs")
    x = torch.randn(*lead, 3)
    out = layer(x)
    assert out.shape == (*lead, 4)
    torch.testing.assert_close(out.sum(-1), torch.ones(lead))
    flat = x.reshape(-1, 3)
    torch.testing.assert_close(
        out.reshape(-1, 4), torch.stack([layer(row) for row in flat]) if len(flat) else flat[:, :0].new_zeros(0, 4)
    )


def test_trains_inside_a_model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 3), qsc.nn.Quantum(two_qubits(), READOUT), nn.Linear(2, 3))
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.1


def test_weights_start_in_minus_pi_to_pi_and_keep_their_names():
    c = qsc.Circuit(1)
    for angle in c.weights("w", 1000):
        c.ry(angle, 0)
    torch.manual_seed(1)
    layer = qsc.nn.Quantum(c, [qsc.Z(0)])
    (weight,) = layer.parameters()
    assert weight.abs().max() <= math.pi
    assert weight.detach().std() == pytest.approx(math.pi / 3**0.5, rel=0.1)
    assert list(layer.state_dict()) == ["weights.w"]
    assert layer.parameters_by_name["w"] is weight
    torch.manual_seed(1)
    assert torch.equal(qsc.nn.Quantum(c, [qsc.Z(0)]).weights["w"], weight)
    assert layer(torch.zeros(4, 0)).shape == (4, 1)


def test_saved_copied_and_converted():
    layer = qsc.nn.Quantum(two_qubits(), READOUT)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = qsc.nn.Quantum(two_qubits(), READOUT)
    other.load_state_dict(torch.load(file))
    x = torch.randn(3, 3)
    torch.testing.assert_close(other(x), layer(x))
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x))
    wide = copy.deepcopy(layer).double()
    assert wide(x.double()).dtype == torch.float64
    torch.testing.assert_close(wide(x.double()).float(), layer(x))
    assert qsc.nn.Quantum(two_qubits(), READOUT, dtype=torch.float64).weights["w"].dtype == torch.float64


def test_samples_follow_the_probabilities():
    torch.manual_seed(3)
    probs = qsc.nn.Quantum(two_qubits(), "probs", qubits=[1, 0])
    samples = qsc.nn.Quantum(two_qubits(), "samples", qubits=[1, 0], shots=20_000)
    samples.load_state_dict(probs.state_dict())
    x = torch.randn(2, 3)
    bits = samples(x)
    assert bits.shape == (2, 20_000, 2)
    assert bits.dtype == torch.bool
    index = bits[..., 0].int() + 2 * bits[..., 1].int()
    for k in range(2):
        counts = np.bincount(index[k].numpy(), minlength=4) / 20_000
        np.testing.assert_allclose(counts, probs(x)[k].detach().numpy(), atol=0.02)


def test_measured_circuits_average_over_outcomes():
    c = qsc.Circuit(2, bits=1)
    x = c.inputs("x")
    c.ry(x, 0)
    heads = c.measure(0, 0)
    c.x(1, condition=~heads)
    angles = torch.linspace(0, math.pi, 7)[:, None].requires_grad_()
    out = qsc.nn.Quantum(c, [qsc.Z(0), qsc.Z(1), qsc.X(0)])(angles)
    wanted = torch.cos(angles[:, 0])
    torch.testing.assert_close(out, torch.stack([wanted, -wanted, 0 * wanted], 1), atol=1e-6, rtol=0)
    (gradient,) = torch.autograd.grad(out[:, 0].sum(), angles)
    torch.testing.assert_close(gradient, -torch.sin(angles), atol=1e-6, rtol=0)


def test_what_it_is():
    layer = qsc.nn.Quantum(two_qubits(), READOUT, name="net")
    assert layer.circuit.name == "net"
    assert isinstance(layer.readout, ops.Expectation)
    assert layer.readout.circuit == "net"
    text = repr(layer)
    assert "net: 2 qubits, 5 gates" in text
    assert "inputs=(x[2], t[])" in text
    assert "readout=(Z0, X0*X1 - 0.5*Z1)" in text
    built = qsc.nn.Quantum(two_qubits().build("other"), "probs")
    assert built.readout == ops.Probabilities("other", (0, 1))


def test_text_and_files(tmp_path):
    text = "circuit net(x[1], weight w[1]) on 2 qubits {\n  ry(x[0]) q[0];\n  rx(w[0]) q[1];\n}\n"
    (tmp_path / "net.qsc").write_text(text, encoding="utf-8")
    for source in (text, tmp_path / "net.qsc", str(tmp_path / "net.qsc")):
        layer = qsc.nn.Quantum(source, [qsc.Z(0)])
        assert layer.circuit.name == "net"
        torch.testing.assert_close(layer(torch.tensor([[0.3]])), torch.tensor([[0.3]]).cos())
    assert qsc.nn.Quantum(text + text.replace("net", "two"), [qsc.Z(0)], name="two").circuit.name == "two"
    with pytest.raises(InputError, match="2 circuits"):
        qsc.nn.Quantum(text + text.replace("net", "two"), [qsc.Z(0)])
    with pytest.raises(InputError, match="there is no file"):
        qsc.nn.Quantum("missing.qsc", [qsc.Z(0)])


WRONG = {
    "qubit": ("C0005", lambda: qsc.nn.Quantum(two_qubits(), [qsc.Z(0), qsc.Z(2), qsc.X(7)])),
    "probs": ("C0005", lambda: qsc.nn.Quantum(two_qubits(), "probs", qubits=[0, 0])),
    "word": ("P0005", lambda: qsc.nn.Quantum(two_qubits(), "prob")),
    "one": ("P0005", lambda: qsc.nn.Quantum(two_qubits(), qsc.Z(0))),
    "none": ("P0005", lambda: qsc.nn.Quantum(two_qubits(), [])),
    "sum": ("P0005", lambda: qsc.nn.Quantum(two_qubits(), ["Q0"])),
    "qubits": ("P0005", lambda: qsc.nn.Quantum(two_qubits(), [qsc.Z(0)], qubits=[0])),
    "shots": ("P0004", lambda: qsc.nn.Quantum(two_qubits(), "samples", shots=0)),
    "width": ("M0004", lambda: qsc.nn.Quantum(two_qubits(), [qsc.Z(0)])(torch.zeros(2, 4))),
    "kind": ("P0005", lambda: qsc.nn.Quantum(3, [qsc.Z(0)])),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name):
    code, act = WRONG[name]
    with pytest.raises(InputError) as caught:
        act()
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert len(caught.value.diagnostics) == (2 if name == "qubit" else 1)
