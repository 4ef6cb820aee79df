"""Verification of outputs that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qsc.compiler.verification import compare, sampled_values, verify_bundle
from qsc.frontends.readouts import module_of


@pytest.fixture(scope="module")
def drawn() -> qsc.Bundle:
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    c.cx(1, 2)
    return qsc.compile(module_of(c.build("pairs"), "samples"), "all:3")


def test_drawn_bits_are_compared_by_frequencies(drawn: qsc.Bundle):
    found = verify_bundle(drawn)
    assert found.passed
    assert all("standard errors" in check.detail for check in found.checks)
    assert drawn.program.graph.outputs[0].name in sampled_values(drawn.program)


@pytest.mark.parametrize("fault", ["flipped", "exchanged", "uncorrelated"])
def test_a_wrong_distribution_is_found(drawn: qsc.Bundle, fault: str):
    (bits,) = drawn.golden[1]
    rng = np.random.default_rng(0)
    wrong = {
        "flipped": bits ^ np.array([True, False, False]),
        "exchanged": bits[..., [1, 0, 2]],
        # Each bit as often 1 as it was, but drawn on its own: only the parities tell.
        "uncorrelated": np.stack([rng.permuted(bits[..., k], axis=-1) for k in range(3)], axis=-1),
    }[fault]
    assert not compare("golden", [wrong], [bits], drawn).passed
