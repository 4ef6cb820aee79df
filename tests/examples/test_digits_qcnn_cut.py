"""digits_qcnn on devices that are narrower than its eight qubits: the same answers and the same training, cut."""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import qsc
import torch
from qsc.ir.interpreter import evaluate

EXECUTIONS = {5: 8, 3: 24}
"""Most measured circuits of one sample, by the qubits of a fragment."""


@pytest.fixture(scope="module")
def example(load_example) -> ModuleType:
    return load_example("digits_qcnn")


def compiled(model: torch.nn.Module, width: int, inputs: torch.Tensor, **options: Any) -> qsc.Bundle:
    """For fragments of at most `width` qubits, never by qubit reuse."""
    cut: dict[str, Any] = {"max_qubits": width, "reuse": False, "effort": "fast", "verify": False}
    return qsc.compile(model, target=f"all:{width}", example_input=inputs, **cut, **options)


@pytest.mark.parametrize("width", EXECUTIONS)
def test_every_test_digit_gets_the_same_answer(width: int, example: ModuleType):
    _, _, images, labels = example.digits()
    whole = qsc.compile(example.model, target="all:8", example_input=images[:4], effort="fast", verify=False)
    cut = compiled(example.model, width, images[:4])
    assert not whole.manifest["cuts"]
    (plan,) = cut.manifest["cuts"]
    assert plan["proven"]
    assert max(part["qubits"] for part in plan["fragments"]) <= width
    assert cut.costs["qubits"] <= width
    assert cut.costs["executions"] == plan["executions"] <= EXECUTIONS[width]
    wanted, given = whole.run(images), cut.run(images)
    assert np.abs(given - wanted).max() < 1e-9
    right = given.argmax(1) == labels.numpy()
    assert np.array_equal(right, wanted.argmax(1) == labels.numpy())
    assert int(right.sum()) == 442


@pytest.mark.parametrize("width", EXECUTIONS)
def test_training_through_the_cut(width: int, example: ModuleType):
    """The loss of `train.py` on one of its batches, batch normalisation at work, and three steps of its optimiser."""
    images, labels, _, _ = example.digits()
    images, labels = images[:64].double(), labels[:64]
    model = copy.deepcopy(example.model).double()
    bundle = compiled(model.quantum, width, model.angles(images[:4]).detach(), weights="keep")
    assert bundle.manifest["cuts"]
    program = bundle.program
    (name,) = set(program.weights) & set(dict(model.quantum.named_parameters()))

    def through_the_cut(net: Any) -> torch.Tensor:
        weights = {name: net.quantum.get_parameter(name)}
        return net.head(evaluate(program, [net.angles(images)], precision="f64", weights=weights)[0])

    def trained(outputs: Any) -> list[dict[str, torch.Tensor]]:
        """Gradients of every parameter at every step."""
        net = copy.deepcopy(model).train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-3)
        steps = []
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(outputs(net), labels, label_smoothing=0.05).backward()
            steps.append({key: given(p).clone() for key, p in net.named_parameters()})
            optimizer.step()
        return steps

    def given(parameter: torch.nn.Parameter) -> torch.Tensor:
        assert parameter.grad is not None
        return parameter.grad

    for found, wanted in zip(trained(through_the_cut), trained(lambda net: net(images)), strict=True):
        assert float(wanted[f"quantum.{name}"].abs().max()) > 1e-3
        for key, gradient in wanted.items():
            assert torch.allclose(found[key], gradient, rtol=0, atol=1e-9), key
