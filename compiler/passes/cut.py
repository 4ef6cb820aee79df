"""Circuits that are too wide become fragments, and their readouts the contraction of what the fragments give."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Graph, InputError, Module, Node, TargetError
from ...ir.ops.quantum import Readout
from ..cutting.cuttable import cuttable
from ..cutting.expand import Expansion, expand
from ..cutting.plan import Plan, Uncut, lacks, planned, without_cut
from ..cutting.search import NotFound, Widths
from .base import Context, Contract, Pass
from .reuse_qubits import reads_bits, unusual
from .rewrites import map_graphs


@dataclass(frozen=True)
class Cut(Pass):
    """Cut circuits that are wider than `max_qubits`, or than any of `devices`, into fragments.

    Wires and gates are cut where the predicted cost, executions times sampling overhead, gets least. A circuit that
    fits into `max_qubits` by qubit reuse is left to that pass, which costs one execution, unless `reuse` is off.
    """

    name: ClassVar[str] = "cut"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION
    plans_only: ClassVar[bool] = False
    max_qubits: int = 0
    """most qubits of a fragment; 0: circuits are not cut"""
    devices: str = ""
    """qubits of every device, as in 5,4,7: each takes one fragment"""
    reuse: bool = True
    """whether to reuse qubits in the place of a cut where that is enough and the target can"""
    gate_cuts: bool = True
    """whether gates may be cut beside wires"""
    max_executions: int = 10_000
    """most measured circuits that one input sample may take"""
    time_limit: float = 0.0
    """seconds to search for each readout's cuts, results then depend on the machine; 0: as much as the effort says"""

    def run(self, module: Module, context: Context) -> Module:
        """Every readout of a circuit that is too wide, by the readouts of fragments. TargetError T0002 where no choice
        of cuts is narrow enough."""
        widths = self.widths()
        if widths is None:
            return module
        work = _Work(self, widths, module, context)
        graph = map_graphs(module.graph, work.visit)
        if not work.circuits:
            return module
        return work.grown().with_(graph=graph).without_unused()

    def widths(self) -> Widths | None:
        """What a fragment may have; None where no limit is set. InputError O0002 for devices that are no numbers."""
        if not self.devices:
            return Widths(most=self.max_qubits) if self.max_qubits else None
        try:
            sizes = tuple(int(part) for part in self.devices.split(","))
        except ValueError:
            sizes = (0,)
        if min(sizes) < 1 or self.max_qubits:
            raise InputError.of(
                "O0002",
                f"option devices of pass cut is {self.devices!r}" + (" beside max-qubits" if self.max_qubits else ""),
                help="it takes the qubits of every device, as in 5,4,7, and then max-qubits is not given",
            )
        return Widths(devices=sizes)


@dataclass(frozen=True)
class FindCuts(Cut):
    """Say how `cut` would cut circuits, with its reasons, and leave them as they are."""

    name: ClassVar[str] = "find-cuts"
    contract: ClassVar[Contract] = Contract.VALUES
    plans_only: ClassVar[bool] = True


@dataclass
class _Work:
    options: Cut
    widths: Widths
    module: Module
    context: Context
    circuits: dict[str, Circuit] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)

    def visit(self, graph: Graph) -> Graph:
        taken = graph.names()
        nodes: list[Node] = []
        for node in graph.nodes:
            nodes += self._cut(node, taken) if self._too_wide(node) else [node]
        return replace(graph, nodes=tuple(nodes))

    def _too_wide(self, node: Node) -> bool:
        if not isinstance(node.op, Readout):
            return False
        return self.module.circuits[node.op.circuit].num_qubits > self.widths.widest

    def _cut(self, node: Node, taken: set[str]) -> list[Node]:
        assert isinstance(node.op, Readout)
        options, context = self.options, self.context
        circuit = self.module.circuits[node.op.circuit]
        if unusual((node,)):
            context.remark(options, f"circuit {circuit.name}: not cut, {unusual((node,))} reads it", circuit.place)
            return [node]
        ways = without_cut(node, circuit, context)
        fits = [way for way in ways if way.qubits <= self.widths.widest]
        if options.reuse and not options.devices and any(not way.feed_forward for way in fits):
            context.remark(options, self._uncut(circuit, fits), circuit.place)
            return [node]
        circuit = cuttable(circuit)
        gate_cuts = options.gate_cuts and not lacks(context.target, "measure") and reads_bits(context)
        seconds = options.time_limit or None
        plan = planned(node, circuit, self.widths, gate_cuts, context.effort, context.seed, seconds)
        if isinstance(plan, NotFound):
            raise self._too_narrow(node, circuit, gate_cuts) if plan.impossible else self._ended(node, circuit, plan)
        executions = plan.found.cost.executions
        if executions <= options.max_executions:
            made = expand(node, self.grown(), plan.cutting, taken)
            executions = made.executions
        elif options.plans_only:
            made = Expansion()
        else:
            raise self._too_many(node, plan)
        self._tell(plan, executions, fits)
        if options.plans_only:
            return [node]
        self.circuits |= made.circuits
        self.weights |= made.weights
        return made.nodes

    def _tell(self, plan: Plan, executions: int, fits: list[Uncut]) -> None:
        circuit, remark = plan.circuit, self.context.remark
        remark(self.options, f"{plan.head()}, {executions} executions", circuit.place)
        self.context.remarks[-1].data.update(plan.to_json(executions))
        for line in (*plan.lines(), *map(_cheaper, fits)):
            remark(self.options, f"circuit {circuit.name}: {line}", circuit.place)

    def grown(self) -> Module:
        """The module with what earlier cuts added."""
        circuits = dict(self.module.circuits) | self.circuits
        return self.module.with_(circuits=circuits, weights=dict(self.module.weights) | self.weights)

    def _uncut(self, circuit: Circuit, fits: list[Uncut]) -> str:
        plain = next(way for way in fits if not way.feed_forward)
        text = f"circuit {circuit.name}: not cut, since 1 execution on {plain.qubits} qubits does by qubit reuse"
        forward = [way for way in fits if way.feed_forward]
        return text + (f"; {_cheaper(forward[0])}" if forward else "")

    def _too_many(self, node: Node, plan: Plan) -> TargetError:
        cost = plan.found.cost
        return TargetError.of(
            "T0002",
            f"{plan.head()} takes {cost.executions} executions for one input sample, at most "
            f"{self.options.max_executions} are allowed",
            plan.circuit.place or node.location,
            help="allow wider fragments, or more with --max-executions",
        )

    def _ended(self, node: Node, circuit: Circuit, found: NotFound) -> TargetError:
        sizes = self.widths.devices or (self.widths.most,)
        return TargetError.of(
            "T0002",
            f"no cuts of circuit {circuit.name} with {circuit.num_qubits} qubits were found that leave fragments of at "
            f"most {' and '.join(map(str, sizes))} qubits, and the search ended before it was sure that there are none:"
            f" {found.reasons[-1]}",
            circuit.place or node.location,
            help="allow wider fragments, or search longer with --effort max"
            + (" and a longer --time-limit, or none" if self.options.time_limit else ""),
        )

    def _too_narrow(self, node: Node, circuit: Circuit, gate_cuts: bool) -> TargetError:
        sizes = self.widths.devices or (self.widths.most,)
        wide = max((len(row.wires) for row in circuit.rows() if row.gate.name != "barrier"), default=1)
        return TargetError.of(
            "T0002",
            f"circuit {circuit.name} with {circuit.num_qubits} qubits has no cuts that leave fragments of at most "
            f"{' and '.join(map(str, sizes))} qubits",
            circuit.place or node.location,
            help=f"allow wider fragments, or more devices: its widest gate takes {wide} qubits"
            + (", and what writes or reads one classical bit stays together" if circuit.num_clbits else "")
            + ("" if gate_cuts else "; gates are not cut here, since that takes a measurement inside a circuit"),
        )


def _cheaper(way: Uncut) -> str:
    how = "with measured controls fed forward (--feed-forward)" if way.feed_forward else "by qubit reuse (--reuse)"
    return f"without a cut, {how}, it is 1 execution on {way.qubits} qubit{'s' * (way.qubits > 1)}: cheaper"
