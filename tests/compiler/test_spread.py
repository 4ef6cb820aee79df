"""Work on several processes gives what a loop gives."""

from __future__ import annotations

import operator

import numpy as np
import pytest
import qsc
from qsc.compiler.spread import spread
from qsc.frontends.readouts import module_of


@pytest.mark.parametrize("cores", ["1", "2"])
def test_results_are_those_of_a_loop_in_its_order(monkeypatch, cores):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
    items = list(range(20))
    assert spread(operator.sub, 100, items) == [100 - k for k in items]
    assert spread(operator.sub, 100, items, parallel=False) == [100 - k for k in items]
    assert spread(operator.sub, 100, []) == []


def test_a_fault_in_a_process_arrives_as_it_is(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    with pytest.raises(ZeroDivisionError):
        spread(operator.truediv, 1, [1, 2, 0, 4])


@pytest.mark.parametrize("target", ["line:3", "tket:line:3"])
def test_the_portfolio_is_the_same_on_any_number_of_cores(monkeypatch, target):
    c = qsc.Circuit(3)
    x = c.inputs("x", 6)
    for q in range(3):
        c.ry(x[q], q)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        c.cx(a, b)
        c.rx(x[3 + a], b)
    module = module_of(c.build("ring"), [qsc.Z(q) for q in range(3)])
    found = []
    for cores in ("1", "2"):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
        found.append(qsc.compile(module, target, effort="max"))
    assert found[0].report() == found[1].report()
    inputs = np.random.default_rng(0).normal(size=(3, 6))
    assert np.array_equal(found[0].run(inputs), found[1].run(inputs))
