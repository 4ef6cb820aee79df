"""Models of other frameworks' importers, beside the importers themselves where they are installed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import qsc
import snntorch
import torch
from qsc.backends.nir.importers import available, run_importer
from qsc.backends.nir.known import IMPORTERS
from qsc.backends.nir.modelled import run_model
from qsc.bridges.nir import NirGraph, NirNode, check, write
from qsc.ir import TargetError
from torch import Tensor, nn

KINDS = {
    "snntorch": ("LIF", "CubaLIF"),
    "norse": ("LIF", "IF", "CubaLIF"),
    "sinabs": ("LIF", "IF"),
    "spikingjelly": ("LIF", "IF", "CubaLIF"),
    "rockpool": ("CubaLIF",),
}
STEPS = 60


def row(n: int, value: float) -> np.ndarray:
    return np.full(n, value, np.float32)


def lif(rng: np.random.Generator, n: int, dt: float, name: str) -> dict[str, np.ndarray]:
    tau = row(n, rng.uniform(5, 20) * (1 if name == "sinabs" else dt))
    gain = tau / np.float32(dt) if name == "snntorch" or rng.random() < 0.5 else row(n, 1)
    return {"tau": tau, "r": gain, "v_leak": row(n, 0)}


def integrate(rng: np.random.Generator, n: int, dt: float, name: str) -> dict[str, np.ndarray]:
    return {"r": row(n, 1 / dt)}


def cuba(rng: np.random.Generator, n: int, dt: float, name: str) -> dict[str, np.ndarray]:
    mem, syn = (row(n, rng.uniform(5, 20) * dt) for _ in range(2))
    free = {"w_in": row(n, rng.uniform(1, 5)), "v_leak": row(n, rng.uniform(-0.2, 0.2))} if name == "norse" else {}
    step = np.float32(dt)
    return {"tau_mem": mem, "tau_syn": syn, "r": mem / step, "w_in": syn / step, "v_leak": row(n, 0)} | free


FIELDS = {"LIF": lif, "IF": integrate, "CubaLIF": cuba}


def neurons(rng: np.random.Generator, n: int, dt: float, name: str) -> NirNode:
    kind = str(rng.choice(KINDS[name]))
    made = FIELDS[kind](rng, n, dt, name)
    reset = 0.0 if name == "sinabs" else float(rng.choice([0.0, 0.2, -0.2]))
    if name == "spikingjelly" and kind == "LIF":
        made["v_leak"] = row(n, reset)
    return NirNode(kind, made | {"v_threshold": row(n, rng.uniform(0.5, 1.5)), "v_reset": row(n, reset)})


def chain(name: str, seed: int) -> tuple[NirGraph, np.ndarray, float]:
    """Two layers of neurons whose numbers the importer takes, and an input."""
    rng = np.random.default_rng(seed)
    dt = 1e-4 if name == "snntorch" else float(rng.choice([1e-4, 1e-3]))
    nodes = {"input": NirNode("Input", {"shape": np.array([4])})}
    for k, (a, b) in enumerate(((4, 5), (5, 3))):
        weight, bias = (4 * rng.normal(size=(b, a))).astype(np.float32), row(b, 0.1 * rng.normal())
        nodes[f"w{k}"] = NirNode("Affine", {"weight": weight, "bias": bias})
        nodes[f"n{k}"] = neurons(rng, b, dt, name)
    nodes["output"] = NirNode("Output", {"shape": np.array([3])})
    names = list(nodes)
    x = rng.normal(size=(STEPS, 2, 4)).astype(np.float32)
    return NirGraph(nodes, list(pairwise(names))), x, dt


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", KINDS)
def test_a_model_does_what_the_importer_does(name: str, seed: int):
    graph, x, dt = chain(name, seed)
    assert check(graph) == []
    made = run_model(name, graph, x, dt)
    assert made.shape == (STEPS, 2, 3)
    assert made.any()
    if not available(name):
        pytest.skip(f"{name} is not installed: qsc env create {name}")
    given = run_importer(name, write(graph, "1.0.4" if name == "sinabs" else "1.0.8"), x, dt)
    np.testing.assert_array_equal(given, made)


class Recurrent(nn.Module):
    """Neurons that feed themselves, through weights with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(10, 20), nn.Linear(20, 3)
        self.one = snntorch.RLeaky(beta=0.9, reset_delay=False, linear_features=20, reset_mechanism="zero")
        self.two = snntorch.Leaky(beta=0.85, reset_mechanism="zero")

    def forward(self, x: Tensor) -> Tensor:
        (spike, v), w, out = self.one.init_rleaky(), self.two.init_leaky(), []
        for step in x:
            spike, v = self.one(self.into(step), spike, v)
            fired, w = self.two(self.out(spike), w)
            out.append(fired)
        return torch.stack(out)


@pytest.mark.parametrize("name", ["norse", "spikingjelly"])
def test_the_bias_of_recurrent_weights_comes_in_the_first_step_too(name: str):
    torch.manual_seed(0)
    net = Recurrent().eval()
    with torch.no_grad():
        for layer in (net.into, net.out):
            layer.weight.mul_(3)
        biases = [value for name, value in net.named_parameters() if name == "one.recurrent.bias"]
        assert biases[0].any()
    x = (torch.rand(20, 6, 10) < 0.4).float()
    plain = qsc.compile(net, target="nir", example_input=x)
    found = plain.run(x, importer=f"model:{name}")
    known = plain.backend_of(plain.launches()[0]).importer_notes(plain.artifact(plain.launches()[0].artifact), name)
    assert any("bias of recurrent weights in the first step" in note for note in known)
    bundle = qsc.compile(net, target=f"nir:{name}", example_input=x)
    np.testing.assert_array_equal(bundle.run(x), plain.run(x))
    np.testing.assert_array_equal(bundle.run(x, importer=f"model:{name}"), plain.run(x))
    if not available(name):
        pytest.skip(f"{name} is not installed: qsc env create {name}")
    np.testing.assert_array_equal(plain.run(x, importer=name), found)
    np.testing.assert_array_equal(bundle.run(x, importer=name), plain.run(x))


def test_every_importer_has_a_model():
    assert set(KINDS) == set(IMPORTERS)
    assert all(set(KINDS[name]) <= set(importer.rules) for name, importer in IMPORTERS.items())


def test_what_an_importer_refuses_its_model_refuses():
    graph, x, dt = chain("norse", 0)
    graph.nodes["w0"] = NirNode("Scale", {"scale": row(4, 1)})
    with pytest.raises(TargetError, match="no model of snntorch for this graph: it imports no Scale") as caught:
        run_model("snntorch", graph, x, dt)
    assert caught.value.exit_code == 3
    with pytest.raises(TargetError, match="leaves out Scale, and runs the rest in an order that changes"):
        run_model("norse", graph, x, dt)


def test_verify_says_how_far_what_is_known_explains_the_drift(tmp_path):
    graph, x, _ = chain("norse", 1)
    graph = replace(graph, metadata={"qsc": {"dt": 1e-4, "time_steps": STEPS}})
    file = tmp_path / "net.nir"
    file.write_bytes(write(graph))
    bundle = qsc.compile(str(file), target="nir", example_input=np.abs(x))
    (told,) = (c for c in bundle.verify(importer="model:norse").checks if c.kind == "importer")
    assert told.detail.startswith("run by model:norse")
    checks = [c for c in bundle.verify(importer="all").checks if c.kind == "importer"]
    assert any("a model of what is known of" in note for c in checks for note in c.notes)
    with pytest.raises(qsc.QscError, match="nothing here for the importer 'model:nrse' to run"):
        bundle.verify(importer="model:nrse")
