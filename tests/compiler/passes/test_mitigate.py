"""Readouts with error mitigation: marked by the pass, made by the backend, joined by the host."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.mitigate import Mitigate
from qsc.frontends.readouts import module_of
from qsc.ir import InputError
from qsc.ir.ops import Extrapolate, MitigatedExpectation

INPUTS = np.random.default_rng(2).normal(size=(3, 4))


def circuit() -> qsc.Circuit:
    c = qsc.Circuit(4)
    x = c.inputs("x", 4)
    for q in range(4):
        c.ry(x[q], q)
    for _ in range(2):
        for q in range(3):
            c.cz(q, q + 1)
        for q in range(4):
            c.ry(0.7 * x[q] + 0.3, q)
    return c


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return torch.nn.Sequential(qsc.nn.Quantum(circuit(), [qsc.Z(0) * qsc.Z(1) * qsc.Z(2) * qsc.Z(3), qsc.Z(1)]))


def compiled(model: torch.nn.Module, options: str, target: str = "fake_nairobi") -> qsc.Bundle:
    passes = f"bake-weights,{options}partition"
    return qsc.compile(model, target=target, example_input=INPUTS, passes=passes, effort="fast")


@pytest.mark.parametrize("options", [{"zne": "1,3"}, {"twirl": 3}, {"zne": "1+3+5", "extrapolation": "exponential"}])
def test_values_without_noise_stay(options):
    before = module_of(circuit().build("net"), [qsc.Z(0), qsc.X(1)])
    pass_, context = Mitigate(**options), Context()
    after = pass_.run(before, context)
    assert contracts.check(pass_, before, after).passed
    read, joined = after.graph.nodes
    assert isinstance(read.op, MitigatedExpectation)
    assert isinstance(joined.op, Extrapolate) == ("zne" in options)
    assert "circuits in place of 1" in context.remarks[0].message


def test_without_options_nothing_is_done():
    module = module_of(circuit().build("net"), [qsc.Z(0)])
    assert Mitigate().run(module, Context()) is module


@pytest.mark.parametrize(
    "options", [{"zne": "1"}, {"zne": "1,2"}, {"zne": "a"}, {"folding": "no"}, {"dd": "Z"}, {"twirl": -1}]
)
def test_wrong_options(options):
    with pytest.raises(InputError, match="O0002"):
        Mitigate(**options).run(module_of(circuit().build("net"), [qsc.Z(0)]), Context())


@pytest.mark.parametrize("reading", ["probs", "samples"])
def test_what_is_no_expectation_value_is_read_as_before_and_said_so(reading):
    module, context = module_of(circuit().build("c"), reading), Context()
    assert Mitigate(zne="1,3").run(module, context) == module
    assert "are read as before, only expectation values are mitigated" in str(context.remarks[0])


def test_noise_on_a_device_snapshot_shrinks(model):
    """The device's own noise in exact simulation: each step brings the value nearer, all at once to a hundredth."""
    errors = {}
    steps = {
        "nothing": "",
        "readout": "mitigate{correct-readout},",
        "all": "mitigate{zne=1+3+5 extrapolation=exponential correct-readout},",
        "local": "mitigate{zne=1+3 folding=local correct-readout},",
    }
    for name, options in steps.items():
        bundle = compiled(model, options)
        ideal = bundle.run(INPUTS)
        assert np.abs(ideal - model.double()(torch.from_numpy(INPUTS)).detach().numpy()).max() < 1e-9
        errors[name] = float(np.abs(bundle.run(INPUTS, noise=True) - ideal).max())
    assert errors["readout"] < 0.6 * errors["nothing"]
    assert errors["local"] < 0.5 * errors["readout"]
    assert errors["all"] < 0.1 * errors["nothing"]


def test_shots_have_their_error_bars_through_the_extrapolation(model):
    bundle = compiled(model, "mitigate{zne=1+3+5 correct-readout twirl=2},")
    assert (bundle.costs["circuits"], bundle.costs["executions"]) == (6, 6)
    exact, drawn = bundle.run(INPUTS, noise=True), bundle.run(INPUTS, noise=True, shots=2000, seed=3)
    (errors,) = bundle.standard_errors
    assert errors is not None
    assert np.abs((drawn - exact) / errors).max() < 5
    assert (errors > 1 / np.sqrt(2000) * 0.05).all()
    assert bundle.run_counts == {"executions": 18, "shots": 18_000}


def test_readout_is_calibrated_on_a_backend(model):
    """A simulator that only reads wrong, and unevenly: two more circuits tell how."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, ReadoutError

    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.12, 0.88]]))
    simulator = AerSimulator(noise_model=noise, seed_simulator=5)
    plain, corrected = compiled(model, "", "line:4"), compiled(model, "mitigate{correct-readout},", "line:4")
    ideal = plain.run(INPUTS)
    raw = plain.run(INPUTS, backend=simulator, shots=8000)
    better = corrected.run(INPUTS, backend=simulator, shots=8000)
    (errors,) = corrected.standard_errors
    assert errors is not None
    assert corrected.run_counts["executions"] == 3 + 2
    assert np.abs(better - ideal).max() < 6 * errors.max()
    assert np.abs(better - ideal).max() < 0.5 * np.abs(raw - ideal).max()


def test_twirling_tames_a_coherent_error():
    """Every CZ turns too far by the same angle, so that the error adds up; with random Pauli gates it does not."""
    from qiskit.circuit.library import CPhaseGate
    from qiskit.quantum_info import Operator
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel, coherent_unitary_error

    c = qsc.Circuit(2)
    x = c.inputs("x")
    c.ry(x, 0)
    c.x(1)
    for _ in range(12):
        c.barrier()
        c.cz(0, 1)
    layer = torch.nn.Sequential(qsc.nn.Quantum(c, [qsc.X(0)]))
    noise = NoiseModel(basis_gates=["rz", "sx", "x", "cz"])
    noise.add_all_qubit_quantum_error(coherent_unitary_error(Operator(CPhaseGate(0.1)).data), "cz")
    simulator = AerSimulator(noise_model=noise, seed_simulator=5)
    inputs = np.array([[np.pi / 2], [1.0]])
    errors = []
    for options in ("", "mitigate{twirl=16},"):
        passes = f"bake-weights,{options}partition"
        bundle = qsc.compile(layer, target="line:2", example_input=inputs, passes=passes)
        assert np.abs(bundle.run(inputs) - np.sin(inputs)).max() < 1e-9
        errors.append(np.abs(bundle.run(inputs, backend=simulator, shots=4000) - np.sin(inputs)).max())
    assert errors[0] > 0.5
    assert errors[1] < 0.25 * errors[0]


def test_decoupling_needs_durations(model):
    with pytest.raises(qsc.ir.TargetError, match="needs the pulse X"):
        compiled(model, "mitigate{dd=XX},", "line:4")
    bundle = compiled(model, "mitigate{dd=XY4},")
    assert np.abs(bundle.run(INPUTS) - compiled(model, "").run(INPUTS)).max() < 1e-9


def test_circuits_that_measure_are_read_as_before():
    c = qsc.Circuit(1, bits=1)
    c.h(0)
    c.measure(0, 0)
    context = Context()
    module = module_of(c.build("net"), [qsc.Z(0)])
    assert Mitigate(zne="1,3").run(module, context).graph == module.graph
    assert "measures inside" in context.remarks[0].message


@pytest.mark.parametrize("options", [{"zne": "1,3"}, {"twirl": 3}, {"dd": "XX"}, {"correct_readout": True}])
def test_a_target_without_mitigation(options):
    with pytest.raises(qsc.ir.TargetError, match="tket:line:4, of the tket backend, has no error mitigation") as caught:
        qsc.compile(circuit(), "tket:line:4", readout="Z0*Z1", effort="fast", **options)
    assert "targets of the qiskit backend" in caught.value.diagnostics[0].help


def test_factors_as_a_list():
    options = {"readout": "Z0*Z1", "effort": "fast", "verify": False}
    given = [qsc.compile(circuit(), "line:4", zne=zne, **options) for zne in ("1,3", [1, 3], (1, 3), np.array([1, 3]))]
    assert len({bundle.files["program.qsc"] for bundle in given}) == 1
    assert "noise times 1, 3" in str(given[0].manifest["remarks"])
    with pytest.raises(InputError, match="option zne of pass mitigate is '1,2'"):
        qsc.compile(circuit(), "line:4", zne=[1, 2], **options)
