"""Feature maps: circuits that put a vector of features into a state, and what their angles are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Integral, Real

from .. import ir
from ..ir import InputError, Value, ops
from ..ir.diagnostics import user_line
from ..ir.graph import GraphBuilder
from . import builder

ENTANGLEMENT = ("full", "linear")


@dataclass(frozen=True)
class FeatureMap:
    """A circuit whose angles are features, or products of features.

    circuit: takes one number for each entry of `products` as its data inputs, in order. products: angle k is x_i for
    the entry (i,), and prod_i (pi - x_i) for an entry with several features. features: how many features there are.
    """

    circuit: ir.Circuit
    products: tuple[tuple[int, ...], ...]
    features: int

    def angles(self, graph: GraphBuilder, x: Value) -> Value:
        """The angles (batch, entries) of features x (batch, features), as nodes of `graph`."""
        if self.products == tuple((i,) for i in range(self.features)):
            return x
        (shifted,) = graph.add(ops.Sub(scalar=math.pi), x, name="shifted")
        used = {i for entry in self.products if len(entry) > 1 for i in entry}
        centred = {i: graph.add(ops.Slice(dim=1, start=i, stop=i + 1), shifted)[0] for i in sorted(used)}
        columns: list[Value] = []
        for entry in self.products:
            if len(entry) == 1:
                columns += graph.add(ops.Slice(dim=1, start=entry[0], stop=entry[0] + 1), x)
                continue
            product = centred[entry[0]]
            for i in entry[1:]:
                (product,) = graph.add(ops.Mul(), product, centred[i])
            # Of (x - pi) an odd number of factors has the other sign.
            columns += graph.add(ops.Neg(), product) if len(entry) % 2 else (product,)
        return graph.add(ops.Cat(dim=1), *columns, name="angles")[0]


def feature_map(circuit: FeatureMap | builder.Circuit | ir.Circuit) -> FeatureMap:
    """A map as it is; of a circuit, the one that takes its features as the circuit's angles.

    InputError P0005 for a circuit that has weights or takes no data.
    """
    if isinstance(circuit, FeatureMap):
        return circuit
    if not isinstance(circuit, builder.Circuit | ir.Circuit):
        help = "a qsc.Circuit whose angle inputs are the features, or a map such as qsc.zz_feature_map(2)"
        raise InputError.of("P0005", f"a {type(circuit).__name__} is no feature map", user_line(), help=help)
    taken = circuit.build("feature_map") if isinstance(circuit, builder.Circuit) else circuit
    if any(array.role == "weight" for array in taken.inputs) or not taken.num_variables:
        raise InputError.of("P0005", f"circuit {taken.name} is no feature map: its angle inputs are data", taken.place)
    return FeatureMap(taken, tuple((i,) for i in range(taken.num_variables)), taken.num_variables)


def zz_feature_map(features: int, repetitions: int = 2, entanglement: str = "full") -> FeatureMap:
    """(U_phi(x) H^n)^repetitions on one qubit a feature, as in V. Havlicek et al., Nature 567, 209 (2019).

    Convention of Qiskit's ZZFeatureMap: U_phi = prod exp(-i phi_S(x) prod_{i in S} Z_i) over single features and pairs,
    phi_i = x_i and phi_ij = (pi - x_i)(pi - x_j), so rz(2 x_i) and rzz(2 phi_ij); global phases are left out. The paper
    has +i in the exponent: the complex conjugate, with the same kernel. entanglement: "full" (every pair) or "linear".
    """
    pairs = _pairs(features, repetitions, entanglement)
    products = (*((i,) for i in range(features)), *pairs)
    circuit = builder.Circuit(features)
    angles = circuit.inputs("x", (len(products),))
    for _ in range(repetitions):
        for q in range(features):
            circuit.h(q)
        for q in range(features):
            circuit.rz(2 * angles[q], q)
        for (a, b), angle in zip(pairs, angles[features:], strict=True):
            circuit.rzz(2 * angle, a, b)
    return FeatureMap(circuit.build("zz_feature_map"), products, features)


def dense_angle_map(
    features: int, per_qubit: int, *, axes: Sequence[str] = ("y", "z"), scale: float = 1.0, repetitions: int = 1
) -> FeatureMap:
    """Several features a qubit: per_qubit rotations by `scale * x` about alternating axes, then one CX ladder.

    ceil(features / per_qubit) qubits; feature k is rotation k % per_qubit of qubit k // per_qubit. Between repetitions,
    and after a single one, a ladder cx(0, 1), cx(1, 2), ... entangles; the last of several blocks has none, so that
    there are (qubits - 1) * max(repetitions - 1, 1) CX. axes: of "x", "y", "z".
    """
    if not _counts(features, per_qubit, repetitions) or not axes or not set(axes) <= set("xyz"):
        given = f"{features!r} features, {per_qubit!r} a qubit, {repetitions!r} repetitions, axes {' '.join(axes)}"
        help = "whole numbers from 1, and axes of x, y and z"
        raise InputError.of("P0004", f"no dense angle map has {given}", user_line(), help=help)
    if not isinstance(scale, Real):
        raise InputError.of("P0004", f"a dense angle map scales by a number, not by {scale!r}", user_line())
    qubits = -(-features // per_qubit)
    circuit = builder.Circuit(qubits)
    angles = circuit.inputs("x", (features,))
    turns = {"x": circuit.rx, "y": circuit.ry, "z": circuit.rz}
    for block in range(repetitions):
        for k, angle in enumerate(angles):
            turns[axes[k % per_qubit % len(axes)]](scale * angle, k // per_qubit)
        if block < repetitions - 1 or repetitions == 1:
            for q in range(qubits - 1):
                circuit.cx(q, q + 1)
    return FeatureMap(circuit.build("dense_angle_map"), tuple((i,) for i in range(features)), features)


def _pairs(features: int, repetitions: int, entanglement: str) -> tuple[tuple[int, int], ...]:
    if not _counts(features, repetitions) or entanglement not in ENTANGLEMENT:
        given = f"{features!r} features, {repetitions!r} repetitions and the entanglement {entanglement!r}"
        help = f"whole numbers from 1, and {' or '.join(ENTANGLEMENT)}"
        raise InputError.of("P0004", f"no ZZ feature map has {given}", user_line(), help=help)
    found: Iterable[tuple[int, int]] = combinations(range(features), 2)
    return tuple((a, b) for a, b in found if entanglement == "full" or b == a + 1)


def _counts(*numbers: int) -> bool:
    return all(isinstance(number, Integral) and number > 0 for number in numbers)
