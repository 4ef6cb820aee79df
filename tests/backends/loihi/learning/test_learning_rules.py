"""Rules in real numbers put on the chip: what is exact, what is rounded and said, what is refused."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from qsc.backends.loihi.learning import ChipRule, chip_rule
from qsc.backends.loihi.learning_fixed import FixedLearning
from qsc.backends.loihi.learning_script import IMPORTS, lava_lines
from qsc.ir import TargetError
from qsc.ir.ops import Plasticity
from qsc.ir.plasticity import parse_rule
from qsc.ir.whole_learning import LEAST, MANTISSA, MOST, TRACE_LIMIT, nearest

SYMMETRIC = Plasticity("0.04*x0*y1 + 0.04*y0*x1 - 0.004*x0*y0", x1=(40.0, 0.1), y1=(40.0, 0.1), low=0.0, high=8.0)


def test_symmetric_stdp_is_exact():
    chip = chip_rule(SYMMETRIC)
    assert chip.text == "1*2^-7*x0*y1 + 1*2^-7*y0*x1 - 1*2^-3*x0*y0"
    assert chip.sign == "excitatory"
    assert {t.impulse for t in chip.traces.values()} == {16}
    (bound,) = chip.roundings
    assert bound.what == "upper bound"
    assert bound.given == 255
    assert bound.relative == pytest.approx(0.02)


def test_in_floating_point_everything_goes_into_the_impulses():
    op = Plasticity("0.04*x0*y1 + 0.04*y0*x1", x1=(40.0, 0.1), y1=(40.0, 0.1))
    chip = chip_rule(op, fixed=False)
    assert not chip.roundings
    (constant,) = {p.mantissa * 2.0**p.exponent for p in chip.products}
    assert constant * chip.traces["x1"].impulse == pytest.approx(0.004, rel=1e-15)


def test_two_constants_that_no_scale_joins():
    op = Plasticity("0.1*x0*y1 - 0.123*y0*y1*x0", y1=(20.0, 1.0), low=-1.0, high=1.0)
    chip = chip_rule(op)
    rounded = [r for r in chip.roundings if "constant" in r.what]
    assert rounded
    assert all(abs(r.relative) < 0.07 for r in rounded)
    assert "%" in str(rounded[0])


def test_a_shift_of_the_model_is_made_up_for():
    """x0*y1*y2 has 18 bits, so Lava's fixed point divides it by 8."""
    op = Plasticity("2^-6*x0*y1*y2", y1=(20.0, 8.0), y2=(20.0, 8.0), low=-256, high=256)
    chip = chip_rule(op, weight_scale=1.0, peaks={"y1": TRACE_LIMIT / 1, "y2": TRACE_LIMIT / 1})
    assert chip.products[0].shift == 3
    assert chip.products[0].exponent == -3


FACTORS = st.lists(st.sampled_from(["x1", "x2", "y1", "y2", "w"]), max_size=2, unique=True)
TERMS = st.tuples(st.sampled_from(["x0", "y0", "u2"]), FACTORS, st.floats(0.01, 0.5), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(TERMS, min_size=1, max_size=3), st.sampled_from([(-1.0, 1.0), (0.0, 3.0), (-0.5, 0.0)]))
def test_what_comes_out_is_in_the_grammar(terms: list, bounds: tuple[float, float]):
    text = " + ".join("*".join([f"{'-' if sign else ''}{c!r}", gate, *names]) for gate, names, c, sign in terms)
    text = text.replace("+ -", "- ")
    rule = parse_rule(text)
    traces: dict[str, Any] = dict.fromkeys(rule.traces, (20.0, 0.5))
    op = Plasticity(text, **traces, low=bounds[0], high=bounds[1])
    try:
        chip = chip_rule(op)
    except TargetError:
        reject()
    assert all(abs(p.mantissa) <= MANTISSA and LEAST <= p.exponent <= MOST for p in chip.products)
    assert all(t.impulse == int(t.impulse) and 1 <= t.impulse <= TRACE_LIMIT for t in chip.traces.values())
    assert parse_rule(chip.text).traces == rule.traces
    for product, chip_product in zip(rule.products, chip.products, strict=True):
        units = math.prod(chip.weight_scale if f.name == "w" else chip.traces[f.name].scale for f in product.factors)
        held = chip_product.mantissa * 2.0 ** (chip_product.exponent - chip_product.shift) * units / chip.weight_scale
        assert abs(held / product.coefficient - 1) < 0.5
        said = [r for r in chip.roundings if r.what == f"the constant of `{product}`"]
        assert bool(said) == (not math.isclose(held, product.coefficient, rel_tol=1e-9))


def test_nearest_is_the_nearest():
    known = [m * 2.0**e for m in range(1, MANTISSA + 1) for e in range(LEAST, MOST + 1)]
    for wanted in np.geomspace(2.0**LEAST, 7 * 2.0**MOST, 500):
        found = nearest(-wanted, 0)
        assert found is not None
        assert abs(found[0] * 2.0 ** found[1] + wanted) == min(abs(k - wanted) for k in known)
    assert nearest(2.0**LEAST / 2.01, 0) is None


REFUSED = {
    "u1*x1 + u2*x1": ("it has u1 and u2", {}),
    "0.00001*u0*w": ("is 1e-05 in units of the chip, and the least it has is 0.00781", {"high": 1.0, "low": -1.0}),
    "x0": ("its weights have no bounds", {}),
    "100*x0": ("the largest it has is 1792", {"high": 1.0, "low": 0.0}),
    "x0*x1*x2*y1*y2": ("has 32 bits, the chip's products 31", {}),
    "0*x0": ("all its constants are 0", {"high": 1.0, "low": 0.0}),
    "x0*(w + 5)": ("5 beside w in `1*x0*(w + 5)` is 1275 in units of the chip", {"high": 1.0, "low": 0.0}),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_chip_cannot_hold(text: str):
    message, bounds = REFUSED[text]
    op = Plasticity(text, **dict.fromkeys(parse_rule(text).traces, (20.0, 1.0)), **bounds)
    with pytest.raises(TargetError) as caught:
        chip_rule(op)
    (found,) = caught.value.diagnostics
    assert found.code == "T0003"
    assert message in found.message
    assert found.help


def test_two_spikes_in_a_product_are_not_for_floating_point():
    with pytest.raises(TargetError, match=r"does not evaluate x0\*y0"):
        chip_rule(SYMMETRIC, fixed=False)


def test_a_rule_of_three_factors_says_what_the_neuron_delivers():
    op = Plasticity("0.05*u0*x1*y1*y3", x1=(20.0, 0.5), y1=(10.0, 0.5), third=("y3",), low=-1.0, high=1.0)
    chip = chip_rule(op, peaks={"y3": 2.0})
    assert chip.three_factor
    assert chip.traces["y3"].delivered
    assert chip.traces["y1"].delivered
    assert not chip.traces["x1"].delivered
    text = "\n".join(lava_lines(chip, "synapses", "weights", "pre", "post"))
    assert "Loihi3FLearningRule" in text
    assert "y1_impulse" not in text
    assert "deliver y3, the third factor times" in text


def learned(chip: ChipRule, trials: int, rounding: str) -> np.ndarray:
    """Weight change a pair, in the rule's units, for spikes after the synapse 15 steps too early to 15 too late."""
    distances = np.arange(-15, 16)
    learning = FixedLearning(chip, np.full((31, 1), 60), rounding=rounding)
    for step in [*range(200)] * trials:
        learning.step(np.array([step == 20]), np.equal(step, 20 + distances))
    return (learning.weights[:, 0] - 60) / chip.weight_scale / trials


def test_stochastic_rounding_learns_less_than_a_bit_on_average():
    """A pair changes the weight by an eighth of a bit: rounding to the nearest learns nothing, rounding at random
    does. 60 trials of 31 pairs are some 180 random bits, 7 % of deviation."""
    chip = chip_rule(SYMMETRIC)
    assert not learned(chip, 2, "nearest").any()
    wanted = 0.004 * np.exp(-np.abs(np.arange(-15, 16)) / 40)
    assert learned(chip, 60, "stochastic").sum() == pytest.approx(wanted.sum(), rel=0.3)


def test_what_cannot_be_stepped():
    chip = chip_rule(SYMMETRIC)
    for weights, rounding in (
        (np.array([[256]]), "stochastic"),
        (np.array([[-1]]), "nearest"),
        (np.array([[1]]), "up"),
    ):
        with pytest.raises(ValueError, match=r"0\.\.255|rounding is"):
            FixedLearning(chip, weights, rounding=rounding)
    floating = chip_rule(Plasticity("x0*y1", y1=(20.0, 1.0)), fixed=False)
    with pytest.raises(ValueError, match="fixed=True"):
        FixedLearning(floating, np.array([[1]]))


SCRIPT = """import json
import sys
import numpy as np
{imports}
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF

pre = RingBuffer(data=np.array({spikes}).T)
post = LIF(shape=(2,), du=4095, dv=0, vth=4, bias_mant=np.array([0, 0]))
{lines}
synapses.run(condition=RunSteps(num_steps=60), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
json.dump([synapses.weights.get().tolist(), post.v.get().tolist()], open(sys.argv[1], "w"))
synapses.stop()
"""


def test_the_script_runs_in_lava(lava_python: str, tmp_path: Path):
    """The neurons are Lava's, driven by the synapses that learn; the same net here, step by step."""
    op = Plasticity("0.1*x0*y1 + 0.3*y0*x1", x1=(10.0, 1.0), y1=(10.0, 1.0), low=0.0, high=10.0)
    chip = chip_rule(op)
    rng = np.random.default_rng(0)
    weights, spikes = rng.integers(0, 150, (2, 3)), (rng.random((60, 3)) < 0.3).astype(int)
    lines = lava_lines(chip, "synapses", f"np.array({weights.tolist()})", "pre", "post", seed=5)
    text = SCRIPT.format(imports="\n".join(IMPORTS), spikes=spikes.tolist(), lines="\n".join(lines))
    (tmp_path / "net.py").write_text(text, encoding="utf-8")
    found = tmp_path / "found.json"
    subprocess.run([lava_python, str(tmp_path / "net.py"), str(found)], check=True, timeout=200, capture_output=True)
    learned, potential = json.loads(found.read_text(encoding="utf-8"))
    learning = FixedLearning(chip, weights, seed=5)
    v, arriving = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for now in spikes:
        v = v + (arriving << 6)
        fired = v > 4 << 6
        v = np.where(fired, 0, v)
        arriving = learning.weights @ now
        learning.step(now, fired)
    assert np.array_equal(learning.weights, learned)
    assert np.array_equal(v, potential)
    assert not np.array_equal(learning.weights, weights)
