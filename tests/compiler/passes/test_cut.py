"""The cut pass as a user meets it: through `qsc.compile`, with plans, limits, shots and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qsc
import torch
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cut import Cut
from qsc.frontends.readouts import module_of
from qsc.ir import InputError, TargetError
from qsc.ir.interpreter import evaluate
from qsc.ir.target import Target

X8 = np.random.default_rng(0).uniform(-3, 3, (3, 8))


def staircase(between: bool = False) -> qsc.Circuit:
    """H and RY, then a staircase of CX; with `between`, a turn about Y after each."""
    c = qsc.Circuit(8)
    x = c.inputs("x", 8)
    for q in range(8):
        c.h(q)
        c.ry(x[q], q)
    for q in range(7):
        c.cx(q, q + 1)
        if between:
            c.ry(0.3 + q, q + 1)
    return c


def both_ways() -> qsc.Circuit:
    """A kernel of pairs that entangle both ways, of which no wire is only a control."""
    c = qsc.Circuit(8)
    x = c.inputs("x", 8)
    for q in range(8):
        c.ry(x[q], q)
    for q in range(7):
        c.rzz(0.7, q, q + 1)
        c.rx(0.4 + q, q)
        c.rx(0.9, q + 1)
        c.cx(q + 1, q)
    return c


EVERYWHERE = "X0*Z7, Z1*X2, Z3, X4, Y5*Z6"
"""Sums that leave no wire with one letter alone."""


def cut(circuit: qsc.Circuit, readout: Any, **options: Any) -> tuple[dict, float, list[str]]:
    """(plan, largest error of three samples, remarks) of the pass alone."""
    module = module_of(circuit.build(), readout)
    context = Context(effort="default")
    after = Cut(**options).run(module, context)
    before, made = (evaluate(m, [X8], precision="f64")[0] for m in (module, after))
    plans = [r.data for r in context.remarks if r.data]
    return plans[0] if plans else {}, float((before - made).abs().max()), [str(r) for r in context.remarks]


@pytest.mark.parametrize(("width", "executions"), [(5, 5), (4, 11), (3, 17)])
@pytest.mark.parametrize("between", [False, True])
def test_the_staircase_takes_few_executions(width: int, executions: int, between: bool):
    plan, error, _ = cut(staircase(between), "Z7", max_qubits=width, reuse=False)
    assert error < 1e-12
    assert plan["proven"]
    assert plan["executions"] <= executions
    assert all(part["qubits"] <= width for part in plan["fragments"])


@pytest.mark.parametrize("width", [5, 6])
def test_a_kernel_that_entangles_both_ways(width: int):
    plan, error, _ = cut(both_ways(), EVERYWHERE, max_qubits=width, reuse=False)
    assert error < 1e-12
    assert plan["bound"] <= plan["score"] + 1e-9
    assert plan["overhead"] > 1


def test_reuse_is_preferred_and_said():
    plan, _, remarks = cut(staircase(), "Z7", max_qubits=5)
    assert not plan
    assert remarks[0].endswith(
        "not cut, since 1 execution on 2 qubits does by qubit reuse; without a cut, with measured controls fed forward "
        "(--feed-forward), it is 1 execution on 1 qubit: cheaper"
    )
    _, _, remarks = cut(staircase(), "Z7", max_qubits=5, reuse=False)
    assert any("by qubit reuse (--reuse), it is 1 execution on 2 qubits: cheaper" in r for r in remarks)


def test_a_target_without_reset_is_cut():
    target = Target("plain", "quantum", "qiskit", limits={"qubits": 5}, native_ops=("rz", "sx", "cz", "measure"))
    context = Context(target)
    module = module_of(staircase(True).build(), "Z7")
    after = Cut(max_qubits=5).run(module, context)
    assert [r.data["executions"] for r in context.remarks if r.data] == [3]
    assert not any("cheaper" in str(r) for r in context.remarks)
    assert len(after.circuits) == 2


def test_devices_take_one_fragment_each():
    plan, error, _ = cut(both_ways(), "Z7", devices="3,6,2", reuse=False)
    assert error < 1e-12
    sizes = (3, 6, 2)
    used = [part["device"] for part in plan["fragments"]]
    assert len(set(used)) == len(used)
    assert all(part["qubits"] <= sizes[part["device"]] for part in plan["fragments"])
    with pytest.raises(TargetError, match="no cuts that leave fragments of at most 3 and 2 qubits"):
        cut(both_ways(), "Z7", devices="3,2", reuse=False)


@pytest.mark.parametrize("options", [{"devices": "a"}, {"devices": "0,3"}, {"devices": "3", "max_qubits": 4}])
def test_devices_are_checked(options: dict):
    with pytest.raises(InputError, match="option devices of pass cut"):
        cut(both_ways(), "Z7", **options)


def test_too_many_executions_are_refused():
    with pytest.raises(TargetError, match=r"takes \d+ executions for one input sample, at most 10 are allowed"):
        cut(both_ways(), EVERYWHERE, max_qubits=4, reuse=False, max_executions=10)


def test_a_wide_gate_is_written_in_gates_that_can_be_cut():
    c = qsc.Circuit(3)
    for q in range(3):
        c.h(q)
    c.ccx(0, 1, 2)
    module = module_of(c.build(), "Z2")
    after = Cut(max_qubits=2, reuse=False).run(module, Context())
    before, made = (evaluate(m, [], precision="f64")[0] for m in (module, after))
    assert max(circuit.num_qubits for circuit in after.circuits.values()) <= 2
    assert float((before - made).abs().max()) < 1e-12


# Compiled


@pytest.fixture(scope="module")
def compiled() -> qsc.Bundle:
    options: dict[str, Any] = {"max_qubits": 5, "reuse": False, "effort": "fast"}
    return qsc.compile(both_ways(), target="all:5", readout="Z0, Z3*Z5, X7", example_input=X8, **options)


def test_a_circuit_too_wide_for_its_device_runs_there(compiled: qsc.Bundle):
    assert compiled.costs["qubits"] <= 5
    assert compiled.costs["executions"] == compiled.manifest["cuts"][0]["executions"]
    wanted = evaluate(compiled.source, [X8], precision="f64")[0].numpy()
    assert np.abs(compiled.run(X8) - wanted).max() < 1e-12


def test_error_bars_cover_the_truth(compiled: qsc.Bundle):
    """Of 95 % intervals, 90 to 99 % hold the value, and they are as wide as the scatter."""
    exact = compiled.run(X8)
    drawn, errors = [], []
    for seed in range(100):
        drawn.append(compiled.run(X8, shots=400, seed=seed))
        errors.append(compiled.standard_errors[0])
    off, bars = np.array(drawn) - exact, np.array(errors)
    assert 0.9 <= (np.abs(off) < 1.96 * bars).mean() <= 0.99
    ratio = bars.mean(axis=0) / off.std(axis=0)
    assert ratio.min() > 0.7
    assert ratio.max() < 1.5


def test_shots_follow_what_settings_count(compiled: qsc.Bundle):
    compiled.run(X8, shots=400)
    asked = 400 * compiled.costs["executions"] * len(X8)
    assert compiled.run_counts["executions"] == compiled.costs["executions"] * len(X8)
    assert abs(compiled.run_counts["shots"] / asked - 1) < 0.02
    shares = [launch.shares for launch in compiled.launches()]
    assert all(shares)
    assert len({share for own in shares for share in own}) > 1


def test_samples_of_a_cut_circuit_have_its_distribution():
    bundle = qsc.compile(
        staircase(True), target="all:5", readout="samples", max_qubits=5, reuse=False, effort="fast", example_input=X8
    )
    bits = bundle.run(X8, seed=1)
    means = bits.mean(axis=1)
    z = evaluate(module_of(staircase(True).build(), ", ".join(f"Z{q}" for q in range(8))), [X8], precision="f64")[0]
    assert np.abs((1 - 2 * means) - z.numpy()).max() < 6 / np.sqrt(bits.shape[1])


def test_a_network_is_trained_through_the_cut():
    """The gradient of a weight in front of a cut circuit, and of the circuit's own weights."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            circuit = qsc.Circuit(4)
            x, w = circuit.inputs("x", 4), circuit.weights("w", 4)
            for q in range(4):
                circuit.ry(x[q], q)
            for q in range(3):
                circuit.rzz(w[q], q, q + 1)
                circuit.rx(w[3], q)
            self.features = torch.nn.Linear(3, 4)
            self.quantum = qsc.nn.Quantum(circuit, [qsc.Z(0) * qsc.Z(3), qsc.X(1)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.quantum(self.features(x))

    torch.manual_seed(0)
    net = Net().double()
    x = torch.randn(5, 3, dtype=torch.float64)
    options: dict[str, Any] = {"max_qubits": 3, "reuse": False, "effort": "fast", "weights": "keep"}
    program = qsc.compile(net, target="all:3", example_input=x, **options).program
    trained = dict(net.named_parameters())
    weights = {n: torch.tensor(w, requires_grad=True) for n, w in program.weights.items() if n in trained}
    assert set(weights) == set(trained)
    evaluate(program, [x], precision="f64", weights=weights)[0].pow(2).sum().backward()
    net(x).pow(2).sum().backward()
    for name, parameter in trained.items():
        found, wanted = weights[name].grad, parameter.grad
        assert found is not None
        assert wanted is not None
        assert torch.allclose(found, wanted, atol=1e-10), name


def test_a_target_that_can_not_read_bits_gets_a_cut():
    """pytket's devices run no circuit that measures inside here, so that reuse would leave all to the host."""
    bundle = qsc.compile(
        staircase(between=True), target="tket:line:8", readout="Z7, Z6", max_qubits=5, effort="fast", verify=False
    )
    assert bundle.manifest["cuts"]
    assert bundle.costs["qubits"] <= 5
    assert len(bundle.launches()) > 1
