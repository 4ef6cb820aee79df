"""qsc.nn.Quantum inside torch models."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.frontends.torch import read
from qsc.frontends.torch.nn import Quantum
from qsc.ir import InputError
from qsc.ir.interpreter import evaluate
from torch import nn


def ansatz(qubits, layers=2):
    """A re-uploading circuit."""
    circuit = qsc.Circuit(qubits)
    x, w = circuit.inputs("x", qubits), circuit.weights("w", (layers, qubits))
    for layer in w:
        for q in range(qubits):
            circuit.ry(x[q], q)
            circuit.rz(2 * layer[q] + x[q], q)
        for q in range(qubits):
            circuit.cx(q, (q + 1) % qubits)
    return circuit


def check(model, shape):
    imported = read(model, torch.zeros(2, *shape))
    inputs = [np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)]
    assert imported.reference is not None
    wanted = imported.reference(inputs)
    for a, b in zip(wanted, evaluate(imported.module, inputs, precision="f64"), strict=True):
        assert np.ptp(a) > 1e-3
        np.testing.assert_allclose(b.numpy(), a, atol=1e-12)
    return imported.module


def test_a_hybrid_model():
    torch.manual_seed(0)
    quantum = Quantum(ansatz(3), readout=[qsc.Z(0), qsc.Z(1) * qsc.Z(2)])
    module = check(nn.Sequential(nn.Linear(8, 3), nn.Tanh(), quantum, nn.Linear(2, 4)), (8,))
    node = module.graph.nodes[2]
    assert node.op.mnemonic == "expectation"
    assert node.location.path == "2"
    assert [v.name for v in node.operands[1:]] == ["@2.weights.w"]
    assert list(module.circuits) == ["circuit"]


def test_a_layer_alone_and_probabilities():
    torch.manual_seed(0)
    module = check(Quantum(ansatz(3), readout="probs", qubits=[2, 0]), (3,))
    assert str(module.graph.outputs[0].type) == "f32[?,4]"


def test_several_inputs_are_taken_from_one_tensor_in_order():
    circuit = qsc.Circuit(2)
    a, b = circuit.inputs("a", (2, 2)), circuit.inputs("b", 1)
    w = circuit.weights("w", 2)
    for q in range(2):
        circuit.ry(a[0][q], q)
        circuit.rx(a[1][q] + w[q], q)
    circuit.rzz(b[0], 0, 1)
    circuit.ry(b[0], 0)
    torch.manual_seed(0)
    module = check(Quantum(circuit, readout=[qsc.Z(0), qsc.X(1)]), (5,))
    assert [str(v.type) for v in module.graph.nodes[-1].operands] == ["f32[?,2,2]", "f32[?,1]", "f32[2]"]


def test_equal_circuits_are_held_once_and_different_ones_apart():
    torch.manual_seed(0)
    layers = [Quantum(ansatz(2, depth), readout=[qsc.Z(0), qsc.X(1)]) for depth in (1, 2, 1)]
    module = check(nn.Sequential(*layers), (2,))
    assert list(module.circuits) == ["circuit", "circuit_1"]
    assert [n.op.attributes()["circuit"] for n in module.graph.nodes] == ["circuit", "circuit_1", "circuit"]


def test_a_circuit_in_a_loop_over_time_is_folded():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.quantum, self.fc = Quantum(ansatz(2), readout=[qsc.Z(0), qsc.Z(1)]), nn.Linear(2, 2)

        def forward(self, x):
            h = torch.zeros(x.shape[0], 2)
            for t in range(8):
                h = self.quantum(self.fc(x[:, t]) + h)
            return h

    torch.manual_seed(0)
    module = check(Recurrent(), (8, 2))
    assert [n.op.mnemonic for n in module.graph.nodes] == ["constant", "permute", "scan"]


def test_samples_inside_a_model_are_refused():
    model = nn.Sequential(nn.Linear(2, 2), Quantum(ansatz(2), readout="samples", shots=8))
    with pytest.raises(InputError, match="draws samples inside a model"):
        read(model, torch.zeros(2, 2))


def test_a_wrong_number_of_angles_names_the_layer():
    model = nn.Sequential(nn.Linear(2, 3), Quantum(ansatz(2), readout=[qsc.Z(0)]))
    with pytest.raises(InputError) as caught:
        read(model, torch.zeros(2, 2))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "M0004"
    assert "takes 2 angles" in diagnostic.message
