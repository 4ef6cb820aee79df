"""The devices of IonQ, IQM, Rigetti and Quantinuum against mqt.bench's targets, and what is emitted for them."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from mqt.bench.targets.devices import get_device
from mqt.bench.targets.gatesets.ionq import GPI2Gate, GPIGate, MSGate, ZZGate
from mqt.bench.targets.gatesets.rigetti import RXPI2DgGate, RXPI2Gate, RXPIGate
from qiskit.circuit.library import RXXGate, RZZGate, SXdgGate, SXGate, XGate
from qiskit.quantum_info import Operator
from qsc.backends.qiskit import devices
from qsc.ir import PauliSum
from qsc.ir.ops import Expectation, Probabilities
from qsc.ir.target import Target

NAMES = sorted(devices.vendor_tables())

THEIRS = {
    "ionq": {"x": "gpi", "sx": "gpi2", "sxdg": "gpi2", "rxx": "ms", "rzz": "zz"},
    "rigetti": {"x": "rxpi", "sx": "rxpi2", "sxdg": "rxpi2dg"},
}
"""Maker -> our gate -> mqt.bench's; gates that are not here have the same name."""


def found(name: str) -> Target:
    target = devices.find(name)
    assert target is not None
    return target


def test_all_makers_are_there():
    assert len(NAMES) == 7
    assert {name.split("_")[0] for name in NAMES} == {"ionq", "iqm", "rigetti", "quantinuum"}


@pytest.mark.parametrize("name", NAMES)
def test_gates_couplings_and_figures_are_those_of_mqt_bench(name):
    ours, theirs = found(name).device.target, get_device(name)
    names = THEIRS.get(name.split("_")[0], {})
    own = [gate for gate in ours.operation_names if gate not in ("delay", "reset")]
    assert ours.num_qubits == theirs.num_qubits
    assert {names.get(gate, gate) for gate in own} == set(theirs.operation_names)
    for gate in own:
        table = theirs[names.get(gate, gate)] or {}
        assert set(ours[gate] or {}) == set(table)
        for place, properties in table.items():
            if properties is not None:
                mine = ours[gate][place]
                assert mine.error == pytest.approx(properties.error, abs=1e-12)
                assert mine.duration == properties.duration


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (XGate(), GPIGate(0)),
        (SXGate(), GPI2Gate(0)),
        (SXdgGate(), GPI2Gate(0.5)),
        (RXXGate(0.7), MSGate(0, 0, 0.7 / (2 * pi))),
        (RZZGate(0.7), ZZGate(0.7 / (2 * pi))),
        (XGate(), RXPIGate()),
        (SXGate(), RXPI2Gate()),
        (SXdgGate(), RXPI2DgGate()),
    ],
)
def test_gates_are_the_makers_own_up_to_phase(ours, theirs):
    assert Operator(ours).equiv(Operator(theirs))


@pytest.mark.parametrize("name", NAMES)
def test_emitted_circuits_are_native_and_right(lab, name):
    rng = np.random.default_rng(5)
    circuit = lab.random_circuit(rng, 3, 12)
    values = rng.uniform(-3, 3, (3, 5))
    for op in (Expectation("random", (PauliSum.parse("Z0 + 0.5*X1*Y2"),)), Probabilities("random", (2, 0))):
        job = lab.Job(circuit, op, found(name), dtype="f64")
        np.testing.assert_allclose(job.run(values), job.reference(values), atol=1e-9)
        used = set(job.backend_circuit().count_ops())
        assert used <= {*found(name).native_ops, "barrier"}
        assert 0 < job.emission.costs["predicted_fidelity"] < 1
        noisy = job.run(values, noise=True)
        assert np.abs(noisy - job.reference(values)).max() > 1e-4
