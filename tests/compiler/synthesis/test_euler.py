"""Runs of one-qubit gates in every set of native gates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from qsc.compiler.synthesis import euler
from qsc.compiler.synthesis.frames import evaluated
from qsc.ir.angles import Row, make_row
from qsc.ir.gates import GATES, OPCODES

ONE = [k for k, g in enumerate(GATES) if g.qubits == 1 and g.matrix is not None]
ALLOWED = {
    "u3": {"u3", "rx", "ry", "rz"},
    "rz-sx": {"rz", "sx", "x"},
    "rz-rx": {"rz", "rx"},
    "rz-ry": {"rz", "ry"},
    "rz-rx90": {"rz", "rx"},
}


def random_row(rng: np.random.Generator) -> Row:
    kind = rng.random()
    if kind < 0.4:
        return make_row(Fraction(int(rng.integers(-12, 13)), int(rng.choice([1, 2, 3, 4]))))
    if kind < 0.6:
        return make_row(0, float(rng.normal()))
    coeff = float(rng.choice([1.0, -1.0, 0.5]))
    return make_row(Fraction(int(rng.integers(-4, 5)), 2), 0.0, [(int(rng.integers(3)), coeff)])


def product(gates: list, values: list[float]) -> np.ndarray:
    out = np.eye(2, dtype=complex)
    for opcode, angles in gates:
        make = GATES[opcode].matrix
        assert make is not None
        out = make(*[evaluated(row, values) for row in angles]) @ out
    return out


@pytest.mark.parametrize("basis", euler.BASES)
def test_random_runs(basis: str):
    rng = np.random.default_rng(5)
    for trial in range(400):
        opcodes = rng.choice(ONE, int(rng.integers(1, 7))).tolist()
        gates = [(k, [random_row(rng) for _ in range(GATES[k].angles)]) for k in opcodes]
        template, count = euler.template_of(gates, basis, bool(trial % 2))
        values = rng.normal(size=3).tolist()
        made = np.exp(1j * evaluated(template.phase, values)) * product([(s[0], s[2]) for s in template.steps], values)
        assert np.abs(made - product(gates, values)).max() < 1e-12
        names = {GATES[s.opcode].name for s in template.steps}
        assert names <= ALLOWED[basis]
        assert trial % 2 or "x" not in names
        assert len(template.steps) <= {"u3": 1, "rz-sx": 4, "rz-rx90": 4}.get(basis, 2) * max(count, 0) + 1
        if not any(row[3] for _, angles in gates for row in angles):
            assert count <= 1


@pytest.mark.parametrize(
    ("run", "steps"),
    [
        ([("h", [])], "rz sx rz"),
        ([("x", [])], "x"),
        ([("s", []), ("t", [])], "rz"),
        ([("h", []), ("h", [])], ""),
        ([("ry", [make_row(0, 0.0, [(0, 1.0)])])], "rz sx rz sx"),
        ([("rz", [make_row(0, 0.0, [(0, 1.0)])]), ("h", [])], "rz sx rz"),
    ],
)
def test_short_forms(run: list, steps: str):
    template, _ = euler.template_of([(OPCODES[name], angles) for name, angles in run], "rz-sx")
    assert " ".join(GATES[s.opcode].name for s in template.steps) == steps


def test_affine_and_not_affine():
    a, b, c = (make_row(0, 0.0, [(k, 1.0)]) for k in range(3))
    run = [("rz", a), ("ry", b), ("rz", c)]
    assert euler.template_of([(OPCODES[n], [x]) for n, x in run], "u3")[1] == 1
    assert euler.template_of([(OPCODES["ry"], [a]), (OPCODES["rx"], [b])], "u3")[1] > 1
    assert euler.template_of([(OPCODES["rx"], [a]), (OPCODES["ry"], [make_row(Fraction(1, 2))])], "u3")[1] == 1
