"""Outcomes relabelled on the host, against counting in numpy; what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qsc.ir import GraphBuilder, Module, Type, ops, verify
from qsc.ir.graph import TypeFault
from qsc.ir.interpreter import evaluate

SWAPPED_AND_ADDED = ((2,), (0, 1), (1,))


def module_of(op: ops.Parities, t: Type) -> Module:
    builder = GraphBuilder(Module("m"))
    module = Module("m").with_(graph=builder.graph(*builder.add(op, builder.input("x", t))))
    verify(module)
    return module


@pytest.mark.parametrize("flips", [(), (1,), (0, 2)])
def test_bits_and_probabilities_go_the_same_way(flips: tuple[int, ...]):
    rng = np.random.default_rng(0)
    bits = rng.random((5, 11, 3)) < 0.4
    (moved,) = evaluate(module_of(ops.LinearBits(SWAPPED_AND_ADDED, flips), Type("bit", (-1, 11, 3))), [bits])
    flipped = np.isin(range(3), flips)
    wanted = np.stack([bits[..., 2], bits[..., 0] ^ bits[..., 1], bits[..., 1]], -1) ^ flipped
    np.testing.assert_array_equal(moved.numpy(), wanted)

    def frequencies(outcomes: np.ndarray) -> np.ndarray:
        return np.array([np.bincount(row @ [1, 2, 4], minlength=8) / 11 for row in outcomes])

    op = ops.PermuteOutcomes(SWAPPED_AND_ADDED, flips)
    (permuted,) = evaluate(module_of(op, Type("f64", (-1, 8))), [frequencies(bits)])
    np.testing.assert_array_equal(permuted.numpy(), frequencies(wanted))


def test_bits_may_become_fewer_and_none():
    bits = np.array([[True, True, False]])
    assert evaluate(module_of(ops.LinearBits(((0, 1, 2),)), Type("bit", (1, 3))), [bits])[0].tolist() == [[False]]
    assert evaluate(module_of(ops.LinearBits(()), Type("bit", (1, 3))), [bits])[0].shape == (1, 0)


def test_gradients_pass_through():
    x = torch.rand(8, dtype=torch.float64, requires_grad=True)
    y = evaluate(module_of(ops.PermuteOutcomes(SWAPPED_AND_ADDED), Type("f64", (8,))), [x])[0]
    y[3].backward()
    assert x.grad is not None
    assert x.grad.sum() == 1.0
    assert x[x.grad.argmax()] == y[3]


FAULTS = {
    "bits of floats": (ops.LinearBits(((0,),)), Type("f32", (3,))),
    "a bit that is not there": (ops.LinearBits(((3,),)), Type("bit", (3,))),
    "a bit twice": (ops.LinearBits(((0, 0),)), Type("bit", (3,))),
    "a flip that is not there": (ops.LinearBits(((0,),), (1,)), Type("bit", (3,))),
    "parities that depend on each other": (ops.PermuteOutcomes(((0, 1), (1, 2), (0, 2))), Type("f64", (8,))),
    "another number of outcomes": (ops.PermuteOutcomes(((0,),)), Type("f64", (4,))),
    "outcomes that are bits": (ops.PermuteOutcomes(((0,),)), Type("bit", (2,))),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_what_does_not_fit_is_refused(fault: str):
    op, t = FAULTS[fault]
    with pytest.raises(TypeFault):
        op.result_types((t,), Module("m"))
