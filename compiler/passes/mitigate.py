"""mitigate: expectations are read with error mitigation, and the host makes the ideal value of what was read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...ir import Graph, InputError, Module, Node, TargetError, Value
from ...ir.ops import Expectation, Extrapolate, MitigatedExpectation, Probabilities, Reshape, Samples
from ...ir.ops.mitigation import DECOUPLINGS, EXTRAPOLATIONS, FOLDINGS
from .base import Context, Contract, Pass
from .rewrites import fresh_name, map_graphs


@dataclass(frozen=True)
class Mitigate(Pass):
    """Read expectations with error mitigation: zero-noise extrapolation, twirling, readout correction, decoupling.

    It marks the readouts; the backend folds, twirls and pads the routed circuit, which no pass touches afterwards.
    Without noise every value stays what it was. Circuits that measure inside are read as before.
    """

    name: ClassVar[str] = "mitigate"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    zne: str = ""
    """odd factors of the noise with commas or + between, as 1,3,5 (1+3+5 inside braces)"""
    folding: str = "global"
    """global: the whole circuit is folded; local: every two-qubit gate"""
    extrapolation: str = "linear"
    """linear, richardson or exponential (which falls back to linear where values do not decay)"""
    twirl: int = 0
    """copies with random Pauli gates around two-qubit Clifford gates, averaged"""
    correct_readout: bool = False
    """undo the confusion of the bits that are read"""
    dd: str = ""
    """pulses on idle qubits: XX or XY4"""

    def run(self, module: Module, context: Context) -> Module:
        """Every expectation of a unitary circuit as a mitigated one. TargetError T0003 where the backend has none."""
        scales = self._scales()
        if scales == (1,) and not (self.twirl or self.correct_readout or self.dd):
            return module

        def change(graph: Graph) -> Graph:
            taken = {v.name for v in graph.inputs} | {v.name for n in graph.nodes for v in n.results}
            nodes: list[Node] = []
            for node in graph.nodes:
                nodes += self._changed(node, scales, module, context, taken)
            return replace(graph, nodes=tuple(nodes))

        return module.with_(graph=map_graphs(module.graph, change))

    def _scales(self) -> tuple[int, ...]:
        for option, value, known in (
            ("folding", self.folding, FOLDINGS),
            ("extrapolation", self.extrapolation, EXTRAPOLATIONS),
            ("dd", self.dd, DECOUPLINGS),
        ):
            if value not in known:
                raise _wrong(option, value, ", ".join(filter(None, known)))
        try:
            scales = tuple(int(part) for part in self.zne.replace("+", ",").split(",")) if self.zne else (1,)
        except ValueError:
            raise _wrong("zne", self.zne, "odd numbers, as 1,3,5") from None
        odd = all(s > 0 and s % 2 for s in scales) and len({*scales}) == len(scales)
        if not odd or (self.zne and len(scales) < 2):
            raise _wrong("zne", self.zne, "at least two distinct odd numbers, as 1,3,5")
        return scales

    def _changed(
        self, node: Node, scales: tuple[int, ...], module: Module, context: Context, taken: set[str]
    ) -> list[Node]:
        op = node.op
        if isinstance(op, Probabilities | Samples):
            kind = type(op).__name__.lower()
            message = f"circuit {op.circuit}: its {kind} are read as before, only expectation values are mitigated"
            context.remark(self, message, node.location)
        if type(op) is not Expectation:
            return [node]
        if module.circuits[op.circuit].has_measurement:
            context.remark(self, f"circuit {op.circuit}: read as before, it measures inside", node.location)
            return [node]
        marked = MitigatedExpectation(
            op.circuit, op.observables, scales, self.folding, self.twirl, self.correct_readout, self.dd, context.seed
        )
        if context.supports is not None and context.supports(replace(node, op=marked), module) is not None:
            raise _no_mitigation(op.circuit, context, node)
        (plain,) = node.results
        (wide,) = marked.result_types(tuple(v.type for v in node.operands), module)
        name = fresh_name(f"{plain.name}_noisy", taken)
        taken.add(name)
        read = Value(name, wide)
        host = Extrapolate(tuple(map(float, scales)), self.extrapolation)
        joined = host if len(scales) > 1 else Reshape(plain.type.shape)
        parts = [f"noise times {', '.join(map(str, scales))} ({self.folding})"] if len(scales) > 1 else []
        parts += [f"{self.twirl} twirls"] * bool(self.twirl) + ["readout corrected"] * self.correct_readout
        parts += [f"decoupling {self.dd}"] * bool(self.dd)
        circuits = len(scales) * max(1, self.twirl)
        context.remark(
            self, f"circuit {op.circuit}: {', '.join(parts)}; {circuits} circuits in place of 1", node.location
        )
        return [replace(node, op=marked, results=(read,)), Node(joined, (read,), node.results, node.location)]


def _no_mitigation(circuit: str, context: Context, node: Node) -> TargetError:
    target = context.target
    device = "the target" if target is None else f"{target.name}, of the {target.backend} backend,"
    known = "fake_torino, line:8, ionq_aria_25, a .toml file"
    return TargetError.of(
        "T0003",
        f"circuit {circuit}: {device} has no error mitigation",
        node.location,
        help=f"targets of the qiskit backend have it: {known} (`qsc targets` lists them)",
    )


def _wrong(option: str, value: str, known: str) -> InputError:
    return InputError.of("O0002", f"option {option} of pass mitigate is {value!r}", help=f"it takes {known}")
