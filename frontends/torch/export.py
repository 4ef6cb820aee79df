"""Capture: a copy of the model with stand-ins for known layers goes through torch.export, then is raised."""

from __future__ import annotations

import copy
import io
import logging
import operator
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram, ShapesCollection, default_decompositions
from torch.export.graph_signature import InputKind

from ...ir import Graph, Location
from .failures import capture_failed, run_to_failure
from .faults import STATE, Fault, UnsupportedError
from .layers import Found, exporting, find_layers, held_tensors
from .raising import TABLE, Raiser, mutates

_ATTRIBUTE = re.compile(r"self\.([\w.]+)")
Tensors = tuple[torch.Tensor, ...]


@dataclass
class Capture:
    """A raised model, before folding."""

    graph: Graph
    raiser: Raiser
    found: Mapping[str, Found]


def capture(model: nn.Module, inputs: Tensors) -> Capture:
    """Export and raise `model`.

    The batch is the first dimension of every input; where the model itself fixes that (a loop over time-first input),
    the second; where it fixes both, the sizes of the example stay as they are. Raises InputError: M0003, M0004, M0005,
    M0008.
    """
    found = find_layers(model)
    refused: UnsupportedError | None = None
    for axis in (0, 1):
        example = with_batch(inputs, axis)
        if example is None:
            continue
        try:
            program = export(model, example, found, axis)
        except UnsupportedError:
            raise
        except Exception as error:  # noqa: BLE001 - torch raises every kind; what it was is found out below
            run_to_failure(model, inputs, found, error)
            continue
        batch = batch_symbols(program, axis)
        if not batch:
            continue
        try:
            return raise_program(program, batch, found)
        except UnsupportedError as error:
            if not error.batch:
                raise
            refused = refused or error
    if refused is not None:
        raise refused
    try:
        program = export(model, inputs, found, None)
    except UnsupportedError:
        raise
    except Exception as error:
        run_to_failure(model, inputs, found, error)
        raise capture_failed(error) from error
    return raise_program(program, frozenset(), found)


def with_batch(inputs: Tensors, axis: int) -> Tensors | None:
    """The inputs with at least two samples along `axis`, which torch needs for a dynamic size; None without that axis.

    Time-first input has features behind time and batch, so axis 1 needs three dimensions.
    """
    if not inputs or inputs[0].ndim < (1, 3)[axis]:
        return None
    size = inputs[0].shape[axis]
    if size != 1:
        return inputs if size else None
    return tuple(torch.cat([t, t], axis) if t.ndim > axis and t.shape[axis] == 1 else t for t in inputs)


def export(model: nn.Module, inputs: Tensors, found: Mapping[str, Found], axis: int | None) -> ExportedProgram:
    """torch.export of a copy with stand-ins; dimension `axis` of the inputs is dynamic."""
    stand_ins = {path: known.handler.stand_in(known.layer, path) for path, known in found.items()}
    memo: dict[int, Any] = {id(t): t for t in held_tensors(model)}
    memo.update((id(known.layer), stand_ins[path]) for path, known in found.items())
    twin = copy.deepcopy(model, memo).eval()
    shapes: Any = None
    if axis is not None:
        batch = inputs[0].shape[axis]
        shapes = ShapesCollection()
        for tensor in inputs:
            if tensor.ndim > axis and tensor.shape[axis] == batch:
                shapes[tensor] = {axis: Dim.AUTO}
    with exporting(found, stand_ins, twin), torch.no_grad(), quietly() as warned:
        program = torch.export.export(twin, inputs, dynamic_shapes=shapes, strict=False)
    _refuse_kept_state(program, warned)
    return program


def _refuse_kept_state(program: ExportedProgram, warned: list[str]) -> None:
    """M0005 for an attribute that the model reads and assigns anew: torch only warns, and freezes its first value."""
    assigned = {name for text in warned if "assigned during export" in text for name in _ATTRIBUTE.findall(text)}
    specs = program.graph_signature.input_specs
    read = {spec.target for spec in specs if spec.kind == InputKind.CONSTANT_TENSOR}
    faults = [
        Fault(f"the model keeps its attribute {name} from one call to the next: {STATE}", Location(path=place))
        for name in sorted(assigned & read)
        for place in [name.rpartition(".")[0]]
    ]
    if faults:
        raise UnsupportedError(faults)


@contextmanager
def quietly() -> Iterator[list[str]]:
    """Without torch's own logs and dumps: what fails is told as a diagnostic. Gives the warnings, filled at the end."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    texts: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught, redirect_stderr(io.StringIO()):
            warnings.simplefilter("always")
            yield texts
            texts += [str(w.message) for w in caught]
    finally:
        logging.disable(level)


def batch_symbols(program: ExportedProgram, axis: int | None = None) -> frozenset[str]:
    """Symbols that stand for the batch: the sizes along `axis`, or any input size that is a symbol."""
    found: set[str] = set()
    kinds = {s.arg.name: s.kind for s in program.graph_signature.input_specs}
    for node in program.graph.nodes:
        if node.op != "placeholder" or kinds[node.name] != InputKind.USER_INPUT:
            continue
        value = node.meta.get("val")
        sizes = value.shape if isinstance(value, torch.Tensor) else ()
        sizes = sizes if axis is None else sizes[axis : axis + 1]
        found.update(str(s.node.expr) for s in sizes if isinstance(s, torch.SymInt) and s.node.expr.is_Symbol)
    return frozenset(found)


def raise_program(program: ExportedProgram, batch: frozenset[str], found: Mapping[str, Found]) -> Capture:
    """Raise an exported program. What the table does not know, torch takes apart where it can."""
    program = _decomposed(_functional(program))
    raiser = Raiser(program, batch, found)
    return Capture(raiser.run(), raiser, found)


def _functional(program: ExportedProgram) -> ExportedProgram:
    """The program without in-place calls that reach a tensor through more than one name."""
    changed = {_root(n) for n in program.graph.nodes if n.op == "call_function" and mutates(n.target)}
    if any(root.op != "call_function" or _is_view(root) or _has_views(root) for root in changed):
        with torch.no_grad(), quietly():
            return program.run_decompositions({})
    return program


def _root(node: fx.Node) -> fx.Node:
    while node.op == "call_function" and mutates(node.target):
        node = node.args[0]  # pyright: ignore[reportAssignmentType] - the first argument of an in-place call
    return node


def _has_views(node: fx.Node) -> bool:
    """Whether a view is taken of a node, or of what in-place calls make of it."""
    return any(_is_view(user) or (mutates(user.target) and _has_views(user)) for user in node.users)


def _is_view(node: fx.Node) -> bool:
    if node.target is operator.getitem:
        return _is_view(node.args[0])  # pyright: ignore[reportArgumentType] - the tuple that is indexed
    schema = getattr(node.target, "_schema", None)
    if schema is None or schema.name.startswith("qsc::"):
        return False
    return "dropout" in schema.name or any(
        r.alias_info is not None and not r.alias_info.is_write for r in schema.returns
    )


def _decomposed(program: ExportedProgram) -> ExportedProgram:
    """The program with operations that the table lacks taken apart, where that ends in operations it has."""
    unknown = {n.target for n in _unknown(program)}
    if not unknown:
        return program
    table: Any = default_decompositions()
    origin: dict[str, Any] = {n.name: n.target for n in program.graph.nodes}
    chosen: set[Any] = {t for t in unknown if t in table}
    barred: set[Any] = set()
    taken = program
    while chosen:
        with torch.no_grad(), quietly():
            taken = program.run_decompositions({t: table[t] for t in chosen})
        left = _unknown(taken)
        deeper = {n.target for n in left if n.target in table} - chosen - barred
        failed = {origin.get(name) for node in left for name in _sources(node)} & chosen
        if deeper:
            chosen |= deeper
        elif failed:
            barred |= failed
            chosen -= failed
        else:
            return taken
    return program


def _unknown(program: ExportedProgram) -> list[fx.Node]:
    """Calls of operations that no handler takes."""
    return [
        n
        for n in program.graph.nodes
        if n.op == "call_function"
        and n.users
        and isinstance(n.target, torch._ops.OpOverload)
        and isinstance(n.meta.get("val"), torch.Tensor | tuple | list)
        and n.target.namespace != "qsc"
        and str(n.target) not in TABLE
        and not mutates(n.target)
    ]


def _sources(node: fx.Node) -> Iterator[str]:
    """Names of the nodes that a node was made from."""
    pending = [*node.meta.get("from_node", ())]
    while pending:
        source = pending.pop()
        yield source.name
        pending += source.from_node
