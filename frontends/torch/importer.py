"""PyTorch model -> Module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from ...ir import InputError, Module, verify
from ..base import Imported, Reference
from . import raise_arithmetic, raise_layers, raise_shapes
from .export import Capture, Tensors, batch_symbols, capture, held_tensors, raise_program
from .fold import fold_loops
from .layers import Found, find_layers

TABLES = (raise_arithmetic, raise_layers, raise_shapes)
"""The modules whose handlers fill the table of operations."""


def read(model: nn.Module, example_input: Any, *, name: str = "model") -> Imported:
    """The module of a torch model.

    example_input: a tensor (or array), or a tuple of them, one for every argument of `forward`. The model is taken in
    evaluation mode; its first dimension, or the second of time-first input, becomes the batch `?`. The model is not
    changed, and later changes of it do not reach the result's weights. Raises InputError: M0003 to M0006, M0008.
    """
    inputs = as_tensors(example_input)
    captured = capture(model, inputs)
    return Imported(finished(captured, name), [t.detach().numpy(force=True) for t in inputs], model_reference(model))


def read_program(program: ExportedProgram, name: str) -> Imported:
    """The module of a program that torch.export made."""
    captured = raise_program(program, batch_symbols(program), {})
    args = program.example_inputs[0] if program.example_inputs else ()
    examples = [t.detach().numpy(force=True) for t in tree_leaves(args) if isinstance(t, torch.Tensor)]
    return Imported(finished(captured, name), examples, runner(program.module))


def as_tensors(example_input: Any) -> Tensors:
    """The example input as a tuple of tensors."""
    items = example_input if isinstance(example_input, tuple | list) else (example_input,)
    tensors = tuple(torch.from_numpy(i) if isinstance(i, np.ndarray) else i for i in items)
    for k, item in enumerate(tensors):
        if not isinstance(item, torch.Tensor):
            raise InputError.of(
                "M0004",
                f"example input {k + 1} is a {type(item).__name__}, not a tensor",
                help="give a tensor, or a tuple of tensors, one for every argument of forward",
            )
    return tensors


def finished(captured: Capture, name: str) -> Module:
    """The verified module of a captured model, its time loops folded."""
    raiser = captured.raiser
    graph = fold_loops(captured.graph, raiser.module())
    module = raiser.module(name).with_(graph=graph).without_unused()
    verify(module)
    return module


def model_reference(model: nn.Module) -> Reference:
    """Runs a copy of the model as it is now: in float64, or in its own precision where it emits spikes."""
    found = find_layers(model)
    memo: dict[int, Any] = {id(t): t.detach().clone() for t in held_tensors(model) if not t.is_leaf}
    twin = copy.deepcopy(model, memo).eval()
    spiking = any(known.handler.spiking for known in found.values())
    return runner(lambda: twin if spiking else twin.double(), found, double=not spiking)


def runner(make: Callable[[], nn.Module], found: dict[str, Found] | None = None, *, double: bool = False) -> Reference:
    """The reference that calls the module made at its first use."""
    made: list[nn.Module] = []

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not made:
            made.append(make())
        for path, known in (found or {}).items():
            known.handler.forget(made[0].get_submodule(path))
        tensors = [torch.from_numpy(np.ascontiguousarray(a)) for a in arrays]
        with torch.no_grad():
            result = made[0](*(t.double() if double and t.is_floating_point() else t for t in tensors))
        return [t.numpy(force=True) for t in tree_leaves(result) if isinstance(t, torch.Tensor)]

    return run
