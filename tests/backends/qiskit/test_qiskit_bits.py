"""Circuits that are read by their classical bits: exact, with shots, with noise, and on a primitive."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qiskit.primitives import StatevectorEstimator
from qiskit_aer.primitives import SamplerV2
from qsc.backends.qiskit import QiskitBackend
from qsc.backends.qiskit.devices import find
from qsc.backends.qiskit.primitives import submit
from qsc.frontends.text import read
from qsc.ir import InputError, Module
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import Launch

STAIRCASE = """
circuit c(x[4]) on 4 qubits {
  ry(x[0]) q[0]; ry(x[1]) q[1]; ry(x[2]) q[2]; ry(x[3]) q[3];
  cx q[0], q[1]; ry(0.3) q[1]; cx q[1], q[2]; ry(0.7) q[2]; cx q[2], q[3];
}
main(x: f64[?,4]) {
  y = expectation(x, circuit="c", observables=["Z3", "0.5*Z0*Z3 - Z1 + 2"]);
  p = probabilities(x, circuit="c", qubits=[3, 1]);
  return y, p;
}
"""
REUSE = "reuse-qubits{reuse=true},partition"
FEED = "measure-controls{feed-forward=true},reuse-qubits{reuse=true},partition"


def inputs(batch: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, 4))


@pytest.mark.parametrize("target", ["line:2", "fake_torino"])
@pytest.mark.parametrize("passes", [REUSE, FEED])
def test_exact(target: str, passes: str):
    module = read(STAIRCASE)
    bundle = qsc.compile(module, target=target, passes=passes, effort="fast")
    assert bundle.costs["qubits"] <= 2
    for ours, wanted in zip(bundle.run(inputs()), evaluate(module, [inputs()]), strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-9)
    assert bundle.verify()


def test_shots_and_noise():
    module = read(STAIRCASE)
    wanted = evaluate(module, [inputs(2)])
    drawn = qsc.compile(module, target="line:2", passes=REUSE, effort="fast").run(inputs(2), shots=20000)
    noisy = qsc.compile(module, target="fake_torino", passes=REUSE, effort="fast").run(
        inputs(2), shots=4000, noise=True
    )
    for found, room in ((drawn, 0.04), (noisy, 0.25)):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=room)


def launched(module: Module, passes: str) -> tuple[Module, list[Launch]]:
    bundle = qsc.compile(module, target="line:2", passes=passes, effort="fast", verify=False)
    return bundle.program, [n.op for n in bundle.program.graph.nodes if isinstance(n.op, Launch)]


def test_submit_to_a_sampler():
    module, target = read(STAIRCASE), find("line:2")
    assert target is not None
    program, launches = launched(module, REUSE)
    wanted = evaluate(module, [inputs()])
    for launch, values in zip(launches, wanted, strict=True):
        files = QiskitBackend().emit(launch, program, target, 0).files
        found = submit(files, [inputs()], SamplerV2(seed=1), shots=3000)
        np.testing.assert_allclose(found, values, atol=0.12)
    files = QiskitBackend().emit(launches[0], program, target, 0).files
    with pytest.raises(InputError, match="sampler"):
        submit(files, [inputs()], StatevectorEstimator())


def test_the_read_bits_are_the_readout_register():
    program, launches = launched(read(STAIRCASE), FEED)
    target = find("line:2")
    assert target is not None
    files = QiskitBackend().emit(launches[1], program, target, 0).files
    text = files["circuit.qasm"].decode()
    assert "bit[2] readout;" in text
    assert "readout[0] = measure" in text


def test_a_bit_that_is_only_measured_under_a_condition_stays_on_the_host():
    text = """
circuit c(x[1]) on 2 qubits, 2 bits {
  ry(x[0]) q[0]; measure q[0] -> c[0]; h q[1]; measure q[1] -> c[1] if c[0];
}
main(x: f64[?,1]) { y = bit_expectation(x, circuit="c", observables=["Z1"]); return y; }
"""
    module, target = read(text), find("line:2")
    assert target is not None
    reason = QiskitBackend().unsupported(module.graph.nodes[0], module, target)
    assert reason == "classical bits [1] are not measured, or only under a condition"
