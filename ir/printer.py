"""The canonical text of a module. `qsc.frontends.text` reads it back: read(print(m), weights=m.weights) == m."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from .angles import ZERO_ROW, Row
from .cells import CELLS
from .circuit import AngleInput, Circuit
from .conditions import format_condition
from .diagnostics import Location
from .gates import GATES
from .graph import Graph, Node, Value
from .module import Module
from .netlist import Netlist
from .observables import PauliSum
from .types import DYNAMIC, Type, dtype_name

INLINE_WEIGHT_LIMIT = 32
"""Weights of at most this many numbers are printed inline; larger ones live beside the text."""

RESERVED = frozenset({"weight", "clock", "for", "if", "pi", "return"})
"""Words of the language that stand where a name may stand, too; such a name is printed in quotes."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*\Z")
INDENT = "  "


def print_module(module: Module) -> str:
    """The whole module as text, ending in a newline. Places of gates and cells are not printed, those of nodes are."""
    parts = [f"module {quote_name(module.name)};"]
    if module.weights:
        parts.append("\n".join(_weight_line(name, array) for name, array in module.weights.items()))
    parts += [print_circuit(c, key) for key, c in module.circuits.items()]
    parts += [print_netlist(n, key) for key, n in module.netlists.items()]
    # An empty main is printed as well: a file without one would get a main that reads out its only circuit.
    parts.append(print_graph("main", module.graph))
    return "\n\n".join(parts) + "\n"


def quote_name(name: str) -> str:
    """A dotted identifier as it is, any other name (and a reserved word) as a JSON string."""
    return name if _PLAIN_NAME.match(name) and name not in RESERVED else json.dumps(name)


def format_float(value: float) -> str:
    """The shortest text that reads back as the same double."""
    return repr(float(value))


def _block_name(key: str, name: str) -> str:
    """The name under which the module holds a block, and the block's own where it is another."""
    return quote_name(key) if key == name else f"{quote_name(key)} as {quote_name(name)}"


def _weight_line(name: str, array: np.ndarray) -> str:
    head = f"weight @{quote_name(name)}: {Type(dtype_name(array.dtype), array.shape)}"
    # The bits of a NaN are lost in text, so a weight with one is never inline.
    if array.size > INLINE_WEIGHT_LIMIT or (array.dtype.kind == "f" and np.isnan(array).any()):
        return head + ";"
    if array.dtype.kind == "f":
        numbers = [repr(v) if array.dtype == np.float64 else str(np.float32(v)) for v in array.ravel().tolist()]
    else:
        numbers = [str(int(v)) for v in array.ravel().tolist()]
    return f"{head} = [{', '.join(numbers)}];"


# Circuits


def print_circuit(circuit: Circuit, key: str | None = None) -> str:
    """One `circuit` block. `key`: the name under which the module holds it, where that is not its own."""
    c = circuit
    params = ", ".join(_angle_input(a) for a in c.inputs)
    bits = f", {c.num_clbits} bits" if c.num_clbits else ""
    name = _block_name(c.name if key is None else key, c.name)
    lines = [f"circuit {name}({params}) on {c.num_qubits} qubits{bits} {{"]
    angles = angle_texts(c)
    if c.phase >= 0 and c.angles.row(c.phase) != ZERO_ROW:
        lines.append(f"{INDENT}phase({angles[c.phase]});")
    lines.extend(_gate_lines(c, angles))
    return "\n".join([*lines, "}"])


def _angle_input(array: AngleInput) -> str:
    shape = f"[{','.join(map(str, array.shape))}]" if array.shape else ""
    return ("weight " if array.role == "weight" else "") + quote_name(array.name) + shape


def _gate_lines(c: Circuit, angles: list[str]) -> Iterable[str]:
    """One line a gate, written column by column."""
    heads = [INDENT + gate.name for gate in GATES]
    columns = [
        [heads[code] for code in c.opcode.tolist()],
        _joined(c.angle_ptr, [angles[k] for k in c.angle_rows.tolist()], "(", ")"),
        _joined(c.wire_ptr, [f"q[{w}]" for w in c.wires.tolist()], " ", ""),
    ]
    if c.payloads:
        for k in np.flatnonzero(c.payload >= 0).tolist():
            columns[1][k] = f'("{c.payloads[c.payload[k]]}", {columns[1][k][1:]}'
    if len(c.clbits):
        columns.append(_joined(c.clbit_ptr, [f"c[{b}]" for b in c.clbits.tolist()], " -> ", ""))
    if c.conditions:
        texts = [*(" if " + format_condition(e) for e in c.conditions), ""]
        columns.append([texts[k] for k in c.condition.tolist()])
    columns.append([";"] * len(c))
    return map("".join, zip(*columns, strict=True))


def _joined(ptr: np.ndarray, texts: list[str], before: str, after: str) -> list[str]:
    """The texts of every row of a compressed column, joined by commas; nothing for an empty row."""
    out: list[str] = []
    for start, stop in pairwise(ptr.tolist()):
        if stop == start + 1:
            out.append(f"{before}{texts[start]}{after}")
        elif stop == start:
            out.append("")
        else:
            out.append(f"{before}{', '.join(texts[start:stop])}{after}")
    return out


def angle_texts(circuit: Circuit) -> list[str]:
    """The text of every angle row, for example `pi/2 + 0.5*x[3]`."""
    names = _variable_texts(circuit)
    return [format_angle(row, names) for row in circuit.angles.rows()]


def _variable_texts(circuit: Circuit) -> tuple[str, ...]:
    names: list[str] = []
    for array in circuit.inputs:
        name = quote_name(array.name)
        indices = np.ndindex(*array.shape)
        names += [f"{name}[{','.join(map(str, index))}]" for index in indices] if array.shape else [name]
    return tuple(names)


def format_angle(row: Row, names: tuple[str, ...]) -> str:
    """One angle: the multiple of pi, then the float offset, then the terms."""
    num, den, offset, terms = row
    if offset and not num and not terms:
        return format_float(offset)
    parts: list[tuple[bool, str]] = []
    if num:
        size = "pi" if abs(num) == 1 else f"{abs(num)}*pi"
        parts.append((num < 0, size if den == 1 else f"{size}/{den}"))
    if offset:
        parts.append((offset < 0, format_float(abs(offset))))
    for variable, coeff in terms:
        name = names[variable]
        parts.append((coeff < 0, name if abs(coeff) == 1.0 else f"{format_float(abs(coeff))}*{name}"))
    if not parts:
        return "0"
    text = ("-" if parts[0][0] else "") + parts[0][1]
    for negative, part in parts[1:]:
        text += (" - " if negative else " + ") + part
    return text


# Netlists


def print_netlist(netlist: Netlist, key: str | None = None) -> str:
    """One `netlist` block: `q = CELL(a, b);` a cell, nets named by their ports or numbered."""
    names = _net_names(netlist)
    ports = [quote_name(port) for port, _ in netlist.inputs]
    ports += [f"clock {names[netlist.clock]}"] if netlist.clock >= 0 else []
    outputs = ", ".join(
        text if (text := quote_name(port)) == names[net] else f"{text}={names[net]}" for port, net in netlist.outputs
    )
    name = _block_name(netlist.name if key is None else key, netlist.name)
    lines = [f"netlist {name}({', '.join(ports)}) -> ({outputs}) {{"]
    for row in netlist.rows():
        outs = ", ".join([names[n] for n in row.outputs])
        lines.append(f"{INDENT}{outs} = {CELLS[row.opcode].name}({', '.join([names[n] for n in row.inputs])});")
    return "\n".join([*lines, "}"])


def _net_names(netlist: Netlist) -> dict[int, str]:
    """Net -> its text. A net is called after its input port, else after its first output port, else numbered."""
    names = {net: quote_name(port) for port, net in netlist.inputs}
    taken = set(names.values())
    if netlist.clock >= 0:
        names[netlist.clock] = _free_name("clk", taken)
    for port, net in netlist.outputs:
        text = quote_name(port)
        if net not in names and text not in taken:
            names[net] = text
            taken.add(text)
    number = 0
    ports = [net for _, net in netlist.outputs]
    for net in dict.fromkeys([*netlist.output_nets.tolist(), *netlist.input_nets.tolist(), *ports]):
        if net not in names:
            while f"n{number}" in taken:
                number += 1
            names[net] = f"n{number}"
            number += 1
    return names


def _free_name(wanted: str, taken: set[str]) -> str:
    """A name that is not taken, `wanted` if possible; it is taken afterwards."""
    name, count = wanted, 0
    while name in taken:
        count += 1
        name = f"{wanted}{count}"
    taken.add(name)
    return name


# The graph


def print_graph(name: str, graph: Graph, indent: str = "") -> str:
    """A graph as `name(inputs) { nodes; return outputs; }`, each node followed by its source location."""
    params = ", ".join(map(_typed, graph.inputs))
    lines = [f"{indent}{name}({params}) {{"]
    for node in graph.nodes:
        lines.extend(_node_lines(node, indent + INDENT))
    returned = ", ".join(map(format_operand, graph.outputs))
    lines.append(f"{indent}{INDENT}return {returned};" if returned else f"{indent}{INDENT}return;")
    return "\n".join([*lines, indent + "}"])


def _typed(value: Value) -> str:
    return f"{quote_name(value.name)}: {value.type}"


def _node_lines(node: Node, indent: str) -> Iterator[str]:
    arguments = [format_operand(v) for v in node.operands]
    bodies: dict[str, Graph] = {}
    for key, value in node.op.attributes().items():
        if isinstance(value, Graph):
            bodies[key] = value
        else:
            arguments.append(f"{key}={format_attribute(value, of_shape=key == 'shape')}")
    results = ", ".join(map(_typed, node.results))
    call = f"{node.op.mnemonic}({', '.join(arguments)}){format_place(node.location)}"
    line = f"{indent}{results} = {call}" if results else f"{indent}{call}"
    if not bodies:
        yield f"{line};"
        return
    yield f"{line} {{"
    for key, body in bodies.items():
        yield print_graph(key, body, indent + INDENT)
    yield f"{indent}}}"


def format_place(location: Location) -> str:
    """A node's place, for example ` at "model.py":12:5 in features.0`; nothing where it is unknown."""
    text = ""
    if location.file:
        text = f" at {json.dumps(location.file)}"
        if location.line:
            text += f":{location.line}" + (f":{location.column}" if location.column else "")
    return text + (f" in {quote_name(location.path)}" if location.path else "")


def format_operand(value: Value) -> str:
    """A value by its name; a name is quoted where it is not a dotted identifier."""
    return "@" + quote_name(value.weight_name) if value.is_weight else quote_name(value.name)


def format_attribute(value: Any, *, of_shape: bool = False) -> str:
    """Attribute values: numbers, booleans, quoted strings, lists; `?` stands for the batch size in a shape."""
    if value is None:
        return "none"
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return format_float(float(value))
    if isinstance(value, int | np.integer):
        return "?" if of_shape and value == DYNAMIC else str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(format_attribute(v, of_shape=of_shape) for v in value) + "]"
    if isinstance(value, PauliSum):
        return json.dumps(str(value))
    if isinstance(value, Mapping):
        raise TypeError("attributes hold no mappings")
    return json.dumps(value)
