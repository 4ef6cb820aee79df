"""Runs learning rules in Lava: PYTHON_OF_LAVA lava_learning.py CASES.json RESULTS.json

For Python 3.10 with lava-nc 0.10, and nothing of qsc. A case: `dw`, `floating`, `three` (whether y1, y2, y3 come from
outside), `traces` (name -> [impulse, time constant]), `seed`, `sign`, `weights`, and the series `pre` (steps, in),
`post` (steps, out) and `y` (steps, 3, out). A result: the weights and the traces after every step.
"""
# pyright: reportMissingImports=false

import json
import sys

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, Loihi3FLearningRule
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from lava.proc.io.source import RingBuffer
from lava.utils.weightutils import SignMode


def source(series):
    """A process that sends a series (steps, n)."""
    return RingBuffer(data=np.asarray(series).T)


def run(case):
    kind = Loihi3FLearningRule if case["three"] else Loihi2FLearningRule
    parameters = {}
    for name, (impulse, tau) in case["traces"].items():
        parameters[f"{name}_impulse"] = impulse
        parameters[f"{name}_tau"] = tau
    rule = kind(dw=case["dw"], t_epoch=1, rng_seed=case["seed"], **parameters)
    weights = np.array(case["weights"], float if case["floating"] else int)
    dense = LearningDense(weights=weights, learning_rule=rule, sign_mode=SignMode[case["sign"].upper()])
    source(case["pre"]).s_out.connect(dense.s_in)
    source(case["post"]).s_out.connect(dense.s_in_bap)
    if case["three"]:
        for k, port in enumerate((dense.s_in_y1, dense.s_in_y2, dense.s_in_y3)):
            source([step[k] for step in case["y"]]).s_out.connect(port)
    config = Loihi2SimCfg(select_tag="floating_pt" if case["floating"] else "fixed_pt")
    found = {"weights": [], "x1": [], "x2": [], "y1": [], "y2": [], "y3": []}
    for _ in case["pre"]:
        dense.run(condition=RunSteps(num_steps=1), run_cfg=config)
        for name, series in found.items():
            series.append(getattr(dense, name).get().tolist())
    dense.stop()
    return found


def main():
    with open(sys.argv[1]) as file:
        cases = json.load(file)
    with open(sys.argv[2], "w") as file:
        json.dump([run(case) for case in cases], file)


if __name__ == "__main__":
    main()
