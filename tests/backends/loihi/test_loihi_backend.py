"""Models for Loihi 2: what the program spikes is what the compiled module means, and close to what the model did."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import qsc
import torch
from qsc.backends.loihi.lower import held_back
from qsc.backends.loihi.program_file import ARRAYS_FILE, JSON_FILE, dump, load
from qsc.bridges.networks import INPUT, Edge, Input, Layer, Network, Neurons
from qsc.bridges.networks.building import Builder
from qsc.ir import Module, ops
from qsc.ir.diagnostics import UNKNOWN

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_snn"
STEPS = 25


def layer(kind: str, shape: tuple[int, ...], **fields) -> Layer:
    return Layer(kind, shape, fields, kind, UNKNOWN)


def neurons(rng: np.random.Generator, shape: tuple[int, ...], *, cuba: bool = False, each: bool = False) -> Neurons:
    """Neurons that reset to zero, with one number for all or for each."""

    def draw(low: float, high: float) -> np.ndarray:
        return np.asarray(rng.uniform(low, high, shape if each else ()), np.float32)

    parameters = {"beta": draw(0.7, 0.97), "threshold": draw(0.6, 1.2)}
    if not cuba:
        return Neurons(ops.Leaky("zero"), shape, parameters, UNKNOWN)
    return Neurons(ops.Synaptic("zero", False), shape, {"alpha": draw(0.3, 0.8), **parameters}, UNKNOWN)


def dense(rng: np.random.Generator, inputs: int, outputs: int, bias: float = 0.1) -> Layer:
    weight = rng.normal(0.4 / np.sqrt(inputs), 1.2 / np.sqrt(inputs), (outputs, inputs)).astype(np.float32)
    added = {"bias": rng.normal(0, bias, outputs).astype(np.float32)} if bias else {}
    return layer("linear", (outputs,), weight=weight, **added)


def chain(shape: tuple[int, ...], parts: dict[str, Layer | Neurons], *, sequence: bool = False) -> Network:
    network = Network(STEPS, [Input(INPUT, shape, sequence)], dict(parts))
    for before, name in zip([INPUT, *parts], parts, strict=False):
        network.edges.append(Edge(before, name))
    network.outputs = [list(parts)[-1]]
    return network


def feed_forward(rng: np.random.Generator) -> Network:
    cuba = bool(rng.random() < 0.5)
    parts = {
        "a": dense(rng, 12, 20),
        "one": neurons(rng, (20,), cuba=cuba, each=True),
        "b": dense(rng, 20, 9),
        "two": neurons(rng, (9,), cuba=cuba),
        "c": dense(rng, 9, 6, 0.0),
        "three": neurons(rng, (6,)),
    }
    return chain((12,), parts, sequence=bool(rng.random() < 0.5))


def recurrent(rng: np.random.Generator) -> Network:
    network = feed_forward(rng)
    network.parts = {"back": dense(rng, 20, 20, 0.0), **network.parts}
    network.edges += [Edge("one", "back", 1), Edge("back", "one"), Edge("three", "again", 2), Edge("again", "two")]
    network.parts = {"again": dense(rng, 6, 9, 0.0), **network.parts}
    return network


def skipping(rng: np.random.Generator) -> Network:
    network = feed_forward(rng)
    network.parts = {"skip": dense(rng, 12, 6), **network.parts}
    network.edges += [Edge(INPUT, "skip", int(rng.integers(0, 3))), Edge("skip", "three")]
    return network


def delayed(rng: np.random.Generator) -> Network:
    network = feed_forward(rng)
    steps = rng.integers(0, 6, (9, 20))
    weight = dense(rng, 20, 9).array("weight")
    network.parts["b"] = layer("delayed_linear", (9,), weight=weight, steps=steps)
    return network


def convolution(rng: np.random.Generator) -> Network:
    kernel = rng.normal(0.1, 0.4, (4, 2, 3, 3)).astype(np.float32)
    second = rng.normal(0.1, 0.4, (3, 2, 3, 3)).astype(np.float32)
    plain = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    channels = rng.uniform(-0.1, 0.1, 4).astype(np.float32)
    parts = {
        "conv": layer("conv", (4, 8, 8), weight=kernel, bias=channels, **plain),
        "one": neurons(rng, (4, 8, 8), cuba=bool(rng.random() < 0.5)),
        "pool": layer("avg_pool", (4, 4, 4), kernel=(2, 2), stride=(2, 2), padding=(0, 0)),
        "grouped": layer("conv", (3, 2, 2), weight=second, **(plain | {"stride": (2, 2), "groups": 1})),
        "two": neurons(rng, (3, 2, 2)),
        "flat": layer("flatten", (12,), start=0, end=2),
        "c": dense(rng, 12, 5),
        "three": neurons(rng, (5,)),
    }
    parts["grouped"] = replace(
        parts["grouped"], fields={**parts["grouped"].fields, "weight": rng.normal(0.2, 0.5, (3, 4, 3, 3)).astype("f4")}
    )
    return chain((2, 8, 8), parts, sequence=bool(rng.random() < 0.5))


KINDS = {f.__name__: f for f in (feed_forward, recurrent, skipping, delayed, convolution)}


def module_of(network: Network) -> Module:
    builder = Builder(network)
    graph = builder.graph()
    return Module("net", weights=builder.weights, graph=graph)


def stimulus(network: Network, rng: np.random.Generator, *, spikes: bool) -> np.ndarray:
    (given,) = network.inputs
    shape = (STEPS, 24, *given.shape) if given.sequence else (24, *given.shape)
    return ((rng.random(shape) < 0.4) if spikes else rng.uniform(0, 1, shape)).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"split_signs": True}, {"weight_bits": 4}, {"input_bits": 4}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_program_is_exactly_what_the_module_in_whole_numbers_means(kind: str, seed: int, options: dict):
    """`verify` compares the simulator with the interpreter on fresh inputs, spike by spike."""
    rng = np.random.default_rng(seed)
    network = KINDS[kind](rng)
    x = stimulus(network, rng, spikes=seed == 1)
    bundle = qsc.compile(module_of(network), target="loihi2", calibration=[x], strict=True, **options)
    (check,) = (c for c in bundle.verify().checks if c.kind == "program")
    assert check.mismatches == 0
    assert not check.vacuous


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bits_spike_nearly_as_the_model(kind: str):
    rng = np.random.default_rng(7)
    network = KINDS[kind](rng)
    module, x = module_of(network), stimulus(network, rng, spikes=False)
    bundle = qsc.compile(module, target="loihi2", calibration=[x])
    from qsc.ir.interpreter import evaluate

    wanted = evaluate(module, [x])[0].numpy()
    assert 0.02 < wanted.mean() < 0.9
    assert (bundle.run(x) != wanted).mean() < 0.1
    counts = bundle.run(x).sum(axis=0), wanted.sum(axis=0)
    assert np.abs(counts[0] - counts[1]).mean() < 0.06 * counts[1].mean() + 0.2


def test_digits_keep_their_accuracy_at_eight_bits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXAMPLE.parent))
    model = importlib.import_module("digits_snn.model")
    _, _, images, labels = model.digits()
    bundle = qsc.compile(EXAMPLE / "model.py", target="loihi2", verify=False)
    with torch.no_grad():
        wanted = model.model(images).sum(0).argmax(1)
    given = torch.from_numpy(bundle.run(images.numpy())).sum(0).argmax(1)
    accuracies = [(found == labels).float().mean().item() for found in (given, wanted)]
    assert accuracies[0] >= accuracies[1] - 0.005


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (ops.Synaptic("subtract"), "takes the threshold off"),
        (ops.Leaky("none"), "leaves the potential"),
        (ops.Synaptic("zero", True), "drops the input of the step"),
    ],
)
def test_resets_that_the_chip_does_not_have_are_refused(op: ops.Leaky | ops.Synaptic, reason: str):
    rng = np.random.default_rng(0)
    made = neurons(rng, (4,), cuba=isinstance(op, ops.Synaptic))
    network = chain((3,), {"a": dense(rng, 3, 4), "n": replace(made, op=op)})
    x = stimulus(network, rng, spikes=False)
    with pytest.raises(qsc.QscError, match=reason) as caught:
        qsc.compile(module_of(network), target="loihi2", calibration=[x], strict=True)
    assert caught.value.exit_code == 3


def test_a_loop_that_is_faster_than_its_connections_is_refused():
    rng = np.random.default_rng(1)
    network = feed_forward(rng)
    network.parts = {"back": dense(rng, 6, 20, 0.0), **network.parts}
    network.edges += [Edge("three", "back", 1), Edge("back", "one")]
    with pytest.raises(qsc.QscError, match="takes fewer steps than it has connections") as caught:
        qsc.compile(module_of(network), target="loihi2", calibration=[stimulus(network, rng, spikes=False)])
    assert caught.value.exit_code == 3


def test_without_whole_numbers_nothing_is_emitted():
    rng = np.random.default_rng(1)
    network = feed_forward(rng)
    x = stimulus(network, rng, spikes=False)
    with pytest.raises(qsc.QscError, match="not in whole numbers"):
        qsc.compile(module_of(network), target="loihi2", calibration=[x], passes="partition")


def test_potentials_that_hold_a_bias_back():
    """Forward, by the chip's rule: `level` steps of bias alone end at zero."""
    rng = np.random.default_rng(2)
    bias, dv = rng.integers(-900, 900, 200), rng.integers(0, 1500, 200)
    part = replace(neurons(rng, (200,)), op=ops.LoihiLif())
    for level in range(6):
        v = held_back(bias, dv, np.asarray(1 << 10), level, "n", part)
        for _ in range(level):
            v = np.sign(v) * ((np.abs(v) * (4096 - dv)) >> 12) + bias
            assert (v <= (1 << 16)).all()
        assert not v.any()
    with pytest.raises(qsc.QscError, match="no initial potential makes up for it"):
        held_back(bias, dv, np.asarray(2), 3, "n", part)


def test_the_program_file_holds_the_program():
    rng = np.random.default_rng(5)
    network = convolution(rng)
    bundle = qsc.compile(module_of(network), target="loihi2", calibration=[stimulus(network, rng, spikes=False)])
    files = bundle.artifact("loihi2")
    program = load(files)
    again = dump(program)
    assert {name: files[name] for name in again} == again
    assert [p.name for p in program.populations] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (JSON_FILE, lambda data: data[:-30], "is damaged"),
        (JSON_FILE, lambda data: data.replace(b'"schema": 1', b'"schema": 9'), "schema 9"),
        (ARRAYS_FILE, lambda data: data[:40], "is damaged"),
        (JSON_FILE, lambda data: data.replace(b'"populations"', b'"people"'), "is damaged"),
    ],
)
def test_a_damaged_program_file_is_refused(name: str, change, message: str):
    rng = np.random.default_rng(5)
    network = feed_forward(rng)
    bundle = qsc.compile(module_of(network), target="loihi2", calibration=[stimulus(network, rng, spikes=False)])
    files = dict(bundle.artifact("loihi2"))
    files[name] = change(files[name])
    with pytest.raises(qsc.QscError, match=message):
        load(files)


def test_a_net_on_loihi_1_costs_what_its_events_cost():
    rng = np.random.default_rng(3)
    network = feed_forward(rng)
    x = stimulus(network, rng, spikes=True)
    bundle = qsc.compile(module_of(network), target="loihi1", calibration=[x], strict=True)
    # Twenty thresholds and decays of their own are more than a core's sixteen settings.
    assert (bundle.costs["cores"], bundle.costs["chips"]) == (2, 1)
    # Every neuron is looked at and updated in every step: the least that a run costs.
    steps = STEPS + 3
    least = 35 * steps * (51.2e-12 + 21.6e-12)
    assert least < bundle.costs["chip_energy_j"] < 3 * least + 1e-6
    assert steps * 1e-7 < bundle.costs["latency_s"] < steps * 1e-5
    files = bundle.artifact(bundle.launches()[0].artifact)
    assert files["chip.svg"].startswith(b"<svg")
    assert set(json.loads(files["mapping.json"])["core_of"]) == {"one", "two", "three"}


def test_graded_input_is_refused_where_the_chip_has_none():
    rng = np.random.default_rng(3)
    network = feed_forward(rng)
    with pytest.raises(qsc.QscError, match="graded") as caught:
        qsc.compile(module_of(network), target="loihi1", calibration=[stimulus(network, rng, spikes=False)])
    assert caught.value.exit_code == 3


def test_a_net_that_does_not_fit_says_what_is_over_and_what_would_help(tmp_path: Path):
    rng = np.random.default_rng(3)
    text = (Path(qsc.__file__).parent / "ir" / "target" / "loihi2.toml").read_text()
    small = text.replace('name = "loihi2"', 'name = "small"').replace("neurons = 8192", "neurons = 8")
    small = small.replace("cores = 120", "cores = 2").replace("chips = 1152", "chips = 1")
    (tmp_path / "small.toml").write_text(small)
    network = feed_forward(rng)
    with pytest.raises(qsc.QscError) as caught:
        qsc.compile(
            module_of(network),
            target=tmp_path / "small.toml",
            calibration=[stimulus(network, rng, spikes=True)],
        )
    assert caught.value.exit_code == 3
    text = str(caught.value)
    assert "the net takes 5 cores, 1 chips of small have 2, 3 too many" in text
    assert "one: on 3 cores, 20 neurons" in text
    assert "help: split it" in text


def test_a_script_for_lava_lies_beside_the_program():
    rng = np.random.default_rng(5)
    network = recurrent(rng)
    bundle = qsc.compile(module_of(network), target="loihi2", calibration=[stimulus(network, rng, spikes=False)])
    files = bundle.artifact("loihi2")
    assert b"LIF(" in files["lava_program.py"]
    compile(files["lava_program.py"], "lava_program.py", "exec")
    assert files["lava_arrays.npz"].startswith(b"PK")


def test_a_bias_that_no_initial_potential_makes_up_for_comes_by_synapses():
    """Strong biases against low thresholds, three layers deep: still what the whole numbers mean, spike by spike."""
    sources: list[str] = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        network = feed_forward(rng)
        for name, part in network.parts.items():
            if isinstance(part, Layer) and "bias" in part.fields:
                bias = rng.uniform(-1.5, 0.6, part.shape).astype(np.float32)
                network.parts[name] = replace(part, fields=part.fields | {"bias": bias})
        x = stimulus(network, rng, spikes=False) * 3
        bundle = qsc.compile(module_of(network), target="loihi2", calibration=[x], strict=True)
        (check,) = (c for c in bundle.verify().checks if c.kind == "program")
        assert check.mismatches == 0
        sources += [c.source for c in load(bundle.artifact("loihi2")).connections]
    assert "always" in sources
