"""gather-pairs: the same unitary, blocks of one pair together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import qsc
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.gather_pairs import GatherPairs, gather
from qsc.frontends.readouts import module_of
from qsc.ir import Circuit
from qsc.ir.interpreter.compare import unitary

TWO = ("rxx", "rzz", "cz", "cx", "crz", "pauli", "rx", "rz", "h")


@pytest.mark.parametrize("seed", range(30))
def test_the_unitary_stays(seed: int, make_circuit: Callable[..., Circuit]):
    circuit = make_circuit(seed, 4, 40, TWO if seed % 3 else ())
    values = np.random.default_rng(seed).normal(size=circuit.num_variables)
    moved = gather(circuit)
    assert np.abs(unitary(moved, values) - unitary(circuit, values)).max() < 1e-12
    assert moved.gate_counts() == circuit.gate_counts()


def test_it_fires_often(make_circuit: Callable[..., Circuit]):
    moved = [gather(c) is not c for c in (make_circuit(seed, 4, 40, TWO) for seed in range(40))]
    assert sum(moved) >= 10


@pytest.mark.parametrize("seed", range(10))
def test_measured_and_conditioned_circuits(seed: int, make_circuit: Callable[..., Circuit]):
    circuit = make_circuit(seed, 3, 24, TWO, bits=2)
    module = module_of(circuit, ["Z0", "X1*Y2"])
    after = GatherPairs().run(module, Context())
    inputs = [np.random.default_rng(seed).normal(size=(2, 2)), np.random.default_rng(seed + 1).normal(size=2)]
    contracts.check(GatherPairs(), module, after, [inputs])


def test_rotations_that_share_a_qubit():
    """Six layers of Z_j X_r and X_j X_r: one block for each j."""
    c = qsc.Circuit(5)
    for k, t in enumerate(c.inputs("t", 24)):
        c.pauli_rot(f"{'ZX'[k // 4 % 2]}{k % 4} X4", t)
    moved = gather(c.build())
    pairs = [row.wires for row in moved.rows()]
    assert pairs == [(j, 4) for j in range(4) for _ in range(6)]
    assert gather(moved) is moved


@pytest.mark.parametrize(
    "text",
    [
        "rzz(x0) 0 1; barrier 0 1 2; rzz(x1) 1 2; rzz(x0) 0 1",
        "rzz(x0) 0 1; rxx(x1) 1 2; rzz(x0) 0 1",
        "cz 0 1; cz 1 2; h 1; cz 0 1",
        "cx 0 1; cx 1 2; cx 0 1",
        "rzz(x0) 0 1; rzz(x1) 1 2; rzz(x1) 0 2",
    ],
)
def test_what_stays_where_it_is(text: str, write_circuit: Callable[..., Circuit]):
    circuit = write_circuit(text, 3)
    assert gather(circuit) is circuit
