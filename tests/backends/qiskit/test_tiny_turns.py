"""Rotations by next to nothing survive Qiskit's passes."""

from __future__ import annotations

import pytest
import qsc


@pytest.mark.parametrize("target", ["line:3", "fake_torino"])
@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("size", [1e-6, 1e-8])
def test_tiny_turns_are_kept(target: str, effort: str, size: float):
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    c.rx(size, 0)
    c.rz(1.5 * size, 1)
    c.crx(size, 0, 1)
    c.ry(x[0], 1)
    c.rzz(2 * size, 1, 2)
    c.cx(1, 2)
    c.ry(x[1], 0)
    bundle = qsc.compile(c, target=target, readout="X0*Y1, Z1*X2, Y0", effort=effort)
    assert bundle.verify().passed
    assert all(check["max_error"] < 1e-11 for check in bundle.manifest["verification"]["checks"])
