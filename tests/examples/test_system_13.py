"""Row 13, symmetric STDP: the pairing curve, the learning net against Brian2, digits, and the rule on the chip."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import qsc
from qsc.bridges.environments import find

FOLDER = "13-sym-stdp"


@pytest.fixture(scope="module")
def evaluate(load_example) -> ModuleType:
    load_example(FOLDER, "reference")
    return load_example(FOLDER, "evaluate")


def test_the_pairing_curve(evaluate: ModuleType):
    distances, change, wanted = evaluate.pairing()
    assert len(distances) == 201
    assert np.abs(change - wanted).max() < 1e-15
    assert np.abs(change - change[::-1]).max() < 1e-15


def test_a_second_of_the_net_is_brians(evaluate: ModuleType):
    worst, differing = evaluate.trajectory(dict(np.load(evaluate.KEPT)))
    assert worst < 1e-6
    assert differing == 0


def test_a_second_of_the_net_is_brians_live(evaluate: ModuleType, load_example):
    python = find("brian2")
    if python is None:
        pytest.skip("Brian2 is not here: qsc env create brian2")
    reference = load_example(FOLDER, "reference")
    given = reference.given()
    found = reference.in_brian2(python, given)
    moved = np.abs(found["pe"][-1] - given["pe"]).max()
    worst, differing = evaluate.trajectory(found | {f"given_{k}": v for k, v in given.items()})
    assert found["spikes"].sum() > 50
    assert moved > 0.01
    assert worst < 1e-6
    assert differing == 0


def test_digits_are_learned(evaluate: ModuleType):
    program = qsc.compile(evaluate.FOLDER / "recall.qsc", target="host")
    assert evaluate.accuracy(program, 1) >= 0.8


def test_the_rules_are_exact_on_the_chip(evaluate: ModuleType):
    for op, text in zip(evaluate.rules(), ("1*2^-7*x0*y1 + 1*2^-7*y0*x1 - 1*2^-3*x0*y0",) * 2, strict=True):
        chip, said = evaluate.on_chip(op)
        assert chip.text == text
        assert [r.what for r in chip.roundings] == ["upper bound"]
        assert "+2 %" in said
