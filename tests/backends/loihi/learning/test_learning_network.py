"""Models whose synapses learn, compiled for Loihi 2: equal to the bit to their whole-number meaning and to Lava, close
to the model, or on the host with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from qsc.backends.loihi.learning_network import reasons_against_learning
from qsc.backends.loihi.program_file import load
from qsc.bridges.environments import find
from qsc.bridges.networks import Layer, make_network
from qsc.bridges.networks.building import Builder
from qsc.frontends.text import read
from qsc.ir import Module
from qsc.ir.interpreter import evaluate, evaluate_graph

STEPS = 40
NET = """main(p: spike[40,?,6], kick: spike[40,?,3]) {
  w0 = expand(@w, p, shape=[?,3,6]);
  x = constant(p, value=0, shape=[?,6]);
  y = constant(p, value=0, shape=[?,3]);
  v = constant(p, value=0, shape=[?,3]);
  d = constant(p, value=0, shape=[?,3]);
  e = constant(p, value=0, shape=[?,3]);
  learned, x9, y9, v9, d9, e9, spikes = scan(w0, x, y, v, d, e, p, kick, steps=40, carried=6, sequences=2) {
    body(w: f32[?,3,6], x: f32[?,6], y: f32[?,3], v: f32[?,3], d: f32[?,3], e: f32[?,3], p: spike[?,6],
         kick: spike[?,3]) {
      s, v1 = leaky(add(d, e), v, @beta, @threshold, reset="zero", delayed=false);
      brought = reshape(matmul(w, reshape(p, shape=[?,6,1])), shape=[?,3]);
      kicked = linear(kick, @teach);
      w1, x1, y1 = plasticity(p, s, w, x, y, RULE);
      return w1, x1, y1, v1, brought, kicked, s;
    }
  }
  return spikes, learned;
}"""
RULE = 'rule="0.04*x0*y1 + 0.04*y0*x1 - 0.004*x0*y0", x1=[10, 0.1], y1=[10, 0.1], low=0, high=1'


def model(rule: str = RULE, change: dict[str, str] | None = None) -> Module:
    """The net with weights of its own; change: what stands in its text -> what is put there."""
    text = NET.replace("RULE", rule)
    for before, after in (change or {}).items():
        assert before in text
        text = text.replace(before, after)
    rng = np.random.default_rng(0)
    weights = {
        "w": (rng.random((3, 6)) * 0.4).astype(np.float32),
        "beta": np.full(3, 0.9, np.float32),
        "threshold": np.ones(3, np.float32),
        "teach": (1.5 * np.eye(3)).astype(np.float32),
    }
    lines = [
        f"weight @{name}: f32[{','.join(map(str, array.shape))}] = {array.ravel().tolist()};"
        for name, array in weights.items()
    ]
    return read("\n".join([*lines, text]))


def given(rows: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = ((STEPS, rows, 6), 0.3), ((STEPS, rows, 3), 0.1)
    p, kick = ((rng.random(shape) < rate).astype(np.float32) for shape, rate in shapes)
    return p, kick


def reasons(module: Module) -> str:
    """Why learning stays on the host."""
    bundle = qsc.compile(module, target="loihi2", calibration=given(2), verify=False)
    programs = [load(bundle.artifact(launch.artifact)) for launch in bundle.launches()]
    assert not any(c.learning for program in programs for c in program.connections)
    return "; ".join(r["text"] for r in bundle.manifest["remarks"] if "on the host" in r["text"])


@pytest.fixture(scope="module")
def bundle() -> Any:
    return qsc.compile(model(), target="loihi2", calibration=given())


def test_it_runs_as_its_whole_numbers_mean(bundle: Any):
    """Spikes and learned weights: the simulator of the chip and the interpreter of `loihi_plasticity`."""
    found = bundle.verify()
    (program,) = [c for c in found.checks if c.kind == "program"]
    assert program.passed
    assert program.max_error == 0


def test_it_learns_as_the_model_does(bundle: Any):
    p, kick = given(16)
    spikes, learned = bundle.run(p, kick)
    wanted_spikes, wanted = (x.numpy() for x in evaluate(model(), (p, kick)))
    assert (spikes != wanted_spikes).mean() < 0.03
    start = model().weights["w"]
    assert np.abs(wanted - start).max() > 0.2
    # A unit of the chip is 0.004, and traces and weights are rounded at random in every step.
    assert np.abs(learned - wanted).mean() < 0.02
    assert np.corrcoef((learned - start).ravel(), (wanted - start).ravel())[0, 1] > 0.98


def test_what_is_said_and_held(bundle: Any):
    said = " ".join(r["text"] for r in bundle.manifest["remarks"])
    assert "learn by 1*2^-4*x0*y1 + 1*2^-4*y0*x1 - 1*2^0*x0*y0, 250 units a unit of weight" in said
    assert "upper bound: 255 for 250 (+2 %)" in said
    files = bundle.artifact("loihi2")
    assert "learns by 1*2^-4*x0*y1" in bundle.report()
    (plastic,) = [c for c in load(files).connections if c.learning is not None]
    np.testing.assert_array_equal(plastic.weight, np.rint(model().weights["w"] * 250))
    assert "LearningDense(" in files["lava_program.py"].decode()


def test_lava_runs_it(bundle: Any):
    if find("lava") is None:
        pytest.skip("Lava is not here: qsc env create lava")
    (check,) = [c for c in bundle.verify(importer="lava").checks if c.kind == "importer"]
    assert check.passed
    assert check.max_error == 0


def test_two_rules_one_scale_and_decimation():
    """A second layer with its own rule and w in it, and neurons whose spikes the first rule sees a step later."""
    rule = 'rule="2^-5*x0*y1 - 2^-7*u2*w", y1=[8, 0.5], low=-1, high=1'
    change = {
        "x = constant(p, value=0, shape=[?,6]);": 'x = constant(value=0, dtype="i64");',
        "x: f32[?,6], y: f32[?,3]": "x: i64[], y: f32[?,3]",
        "w1, x1, y1 = plasticity(p, s, w, x, y,": "w1, y1, x1 = plasticity(p, s, w, y, x,",
    }
    module = model(rule, change)
    found = qsc.compile(module, target="loihi2", calibration=given()).verify()
    assert {c.kind: c.max_error for c in found.checks}["program"] == 0


BROUGHT = "      brought = reshape(matmul(w, reshape(p, shape=[?,6,1])), shape=[?,3]);\n"
FIRED = '      s, v1 = leaky(add(d, e), v, @beta, @threshold, reset="zero", delayed=false);\n'
RULED = "w1, x1, y1 = plasticity(p, s, w, x, y,"


@pytest.mark.parametrize(
    ("rule", "change", "reason"),
    [
        ('rule="x0*y1 + y0*x1", x1=[10, 1], y1=[10, 1]', {}, "its weights have no bounds"),
        ('rule="u1*x1 + u2*x1*y1", x1=[10, 1], y1=[10, 1], low=0, high=1', {}, "it has u1 and u2"),
        (
            RULE,
            {BROUGHT: "", "return w1, x1": BROUGHT.replace("(w,", "(w1,") + "      return w1, x1"},
            "it reads the learned weights w1 in the step that makes them",
        ),
        (
            RULE,
            {
                FIRED: "",
                BROUGHT: BROUGHT + FIRED.replace("add(d, e)", "add(brought, e)"),
                "v1, brought,": "v1, kicked,",
            },
            "carry the current to the next step",
        ),
        (RULE, {"return w1, x1": "return w, x1"}, "it carries w, which is neither the state of a neuron nor a signal"),
        (
            'rule="0.04*x0*y1*y3", y1=[10, 1], third=["y3"], low=0, high=1',
            {RULED: "w1, y1 = plasticity(p, s, w, y, kick,", "w1, x1, y1, v1": "w1, x, y1, v1"},
            "it takes y3 as a third factor, and no neuron of a network delivers one",
        ),
    ],
)
def test_what_stays_on_the_host(rule: str, change: dict[str, str], reason: str):
    if "u1*" in rule:
        change = {
            "  v = const": '  n = constant(value=0, dtype="i64");\n  v = const',
            "scan(w0, x, y, v,": "scan(w0, n, x, y, v,",
            "carried=6": "carried=7",
            "learned, x9,": "learned, n9, x9,",
            "f32[?,3,6], x:": "f32[?,3,6], n: i64[], x:",
            RULED: "w1, x1, y1, n1 = plasticity(p, s, w, x, y, n,",
            "return w1,": "return w1, n1,",
        }
    assert reason in reasons(model(rule, change))


def test_a_program_of_float64_stays_on_the_host():
    text = Path(__file__).parents[4] / "examples" / "13-sym-stdp" / "learn.qsc"
    bundle = qsc.compile(text, target="loihi2", verify=False)
    assert not bundle.launches()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"post": ("other", 0)},
            "its rule sees input and other; on the chip it sees where its spikes come from and go to",
        ),
        ({"pre": ("input", 2)}, "its rule sees spikes of 2 steps ago, while it brings those of 0 steps ago"),
        (
            {"post": ("s", 2)},
            "its rule sees spikes of 2 steps ago behind it; the chip's sees those of this step or the last",
        ),
        (
            {"post": ("s", 1)},
            "takes 1 steps to its neurons, and on the chip 0 where the rule sees their spikes of 1 steps",
        ),
    ],
)
def test_a_rule_sees_what_the_chip_sees(fields: dict[str, Any], reason: str):
    bundle = qsc.compile(model(), target="loihi2", calibration=given(2), verify=False)
    network = make_network(bundle.launches()[0].body, bundle.program, wide=True, inputs=2)
    assert list(reasons_against_learning(network)) == []
    (part,) = [part for part in network.parts.values() if isinstance(part, Layer) and part.kind == "plastic"]
    part.fields.update(fields)
    (found,) = reasons_against_learning(network)
    assert reason in found


def test_a_network_is_built_as_it_was_read():
    module = model()
    bundle = qsc.compile(module, target="loihi2", calibration=given(2), verify=False)
    body = bundle.launches()[0].body
    network = make_network(body, bundle.program, wide=True, inputs=2)
    (name,) = [n for n, part in network.parts.items() if isinstance(part, Layer) and part.kind == "plastic"]
    assert sorted(network.outputs) == ["s", name]
    builder = Builder(network, dtype="f64")
    again = evaluate_graph(builder.graph(), Module("", weights=builder.weights), given(3))
    first = evaluate_graph(body, bundle.program, given(3))
    for a, b in zip(again, first, strict=True):
        np.testing.assert_array_equal(a, b)
