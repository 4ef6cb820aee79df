"""The canonical text of a module. `qsc.frontends.text` reads it back: read(print(m)) == m."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .angles import Row
from .cells import CELLS
from .circuit import AngleInput, Circuit
from .conditions import format_condition
from .gates import GATES
from .graph import Graph, Node, Value
from .module import Module
from .netlist import Netlist
from .observables import PauliSum
from .types import DYNAMIC, Type, dtype_name

INLINE_WEIGHT_LIMIT = 32
"""Weights of at most this many numbers are printed inline; larger ones live beside the text."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*\Z")
INDENT = "  "


def print_module(module: Module) -> str:
    """The whole module as text, ending in a newline."""
    parts = [f"module {quote_name(module.name)};"]
    if module.weights:
        parts.append("\n".join(_weight_line(name, array) for name, array in module.weights.items()))
    parts += [print_circuit(c) for c in module.circuits.values()]
    parts += [print_netlist(n) for n in module.netlists.values()]
    if module.graph.inputs or module.graph.nodes or module.graph.outputs:
        parts.append(print_graph("main", module.graph))
    return "\n\n".join(parts) + "\n"


def quote_name(name: str) -> str:
    """A dotted identifier as it is, any other name as a JSON string."""
    return name if _PLAIN_NAME.match(name) else json.dumps(name)


def format_float(value: float) -> str:
    """The shortest text that reads back as the same double."""
    return repr(float(value))


def _weight_line(name: str, array: np.ndarray) -> str:
    head = f"weight @{quote_name(name)}: {Type(dtype_name(array.dtype), array.shape)}"
    if array.size > INLINE_WEIGHT_LIMIT:
        return head + ";"
    if array.dtype.kind == "f":
        numbers = [repr(v) if array.dtype == np.float64 else str(np.float32(v)) for v in array.ravel().tolist()]
    else:
        numbers = [str(int(v)) for v in array.ravel().tolist()]
    return f"{head} = [{', '.join(numbers)}];"


# Circuits


def print_circuit(circuit: Circuit) -> str:
    """One `circuit` block; locations are not printed."""
    c = circuit.compacted()
    angles = angle_texts(c)
    params = ", ".join(_angle_input(a) for a in c.inputs)
    bits = f", {c.num_clbits} bits" if c.num_clbits else ""
    lines = [f"circuit {quote_name(c.name)}({params}) on {c.num_qubits} qubits{bits} {{"]
    if c.phase >= 0:
        lines.append(f"{INDENT}phase({angles[c.phase]});")
    lines.extend(_gate_lines(c, angles))
    return "\n".join([*lines, "}"])


def _angle_input(array: AngleInput) -> str:
    shape = f"[{','.join(map(str, array.shape))}]" if array.shape else ""
    return ("weight " if array.role == "weight" else "") + array.name + shape


def _gate_lines(circuit: Circuit, angles: list[str]) -> Iterator[str]:
    names = [INDENT + gate.name for gate in GATES]
    qubits = [f"q[{k}]" for k in range(circuit.num_qubits)]
    for row in circuit.rows():
        text = names[row.opcode]
        if row.payload >= 0:
            text += f'("{circuit.payloads[row.payload]}", {angles[row.angles[0]]})'
        elif row.angles:
            text += f"({', '.join([angles[a] for a in row.angles])})"
        if row.wires:
            text += " " + ", ".join([qubits[w] for w in row.wires])
        if row.clbits:
            text += " -> " + ", ".join(f"c[{b}]" for b in row.clbits)
        if row.condition >= 0:
            text += " if " + format_condition(circuit.conditions[row.condition])
        yield text + ";"


def angle_texts(circuit: Circuit) -> list[str]:
    """The text of every angle row, for example `pi/2 + 0.5*x[3]`."""
    names = circuit.variable_names
    return [format_angle(row, names) for row in circuit.angles.rows()]


def format_angle(row: Row, names: tuple[str, ...]) -> str:
    """One angle: the multiple of pi, then the float offset, then the terms."""
    num, den, offset, terms = row
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


def print_netlist(netlist: Netlist) -> str:
    """One `netlist` block: `q = CELL(a, b);` a cell, nets named by their ports or numbered."""
    names: dict[int, str] = {net: port for port, net in netlist.inputs}
    if netlist.clock >= 0:
        names[netlist.clock] = "clk"
    for net in [*netlist.input_nets.tolist(), *netlist.output_nets.tolist(), *(n for _, n in netlist.outputs)]:
        names.setdefault(net, f"n{len(names)}")
    ports = [*(port for port, _ in netlist.inputs), *(["clock clk"] if netlist.clock >= 0 else [])]
    outputs = ", ".join(f"{port}={names[net]}" for port, net in netlist.outputs)
    lines = [f"netlist {quote_name(netlist.name)}({', '.join(ports)}) -> ({outputs}) {{"]
    for row in netlist.rows():
        outs = ", ".join(names[n] for n in row.outputs)
        lines.append(f"{INDENT}{outs} = {CELLS[row.opcode].name}({', '.join(names[n] for n in row.inputs)});")
    return "\n".join([*lines, "}"])


# The graph


def print_graph(name: str, graph: Graph, indent: str = "") -> str:
    """A graph as `name(inputs) { nodes; return outputs; }`, each node followed by its source location as a comment."""
    params = ", ".join(str(v) for v in graph.inputs)
    lines = [f"{indent}{name}({params}) {{"]
    for node in graph.nodes:
        lines.extend(_node_lines(node, indent + INDENT))
    returned = ", ".join(format_operand(v) for v in graph.outputs)
    lines.append(f"{indent}{INDENT}return {returned};" if returned else f"{indent}{INDENT}return;")
    return "\n".join([*lines, indent + "}"])


def _node_lines(node: Node, indent: str) -> Iterator[str]:
    arguments = [format_operand(v) for v in node.operands]
    bodies: dict[str, Graph] = {}
    for key, value in node.op.attributes().items():
        if isinstance(value, Graph):
            bodies[key] = value
        else:
            arguments.append(f"{key}={format_attribute(value)}")
    results = ", ".join(str(v) for v in node.results)
    call = f"{indent}{results} = {node.op.mnemonic}({', '.join(arguments)})"
    place = f"  # {node.location}" if node.location else ""
    if not bodies:
        yield f"{call};{place}"
        return
    yield f"{call} {{{place}"
    for key, body in bodies.items():
        yield print_graph(key, body, indent + INDENT)
    yield f"{indent}}}"


def format_operand(value: Value) -> str:
    """A value by its name; a weight's name quoted where it is not a dotted identifier."""
    return "@" + quote_name(value.weight_name) if value.is_weight else value.name


def format_attribute(value: Any) -> str:
    """Attribute values: numbers, booleans, quoted strings, lists; `?` stands for the batch size in a shape."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, int):
        return "?" if value == DYNAMIC else str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(format_attribute(v) for v in value) + "]"
    if isinstance(value, PauliSum):
        return json.dumps(str(value))
    if isinstance(value, Mapping):
        raise TypeError("attributes hold no mappings")
    return json.dumps(value)
