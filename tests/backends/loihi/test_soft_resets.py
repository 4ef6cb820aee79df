"""Neurons that take the threshold off at a spike, on Loihi 2: by the current register, which no reset touches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import qsc
from qsc.backends.loihi.resets import reason_against_reset
from qsc.bridges.environments import find
from qsc.bridges.networks import INPUT, Edge, Input, Layer, Network, Neurons
from qsc.bridges.networks.building import Builder
from qsc.ir import Module, ops
from qsc.ir.diagnostics import UNKNOWN
from qsc.ir.interpreter import evaluate

STEPS, ROWS = 40, 16


def layer(kind: str, shape: tuple[int, ...], **fields) -> Layer:
    return Layer(kind, shape, fields, kind, UNKNOWN)


def soft(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Neurons:
    """Neurons of a kind, with a threshold of 1."""

    def numbers(**given) -> dict[str, np.ndarray]:
        return {name: np.asarray(value, np.float32) for name, value in given.items()}

    each = rng.uniform(0.3, 0.95, shape) if len(shape) == 1 else 0.8
    made = {
        "snntorch": (ops.Leaky("subtract"), numbers(beta=each, threshold=1)),
        "drain": (ops.Lif("drain", 1.0, "subtract", inclusive=True), numbers(steps=2, v_rest=0, threshold=1)),
        "charge": (ops.Lif("charge", 1.0, "subtract", inclusive=True), numbers(steps=5, v_rest=0.1, threshold=1)),
        "leak": (ops.Lif("leak", 1e-3, "subtract"), numbers(tau=6e-3, r=5, v_leak=0.05, threshold=1)),
        "forgetful": (ops.Lif("decay", 1.0, "subtract"), numbers(beta=0, threshold=1)),
    }
    op, parameters = made[kind]
    return Neurons(op, shape, parameters, UNKNOWN)


KINDS = ("snntorch", "drain", "charge", "leak", "forgetful")


def chain(shape: tuple[int, ...], parts: dict[str, Layer | Neurons], *, sequence: bool = True) -> Network:
    network = Network(STEPS, [Input(INPUT, shape, sequence)], dict(parts))
    for before, name in zip([INPUT, *parts], parts, strict=False):
        network.edges.append(Edge(before, name))
    network.outputs = [list(parts)[-1]]
    return network


def dense(rng: np.random.Generator, inputs: int, outputs: int, largest: float = 1.5) -> Layer:
    weight = rng.uniform(-largest / 2, largest, (outputs, inputs)) * 3 / inputs
    return layer("linear", (outputs,), weight=weight.astype(np.float32))


def two_layers(kind: str, rng: np.random.Generator) -> Network:
    one, two = soft((14,), kind, rng), soft((6,), kind, rng)
    largest = 2.5 / float(one.membrane()[1].max())
    return chain((10,), {"a": dense(rng, 10, 14, largest), "one": one, "b": dense(rng, 14, 6, largest), "two": two})


def convolution(kind: str, rng: np.random.Generator) -> Network:
    kernel = rng.uniform(-0.2, 0.8, (3, 2, 3, 3)).astype(np.float32)
    bias = rng.uniform(0, 0.2, 3).astype(np.float32)
    plain = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    conv = layer("conv", (3, 5, 5), weight=kernel, bias=bias, **plain)
    return chain((2, 5, 5), {"conv": conv, "one": soft((3, 5, 5), kind, rng)})


def module_of(network: Network) -> Module:
    builder = Builder(network)
    return Module("net", weights=builder.weights, graph=builder.graph())


def spikes_for(network: Network, rng: np.random.Generator) -> np.ndarray:
    return (rng.random((STEPS, ROWS, *network.inputs[0].shape)) < 0.4).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"weight_bits": 5}, {"split_signs": True}], ids=str)
@pytest.mark.parametrize("make", [two_layers, convolution])
@pytest.mark.parametrize("kind", KINDS)
def test_the_program_is_what_the_whole_numbers_mean(kind: str, make, options: dict):
    rng = np.random.default_rng(3)
    network = make(kind, rng)
    bundle = qsc.compile(
        module_of(network), target="loihi2", calibration=[spikes_for(network, rng)], strict=True, **options
    )
    (check,) = (c for c in bundle.verify().checks if c.kind == "program")
    assert check.mismatches == 0
    assert not check.vacuous


@pytest.mark.parametrize("make", [two_layers, convolution])
@pytest.mark.parametrize("kind", KINDS)
def test_it_spikes_nearly_as_the_model_and_not_as_one_that_is_reset_to_zero(kind: str, make):
    rng = np.random.default_rng(5)
    network = make(kind, rng)
    x = spikes_for(network, rng)
    module = module_of(network)
    wanted = evaluate(module, [x])[0].numpy()
    given = qsc.compile(module, target="loihi2", calibration=[x]).run(x)
    assert 0.02 < wanted.mean() < 0.98
    off = np.abs(given.sum(axis=0) - wanted.sum(axis=0)).mean()
    assert off < 0.05 * wanted.sum(axis=0).mean()
    if kind != "forgetful":
        hard = reset_to_zero(network)
        assert (evaluate(module_of(hard), [x])[0].numpy() != wanted).mean() > 2 * (given != wanted).mean()


def reset_to_zero(network: Network) -> Network:
    parts = dict(network.parts)
    for name, part in parts.items():
        if isinstance(part, Neurons):
            zero = isinstance(part.op, ops.Leaky)
            op = replace(part.op, reset="zero") if zero else replace(part.op, reset="value")
            more = {} if zero else {"v_reset": np.float32(0)}
            parts[name] = replace(part, op=op, parameters=part.parameters | more)
    return replace(network, parts=parts)


@pytest.mark.parametrize("decay", [0.25, 0.5, 0.75])
def test_weights_that_need_no_rounding_leave_the_shown_rest(decay: float):
    """Inputs, weights and thresholds that the chip holds as they are: what is left is 1/4096 of the last potential."""
    rng = np.random.default_rng(11)
    weight = rng.choice([-32, 16, 32, 48, 127], (12, 8)).astype(np.float32) / 64
    parameters = {"beta": np.array(decay, "f4"), "threshold": np.array(1 - 1 / 1024, "f4")}
    cells = Neurons(ops.Lif("decay", 1.0, "subtract"), (12,), parameters, UNKNOWN)
    network = chain((8,), {"a": layer("linear", (12,), weight=weight), "n": cells})
    x = spikes_for(network, rng)
    module = module_of(network)
    wanted = evaluate(module, [x])[0].numpy()
    assert 0.1 < wanted.mean() < 0.9
    assert (qsc.compile(module, target="loihi2", calibration=[x]).run(x) != wanted).mean() < 1 / 2000


def test_lava_takes_the_threshold_off():
    if find("lava") is None:
        pytest.skip("Lava is not here: qsc env create lava")
    rng = np.random.default_rng(1)
    network = two_layers("drain", rng)
    bundle = qsc.compile(module_of(network), target="loihi2", calibration=[spikes_for(network, rng)], strict=True)
    report = bundle.verify(importer="lava")
    (check,) = (c for c in report.checks if c.kind == "importer")
    assert check.mismatches == 0, check


@pytest.mark.parametrize(
    ("op", "parameters", "reason"),
    [
        (ops.Lif("add", 1.0, "subtract"), {}, "keeps 1 of itself"),
        (ops.Leaky("subtract", False), {"beta": 0.9}, "twice"),
        (ops.Synaptic("subtract"), {"alpha": 0.5, "beta": 0.9}, "synaptic current of their own"),
    ],
)
def test_what_the_chip_cannot_take_off_is_refused(op, parameters: dict[str, float], reason: str):
    rng = np.random.default_rng(0)
    given = {name: np.array(value, "f4") for name, value in {**parameters, "threshold": 1.0}.items()}
    network = chain((3,), {"a": dense(rng, 3, 4), "n": Neurons(op, (4,), given, UNKNOWN)})
    with pytest.raises(qsc.QscError, match=reason) as caught:
        qsc.compile(module_of(network), target="loihi2", calibration=[spikes_for(network, rng)], strict=True)
    assert caught.value.exit_code == 3


def test_amounts_that_differ_within_a_channel_are_refused():
    threshold = np.linspace(0.5, 1, 12).reshape(3, 2, 2).astype(np.float32)
    op = ops.Lif("decay", 1.0, "subtract")
    made = Neurons(op, (3, 2, 2), {"beta": np.array(0.5, "f4"), "threshold": threshold}, UNKNOWN)
    assert "within a channel" in (reason_against_reset(made) or "")
