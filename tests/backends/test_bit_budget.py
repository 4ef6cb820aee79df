"""Bit Budget, S-ACE and NS-ACE: by hand on a net of three layers, and as sums of what each synapse does."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from hypothesis import given
from hypothesis import strategies as st
from qsc.backends.activity import Activity, SynapseCounts, bits_of
from qsc.backends.bit_budget import LayerBudget, budget_of, totals
from qsc.frontends.text import read

NET = """
weight @a: f32[3,4] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0];
weight @b: f32[2,3] = [2, 0, 0, 0, 2, 2];
weight @c: f32[1,2] = [2, 2];
weight @beta: f32[1] = [0.0];
weight @threshold: f32[1] = [1.0];
main(x: f32[5,?,4]) {
  v = constant(x, value=0.0, shape=[?, 3]);
  w = constant(x, value=0.0, shape=[?, 2]);
  u = constant(x, value=0.0, shape=[?, 1]);
  v9, w9, u9, y = scan(v, w, u, x, steps=5, carried=3, sequences=1) {
    body(v: f32[?,3], w: f32[?,2], u: f32[?,1], x: f32[?,4]) {
      p, v1 = leaky(linear(x, @a), v, @beta, @threshold, reset="zero", delayed=false);
      q, w1 = leaky(linear(cast(p, dtype="f32"), @b), w, @beta, @threshold, reset="zero", delayed=false);
      r, u1 = leaky(linear(cast(q, dtype="f32"), @c), u, @beta, @threshold, reset="zero", delayed=false);
      return v1, w1, u1, r;
    }
  }
  return y;
}
"""


def test_three_layers_by_hand():
    x = np.zeros((5, 2, 4), np.float32)
    x[:, 0] = [1, 1, 0, 0]  # all three fire in every step: 2 > 1
    x[0, 1] = [0, 0, 1, 1]  # the first two fire in the first step
    bundle = qsc.compile(read(NET, "net"), target="nir", calibration=[x])
    (facts,) = bundle.manifest["activity"].values()
    rows = [row for row in facts["layers"] if row["kind"] != "neurons"]
    # 10, 3 and 2 weights that are not zero. The first row sends 2 inputs to 3 neurons each, all of which fire, and the
    # second 2 inputs to 2 neurons, once, which fire too.
    assert [row["bit_budget"] for row in rows] == [5 * 1 * 32] * 3
    assert [row["s_ace"] for row in rows] == [10 * 160, 3 * 160, 2 * 160]
    events = [(5 * 6 + 4) / 2, (5 * 3 + 2) / 2, (5 * 2 + 2) / 2]
    assert [row["ns_ace"] for row in rows] == [32 * e for e in events]
    assert [row["activation_bits"] for row in rows] == [3, 3, 3]
    assert [row["memory_bits"] for row in rows] == [12 * 32, 6 * 32, 2 * 32]
    costs = bundle.costs
    assert (costs["bit_budget"], costs["s_ace"], costs["ns_ace"]) == (160, 15 * 160, 32 * sum(events))
    assert costs["weight_memory_bits"] == 20 * 32
    assert "5 x 1 x 32" in bundle.report()


@pytest.mark.parametrize(
    ("low", "high", "whole", "bits"),
    [(0, 0, True, 1), (0, 1, True, 1), (0, 2, True, 2), (-1, 1, True, 2), (-4, 3, True, 4), (0, 255, True, 8),
     (0, 0.5, False, 32), (-1e12, 1e12, True, 32)],
)  # fmt: skip
def test_bits_of_what_comes_in(low: float, high: float, whole: bool, bits: int):
    assert bits_of(low, high, whole) == bits


@given(st.integers(1, 300), st.integers(1, 8))
def test_activation_bits_hold_the_count_of_all_spikes_and_no_fewer_bits_do(steps: int, spike_bits: int):
    layer = LayerBudget("w", steps, spike_bits, 8, 1, 1.0, 8)
    levels = steps * (2**spike_bits - 1) + 1
    assert 2 ** (layer.activation_bits - 1) < levels <= 2**layer.activation_bits


LAYERS = st.lists(
    st.builds(
        lambda bits, weight_bits, connections, share: SynapseCounts(
            "w", "dense", 1.0, share * connections, bits, connections, connections, 0, 1, 1, weight_bits
        ),
        st.integers(1, 8), st.integers(1, 8), st.integers(1, 1000), st.floats(0, 4),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(LAYERS, st.integers(1, 20))
def test_the_budget_of_a_network_is_a_mean_of_its_layers(counts: list[SynapseCounts], steps: int):
    activity = Activity(1, steps, None, tuple(counts))
    layers = [budget_of(c, activity) for c in counts]
    total = totals(layers)
    budgets = [layer.bit_budget for layer in layers]
    assert min(budgets) <= total["bit_budget"] * (1 + 1e-12)
    assert total["bit_budget"] <= max(budgets) * (1 + 1e-12)
    assert total["s_ace"] == sum(c.connections * steps * c.input_bits * c.weight_bits for c in counts)
    assert total["ns_ace"] == pytest.approx(sum(c.events * c.input_bits * c.weight_bits for c in counts))
    assert totals([]) == {"bit_budget": 0, "s_ace": 0, "ns_ace": 0, "weight_memory_bits": 0}
