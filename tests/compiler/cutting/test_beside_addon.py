"""What is reconstructed from exact probabilities, beside qiskit-addon-cutting's own subexperiments and function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from qsc.ir.interpreter import evaluate

pytest.importorskip("qiskit_addon_cutting")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "quantum"
SEEDS = (6, 9, 11, 14, 16, 23, 25, 27, 30, 31, 34, 36)
"""Chains, rings, stars and random pairs on 4 to 8 qubits that the peer cuts within 150 subexperiments."""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[tuple[ModuleType, ModuleType]]:
    """The benchmark with its circuits, and what asks the peer."""
    names = ("cutting", "addon_cutting")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module(names[0]), importlib.import_module(names[1])
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names:
            sys.modules.pop(name, None)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_reconstruct_the_same(seed: int, benchmark: tuple[ModuleType, ModuleType]):
    cutting, addon = benchmark
    module, width = cutting.case(seed)
    x = np.random.default_rng(seed).uniform(-3, 3, (1, module.graph.inputs[0].type.shape[1]))
    cut, plans = cutting.cut_by_us(module, width)
    peer = addon.cut_by_addon(module, width, x, 1e3)
    (ours,) = evaluate(cut, [x], precision="f64")
    assert np.abs(ours[0].numpy() - peer.exact_values()).max() < 1e-9
    assert all(circuit.num_qubits <= width for circuit in cut.circuits.values())
    assert sum(plan["executions"] for plan in plans) <= peer.executions


def test_its_exact_outcomes_are_those_of_a_measured_circuit(benchmark: tuple[ModuleType, ModuleType]):
    """A measurement, a reset and a second measurement into another bit, against what follows by hand."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(1, 3)
    circuit.ry(1.0, 0)
    circuit.measure(0, 2)
    circuit.reset(0)
    circuit.ry(2.0, 0)
    circuit.measure(0, 0)
    first, second = np.sin(0.5) ** 2, np.sin(1.0) ** 2
    wanted = {0: (1 - first) * (1 - second), 1: (1 - first) * second, 4: first * (1 - second), 5: first * second}
    found = benchmark[1].exact_outcomes(circuit)
    assert found == pytest.approx(wanted, abs=1e-12)
