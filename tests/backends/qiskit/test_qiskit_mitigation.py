"""Folded, twirled and padded circuits: the same unitary, legal on the device, and what twirling is for."""

from __future__ import annotations

import itertools
from typing import cast

import numpy as np
import pytest
from qiskit.circuit import Gate, QuantumCircuit
from qiskit.circuit.library import CPhaseGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import PTM, Operator
from qiskit.transpiler import Target
from qsc.backends.qiskit import routing
from qsc.backends.qiskit.compact import compact
from qsc.backends.qiskit.devices import find
from qsc.backends.qiskit.mitigation import folded, padded, twirled, variants
from qsc.ir import PauliSum, TargetError
from qsc.ir.ops import Expectation, MitigatedExpectation

DEVICES = ("fake_nairobi", "fake_torino", "fake_sherbrooke")


def device_target(name: str) -> Target:
    found = find(name)
    assert found is not None
    return found.device.target


def routed(lab, seed: int, device: str) -> tuple[QuantumCircuit, Target]:
    from qsc.bridges.qiskit import to_qiskit

    target = device_target(device)
    circuit = to_qiskit(lab.random_circuit(np.random.default_rng(seed), 3, 12)).circuit
    return routing.route(circuit, target, seed, range(3), "fast").circuit, target


def matrix(circuit: QuantumCircuit, qubits) -> Operator:
    bound = circuit.assign_parameters(np.linspace(-1, 2, circuit.num_parameters))
    return Operator(compact(bound, [], qubits).circuit)


@pytest.mark.parametrize("device", DEVICES)
def test_copies_mean_the_same_and_are_legal(lab, device):
    circuit, target = routed(lab, DEVICES.index(device), device)
    qubits = routing.active_qubits(circuit)
    wanted = matrix(circuit, qubits)
    copies = [folded(circuit, scale, folding, target) for scale in (3, 5) for folding in ("global", "local")]
    copies += [twirled(circuit, np.random.default_rng(k), target) for k in range(4)]
    copies += [padded(circuit, sequence, target) for sequence in ("XX", "XY4")]
    for copy in copies:
        assert routing.legal(copy, target)
        assert matrix(copy, qubits).equiv(wanted, atol=1e-12)


@pytest.mark.parametrize("folding", ["global", "local"])
def test_folds_have_as_many_gates_as_they_say(lab, folding):
    circuit, target = routed(lab, 4, "fake_torino")
    for scale in (1, 3, 5):
        longer = folded(circuit, scale, folding, target)
        assert longer.count_ops()["cz"] == scale * circuit.count_ops()["cz"]


@pytest.mark.parametrize("device", ["rigetti_ankaa_84", "iqm_crystal_5", "ionq_forte_36", "quantinuum_h2_56"])
@pytest.mark.parametrize("folding", ["global", "local"])
def test_folds_are_in_the_gates_of_every_vendor(lab, device, folding):
    circuit, target = routed(lab, 2, device)
    qubits = routing.active_qubits(circuit)
    longer = folded(circuit, 3, folding, target)
    assert routing.legal(longer, target)
    assert matrix(longer, qubits).equiv(matrix(circuit, qubits), atol=1e-12)


def one_gate(name: str, basis: list[str]) -> tuple[QuantumCircuit, Target]:
    gate = get_standard_gate_name_mapping()[name]
    circuit = QuantumCircuit(2)
    circuit.append(type(gate)(*(0.3 * (k + 1) for k in range(len(gate.params)))), range(gate.num_qubits))
    return circuit, GenericBackendV2(2, sorted({*basis, name}), coupling_map=[[0, 1], [1, 0]]).target


@pytest.mark.parametrize("folding", ["global", "local"])
def test_every_gate_of_a_device_folds(folding):
    known = get_standard_gate_name_mapping().items()
    for name in (n for n, gate in known if isinstance(gate, Gate) and 1 <= gate.num_qubits <= 2):
        circuit, target = one_gate(name, ["rz", "sx", "x", "cx"])
        longer = folded(circuit, 3, folding, target)
        assert set(longer.count_ops()) <= {*target.operation_names, "barrier"}, name
        assert Operator(longer).equiv(Operator(circuit)), name


def test_a_gate_that_a_device_cannot_undo():
    circuit, target = one_gate("dcx", ["rz", "sx", "x"])
    with pytest.raises(TargetError, match="needs the gate dcx_dg, which Qiskit cannot write by dcx, rz, sx, x"):
        folded(circuit, 3, "global", target)


@pytest.mark.parametrize("device", ["rigetti_ankaa_84", "iqm_crystal_5", "line:4"])
def test_decoupling_says_what_a_device_lacks(lab, device):
    circuit, target = routed(lab, 2, device)
    with pytest.raises(TargetError, match="decoupling XX needs"):
        padded(circuit, "XX", target)


class Given:
    """A random generator that draws what it is told."""

    def __init__(self, letters: tuple[str, ...]) -> None:
        self.letters = letters

    def choice(self, known: list[str], count: int) -> np.ndarray:
        return np.array(self.letters)


@pytest.mark.parametrize("name", ["cz", "cx", "ecr", "iswap"])
def test_the_average_over_all_twirls_is_a_pauli_channel(name):
    gate = get_standard_gate_name_mapping()[name]
    source = QuantumCircuit(2)
    source.append(gate, [0, 1])
    target = device_target("all:2")
    error = Operator(CPhaseGate(0.4)) @ Operator(UnitaryGate(Operator.from_label("XI").power(0.1)))
    total = np.zeros((16, 16))
    for letters in itertools.product("IXYZ", repeat=2):
        noisy = QuantumCircuit(2)
        for step in twirled(source, cast("np.random.Generator", Given(letters)), target).data:
            noisy.append(step)
            if step.operation.name == name:
                noisy.append(UnitaryGate(error), [0, 1])
        total += np.real(PTM(Operator(noisy)).data) / 16
    left = total @ np.real(PTM(Operator(gate)).data).T
    assert np.abs(left - np.diag(np.diag(left))).max() < 1e-12
    assert np.diag(left).min() < 0.95


def test_variants_are_the_same_every_time(lab):
    circuit, target = routed(lab, 1, "fake_nairobi")
    op = MitigatedExpectation("c", (PauliSum.parse("Z0"),), scales=(1, 3), twirls=2, seed=4)
    first, second = variants(circuit, op, target), variants(circuit, op, target)
    assert first == second
    assert len(first) == 4
    assert first[0] != first[1]


def test_a_mitigated_readout_has_the_values_of_the_plain_one(lab):
    circuit = lab.random_circuit(np.random.default_rng(5), 3, 12)
    observables = (PauliSum.parse("Z0"), PauliSum.parse("X0*Y1 - 0.5*Z2 + 0.25"))
    values = np.random.default_rng(1).normal(size=(3, 5))
    plain = lab.job(circuit, Expectation(circuit.name, observables), "fake_nairobi")
    op = MitigatedExpectation(circuit.name, observables, scales=(1, 3), twirls=2, folding="local")
    job = lab.job(circuit, op, "fake_nairobi")
    exact = job.run(values)
    assert exact.shape == (3, 2, 2)
    assert np.abs(exact - plain.run(values)[:, None]).max() < 1e-9
    assert np.abs(job.reference(values) - exact).max() < 1e-9
    noisy, drawn = job.run(values, noise=True), job.run(values, noise=True, shots=2000)
    assert np.abs((drawn - noisy) / job.standard_errors).max() < 5
    assert np.abs(noisy[:, 1] - exact[:, 1]).max() > np.abs(noisy[:, 0] - exact[:, 0]).max()
