"""Runs one op on plain arrays, and checks that what comes out has the declared type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from qsc.ir import DYNAMIC, GraphBuilder, Module, Op, Type, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.types import dtype_name


def single(op: Op, arrays: Sequence, *, batched: Sequence[int] = (0,), spikes: Sequence[int] = (), **parts) -> Module:
    """A module of one node; operands in `batched` have a batch first, operands in `spikes` are spikes."""
    module = Module("m", **parts)
    builder = GraphBuilder(module)
    operands = []
    for k, array in enumerate(arrays):
        shape = tuple(array.shape)
        kind = "spike" if k in spikes else dtype_name(np.asarray(array.detach().numpy()).dtype)
        operands.append(builder.input(f"x{k}", Type(kind, (DYNAMIC, *shape[1:]) if k in batched else shape)))
    results = builder.add(op, *operands)
    module = module.with_(graph=builder.graph(*results))
    verify(module)
    return module


def apply_op(op: Op, *arrays: torch.Tensor, precision: str | None = None, **options) -> list[torch.Tensor]:
    """The results of one op, checked against their declared types."""
    module = single(op, arrays, **options)
    results = evaluate(module, arrays, precision=precision)
    batch = {a.shape[0] for a, v in zip(arrays, module.graph.inputs, strict=True) if v.type.batched}
    for value, result in zip(module.graph.outputs, results, strict=True):
        wanted = tuple(next(iter(batch)) if d == DYNAMIC else d for d in value.type.shape)
        assert tuple(result.shape) == wanted, f"{op} gave {tuple(result.shape)}, declared {value.type}"
        kind = {"spike": "f32"}.get(value.type.dtype, value.type.dtype)
        if precision == "f64" and kind == "f32":
            kind = "f64"
        assert dtype_name(result.detach().numpy().dtype) == kind, f"{op} gave {result.dtype}, declared {value.type}"
    return results


@pytest.fixture(scope="session")
def apply() -> Callable[..., list[torch.Tensor]]:
    """apply(op, *tensors, batched=(0,), spikes=(), precision=None, circuits=, netlists=) -> results."""
    return apply_op


@pytest.fixture(scope="session")
def single_op() -> Callable[..., Module]:
    """single(op, tensors, batched=, spikes=, circuits=, netlists=) -> module of one node."""
    return single
