"""Helpers that compare programs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qsc.ir import DYNAMIC, CircuitEditor, GraphBuilder, Module, Type
from qsc.ir.interpreter import evaluate, max_error, random_inputs, unitary
from qsc.ir.types import DTYPES


def module(*types: Type) -> Module:
    builder = GraphBuilder(Module("m"))
    return Module("m", graph=builder.graph(*[builder.input(f"x{k}", t) for k, t in enumerate(types)]))


def test_random_inputs_have_the_declared_types():
    types = [Type(name, (DYNAMIC, 3)) for name in DTYPES] + [Type("f64", ()), Type("f32", (2, DYNAMIC))]
    made = random_inputs(module(*types), 5, 1)
    assert [a.shape for a in made] == [(5, 3)] * len(DTYPES) + [(), (2, 5)]
    assert [a.dtype for a in made[: len(DTYPES)]] == list(DTYPES.values())
    evaluate(module(*types), made)
    again = random_inputs(module(*types), 5, 1)
    assert all(np.array_equal(a, b) for a, b in zip(made, again, strict=True))
    assert not np.array_equal(made[0], random_inputs(module(*types), 5, 2)[0])


def test_random_inputs_are_spread():
    floats, bits, spikes = random_inputs(module(*(Type(t, (DYNAMIC, 100)) for t in ("f64", "bit", "spike"))), 100)
    assert abs(floats.mean()) < 0.05
    assert abs(floats.std() - 1) < 0.05
    assert 0.45 < bits.mean() < 0.55
    assert set(np.unique(spikes)) == {0.0, 1.0}


def test_max_error():
    a = np.array([1.0, 2.0])
    assert max_error(a, torch.tensor([1.0, 2.5])) == 0.5
    assert max_error(a.astype(np.float32), a) == 0.0
    assert max_error(np.array([True, False]), np.array([True, True])) == 1.0
    assert max_error(np.array([1j]), np.array([1.0])) == pytest.approx(2**0.5)
    assert max_error(np.array([200], np.uint8), np.array([-100], np.int8)) == 300
    assert np.isnan(max_error(np.array([np.nan, 0]), a))
    assert max_error(np.zeros((0, 2)), np.zeros((0, 2))) == 0
    with pytest.raises(ValueError, match="differ"):
        max_error(a, a[:1])


def test_unitaries_need_a_unitary_circuit():
    editor = CircuitEditor("c", 2, 1)
    editor.add("h", [0])
    editor.add("barrier", [0, 1])
    assert unitary(editor.circuit()).shape == (4, 4)
    editor.add("measure", [0], clbits=[0])
    with pytest.raises(ValueError, match="not one unitary"):
        unitary(editor.circuit())


def test_the_first_qubit_is_the_least_significant_bit():
    editor = CircuitEditor("c", 3)
    editor.add("x", [1])
    assert np.argmax(np.abs(unitary(editor.circuit())[:, 0])) == 2
