"""Passes that keep the unitary, against MQT QCEC: an equivalence checker that shares no code with ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qsc.bridges.qiskit import to_qiskit
from qsc.compiler.passes.base import Contract
from qsc.ir.angles import AngleTable, make_row
from qsc.ir.circuit import Circuit

CIRCUITS = 40
STYLES = ("any", "pairs", "swaps", "commuting")


def bound(circuit: Circuit, values: np.ndarray) -> Circuit:
    """The circuit with constants in the place of data and weights."""
    angles = circuit.angles.bind(values[None])[0]
    rows = [make_row(0, float(a)) if r[3] else r for a, r in zip(angles, circuit.angles.rows(), strict=True)]
    return replace(circuit, angles=AngleTable.from_rows(rows))


def test_equivalent(fuzz, pass_name: str):
    qcec = pytest.importorskip("mqt.qcec")
    pass_ = fuzz.make(pass_name)
    if pass_.contract is not Contract.UNITARY:
        return
    changed = 0
    for seed in range(CIRCUITS):
        module = fuzz.module(20_000 + seed, STYLES[seed % len(STYLES)])
        values = np.random.default_rng(seed).uniform(-3, 3, module.circuits["c"].num_variables)
        before = module.with_(circuits={"c": bound(module.circuits["c"], values)})
        after = pass_.run(before, fuzz.context())
        old, new = (to_qiskit(m.circuits["c"]).circuit for m in (before, after))
        if old == new:
            continue
        changed += 1
        found = qcec.verify(old, new, parallel=False, transform_dynamic_circuit=False).equivalence
        assert found.name in ("equivalent", "equivalent_up_to_global_phase"), f"seed {seed}: {found.name}"
    assert changed >= CIRCUITS // 10
