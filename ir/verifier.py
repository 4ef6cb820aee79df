"""The structural and type verifier: every fault of a module at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .cells import CELL_CODES, CELLS
from .circuit import Circuit
from .conditions import bits_of
from .diagnostics import Diagnostic, InputError, Location
from .gates import GATES, OPCODES
from .graph import Graph, Node, TypeFault, Value
from .module import Module
from .netlist import Netlist

MEASURE = OPCODES["measure"]
PAULI = OPCODES["pauli"]
_TABLE_QUBITS = np.array([g.qubits for g in GATES])
_TABLE_ANGLES = np.array([g.angles for g in GATES])


def verify(module: Module, known: Module | None = None) -> None:
    """Raises InputError with a diagnostic for every fault of the module.

    known: a module without faults; the parts that both share, as the same objects, are not looked at again.
    """
    faults = [*find_faults(module, known)]
    if faults:
        raise InputError(faults)


def find_faults(module: Module, known: Module | None = None) -> Iterator[Diagnostic]:
    """Every fault of the module, in the parts that it does not share with `known`."""
    if module is known:
        return
    seen = set() if known is None else {id(part) for part in _parts(known)}
    fresh = [part for part in _parts(module) if id(part) not in seen]
    yield from _weight_faults(module, {id(part) for part in fresh})
    for part in fresh:
        if isinstance(part, Circuit):
            yield from circuit_faults(part)
        elif isinstance(part, Netlist):
            yield from netlist_faults(part)
    if known is None or module.graph is not known.graph or _shapes(module) != _shapes(known):
        yield from _graph_faults(module.graph, module)


def _parts(module: Module) -> Iterator[np.ndarray | Circuit | Netlist]:
    yield from module.weights.values()
    yield from module.circuits.values()
    yield from module.netlists.values()


def _shapes(module: Module) -> list[object]:
    """What the types of a graph's values rest on beside the graph."""
    weights = [(name, array.dtype, array.shape) for name, array in module.weights.items()]
    circuits = [(name, c.num_qubits, c.num_clbits, c.inputs) for name, c in module.circuits.items()]
    # Only circuits of nothing but one-qubit gates can be read by `late_angles`, whose types rest on that.
    hosted = [id(c) for c in module.circuits.values() if len(c.wires) == len(c)]
    return [*weights, *circuits, *hosted, *[(name, id(netlist)) for name, netlist in module.netlists.items()]]


def _weight_faults(module: Module, fresh: set[int]) -> Iterator[Diagnostic]:
    users: dict[str, Location] = {}
    for name, array in module.weights.items():
        if id(array) in fresh and array.dtype.kind == "f" and not np.isfinite(array).all():
            for node in () if users else module.nodes():
                for value in node.operands:
                    users.setdefault(value.name, node.location)
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            yield Diagnostic(
                "M0006",
                f"weight {name} holds {array[tuple(where)]} at index {where}",
                users.get("@" + name, Location()),
                help="train again, or repair the weight: a compiled model needs finite numbers",
            )


def _graph_faults(graph: Graph, module: Module) -> Iterator[Diagnostic]:
    known: dict[str, Value] = {}
    for value in graph.inputs:
        if value.name in known:
            yield Diagnostic("I0002", f"input {value.name} is defined twice")
        known[value.name] = value
    for node in graph.nodes:
        missing = [*_operand_faults(node.operands, known, module, node.location)]
        yield from missing
        for body in node.op.bodies:
            yield from _graph_faults(body, module)
        if not missing:
            yield from _node_faults(node, module)
        for value in node.results:
            if value.name in known:
                yield Diagnostic("I0002", f"{value.name} is defined twice", node.location)
            known[value.name] = value
    last = graph.nodes[-1].location if graph.nodes else Location()
    yield from _operand_faults(graph.outputs, known, module, last)


def _operand_faults(
    operands: tuple[Value, ...], known: dict[str, Value], module: Module, place: Location
) -> Iterator[Diagnostic]:
    for value in operands:
        if value.is_weight:
            if value.weight_name not in module.weights:
                yield Diagnostic("I0004", f"there is no weight {value.name}", place)
            elif (actual := module.weight_value(value.weight_name)) != value:
                yield Diagnostic("I0006", f"weight {value} is used, the module holds {actual.type}", place)
        elif value.name not in known:
            yield Diagnostic("I0001", f"{value.name} is used before it is defined", place)
        elif known[value.name] != value:
            yield Diagnostic("I0003", f"{value} is used, it is defined as {known[value.name].type}", place)


def _node_faults(node: Node, module: Module) -> Iterator[Diagnostic]:
    op, (least, most) = node.op, node.op.operands
    if len(node.operands) < least or (most is not None and len(node.operands) > most):
        wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        yield Diagnostic("I0005", f"{op.mnemonic} needs {wanted} operands, got {len(node.operands)}", node.location)
        return
    try:
        wanted_types = op.result_types(tuple(v.type for v in node.operands), module)
    except TypeFault as fault:
        yield Diagnostic(fault.code, f"{op.mnemonic}: {fault.message}", node.location, help=fault.help)
        return
    given = tuple(v.type for v in node.results)
    if len(given) != len(wanted_types):
        message = f"{op.mnemonic} gives {len(wanted_types)} results, declared {len(given)}"
        yield Diagnostic("I0005", message, node.location)
        return
    if given != wanted_types:
        yield Diagnostic(
            "I0003",
            f"{op.mnemonic} gives {', '.join(map(str, wanted_types))}, declared {', '.join(map(str, given))}",
            node.location,
        )


def circuit_faults(circuit: Circuit) -> Iterator[Diagnostic]:
    """Every fault of one circuit, found on its columns; at most ten of each kind are spelled out."""
    c = circuit
    broken = [*_circuit_column_faults(c)]
    if broken:
        yield from broken
        return
    arity, angle_count, bit_count = _counts(c.wire_ptr), _counts(c.angle_ptr), _counts(c.clbit_ptr)

    def report(code: str, rows: np.ndarray, message: str) -> Iterator[Diagnostic]:
        for k in np.unique(rows)[:10].tolist() if len(rows) else ():
            wires = c.wires[c.wire_ptr[k] : c.wire_ptr[k + 1]].tolist()
            text = message.format(gate=GATES[c.opcode[k]].name, wires=", ".join(f"q[{w}]" for w in wires))
            yield Diagnostic(code, f"circuit {c.name}, gate {k}: {text}", c.place_of(k))

    def outside(column: np.ndarray, size: int, counts: np.ndarray) -> np.ndarray:
        """The rows with an entry of the column that is not in 0, ..., size - 1."""
        wrong = _beyond(column, size)
        return np.repeat(np.arange(len(c)), counts)[wrong] if len(wrong) else wrong

    table_qubits = _TABLE_QUBITS[c.opcode]
    wrong = ((arity != table_qubits) & (table_qubits >= 0)) | (angle_count != _TABLE_ANGLES[c.opcode])
    wrong |= bit_count != (c.opcode == MEASURE)
    lengths = np.array([len(p) if set(p) <= set("IXYZ") else -1 for p in c.payloads] + [-1])[c.payload]
    wrong |= np.where(c.opcode == PAULI, lengths != arity, c.payload >= 0)
    yield from report("C0003", wrong.nonzero()[0], "{gate} on {wires} has the wrong number of operands")
    off = outside(c.wires, c.num_qubits, arity)
    yield from report("C0001", off, f"{{gate}} on {{wires}}, but the circuit has {c.num_qubits} qubits")
    yield from report("C0002", _twice(c, arity), "{gate} on {wires} uses one qubit twice")
    off = outside(c.clbits, c.num_clbits, bit_count)
    yield from report("C0004", off, "{gate} on {wires} writes a classical bit that is not there")
    if c.conditions:
        known = range(c.num_clbits)
        beyond = np.array([any(b not in known for b in bits_of(e)) for e in c.conditions] + [False])[c.condition]
        yield from report("C0004", np.flatnonzero(beyond), "{gate} on {wires} reads a classical bit that is not there")
    off = outside(c.angle_rows, len(c.angles), angle_count)
    yield from report("C0006", off, "{gate} on {wires} refers to an angle row that is not there")
    names = [array.name for array in c.inputs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Diagnostic("I0002", f"circuit {c.name}: angle input {name} is defined twice", c.place)
    if not np.isfinite(c.angles.offset).all() or not np.isfinite(c.angles.coeffs).all():
        yield Diagnostic("P0004", f"circuit {c.name}: an angle is not a finite number", c.place)


def _counts(ptr: np.ndarray) -> np.ndarray:
    return ptr[1:] - ptr[:-1]


def _beyond(column: np.ndarray, size: int, least: int = 0) -> np.ndarray:
    """Where a column has a number that is not in `least`, ..., size - 1."""
    return ((column < least) | (column >= size)).nonzero()[0]


def _twice(c: Circuit, arity: np.ndarray) -> np.ndarray:
    """Rows that use one qubit twice. Gates on two qubits, nearly all, need no sort."""
    pairs = (arity == 2).nonzero()[0]
    first = c.wire_ptr[pairs]
    pairs = pairs[c.wires[first] == c.wires[first + 1]]
    if arity.max(initial=0) <= 2:
        return pairs
    owner = np.repeat(np.arange(len(c)), arity)
    wide = (arity > 2)[owner]
    wires, owner = c.wires[wide], owner[wide]
    order = np.lexsort((wires, owner))
    same = (np.diff(wires[order]) == 0) & (np.diff(owner[order]) == 0)
    return np.concatenate([pairs, owner[order][1:][same]])


def _circuit_column_faults(c: Circuit) -> Iterator[Diagnostic]:
    """Columns that do not fit together: nothing else can be said about such a circuit."""
    groups = ((c.wire_ptr, c.wires), (c.angle_ptr, c.angle_rows), (c.clbit_ptr, c.clbits))
    same = len(c.payload) == len(c.condition) == len(c.location) == len(c)
    if not same or not _columns_fit(c.opcode, len(GATES), *groups):
        yield Diagnostic("C0006", f"circuit {c.name}: its columns do not fit together", c.place)
        return
    for column, table, what in (
        (c.payload, c.payloads, "Pauli string"),
        (c.condition, c.conditions, "condition"),
    ):
        for k in _beyond(column, len(table), -1)[:10].tolist():
            name = GATES[c.opcode[k]].name
            message = f"circuit {c.name}, gate {k}: {name} refers to a {what} that is not there"
            yield Diagnostic("C0006", message, c.place_of(k))
    if len(_beyond(c.angles.variables, c.num_variables)):
        yield Diagnostic("C0006", f"circuit {c.name}: an angle uses a variable that no input declares", c.place)
    if not -1 <= c.phase < len(c.angles):
        yield Diagnostic("C0006", f"circuit {c.name}: the global phase refers to no row", c.place)


def netlist_faults(netlist: Netlist) -> Iterator[Diagnostic]:
    """Every fault of one netlist: pins, drivers, cycles; where splitters are in, also one sink a net."""
    n = netlist
    broken = [*_netlist_column_faults(n)]
    if broken:
        yield from broken
        return
    pins_in, pins_out = np.diff(n.input_ptr), np.diff(n.output_ptr)
    wrong = pins_in != np.array([len(c.inputs) for c in CELLS])[n.opcode]
    wrong |= pins_out != np.array([len(c.outputs) for c in CELLS])[n.opcode]
    for k in np.flatnonzero(wrong)[:10].tolist():
        cell = CELLS[n.opcode[k]]
        yield Diagnostic(
            "N0002",
            f"netlist {n.name}, cell {k}: {cell.name} has the wrong number of pins: {pins_in[k]} inputs and "
            f"{pins_out[k]} outputs, it needs {len(cell.inputs)} and {len(cell.outputs)}",
            n.place_of(k),
        )
    sources = np.array([net for _, net in n.inputs] + ([n.clock] if n.clock >= 0 else []), np.int64)
    ports = np.array([net for _, net in n.outputs], np.int64)
    drivers = np.bincount(np.concatenate([sources, n.output_nets]), minlength=n.num_nets)
    sinks = np.bincount(np.concatenate([n.input_nets, ports]), minlength=n.num_nets)
    for net in np.flatnonzero((drivers == 0) & (sinks > 0))[:10].tolist():
        yield Diagnostic("N0001", f"netlist {n.name}: net {net} has no driver", _place_of_net(n, net))
    for net in np.flatnonzero(drivers > 1)[:10].tolist():
        yield Diagnostic("N0001", f"netlist {n.name}: net {net} has {drivers[net]} drivers", _place_of_net(n, net))
    # Mapped cells without a single splitter are a netlist before `insert-splitters`; a backend refuses to emit it.
    if CELL_CODES["SPLIT"] in n.opcode:
        for net in np.flatnonzero(sinks > 1)[:10].tolist():
            yield Diagnostic(
                "N0004",
                f"netlist {n.name}: net {net} has {sinks[net]} sinks",
                _place_of_net(n, net),
                help="insert splitters",
            )
    if not wrong.any():
        yield from _cycle_faults(n)


def _netlist_column_faults(n: Netlist) -> Iterator[Diagnostic]:
    """Columns that do not fit together: nothing else can be said about such a netlist."""
    columns = _columns_fit(n.opcode, len(CELLS), (n.input_ptr, n.input_nets), (n.output_ptr, n.output_nets))
    if not columns or len(n.location) != len(n):
        yield Diagnostic("N0005", f"netlist {n.name}: its columns do not fit together", n.place)
        return
    ports = [net for _, net in (*n.inputs, *n.outputs)]
    nets = np.concatenate([np.array([*ports, max(n.clock, 0)], np.int64), n.input_nets, n.output_nets])
    outside = np.unique(nets[(nets < 0) | (nets >= max(n.num_nets, 1))])
    for net in outside[:10].tolist():
        yield Diagnostic("N0005", f"netlist {n.name}: there is no net {net}, only {n.num_nets} nets", n.place)


def _place_of_net(n: Netlist, net: int) -> Location:
    """The place of a cell that drives the net, else of one that reads it, else the netlist's own."""
    for ptr, nets in ((n.output_ptr, n.output_nets), (n.input_ptr, n.input_nets)):
        pins = np.flatnonzero(nets == net)
        if len(pins):
            return n.place_of(int(np.searchsorted(ptr, pins[0], side="right")) - 1)
    return n.place


def _cycle_faults(n: Netlist) -> Iterator[Diagnostic]:
    waiting = n.levels() < 0
    if not waiting.any():
        return
    # Of the cells that wait, some only come after a cycle: walking back along waiting cells ends in the cycle itself.
    driver = np.full(n.num_nets, -1)
    driver[n.output_nets] = np.repeat(np.arange(len(n)), np.diff(n.output_ptr))
    cell, seen = int(np.flatnonzero(waiting)[0]), set[int]()
    while cell not in seen:
        seen.add(cell)
        before = driver[n.input_nets[n.input_ptr[cell] : n.input_ptr[cell + 1]]]
        cell = int(next(k for k in before if k >= 0 and waiting[k]))
    name = CELLS[n.opcode[cell]].name
    yield Diagnostic("N0003", f"netlist {n.name}, cell {cell}: {name} waits for its own output", n.place_of(cell))


def _columns_fit(opcode: np.ndarray, kinds: int, *groups: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether every opcode is known and every compressed column has as many rows, with rising pointers."""
    return bool((opcode < kinds).all()) and all(
        len(ptr) == len(opcode) + 1 and ptr[0] == 0 and ptr[-1] == len(data) and bool((ptr[1:] >= ptr[:-1]).all())
        for ptr, data in groups
    )
