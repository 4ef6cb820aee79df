"""The reference meaning of modules and graphs, batched and differentiable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..diagnostics import Diagnostic, InputError
from ..graph import Graph, Node, Value
from ..module import Module
from ..ops import Launch
from ..types import DTYPES, DYNAMIC, Type
from .walk import Environment, LaunchRunner, Watcher, as_tensor, run

Input = np.ndarray | Tensor


def evaluate(
    module: Module,
    inputs: Sequence[Input],
    *,
    precision: str | None = None,
    launch: LaunchRunner | None = None,
    seed: int = 0,
    weights: Mapping[str, Tensor] | None = None,
    watch: Watcher | None = None,
) -> list[Tensor]:
    """The outputs of the module's graph for `inputs`, in order.

    inputs: one array or tensor an input of the graph, of its declared shape with any batch size for `?`. Bits may be
        integers 0 and 1, floats may be given as integers or as another float type.
    precision: None computes in the declared types, "f64" every float and spike in float64.
    launch: runs Launch ops, (op, operands) -> results; None interprets their bodies.
    seed: of everything random (`samples`).
    weights: tensors that take the place of the module's weights of the same name, for example ones that require grad.
    watch: is told of every node that runs, inside loops too: its op, the names of its operands, and the operands.

    Differentiable with respect to inputs and `weights` wherever torch is; spikes have snntorch's arctangent gradient.
    Raises InputError R0001 with a diagnostic for every input that does not fit.
    """
    return evaluate_graph(
        module.graph, module, inputs, precision=precision, launch=launch, seed=seed, weights=weights, watch=watch
    )


def evaluate_graph(
    graph: Graph,
    module: Module,
    inputs: Sequence[Input],
    *,
    precision: str | None = None,
    launch: LaunchRunner | None = None,
    seed: int = 0,
    weights: Mapping[str, Tensor] | None = None,
    watch: Watcher | None = None,
) -> list[Tensor]:
    """The outputs of `graph`, whose ops may refer to what `module` holds. Arguments as for `evaluate`."""
    if precision not in (None, "f64"):
        raise ValueError(f"precision is None or 'f64', not {precision!r}")
    inputs = [x if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
    batch = _check_inputs(graph, inputs)
    devices = [x.device for x in inputs if isinstance(x, Tensor)]
    env = Environment(
        module,
        precision == "f64",
        batch,
        launch,
        torch.Generator().manual_seed(seed),
        _check_weights(module, weights or {}),
        devices[0] if devices else torch.device("cpu"),
        watch,
    )
    return run(graph, [_take(x, v.type, env) for x, v in zip(inputs, graph.inputs, strict=True)], env)


def constant_value(value: Value, graph: Graph, module: Module) -> np.ndarray | None:
    """The array of `value` where it is a weight or made from weights and constants alone; None where it is not.

    graph: the graph that `value` belongs to. A node over weights is, for example, `dequantize`.
    """
    if value.is_weight:
        return module.weights.get(value.weight_name)
    nodes = _constant_nodes(value, graph)
    if nodes is None:
        return None
    return evaluate_graph(Graph((), nodes, (value,)), module, ())[0].detach().numpy()


def _constant_nodes(value: Value, graph: Graph) -> tuple[Node, ...] | None:
    """The nodes that make `value`, in order, or None where one of them depends on an input or on chance."""
    producers = graph.producers()
    needed: set[int] = set()
    open_values = [value]
    while open_values:
        node = producers.get(open_values.pop().name)
        held = [] if node is None else [inner.op for inner in Graph((), (node,), ()).walk()]
        if node is None or any(op.draws or isinstance(op, Launch) for op in held):
            return None
        if any(v.type.batched for v in node.results):
            return None
        if id(node) not in needed:
            needed.add(id(node))
            open_values += [v for v in node.operands if not v.is_weight]
    return tuple(node for node in graph.nodes if id(node) in needed)


# Inputs


def _check_weights(module: Module, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    faults = []
    for name, tensor in given.items():
        wanted = module.weights.get(name)
        if wanted is None:
            faults.append(Diagnostic("R0001", f"there is no weight {name} to replace"))
        elif tuple(tensor.shape) != wanted.shape:
            faults.append(Diagnostic("R0001", f"weight {name}: wanted shape {wanted.shape}, given {_describe(tensor)}"))
    if faults:
        raise InputError(faults)
    return given


def _check_inputs(graph: Graph, inputs: Sequence[Input]) -> int | None:
    """The batch size. Raises InputError with every input that does not fit."""
    if len(inputs) != len(graph.inputs):
        wanted = ", ".join(map(str, graph.inputs)) or "none"
        raise InputError.of("R0001", f"wanted {len(graph.inputs)} inputs ({wanted}), given {len(inputs)}")
    faults: list[Diagnostic] = []
    batches: dict[int, str] = {}
    for value, given in zip(graph.inputs, inputs, strict=True):
        reason = _misfit(given, value.type)
        if reason is not None:
            message = f"input {value.name}: wanted {value.type}, given {_describe(given)}"
            faults.append(Diagnostic("R0001", message, help=reason))
        elif value.type.batched:
            batches.setdefault(given.shape[value.type.shape.index(DYNAMIC)], value.name)
    if len(batches) > 1:
        sizes = ", ".join(f"{size} in {name}" for size, name in batches.items())
        faults.append(Diagnostic("R0001", f"the inputs have different batch sizes: {sizes}"))
    if faults:
        raise InputError(faults)
    return next(iter(batches), None)


def _misfit(given: Input, wanted: Type) -> str | None:
    """What is wrong with an input, None where it fits."""
    if len(given.shape) != len(wanted.shape):
        hint = " (the first one is the batch)" if wanted.shape[:1] == (DYNAMIC,) else ""
        return f"it needs {len(wanted.shape)} dimensions{hint}"
    sizes = [*zip(given.shape, wanted.shape, strict=True)]
    if any(w not in (DYNAMIC, g) for g, w in sizes):
        return f"dimension {next(i for i, (g, w) in enumerate(sizes) if w not in (DYNAMIC, g))} does not fit"
    if len({g for g, w in sizes if w == DYNAMIC}) > 1:
        return "the batch dimensions differ"
    given_kind, wanted_kind = _kind(given), _kind_of(DTYPES[wanted.dtype])
    if wanted.dtype == "bit" and given_kind == 1:
        return None if bool(((given == 0) | (given == 1)).all()) else "bits are 0 or 1"
    if given_kind > wanted_kind:
        return f"{_describe(given).partition('[')[0]} does not convert to {wanted.dtype} without loss"
    if wanted_kind == given_kind == 1 and 0 not in given.shape:
        limits = np.iinfo(DTYPES[wanted.dtype])
        if int(given.min()) < limits.min or int(given.max()) > limits.max:
            return f"its numbers do not fit {wanted.dtype}"
    return None


def _kind(given: Input) -> int:
    """0 for bits, 1 for integers, 2 for floats, 3 for anything else."""
    if isinstance(given, np.ndarray):
        return _kind_of(given.dtype)
    if given.dtype == torch.bool:
        return 0
    return 3 if given.is_complex() else 2 if given.is_floating_point() else 1


def _kind_of(dtype: np.dtype) -> int:
    return {"b": 0, "i": 1, "u": 1, "f": 2}.get(dtype.kind, 3)


def _describe(given: Input) -> str:
    name = str(given.dtype).removeprefix("torch.")
    short = {"float32": "f32", "float64": "f64", "bool": "bit", "int8": "i8", "int16": "i16", "int32": "i32"}
    return f"{({'int64': 'i64'} | short).get(name, name)}[{','.join(map(str, given.shape))}]"


def _take(given: Input, declared: Type, env: Environment) -> Tensor:
    tensor = as_tensor(given) if isinstance(given, np.ndarray) else given
    return tensor.to(device=env.device, dtype=env.dtype(declared.dtype))
