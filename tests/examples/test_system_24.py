"""Row 24, a QCNN of eight qubits that may run as four and five: against PennyLane, and cut by hand at wire 3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qsc
import torch

FOLDER = "24-distributed-qcnn"
KERNELS = ("published", "entangling")
SOME = 40
"""Test digits on which the reference runs."""


def by_pennylane(kernel: str, angles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same circuit on `default.qubit`, (batch, 32); wires 7 to 3, so that qubit 3 is the least significant bit."""
    qml: Any = pytest.importorskip("pennylane")

    @qml.qnode(qml.device("default.qubit", wires=8))
    def circuit() -> Any:
        for q in range(8):
            qml.Hadamard(q)
            qml.RY(angles[:, q], q)
        for i, (w0, w1, w2, w3, w4) in enumerate(weights):
            turn, wires = {
                "published": (qml.CRZ, [i, i + 1]),
                "second": (qml.CRZ, [i + 1, i]),
                "entangling": (qml.CRX, [i + 1, i]),
            }[kernel]
            qml.RZ(w0, i + 1)
            turn(w1, wires)
            qml.RY(w2, i + 1)
            qml.CNOT([i, i + 1])
            qml.RY(w3, i + 1)
            turn(w4, wires)
        return qml.probs(wires=[7, 6, 5, 4, 3])

    return np.asarray(circuit())


@pytest.fixture(scope="module", params=KERNELS)
def middle(request: pytest.FixtureRequest, load_example) -> Any:
    """The trained circuit of a kernel at the angles of every test digit."""
    return load_example(FOLDER, "evaluate").Middle(request.param)


def test_the_layer_is_what_pennylane_and_numpy_give(middle: Any):
    given = middle.outputs.numpy()
    assert np.abs(given[:SOME] - by_pennylane(middle.kernel, middle.angles[:SOME], middle.weights)).max() < 1e-12
    assert np.abs(given - middle.uncut).max() < 1e-12


def test_the_compiled_circuit_is_what_pennylane_gives(middle: Any):
    layer = middle.network.middle
    bundle = qsc.compile(layer, target="line:8", example_input=middle.inputs[:4], effort="fast")
    given = bundle.run(middle.angles[:SOME])
    assert np.abs(given - by_pennylane(middle.kernel, middle.angles[:SOME], middle.weights)).max() < 1e-12
    assert bundle.costs["qubits"] == 8
    assert bundle.costs["two_qubit_gates"] <= {"published": 14, "entangling": 21}[middle.kernel]


def test_the_compiled_network(middle: Any, load_example):
    module = load_example(FOLDER)
    bundle = qsc.compile(
        module.trained(middle.kernel), target="line:8", example_input=module.example_input, effort="fast"
    )
    with torch.no_grad():
        wanted = middle.network(middle.images).numpy()
    given = bundle.run(middle.images.float())
    assert np.abs(given - wanted).max() < 1e-9
    assert (given.argmax(1) == middle.labels.numpy()).mean() >= 0.96


def test_five_qubits_suffice_without_a_cut(middle: Any):
    layer = middle.network.middle
    bundle = qsc.compile(layer, target="all:5", example_input=middle.inputs[:4], effort="fast", reuse=True)
    assert np.abs(bundle.run(middle.angles[:SOME]) - middle.outputs[:SOME].numpy()).max() < 1e-12
    assert bundle.costs["qubits"] == 2
    assert bundle.costs["executions"] == 1


def test_the_answer_goes_through_the_circuit(middle: Any):
    assert middle.accuracy(middle.outputs.mean(0).expand_as(middle.outputs)) <= 0.15


def test_the_cut_by_hand(middle: Any):
    """All six states give the uncut circuit; 0 and 1 alone do where wire 3 is only a control behind the cut."""
    assert np.abs(middle.reconstructed() - middle.uncut).max() < 1e-12
    error = np.abs(middle.reconstructed(("0", "1")) - middle.uncut).max()
    swapped = np.abs(middle.reconstructed(swapped=True) - middle.uncut).max()
    if middle.kernel == "published":
        assert error < 1e-12
        assert swapped < 1e-12  # so this fault is invisible
    else:
        assert error > 0.01
        assert swapped > 0.01


def test_encoding_the_cut_wire_again_is_wrong(middle: Any):
    for states in ((), ("0", "1")):
        assert np.abs(middle.reconstructed(states, again=True) - middle.uncut).max() > 0.05


def test_measured_controls(middle: Any):
    """The published kernel gives the same when the first qubit of each pair is measured before the pair's gates."""
    change = np.abs(middle.measured(SOME) - middle.outputs[:SOME].numpy()).max()
    assert change < 1e-12 if middle.kernel == "published" else change > 0.05


def test_angles_without_effect(middle: Any):
    """What follows the last CRZ of a pair only controls with its two qubits, or reads them in Z."""
    assert middle.idle_angles() == {"published": 7, "entangling": 0}[middle.kernel]


def test_which_qubit_controls_crz_is_only_another_name_for_its_angles(load_example):
    """CRZ(t) from i to i + 1 is that from i + 1 to i with RZ(t/2) more on i + 1, and less on i, where none sees it."""
    by_hand = load_example(FOLDER, "by_hand")
    rng = np.random.default_rng(0)
    angles, weights = rng.uniform(-2, 2, (10, 8)), rng.uniform(-3, 3, (7, 5))
    renamed = weights.copy()
    renamed[:, 0] += weights[:, 1] / 2
    first = by_hand.uncut(angles, weights, "published")
    assert np.abs(first - by_hand.uncut(angles, renamed, "second")).max() < 1e-12
    assert np.abs(first - by_hand.uncut(angles, weights, "second")).max() > 0.01
    assert np.abs(by_hand.uncut(angles, renamed, "second") - by_pennylane("second", angles, renamed)).max() < 1e-12


@pytest.mark.parametrize("name", ["tumours", "tumours_entangling"])
def test_tumours_through_the_circuit_alone(name: str, load_example):
    module = load_example(FOLDER)
    _, _, samples, labels = module.tumour_data()
    bundle = qsc.compile(module.trained(name), target="line:8", example_input=samples[:4])
    with torch.no_grad():
        wanted = module.trained(name).double()(samples.double()).numpy()
    given = bundle.run(samples)
    assert np.abs(given - wanted).max() < 1e-9
    assert (given.argmax(1) == labels.numpy()).mean() >= 0.93


CUT = {"target": "line:8", "effort": "fast", "max_qubits": 5, "reuse": False}


def test_the_cut_circuit_is_the_uncut_one(middle: Any):
    bundle = qsc.compile(middle.network.middle, example_input=middle.inputs[:4], **CUT)
    assert np.abs(bundle.run(middle.angles[:SOME]) - middle.uncut[:SOME]).max() < 1e-12
    assert sorted(part["qubits"] for part in bundle.manifest["cuts"][0]["fragments"]) == [4, 5]
    assert bundle.costs["circuits"] == 2
    assert bundle.costs["executions"] <= {"published": 3, "entangling": 7}[middle.kernel]


def test_the_cut_network_answers_the_same(middle: Any, load_example):
    module = load_example(FOLDER)
    bundle = qsc.compile(module.trained(middle.kernel), example_input=module.example_input, **CUT)
    with torch.no_grad():
        wanted = middle.network(middle.images).numpy()
    given = bundle.run(middle.images.float())
    assert np.abs(given - wanted).max() < 1e-9
    assert np.array_equal(given.argmax(1), wanted.argmax(1))


@pytest.mark.parametrize("name", ["tumours", "tumours_entangling"])
def test_tumours_cut(name: str, load_example):
    module = load_example(FOLDER)
    samples = module.tumour_data()[2]
    bundle = qsc.compile(module.trained(name), example_input=samples[:4], **CUT)
    with torch.no_grad():
        wanted = module.trained(name).double()(samples.double()).numpy()
    assert np.array_equal(bundle.run(samples).argmax(1), wanted.argmax(1))


def test_reuse_is_preferred_to_a_cut(middle: Any):
    layer, inputs = middle.network.middle, middle.inputs[:4]
    bundle = qsc.compile(layer, target="line:8", example_input=inputs, effort="fast", max_qubits=5)
    assert (bundle.costs["qubits"], bundle.costs["executions"]) == (2, 1)
    assert any("not cut" in r["text"] for r in bundle.manifest["remarks"])


def test_measured_controls_need_one_qubit(load_example):
    middle = load_example(FOLDER, "evaluate").Middle("published")
    layer, inputs = middle.network.middle, middle.inputs[:4]
    options = {"effort": "fast", "max_qubits": 5, "feed_forward": True}
    bundle = qsc.compile(layer, target="line:8", example_input=inputs, **options)
    assert (bundle.costs["qubits"], bundle.costs["two_qubit_gates"], bundle.costs["executions"]) == (1, 0, 1)
    assert np.abs(bundle.run(middle.angles[:4]) - middle.uncut[:4]).max() < 1e-12
