"""Folded circuits mean the same, and stay folded."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cancel_gates import CancelGates
from qsc.compiler.passes.fold_gates import FoldGates, folded
from qsc.frontends.readouts import module_of
from qsc.ir import InputError

VALUES = np.array([0.4, -1.1, 2.0, 0.3])


@pytest.mark.parametrize("folding", ["global", "local"])
@pytest.mark.parametrize("seed", range(6))
def test_the_unitary_stays(make_circuit, matrix_by_table, seed, folding):
    circuit = make_circuit(seed, 3, 15)
    wanted = matrix_by_table(circuit, VALUES)
    for scale in (1, 3, 5):
        longer = folded(circuit, scale, folding)
        assert np.abs(matrix_by_table(longer, VALUES) - wanted).max() < 1e-12
        kept, now = circuit.costs(), longer.costs()
        assert now["two_qubit_gates"] >= scale * kept["two_qubit_gates"]
        assert folding == "local" or now["gates"] >= scale * kept["gates"]


def model(seed: int = 0) -> qsc.ir.Module:
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    c.rz(x[0], 1)
    c.cz(1, 2)
    c.cx(0, 1)
    return module_of(c.build("net"), [qsc.Z(0) * qsc.Z(1) * qsc.Z(2), qsc.X(1)])


@pytest.mark.parametrize("folding", ["global", "local"])
def test_cancellation_leaves_folded_gates_alone(folding):
    before = model()
    pass_, context = FoldGates(5, folding), Context()
    after = pass_.run(before, context)
    assert contracts.check(pass_, before, after).passed
    assert "circuit net: scale 5" in context.remarks[0].message
    counts = after.circuits["net"].gate_counts()
    assert [counts[name] for name in ("cx", "cz")] == [10, 5]
    cancelled = CancelGates().run(after, Context()).circuits["net"].gate_counts()
    assert [cancelled[name] for name in ("cx", "cz")] == [10, 5]


def test_qiskit_leaves_folded_gates_alone():
    from qiskit import transpile
    from qsc.bridges.qiskit import to_qiskit

    circuit = to_qiskit(folded(model().circuits["net"], 3, "global")).circuit
    made = transpile(circuit, basis_gates=["rz", "sx", "cz"], optimization_level=3, seed_transpiler=1)
    assert made.count_ops()["cz"] == 9


def test_circuits_that_measure_are_left_alone():
    c = qsc.Circuit(1, bits=1)
    c.measure(0, 0)
    module, context = module_of(c.build("net"), [qsc.Z(0)]), Context()
    assert FoldGates().run(module, context).circuits["net"] is module.circuits["net"]
    assert "it measures inside" in context.remarks[0].message


@pytest.mark.parametrize("options", [{"scale": 2}, {"scale": 0}, {"folding": "middle"}])
def test_wrong_options(options):
    with pytest.raises(InputError, match="O0002"):
        FoldGates(**options).run(model(), Context())
