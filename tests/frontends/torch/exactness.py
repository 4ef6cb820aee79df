"""A model and what it was read as, compared bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from qsc.frontends.torch import read
from qsc.ir import InputError, Module
from qsc.ir.interpreter import evaluate
from torch import nn


def with_exact_sums(model: nn.Module, scale: float = 2.0) -> nn.Module:
    """The model with weights of layers in 32nds, of which sums are exact in every order, for inputs of 0 and 1."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                for parameter in module.parameters(recurse=False):
                    parameter.copy_((parameter * scale * 32).round() / 32)
    return model


def check(model: nn.Module, shape: tuple[int, ...], axis: int = 0) -> Module:
    """The module, whose outputs equal the model's to the bit on a batch of another size.

    axis: the batch dimension. The first output must not be one number everywhere, or little would be compared.
    """
    rng = np.random.default_rng(1)
    imported = read(model, torch.from_numpy((rng.random(shape) < 0.5).astype(np.float32)))
    sizes = tuple(7 if k == axis else n for k, n in enumerate(shape))
    inputs = [(rng.random(sizes) < 0.5).astype(np.float32)]
    assert imported.reference is not None
    wanted = imported.reference(inputs)
    given = evaluate(imported.module, inputs)
    for a, b in zip(wanted, given, strict=True):
        np.testing.assert_array_equal(b.numpy(), a)
    assert np.ptp(wanted[0]) > 0
    return imported.module


def ops_of(module: Module, kind: type[Any]) -> list[Any]:
    """The ops of a class, in loops too."""
    return [node.op for node in module.nodes() if isinstance(node.op, kind)]


def refusal(model: nn.Module, shape: tuple[int, ...]) -> str:
    """The first message with which a model is refused."""
    with pytest.raises(InputError) as caught:
        read(model, torch.zeros(shape))
    first = caught.value.diagnostics[0]
    assert first.code == "M0005"
    return first.message
