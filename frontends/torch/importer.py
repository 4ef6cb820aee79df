"""PyTorch model -> Module."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from ...ir import InputError, Module, verify
from ..base import Imported, Reference
from . import raise_arithmetic, raise_layers, raise_shapes
from .export import Capture, Tensors, batch_symbols, capture, raise_program
from .fold import fold_loops
from .layers import find_layers, held_tensors
from .nn import Quantum

TABLES = (raise_arithmetic, raise_layers, raise_shapes)
"""The modules whose handlers fill the table of operations."""


def read(model: nn.Module, example_input: Any, *, name: str = "model") -> Imported:
    """The module of a torch model.

    example_input: a tensor (or array), or a tuple of them, one for every argument of `forward`. The model is taken in
    evaluation mode; the first dimension of its inputs, or the second of time-first input, becomes the batch `?` (a
    model that fixes its own batch keeps the example's). Neurons with hidden state start from zero at each call. The
    model is not changed, and later changes of it do not reach the result's weights.

    Raises InputError: M0003 to M0006, M0008.
    """
    inputs = as_tensors(example_input)
    captured = capture(model, inputs)
    reference = model_reference(model, captured.raiser.weights)
    return Imported(finished(captured, name), [t.numpy(force=True) for t in inputs], reference)


def read_program(program: ExportedProgram, name: str) -> Imported:
    """The module of a program that torch.export made."""
    captured = raise_program(program, batch_symbols(program), {})
    args = program.example_inputs[0] if program.example_inputs else ()
    examples = [t.numpy(force=True) for t in tree_leaves(args) if isinstance(t, torch.Tensor)]
    module = program.module()
    return Imported(finished(captured, name), examples, lambda arrays: call(module, arrays))


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


def model_reference(model: nn.Module, weights: Mapping[str, np.ndarray]) -> Reference:
    """Runs the model as it is now, whose weights the module has copied: in float64, or in its own precision where it
    emits spikes or does not run in float64."""
    found = find_layers(model)
    twin = copy.deepcopy(model, _copied(model, weights)).eval()
    for layer in twin.modules():
        if isinstance(layer, Quantum):
            layer.run_on(None)
    spiking = any(known.handler.spiking for known in found.values())
    made: list[nn.Module] = []

    def forget() -> None:
        for path, known in found.items():
            known.handler.forget(twin.get_submodule(path), twin)

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not spiking and not made:
            made.append(copy.deepcopy(twin).double())
        if made:
            try:
                with _default_double():
                    return call(made[0], [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays])
            except RuntimeError:
                made[0] = twin
        forget()
        return call(twin, arrays)

    return run


def _copied(model: nn.Module, weights: Mapping[str, np.ndarray]) -> dict[int, Any]:
    """Tensor of the model by identity -> its copy: the module's own where it has one."""
    memo: dict[int, Any] = {}
    for tensor in held_tensors(model):
        memo[id(tensor)] = tensor.detach().clone()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        array = weights.get(name)
        same = array is not None and tensor.device.type == "cpu" and array.dtype == _numpy_kind(tensor)
        copied = torch.from_numpy(array) if array is not None and same else tensor.detach().clone()
        memo[id(tensor)] = nn.Parameter(copied, requires_grad=False) if isinstance(tensor, nn.Parameter) else copied
    return memo


def _numpy_kind(tensor: torch.Tensor) -> np.dtype | None:
    return None if tensor.dtype == torch.bfloat16 else torch.empty(0, dtype=tensor.dtype).numpy().dtype


@contextmanager
def _default_double() -> Iterator[None]:
    """Tensors that the model makes on its way are float64 too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def call(model: nn.Module, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tensors that the model returns, in order."""
    with torch.no_grad():
        result = model(*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays))
    return [t.numpy(force=True) for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
