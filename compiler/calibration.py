"""What comes into the layers of a model on calibration data."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir import Module
from ..ir.ops import Conv, Linear

if TYPE_CHECKING:
    from torch import Tensor


def layer_grams(module: Module, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Name of a weight -> (groups, k, k) float64, the sum of x x^T over every x of k numbers that meets a row of the
    weight: of all rows of the batch, places of a kernel, steps of loops, and layers that share it.

    inputs: of the module, with any batch size.
    """
    from ..ir.interpreter import evaluate

    grams: dict[str, Any] = {}

    def watch(op: Any, names: Sequence[str], operands: Sequence[Tensor]) -> None:
        if isinstance(op, Linear | Conv) and names[1].startswith("@"):
            x = _met(op, operands[0].detach().double(), tuple(operands[1].shape))
            name = names[1][1:]
            found = x @ x.transpose(1, 2)
            grams[name] = grams[name] + found if name in grams else found

    evaluate(module, inputs, watch=watch)
    return {name: gram.numpy() for name, gram in grams.items()}


def _met(op: Linear | Conv, x: Tensor, weight: tuple[int, ...]) -> Tensor:
    """(groups, k, how often): what each group of rows is multiplied by, a column each."""
    import torch
    from torch.nn import functional

    if isinstance(op, Linear):
        return x.reshape(1, -1, x.shape[-1]).transpose(1, 2)
    # A kernel for every number of a window cuts the windows out.
    k = prod(weight[1:])
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[len(op.stride) - 1]
    kernels = torch.eye(k, dtype=x.dtype).reshape(k, *weight[1:]).repeat(op.groups, *(1,) * (len(weight) - 1))
    windows = convolve(x, kernels, None, op.stride, op.padding, op.dilation, op.groups)
    return windows.reshape(len(x), op.groups, k, -1).permute(1, 2, 0, 3).reshape(op.groups, k, -1)
