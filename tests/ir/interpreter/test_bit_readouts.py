"""Readouts of classical bits against the same readouts of qubits that hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qsc.frontends.text import read
from qsc.ir import (
    Circuit,
    CircuitEditor,
    GraphBuilder,
    Module,
    PauliSum,
    X,
    Z,
    ops,
    print_module,
    verify,
)
from qsc.ir.circuit import GateRow
from qsc.ir.gates import OPCODES
from qsc.ir.graph import TypeFault
from qsc.ir.interpreter import branches, evaluate, max_error


def random_circuit(seed: int, qubits: int = 3, bits: int = 3) -> Circuit:
    rng = np.random.default_rng(seed)
    editor = CircuitEditor("c", qubits, bits)
    for _ in range(25):
        condition = ("bit", int(rng.integers(bits))) if rng.random() < 0.3 else None
        wires = rng.permutation(qubits).tolist()
        kind = rng.random()
        if kind < 0.25:
            editor.add("measure", wires[:1], clbits=[int(rng.integers(bits))], condition=condition)
        elif kind < 0.35:
            editor.add("reset", wires[:1], condition=condition)
        elif kind < 0.7:
            editor.add("ry", wires[:1], [float(rng.normal())], condition=condition)
        else:
            editor.add("cx", wires[:2], condition=condition)
    return editor.circuit()


def recorded(circuit: Circuit) -> Circuit:
    """One qubit more for every bit, flipped at the end where the bit is 1."""
    wider = replace(circuit, num_qubits=circuit.num_qubits + circuit.num_clbits)
    first = len(circuit.conditions)
    wider = replace(wider, conditions=circuit.conditions + tuple(("bit", b) for b in range(circuit.num_clbits)))
    flips = [GateRow(OPCODES["x"], (circuit.num_qubits + b,), condition=first + b) for b in range(circuit.num_clbits)]
    return wider.with_rows(circuit.rows() + flips)


def values_of(circuit: Circuit, *readouts: ops.Readout, seed: int = 0) -> list:
    module = Module("m", circuits={"c": circuit})
    builder = GraphBuilder(module)
    module = module.with_(graph=builder.graph(*[builder.add(op)[0] for op in readouts]))
    verify(module)
    assert read(print_module(module)) == module
    return evaluate(module, [], seed=seed)


OBSERVABLES = (Z(0), 0.5 * Z(1) * Z(2) - Z(0) + 2.0, PauliSum(()), Z(0) * Z(1) * Z(2))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("most", [10, 1])
def test_bits_and_qubits_agree(seed: int, most: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(branches, "JOINT_BITS", most)
    circuit = random_circuit(seed)
    on_qubits = tuple(PauliSum.of((tuple((p, q + 3) for p, q in term), c) for term, c in o.terms) for o in OBSERVABLES)
    bits = values_of(
        circuit, ops.BitExpectation("c", OBSERVABLES), ops.BitProbabilities("c", (2, 0)), ops.BitSamples("c", (1,), 9)
    )
    qubits = values_of(
        recorded(circuit), ops.Expectation("c", on_qubits), ops.Probabilities("c", (5, 3)), ops.Samples("c", (4,), 9)
    )
    for a, b in zip(bits, qubits, strict=True):
        assert max_error(a.double(), b.double()) < 1e-12


def test_a_bit_that_nothing_writes_is_zero():
    (value,) = values_of(CircuitEditor("c", 1, 1).circuit(), ops.BitExpectation("c", (Z(0),)))
    assert value.tolist() == [1.0]


@pytest.mark.parametrize("op", [ops.BitExpectation("c", (X(0),)), ops.BitProbabilities("c", (1,))])
def test_what_is_not_there_is_refused(op: ops.Readout):
    with pytest.raises(TypeFault):
        values_of(CircuitEditor("c", 2, 1).circuit(), op)
