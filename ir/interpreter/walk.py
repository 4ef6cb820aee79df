"""Walks a graph: looks up every op's meaning, keeps the live values, drops the dead ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..graph import Graph, Op
from ..module import Module
from ..ops import Launch

LaunchResults = Sequence[np.ndarray | Tensor]
LaunchRunner = Callable[[Launch, list[np.ndarray]], LaunchResults | Callable[[], LaunchResults]]
"""Runs a launch on its device: the op and its operands -> its results, in the order of the launch's body. They are
tensors where something is differentiated by them. A function that gives them is called when they are needed."""

Meaning = Callable[[Any, Sequence[Tensor], "Environment"], tuple[Any, ...]]
"""(op, operands, environment) -> results: tensors, or values that are not there yet (`Later`)."""

Watcher = Callable[[Op, Sequence[str], Sequence[Tensor]], None]
"""Is told of every node that runs: its op, the names of its operands, and the operands."""

MEANINGS: dict[type[Op], Meaning] = {}
"""Op class -> what it does."""

TORCH_DTYPES: dict[str, torch.dtype] = {
    "f32": torch.float32,
    "f64": torch.float64,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "bit": torch.bool,
    "spike": torch.float32,
}


def meaning(*ops: type[Op]) -> Callable[[Meaning], Meaning]:
    """Decorator: the function is the meaning of these op classes."""

    def register(function: Meaning) -> Meaning:
        for op in ops:
            MEANINGS[op] = function
        return function

    return register


class Later:
    """A value that is not there yet."""

    def __init__(self, get: Callable[[], Tensor]) -> None:
        self.get = get


@dataclass(frozen=True)
class Step:
    """One node, ready to run: `dead` names the values that nothing reads afterwards."""

    op: Op
    meaning: Meaning
    operands: tuple[str, ...]
    results: tuple[str, ...]
    dead: tuple[str, ...]


@dataclass
class Environment:
    """What a run knows beside the values.

    batch: the size of the batch dimension, None where no input has one. double: whether every float is a float64.
    generator: the source of randomness of samples. overrides: tensors that take the place of weights. watch: is told of
    every node that runs.
    """

    module: Module
    double: bool
    batch: int | None
    launch: LaunchRunner | None
    generator: torch.Generator
    overrides: Mapping[str, Tensor] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    watch: Watcher | None = None
    _weights: dict[str, Tensor] = field(default_factory=dict)
    _made: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def dtype(self, name: str) -> torch.dtype:
        """The torch type in which values of an IR element type are computed."""
        found = TORCH_DTYPES[name]
        return torch.float64 if self.double and found.is_floating_point else found

    def floats(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The operands in the float type of an arithmetic result: float64 if one is, else float32."""
        wide = self.double or any(t.dtype == torch.float64 for t in tensors)
        wanted = torch.float64 if wide else torch.float32
        return tuple(t if t.dtype == wanted else t.to(wanted) for t in tensors)

    def shape(self, declared: Sequence[int]) -> tuple[int, ...]:
        """A declared shape with the batch size in the place of `?`."""
        if self.batch is None and any(d < 0 for d in declared):
            raise ValueError("a batched value in a graph without batched inputs")
        return tuple(self.batch if d < 0 and self.batch is not None else d for d in declared)

    def weight(self, name: str) -> Tensor:
        """The weight `name` as a tensor in its computing type."""
        if name not in self._weights:
            given = self.overrides.get(name)
            tensor = as_tensor(self.module.weights[name]) if given is None else given
            wanted = torch.float64 if self.double and tensor.is_floating_point() else tensor.dtype
            self._weights[name] = tensor.to(device=self.device, dtype=wanted)
        return self._weights[name]

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once a run for the object `key`."""
        if id(key) not in self._made:
            self._made[id(key)] = (key, make())
        return self._made[id(key)][1]


def as_tensor(array: np.ndarray) -> Tensor:
    """The array as a tensor; shares memory where torch can."""
    native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=None)
    return torch.from_numpy(native if native.flags.writeable else native.copy())


def run(graph: Graph, inputs: Sequence[Tensor], env: Environment) -> list[Tensor]:
    """The graph's outputs for `inputs`."""
    values: dict[str, Tensor | Later] = {v.name: x for v, x in zip(graph.inputs, inputs, strict=True)}
    steps: list[Step] = env.once(graph, lambda: plan(graph))
    for step in steps:
        operands = [_lookup(name, values, env) for name in step.operands]
        if env.watch is not None:
            env.watch(step.op, step.operands, operands)
        values.update(zip(step.results, step.meaning(step.op, operands, env), strict=True))
        for name in step.dead:
            del values[name]
    return [_lookup(v.name, values, env) for v in graph.outputs]


def _lookup(name: str, values: dict[str, Tensor | Later], env: Environment) -> Tensor:
    if name.startswith("@"):
        return env.weight(name[1:])
    value = values[name]
    return value.get() if isinstance(value, Later) else value


def plan(graph: Graph) -> list[Step]:
    """The nodes with their meanings, and the values that die after each."""
    live = {v.name for v in graph.outputs}
    steps: list[Step] = []
    for node in reversed(graph.nodes):
        operands = tuple(v.name for v in node.operands)
        results = tuple(v.name for v in node.results)
        last_reads = {n for n in operands if not n.startswith("@") and n not in live}
        dead = tuple(n for n in results if n not in live) + tuple(last_reads)
        live |= last_reads
        steps.append(Step(node.op, MEANINGS[type(node.op)], operands, results, dead))
    return steps[::-1]
