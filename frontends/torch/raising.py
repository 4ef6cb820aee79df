"""The core of raising: walks an exported graph and turns every call into IR nodes through a table of handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from ...ir import (
    DYNAMIC,
    Circuit,
    Graph,
    Location,
    Module,
    Node,
    Op,
    Type,
    TypeFault,
    Value,
    ops,
)
from ...ir.types import FLOATS, dtype_name
from .faults import STATE, Fault, Unsupported, UnsupportedError, foreign_layer, source_location
from .layers import Found

Result = Any
"""What a handler gives: a Value, a tuple of Values, or a number."""

FLOAT_OF = {torch.float16: "f32", torch.bfloat16: "f32", torch.float32: "f32", torch.float64: "f64"}
DTYPE_OF = {
    **FLOAT_OF,
    torch.int8: "i8",
    torch.int16: "i16",
    torch.int32: "i32",
    torch.int64: "i64",
    torch.bool: "bit",
}


@dataclass
class Call:
    """One call of the exported graph, its arguments by name with graph nodes replaced by what they were raised to."""

    node: fx.Node
    arguments: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.arguments.get(name, default)

    @property
    def value(self) -> Any:
        """What torch's own shape rule gave: a tensor without data, or a tuple of such."""
        return self.node.meta.get("val")


Handler = Callable[["Raiser", Call], Result]
TABLE: dict[str, Handler] = {}
"""Operation name as torch prints it (`aten.relu.default`) -> handler."""


def takes(*names: str) -> Callable[[Handler], Handler]:
    """Registers a handler; a name without overload stands for its `.default`."""

    def register(handler: Handler) -> Handler:
        for name in names:
            full = name if name.count(".") == 2 else f"{name}.default"
            TABLE[full] = handler
        return handler

    return register


class Poison:
    """Stands for the result of a call that could not be taken: what depends on it is not reported again."""


POISON = Poison()


class Raiser:
    """Raises one exported program. `found` are the model's known layers by path."""

    def __init__(self, program: ExportedProgram, batch: frozenset[str], found: Mapping[str, Found]) -> None:
        self.program = program
        self.batch_symbols = batch
        self.found = found
        self.nodes: list[Node] = []
        self.inputs: list[Value] = []
        self.weights: dict[str, np.ndarray] = {}
        self.tensors: dict[str, torch.Tensor] = {}
        self.faults: dict[tuple[str, Location], Fault] = {}
        self._env: dict[fx.Node, Any] = {}
        self._known: dict[tuple[Any, ...], tuple[Value, ...]] = {}
        self._producers: dict[str, Node] = {}
        self._place = Location()
        self._call: Call | None = None
        self._copies: dict[int, tuple[torch.Tensor, np.ndarray]] = {}
        """By the tensor's identity, which is its own as long as it is kept."""
        self._constants: dict[tuple[str, tuple[int, ...], str], str] = {}
        """Element type, shape and digest of a constant -> the weight that holds it."""
        self._circuits = _named_circuits(found.values())
        self._rules = Module("rules", circuits={c.name: c for c in self._circuits.values()})

    # The walk

    def run(self) -> Graph:
        """The raised graph. Raises InputError (M0005) that lists everything that could not be taken."""
        self._bind_placeholders()
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self._env[node] = self._take(node)
            elif node.op == "get_attr":
                self._env[node] = self._attribute(node)
        outputs = self._outputs()
        if self.faults:
            raise UnsupportedError([*self.faults.values()])
        return Graph(tuple(self.inputs), tuple(self.nodes), outputs)

    def module(self, name: str = "rules") -> Module:
        """A module with the raised weights and the layers' circuits, without a graph."""
        return self._rules.with_(name=name, weights=self.weights)

    def _bind_placeholders(self) -> None:
        specs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        for node in self.program.graph.nodes:
            if node.op != "placeholder":
                continue
            spec = specs[node.name]
            self._place = Location()
            if spec.kind == InputKind.USER_INPUT:
                self._env[node] = self._input(node)
            elif node.users:
                self._env[node] = self._guard(lambda s=spec: self._weight(s))

    def _input(self, node: fx.Node) -> Any:
        tensor = node.meta.get("val")
        if not isinstance(tensor, torch.Tensor):
            return tensor
        type_ = self._guard(lambda: self.type_of(tensor))
        if not isinstance(type_, Type):
            return POISON
        self.inputs.append(Value(node.name, type_))
        return self.inputs[-1]

    def _weight(self, spec: Any) -> Result:
        name = spec.target
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            table: Mapping[str, Any] = self.program.state_dict
            tensor: Any = table[name] if name in table else self.program.constants[name]
        elif spec.kind == InputKind.CONSTANT_TENSOR:
            return self.program.constants[name]
        else:
            raise Unsupported(f"the model holds {name}, which is not a tensor")
        return self.weight(name, tensor)

    def _attribute(self, node: fx.Node) -> Any:
        held: Any = self.program.graph_module
        for part in str(node.target).split("."):
            held = getattr(held, part)
        return held

    def _outputs(self) -> tuple[Value, ...]:
        specs = self.program.graph_signature.output_specs
        last = next(n for n in reversed(self.program.graph.nodes) if n.op == "output")
        found: list[Value] = []
        self._call = None
        self._place = Location(self._place.file)
        for spec, item in zip(specs, last.args[0], strict=True):
            if spec.kind == OutputKind.USER_OUTPUT:
                value = self._guard(lambda item=item: self._output(item))
                if isinstance(value, Value):
                    found.append(value)
            elif spec.kind == OutputKind.BUFFER_MUTATION:
                self.fault(f"the model keeps its buffer {spec.target} from one call to the next: {STATE}")
        return tuple(found)

    def _output(self, item: Any) -> Any:
        raised = self._env.get(item) if isinstance(item, fx.Node) else item
        if raised is None or isinstance(raised, int | float | torch.SymInt):
            what = "a size that depends on the batch" if isinstance(raised, torch.SymInt) else repr(raised)
            raise Unsupported(f"the model returns {what}, which is not a tensor")
        return raised if raised is POISON else self.value(raised)

    def _take(self, node: fx.Node) -> Any:
        if not node.users and not mutates(node.target):
            return POISON
        target = str(node.target)
        if getattr(node.target, "__name__", "") == "getitem":
            held = self._env[node.args[0]]  # type: ignore[index]  # fx types its arguments loosely
            return held if held is POISON else held[node.args[1]]
        if isinstance(node.meta.get("val"), torch.SymInt | torch.SymBool | torch.SymFloat | int | bool):
            return node.meta["val"]
        self._place = self._location(node)
        arguments = self._arguments(node)
        self._call = Call(node, arguments)
        if any(item is POISON for item in _leaves(arguments.values())):
            return self._guard(lambda: self._after_fault(target))
        if target.startswith("qsc."):
            return self._guard(self._known_layer)
        if mutates(node.target):
            return self._guard(lambda: self._in_place(node, target))
        return self._guard(lambda: self._aten(target))

    def _aten(self, target: str) -> Result:
        call = self._call
        assert call is not None
        if (computed := self._computed(target)) is not None:
            return computed
        handler = TABLE.get(target)
        if handler is None:
            raise Unsupported(f"{_named(target)} has no counterpart in qsc")
        call.arguments = {k: _map(v, self._operand) for k, v in call.arguments.items()}
        return handler(self, call)

    def _operand(self, item: Any) -> Any:
        """A computed tensor as handlers take it: a number where it has no dimensions, else an operand."""
        if not isinstance(item, torch.Tensor):
            return item
        return self.value(item) if item.ndim else item.item()

    def _after_fault(self, target: str) -> Result:
        """A call whose operands are not known: whether it could be taken at all."""
        if not target.startswith("qsc.") and target.replace("_.", ".") not in TABLE:
            raise Unsupported(f"{_named(target)} has no counterpart in qsc")
        return POISON

    def _assumed(self) -> Result:
        """Stands for the results of a call that could not be taken, so that what follows is looked at as well."""
        value = self._call.value if self._call else None
        try:
            if isinstance(value, torch.Tensor):
                return Value(f"fault#{len(self.faults)}", self.type_of(value))
            if isinstance(value, tuple | list):
                return tuple(Value(f"fault#{len(self.faults)}.{k}", self.type_of(v)) for k, v in enumerate(value))
        except Unsupported:
            return POISON
        return POISON

    def _computed(self, target: str) -> torch.Tensor | None:
        """The result itself where nothing but numbers and the model's own constants go in."""
        call = self._call
        assert call is not None
        items = [*_leaves(call.arguments.values())]
        if not isinstance(call.value, torch.Tensor) or any(isinstance(i, torch.SymInt) for i in items):
            return None
        values = [i for i in items if isinstance(i, Value)]
        if any(not v.is_weight for v in values) or (values and target in TABLE):
            return None
        overload: Any = call.node.target
        if torch.Tag.nondeterministic_seeded in overload.tags:
            raise Unsupported(f"{_named(overload)} draws random numbers, which a compiled model cannot repeat")
        real = {k: _map(v, self._real) for k, v in call.arguments.items()}
        if mutates(overload):
            first = next(iter(real))
            real[first] = real[first].clone()
        schema = overload._schema.arguments
        with torch.no_grad():
            return overload(
                *(real[a.name] for a in schema if not a.kwarg_only),
                **{a.name: real[a.name] for a in schema if a.kwarg_only},
            )

    def _real(self, item: Any) -> Any:
        return self.tensors[item.weight_name] if isinstance(item, Value) else item

    def _in_place(self, node: fx.Node, target: str) -> Result:
        """x.op_(...): the functional form, and every name of x means the result from here on."""
        namespace, name, overload = target.split(".")
        result = self._aten(f"{namespace}.{name.removesuffix('_')}.{overload}")
        root: Any = node
        while isinstance(root, fx.Node) and root.op == "call_function" and mutates(root.target):
            root = root.args[0]
            self._env[root] = result
        return result

    def _known_layer(self) -> Result:
        call = self._call
        assert call is not None
        known = self.found[call["layer"]]
        self._place = replace(self._place, path=known.path)
        problem = known.handler.problem(known.layer)
        if problem:
            raise Unsupported(f"{problem} has no counterpart in qsc")
        return known.handler.take(self, call, known.layer)

    def _arguments(self, node: fx.Node) -> dict[str, Any]:
        names, defaults = _signature(node.target)
        out = dict(defaults)
        out.update(zip(names, (_map(a, self._raised) for a in node.args), strict=False))
        out.update((k, _map(v, self._raised)) for k, v in node.kwargs.items())
        return {name: out[name] for name in names if name in out}

    def _raised(self, item: Any) -> Any:
        return self._env[item] if isinstance(item, fx.Node) else item

    def _guard(self, take: Callable[[], Result]) -> Result:
        try:
            return take()
        except Unsupported as fault:
            what = f"{_named(self._call.node.target)} " if self._call and fault.batch else ""
            self.fault(what + fault.message, fault.batch)
        except TypeFault as fault:
            what = f"{_named(self._call.node.target)}: " if self._call else ""
            self.fault(what + fault.message, "batch" in fault.message)
        return self._assumed()

    def fault(self, message: str, batch: bool = False) -> None:
        """Note a fault at the current place; the same fault at the same place is counted."""
        layer = foreign_layer(self._call.node) if self._call else ""
        seen = self.faults.setdefault((message, self._place), Fault(message, self._place, batch, 0, layer))
        seen.count += 1

    def _location(self, node: fx.Node) -> Location:
        stack = node.meta.get("nn_module_stack") or {}
        path = ""
        for entry in stack.values():
            if isinstance(entry, tuple) and "metadata_hook" not in str(entry[0]):
                path = str(entry[0])
        return source_location(node.meta.get("stack_trace") or "", re.sub(r"@\d+", "", path))

    # What handlers use

    def emit(self, op: Op, *operands: Value, hints: Sequence[str] = ()) -> tuple[Value, ...]:
        """Append a node. Raises TypeFault where the operands do not fit.

        Constants, slices and what is made of weights alone are made once; other equal nodes may be the same node of
        different time steps, and stay apart until loops are folded.
        """
        key = (op, *(v.name for v in operands))
        known = self._known.get(key)
        if known is not None:
            return known
        types = op.result_types(tuple(v.type for v in operands), self._rules)
        names = hints or (op.mnemonic,) * len(types)
        number = len(self.nodes)
        results = tuple(Value(f"{h}#{number}.{k}", t) for k, (h, t) in enumerate(zip(names, types, strict=True)))
        node = Node(op, operands, results, self._place)
        self.nodes.append(node)
        if isinstance(op, ops.Constant | ops.Slice) or all(v.is_weight for v in operands):
            self._known[key] = results
        self._producers.update((v.name, node) for v in results)
        return results

    def one(self, op: Op, *operands: Value) -> Value:
        """Append a node with one result."""
        return self.emit(op, *operands)[0]

    def layer(self, op: Op, *operands: Value) -> Value:
        """Append a node with one result that is named after the torch layer it comes from."""
        assert self._call is not None
        return self.emit(op, *operands, hints=(self.hint(self._call),))[0]

    def hint(self, call: Call) -> str:
        """A value name made from the module path of the current call."""
        path, operation = self._place.path.replace(".", "_"), str(call.node.target).split(".")[1]
        return path if path and not path[0].isdigit() else f"{operation}_{path}".rstrip("_")

    def producer(self, value: Value) -> Node | None:
        """The node that gives `value`."""
        return self._producers.get(value.name)

    def weight(self, name: str, tensor: torch.Tensor) -> Value:
        """The operand for a tensor that the model holds. One copy is made of it."""
        if tensor.dtype not in DTYPE_OF:
            raise Unsupported(f"the model holds {name} of element type {str(tensor.dtype).removeprefix('torch.')}")
        if name not in self.weights:
            known = self._copies.get(id(tensor))
            if known is None:
                plain = tensor.detach().to("cpu")
                plain = plain.float() if plain.dtype in (torch.float16, torch.bfloat16) else plain
                known = self._copies[id(tensor)] = tensor, np.array(plain.numpy(), order="C")
            self.weights[name], self.tensors[name] = known[1], tensor.detach()
        array = self.weights[name]
        return Value("@" + name, Type(dtype_name(array.dtype), array.shape))

    def value(self, item: Any) -> Value:
        """The operand for what an argument was raised to: itself, or a computed tensor as a constant or weight."""
        if isinstance(item, Value):
            return item
        if isinstance(item, torch.Tensor):
            return self._constant_of(item)
        if isinstance(item, int | float):
            return self.one(ops.Constant(float(item)))
        raise Unsupported("uses a number that depends on the batch size", batch=True)

    def _constant_of(self, tensor: torch.Tensor) -> Value:
        kind = DTYPE_OF.get(tensor.dtype)
        if kind is None:
            raise Unsupported(f"a constant of element type {str(tensor.dtype).removeprefix('torch.')}")
        flat = tensor.detach().reshape(-1)
        if kind in FLOATS and flat.numel() and bool((flat == flat[0]).all()):
            return self.one(ops.Constant(float(flat[0]), tuple(tensor.shape), kind))
        # Equal constants of different time steps are one weight, or their loop would not fold.
        digest = sha256(flat.to("cpu").contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
        key = (kind, tuple(tensor.shape), digest)
        return self.weight(self._constants.setdefault(key, f"constant_{len(self._constants)}"), tensor)

    def constant(self, number: float, shape: tuple[int, ...], kind: str) -> Value:
        """A tensor filled with one number; its batch dimension is that of the model's input."""
        operands = (self.batched_input(),) if DYNAMIC in shape else ()
        return self.one(ops.Constant(number, shape, kind), *operands)

    def batched_input(self) -> Value:
        """The first input with a batch dimension, which lends its size."""
        return next(v for v in self.inputs if v.type.batched)

    def dims(self, sizes: Iterable[Any]) -> tuple[int, ...]:
        """A shape as the IR writes it: numbers, and `?` for the batch."""
        return tuple(self._dim(s) for s in sizes)

    def _dim(self, size: Any) -> int:
        if isinstance(size, int):
            return size
        text = str(size.node.expr)
        if text in self.batch_symbols:
            return DYNAMIC
        try:
            return int(text)
        except ValueError:
            raise Unsupported(
                "merges the batch dimension with another one: batches of another size would not fit", batch=True
            ) from None

    def type_of(self, tensor: torch.Tensor) -> Type:
        """The IR type of a tensor without data."""
        if tensor.dtype not in DTYPE_OF:
            raise Unsupported(f"element type {str(tensor.dtype).removeprefix('torch.')}")
        return Type(DTYPE_OF[tensor.dtype], self.dims(tensor.shape))

    def result_type(self, call: Call) -> Type:
        """The type of the call's (first) result as torch sees it; spikes appear as f32."""
        value = call.value[0] if isinstance(call.value, tuple | list) else call.value
        return self.type_of(value)

    def common_float(self, *values: Value) -> str:
        """The float type that arithmetic on the values has: that of the first float with dimensions, else any float."""
        kinds = [v.type for v in values if v.type.is_float]
        ranked = [t.dtype for t in kinds if t.shape] or [t.dtype for t in kinds]
        return "f64" if "f64" in ranked else "f32"

    def as_float(self, value: Value, kind: str) -> Value:
        """`value` as float type `kind`; spikes count as f32."""
        if value.type.dtype == kind or (kind == "f32" and value.type.dtype == "spike"):
            return value
        if value.is_weight and not value.type.is_float:
            tensor = self.tensors[value.weight_name].to(torch.float32 if kind == "f32" else torch.float64)
            return self.weight(f"{value.weight_name}.{kind}", tensor)
        return self.one(ops.Cast(kind), value)

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Value:
        """`value` in another shape; reshapes of reshapes become one."""
        if value.type.shape == shape:
            return value
        producer = self.producer(value)
        if producer is not None and isinstance(producer.op, ops.Reshape):
            return self.reshape(producer.operands[0], shape)
        if producer is not None and isinstance(producer.op, ops.Constant):
            return self.constant(producer.op.value, shape, producer.op.dtype)
        if value.type.shape.count(DYNAMIC) != shape.count(DYNAMIC) or prod(value.type.shape) != prod(shape):
            raise Unsupported(f"cannot bring {value.type} into shape {shape}", batch=True)
        return self.one(ops.Reshape(shape), value)

    def slice(self, value: Value, dim: int, start: int, stop: int, step: int = 1, squeeze: bool = False) -> Value:
        """Part of a dimension; the whole dimension is the value itself, part of one joined value is part of that, and
        one index of permuted dimensions is one of the value before, where the others keep their order."""
        shape = value.type.shape
        if (start, stop, step) == (0, shape[dim], 1) and not squeeze:
            return value
        node = self.producer(value)
        if node is not None and isinstance(node.op, ops.Constant):
            rest = () if squeeze else (len(range(start, stop, step)),)
            return self.constant(node.op.value, (*shape[:dim], *rest, *shape[dim + 1 :]), node.op.dtype)
        if node is not None and isinstance(node.op, ops.Cat) and node.op.dim == dim:
            first = 0
            for part in node.operands:
                last = first + part.type.shape[dim]
                if first <= start < stop <= last:
                    return self.slice(part, dim, start - first, stop - first, step, squeeze)
                first = last
        if node is not None and isinstance(node.op, ops.Cast) and squeeze:
            before = self.producer(node.operands[0])
            if before is not None and isinstance(before.op, ops.Permute):
                return self.one(node.op, self.slice(node.operands[0], dim, start, stop, step, squeeze))
        if node is not None and isinstance(node.op, ops.Permute) and squeeze:
            at = node.op.dims[dim]
            if (rest := [d for d in node.op.dims if d != at]) == sorted(rest):
                return self.slice(node.operands[0], at, start, stop, step, squeeze)
        whole = squeeze and shape[dim] == 1
        return (
            self.reshape(value, shape[:dim] + shape[dim + 1 :])
            if whole
            else self.one(ops.Slice(dim, start, stop, step, squeeze), value)
        )

    def circuit_name(self, circuit: Circuit) -> str:
        """The name under which the module holds a layer's circuit."""
        return self._circuits[id(circuit)].name


def _named(target: Any) -> str:
    return "torch operation " + str(target).split(".")[1]


def _named_circuits(found: Iterable[Found]) -> dict[int, Circuit]:
    """Circuit of every layer by identity, under names that differ where the circuits do."""
    by_name: dict[str, Circuit] = {}
    out: dict[int, Circuit] = {}
    for known in found:
        for circuit in known.handler.circuits(known.layer):
            name, k = circuit.name, 1
            while name in by_name and by_name[name] != replace(circuit, name=name):
                name, k = f"{circuit.name}_{k}", k + 1
            out[id(circuit)] = by_name[name] = replace(circuit, name=name)
    return out


@cache
def mutates(target: Any) -> bool:
    schema = getattr(target, "_schema", None)
    return schema is not None and schema.is_mutable


@cache
def _signature(target: Any) -> tuple[tuple[str, ...], tuple[tuple[str, Any], ...]]:
    schema = getattr(target, "_schema", None)
    if schema is None:
        return (), ()
    names = tuple(a.name for a in schema.arguments)
    return names, tuple((a.name, a.default_value) for a in schema.arguments if a.has_default_value())


def _map(item: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(item, tuple | list):
        return type(item)(_map(i, change) for i in item)
    return change(item)


def _leaves(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, tuple | list):
            yield from _leaves(item)
        else:
            yield item
