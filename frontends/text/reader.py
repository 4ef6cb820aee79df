"""Text -> module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from lark.exceptions import UnexpectedInput, UnexpectedToken

from ...ir import DYNAMIC, Graph, GraphBuilder, InputError, Location, Module, PauliSum, Type, Z
from ...ir.ops import Expectation, Logic
from ..base import Imported
from .circuits import lower_circuit, lower_definitions
from .faults import Faults
from .graphs import GraphReader
from .messages import explain
from .netlists import lower_logic, lower_netlist
from .parser import grammar, parse
from .runs import CELL_MARK, GATE_MARK, Mask
from .syntax import Name, SourceFile, Span
from .weights import Weights

Block = TypeVar("Block")


def read(text: str, file: str = "<text>", weights: Mapping[str, np.ndarray] | None = None) -> Module:
    """The module that a .qsc text describes.

    file: the name in messages and locations; files of weights are searched beside it. weights: arrays for the weights
    whose numbers are not in the text. Raises InputError with every fault of the text, or with its first syntax error.
    """
    faults = Faults(text, file)
    try:
        source, mask = _parsed(text, faults)
        module = _module(source, mask, faults, weights or {})
    except RecursionError:
        raise InputError.of("P0004", "the text is nested too deeply to be read", Location(file)) from None
    if faults:
        raise faults.error()
    return module


def read_file(path: str | Path, entry: str | None = None, input_shape: tuple[int, ...] | None = None) -> Imported:
    """The module of a .qsc file. `entry` and `input_shape` are for sources that need them; a text does not."""
    path = Path(path)
    for option, value in (("entry", entry), ("input shape", input_shape)):
        if value is not None:
            help = "the inputs of a .qsc text are those of its main"
            raise InputError.of("O0002", f"{path.name} takes no {option}", Location(str(path)), help=help)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError.of("M0001", f"there is no file {path}") from None
    except OSError as error:
        raise InputError.of("M0001", f"cannot read {path}: {error.strerror}") from None
    return Imported(read(_decoded(data, path), str(path)))


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        raise InputError.of(
            "P0006",
            f"byte {data[error.start]:#04x} is not UTF-8",
            Location(str(path), line, column),
            help="save the file as UTF-8",
        ) from None


def _parsed(text: str, faults: Faults) -> tuple[SourceFile, Mask]:
    """What the text says, its runs apart."""
    for number, line in enumerate(faults.lines, 1):
        for mark in (GATE_MARK, CELL_MARK):
            if mark in line:
                span = Span(number, line.index(mark) + 1)
                raise InputError(faults.diagnostic("P0001", f"found character {ord(mark):#04x}", span))
    mask = Mask(text)
    while True:
        try:
            return parse(mask.text), mask
        except UnexpectedToken as error:
            if error.token.type not in ("RUN", "CELL_RUN"):
                raise InputError(explain(error, grammar(), faults)) from None
            mask.restore(str(error.token))
        except UnexpectedInput as error:
            raise InputError(explain(error, grammar(), faults)) from None


def _module(source: SourceFile, mask: Mask, faults: Faults, given: Mapping[str, np.ndarray]) -> Module:
    for name in source.modules[1:]:
        faults.add("P0003", "the module has a name already", name.span)
    weights = Weights(faults, given)
    weights.load(source.weight_files)
    weights.declare(source.weights)
    definitions = lower_definitions(source.gates, faults, mask.gates)
    circuits = _keyed(source.circuits, "circuit", faults, lambda b: lower_circuit(b, definitions, faults, mask.gates))
    netlists = _keyed(source.netlists, "netlist", faults, lambda b: lower_netlist(b, faults, mask.cells))
    logic = _keyed(source.logic, "netlist", faults, lambda b: lower_logic(b, faults), netlists)
    name = source.modules[0].text if source.modules else _stem(faults.file)
    module = Module(name, circuits=circuits, netlists={**netlists, **logic})
    for span, _ in source.mains[1:]:
        faults.add("P0003", "the file has two mains", span)
    if source.mains:
        graph = GraphReader(module, weights, faults).read(source.mains[0][1])
    else:
        graph = _implicit_main(module)
    return module.with_(graph=graph, weights=weights.arrays)


def _keyed(
    blocks: Sequence[Any],
    kind: str,
    faults: Faults,
    lower: Callable[[Any], Block],
    taken: Mapping[str, Any] | None = None,
) -> dict[str, Block]:
    """The lowered blocks by their names."""
    out: dict[str, Block] = {}
    for block in blocks:
        key: Name = block.key
        if key.text in out or key.text in (taken or {}):
            faults.add("P0003", f"{kind} {key.text} is defined twice", key.span, "give one of them another name")
        else:
            out[key.text] = lower(block)
    return out


def _stem(file: str) -> str:
    return "main" if file.startswith("<") else Path(file).stem


def _implicit_main(module: Module) -> Graph:
    """The main of a file with one block and no main: <Z> of every qubit of its circuit, or the outputs of its logic."""
    builder = GraphBuilder(module)
    if len(module.circuits) == 1 and not module.netlists:
        (name, circuit), *_ = module.circuits.items()
        operands = [builder.input(a.name, Type("f64", (DYNAMIC, *a.shape))) for a in circuit.inputs]
        observables: tuple[PauliSum, ...] = tuple(Z(q) for q in range(circuit.num_qubits))
        return builder.graph(*builder.add(Expectation(name, observables), *operands, name="z", location=circuit.place))
    if len(module.netlists) == 1 and not module.circuits:
        (name, netlist), *_ = module.netlists.items()
        bits = builder.input("bits", Type("bit", (DYNAMIC, len(netlist.inputs))))
        return builder.graph(*builder.add(Logic(name), bits, name="out", location=netlist.place))
    return builder.graph()
