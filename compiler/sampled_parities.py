"""Samples whose bits the host relabels, drawn as one readout: then the same seed draws the same shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..ir import Circuit, Graph, Module, Node
from ..ir.circuit import GateRow
from ..ir.gates import OPCODES
from ..ir.ops import BitSamples, LinearBits, Samples
from .passes.rewrites import fresh_name, map_graphs


def parities_as_gates(module: Module) -> Module:
    """The module in which all samples that feed one `linear_bits`, or a chain of them, read a longer circuit's qubits.

    The same object where there is none. The distribution of the shots stays, their draw is that of the new bits.
    """
    while any(isinstance(node.op, LinearBits) for node in module.nodes()):
        circuits = dict(module.circuits)
        graph = map_graphs(module.graph, lambda body: _joined(body, circuits))  # noqa: B023 - used at once
        if len(circuits) == len(module.circuits):
            break
        module = module.with_(circuits=circuits, graph=graph)
    return module


def _joined(graph: Graph, circuits: dict[str, Circuit]) -> Graph:
    makers, users = graph.producers(), graph.consumers()
    outputs = {v.name for v in graph.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        source = makers.get(node.operands[0].name) if isinstance(node.op, LinearBits) else None
        if source is None or not isinstance(source.op, Samples | BitSamples) or not isinstance(node.op, LinearBits):
            nodes.append(node)
            continue
        name = source.results[0].name
        if len(users[name]) > 1 or name in outputs:
            nodes.append(node)
            continue
        if isinstance(source.op, Samples):
            op = _read_after_gates(source.op, node.op, circuits)
        else:
            op = _read_after_conditions(source.op, node.op, circuits)
        nodes.append(replace(source, op=op, results=node.results))
    return replace(graph, nodes=tuple(nodes)).without_dead_nodes()


def _read_after_gates(read: Samples, host: LinearBits, circuits: dict[str, Circuit]) -> Samples:
    circuit = circuits[read.circuit]
    rows, places = parity_gates([[read.qubits[k] for k in row] for row in host.parities])
    rows += [GateRow(OPCODES["x"], (places[i],)) for i in host.flips]
    name = fresh_name(f"{read.circuit}_parities", circuits)
    circuits[name] = replace(circuit.with_rows([*circuit.rows(), *rows]), name=name)
    return replace(read, circuit=name, qubits=tuple(places))


def _read_after_conditions(read: BitSamples, host: LinearBits, circuits: dict[str, Circuit]) -> Samples:
    """Every new bit on a new qubit, flipped for each of its classical bits."""
    circuit = circuits[read.circuit]
    first, conditions = circuit.num_qubits, len(circuit.conditions)
    flip = OPCODES["x"]
    rows = [
        GateRow(flip, (first + i,), condition=conditions + k) for i, parity in enumerate(host.parities) for k in parity
    ]
    rows += [GateRow(flip, (first + i,)) for i in host.flips]
    name = fresh_name(f"{read.circuit}_parities", circuits)
    wider = replace(
        circuit,
        name=name,
        num_qubits=first + len(host.parities),
        conditions=circuit.conditions + tuple(("bit", bit) for bit in read.bits),
    )
    circuits[name] = wider.with_rows([*circuit.rows(), *rows])
    return Samples(name, tuple(range(first, wider.num_qubits)), read.shots)


def parity_gates(parities: Sequence[Sequence[int]]) -> tuple[list[GateRow], list[int]]:
    """Controlled-not gates after which qubit `places[i]` holds the parity of qubits `parities[i]`.

    Gaussian elimination; ValueError where the parities depend on each other.
    """
    open_rows = [set(row) for row in parities]
    gates: list[GateRow] = []
    places: list[int] = []
    for i, row in enumerate(open_rows):
        free = sorted(row - set(places))
        if not free:
            raise ValueError(f"parity {i} is a sum of those before it")
        place = free[0]
        gates += [GateRow(OPCODES["cx"], (q, place)) for q in sorted(row - {place})]
        places.append(place)
        rest = row - {place}
        # From here on qubit `place` holds the whole parity: what used it alone uses it together with the others.
        for later in open_rows[i + 1 :]:
            if place in later:
                later ^= rest
    return gates, places
