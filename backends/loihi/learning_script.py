"""A plastic connection as lines of a Lava script."""

from __future__ import annotations

from ...ir.plasticity import POST_TRACES, PRE_TRACES
from ...ir.whole_learning import WholeRule

IMPORTS = (
    "from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, Loihi3FLearningRule",
    "from lava.proc.dense.process import LearningDense",
    "from lava.utils.weightutils import SignMode",
)
"""What the lines of `lava_lines` need, beside numpy as np."""


def lava_lines(
    rule: WholeRule, name: str, weights: str, pre: str, post: str, *, seed: int = 0, weight_exponent: int = 0
) -> list[str]:
    """The rule, the synapses and how they are connected, one statement a line.

    name: a Python name for the synapses; weights: an expression for the matrix (out, in) in the chip's units; pre and
    post: expressions for the processes before and after. The process after needs `a_in` and sends its spikes by
    `s_out`, as LIF does, and for a three-factor rule its traces by `s_out_y1`, `s_out_y2` and `s_out_y3`, in the chip's
    units.
    """
    kind = "Loihi3FLearningRule" if rule.three_factor else "Loihi2FLearningRule"
    own = PRE_TRACES if rule.three_factor else PRE_TRACES + POST_TRACES
    lines = [
        f"# The neurons after it deliver {key}, {_delivery(rule, key)}."
        for key, trace in rule.traces.items()
        if trace.delivered
    ]
    lines += [f"{name}_rule = {kind}(", f"    dw={rule.text!r},"]
    for key in own:
        if key in rule.traces:
            trace = rule.traces[key]
            lines.append(f"    {key}_impulse={trace.impulse!r}, {key}_tau={trace.tau!r},")
    lines += [f"    t_epoch=1, rng_seed={seed},", ")"]
    sign = f"SignMode.{rule.sign.upper()}"
    lines += [
        f"{name} = LearningDense(",
        f"    weights={weights}, weight_exp={weight_exponent}, sign_mode={sign}, learning_rule={name}_rule",
        ")",
        f"{pre}.s_out.connect({name}.s_in)",
        f"{name}.a_out.connect({post}.a_in)",
        f"{post}.s_out.connect({name}.s_in_bap)",
    ]
    if rule.three_factor:
        lines += [f"{post}.s_out_{key}.connect({name}.s_in_{key})" for key in POST_TRACES]
    return lines


def _delivery(rule: WholeRule, key: str) -> str:
    trace = rule.traces[key]
    if trace.tau or trace.impulse:
        return f"a trace of their spikes with the impulse {trace.impulse:g} and the time constant {trace.tau:g}"
    return f"the third factor times {trace.scale:g}"
