"""Row 13, symmetric STDP: the pairing curve, the learning net against Brian2, digits, and learning on the chip."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import qsc
from qsc.backends.loihi.lava import Job, run_in_lava
from qsc.backends.loihi.simulator import run
from qsc.bridges.environments import find
from qsc.frontends.text import read_file
from qsc.ir.interpreter import evaluate as evaluate_module

FOLDER = "13-sym-stdp"


@pytest.fixture(scope="module")
def evaluate(load_example) -> ModuleType:
    load_example(FOLDER, "reference")
    return load_example(FOLDER, "evaluate")


def test_the_pairing_curve(evaluate: ModuleType):
    distances, change, wanted = evaluate.pairing()
    assert len(distances) == 201
    assert np.abs(change - wanted).max() < 1e-15
    assert np.abs(change - change[::-1]).max() < 1e-15


def test_a_second_of_the_net_is_brians(evaluate: ModuleType):
    worst, differing = evaluate.trajectory(dict(np.load(evaluate.KEPT)))
    assert worst < 1e-6
    assert differing == 0


def test_a_second_of_the_net_is_brians_live(evaluate: ModuleType, load_example):
    python = find("brian2")
    if python is None:
        pytest.skip("Brian2 is not here: qsc env create brian2")
    reference = load_example(FOLDER, "reference")
    given = reference.given()
    found = reference.in_brian2(python, given)
    moved = np.abs(found["pe"][-1] - given["pe"]).max()
    worst, differing = evaluate.trajectory(found | {f"given_{k}": v for k, v in given.items()})
    assert found["spikes"].sum() > 50
    assert moved > 0.01
    assert worst < 1e-6
    assert differing == 0


def test_digits_are_learned(evaluate: ModuleType):
    program = qsc.compile(evaluate.FOLDER / "recall.qsc", target="host")
    assert evaluate.accuracy(program, 1) >= 0.8


def test_the_rules_are_exact_on_the_chip(evaluate: ModuleType):
    for op, text in zip(evaluate.rules(), ("1*2^-7*x0*y1 + 1*2^-7*y0*x1 - 1*2^-3*x0*y0",) * 2, strict=True):
        chip, said = evaluate.on_chip(op)
        assert chip.text == text
        assert [r.what for r in chip.roundings] == ["upper bound"]
        assert "+2 %" in said


@pytest.mark.parametrize("target", ["nir", "loihi2"])
def test_conductances_stay_on_the_host(evaluate: ModuleType, target: str):
    bundle = qsc.compile(evaluate.FOLDER / "recall.qsc", target=target, verify=False)
    assert not bundle.launches()
    assert any("on the host: scan: it computes in float64" in r["text"] for r in bundle.manifest["remarks"])


@pytest.mark.parametrize("target", ["nir", "loihi2"])
def test_what_the_chip_has_learned(evaluate: ModuleType, target: str):
    program = evaluate.recall_for(target)
    assert program.launches()
    assert program.verify().passed
    assert evaluate.right(program, 1) >= 0.78


@pytest.fixture(scope="module")
def lesson(evaluate: ModuleType):
    """(the compiled chip, one sample and its teacher)."""
    rng = np.random.default_rng(3)
    images, labels, _, _ = evaluate.digits()
    chip = evaluate.chip.Chip(evaluate.chip.compiled(images[:2], labels[:2], rng))
    return chip, evaluate.chip.lessons(images[[7]], labels[[7]], rng), int(labels[7])


def test_a_lesson_on_the_chip_is_what_the_program_means(lesson, evaluate: ModuleType):
    """The chip's learning against the same op in floats: as many spikes, and pixels and classes that gain as much."""
    chip, (p, teacher), label = lesson
    before = {name: chip.weights(name) for name in (chip.pe, chip.ec)}
    fired = chip.show(p, teacher)
    module = read_file(evaluate.chip.LEARN).module
    pe, ec, spikes, classes = (x.numpy() for x in evaluate_module(module, (p, teacher)))
    assert classes.sum(0)[0].argmax() == label
    assert abs(fired.sum() - spikes.sum()) < 0.2 * spikes.sum()
    # Which E wins first is chance; how much each pixel and each class gains is hardly.
    for name, wanted, axis in ((chip.pe, pe[0], 0), (chip.ec, ec[0], 1)):
        grown, meant = ((w - before[name]).sum(axis) for w in (chip.weights(name), wanted))
        assert np.corrcoef(grown, meant)[0, 1] > 0.75
    assert (chip.weights(chip.ec) - before[chip.ec]).sum(1).argmax() == label
    chip.settle(fired)
    assert np.allclose(chip.weights(chip.pe).sum(1), evaluate.chip.UNIT * 0.3 * 64, rtol=0.01)


def test_lava_learns_the_same(lesson):
    if find("lava") is None:
        pytest.skip("Lava is not here: qsc env create lava")
    chip, (p, teacher), _ = lesson
    names, steps = [s.name for s in chip.program.sources], 60
    given = {name: x[:steps].astype(np.int32) for name, x in zip(names, (p, teacher), strict=True)}
    ours = run(chip.program, given, steps, ("spikes", "v"))
    (ran,) = run_in_lava([Job(chip.program, {name: x[:, 0] for name, x in given.items()}, steps)], timeout=200)
    assert sum(s.sum() for s in ours.spikes.values()) > 10
    for kind in ("spikes", "v", "weights"):
        for name, values in getattr(ran.traces, kind).items():
            np.testing.assert_array_equal(getattr(ours, kind)[name], values)
