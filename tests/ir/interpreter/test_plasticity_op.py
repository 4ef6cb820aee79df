"""A step of learning against the rule written out in numpy, and against itself: rows, spikes, bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from qsc.frontends.text import read
from qsc.ir import ops
from qsc.ir.interpreter import evaluate

OP = ops.Plasticity(
    "0.04*x0*y1 + 0.02*y0*(x1 + 0.5) - 0.1*u2*x0*y0*w + 2^-3*u0*x2*y3*(w - 1)",
    x1=(20.0, 0.1),
    x2=(0.0, 2.0),
    y1=(5.0, 1.0),
    third=("y3",),
    low=-0.4,
    high=0.9,
)


def written_out(values: list[np.ndarray], step: int) -> tuple[np.ndarray, ...]:
    """The same rule for one row, by its definition."""
    pre, post, w, x1, x2, y1, y3 = values
    x1, x2, y1 = np.exp(-1 / 20) * x1 + 0.1 * pre, 2.0 * pre, np.exp(-1 / 5) * y1 + post
    change = np.zeros_like(w)
    for o in range(len(post)):
        for i in range(len(pre)):
            change[o, i] = 0.04 * pre[i] * y1[o] + 0.02 * post[o] * (x1[i] + 0.5)
            change[o, i] -= 0.1 * pre[i] * post[o] * w[o, i] if (step + 1) % 4 == 0 else 0
            change[o, i] += 0.125 * x2[i] * y3[o] * (w[o, i] - 1)
    return np.clip(w + change, -0.4, 0.9), x1, x2, y1


def test_the_rule_as_written(apply: Callable):
    rng = np.random.default_rng(0)
    for step in range(12):
        shapes = [(3, 4), (3, 2), (3, 2, 4), (3, 4), (3, 4), (3, 2), (3, 2)]
        values = [(rng.random(s) < 0.5).astype(float) for s in shapes[:2]] + [rng.normal(0, 0.5, s) for s in shapes[2:]]
        given = [*map(torch.from_numpy, values), torch.tensor(step)]
        results = apply(OP, *given, batched=range(7))
        for row in range(3):
            for got, wanted in zip(results, written_out([v[row] for v in values], step), strict=False):
                assert np.abs(got[row].numpy() - wanted).max() < 1e-12
        assert int(results[-1]) == step + 1


PAIRS = """main(pre: spike[40,?,1], post: spike[40,?,1], w: f64[?,1,1], x: f64[?,1], y: f64[?,1]) {
  last, a, b = scan(w, x, y, pre, post, steps=40, carried=3, sequences=2) {
    body(w: f64[?,1,1], x: f64[?,1], y: f64[?,1], pre: spike[?,1], post: spike[?,1]) {
      v, x1, y1 = plasticity(pre, post, w, x, y, rule="0.04*x0*y1 + 0.04*y0*x1", x1=[20, 0.1], y1=[20, 0.1], high=8);
      return v, x1, y1;
    }
  }
  return last;
}"""


def test_rows_of_a_batch_learn_by_themselves():
    """Each row is another distance between two spikes."""
    distances = np.arange(-15, 16)
    pre, post = np.zeros((2, 40, len(distances), 1), np.float32)
    pre[20] = 1
    post[20 + distances, np.arange(len(distances))] = 1
    zero = np.zeros((len(distances), 1))
    (last,) = evaluate(read(PAIRS), [torch.from_numpy(v) for v in (pre, post, np.ones((31, 1, 1)), zero, zero)])
    change = last.numpy()[:, 0, 0] - 1
    wanted = 0.04 * 0.1 * np.exp(-np.abs(distances) / 20) * np.where(distances == 0, 2, 1)
    assert np.abs(change - wanted).max() < 1e-15
