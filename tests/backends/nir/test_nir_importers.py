"""Other frameworks' importers: run where they are installed, and what they are known to change everywhere."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import qsc
import snntorch
import torch
from qsc.backends.nir.importers import available, run_importer
from qsc.backends.nir.known import IMPORTERS, causes
from qsc.bridges.nir import NirGraph, NirNode, read
from qsc.ir import TargetError
from torch import Tensor, nn

STEPS = 40


class Net(nn.Module):
    """Two layers of leaky neurons that reset to zero."""

    def __init__(self, beta: float = 0.8) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)
        self.one = snntorch.Leaky(beta=beta, reset_mechanism="zero", threshold=0.5)
        self.two = snntorch.Leaky(beta=beta, reset_mechanism="zero", threshold=0.3)

    def forward(self, x: Tensor) -> Tensor:
        v, w, out = self.one.init_leaky(), self.two.init_leaky(), []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            spike, w = self.two(self.b(spike), w)
            out.append(spike)
        return torch.stack(out)


def compiled(target: str) -> tuple[qsc.Bundle, Tensor]:
    torch.manual_seed(1)
    x = torch.rand(12, 4) * 2
    return qsc.compile(Net().eval(), target=target, example_input=x), x


def lif(**changed: np.ndarray) -> NirNode:
    one = np.ones(2, np.float32)
    fields = {"tau": 1e-3 * one, "r": 10 * one, "v_leak": 0 * one, "v_threshold": one, "v_reset": 0 * one}
    return NirNode("LIF", fields | changed)


def graph(node: NirNode, *more: tuple[str, str]) -> NirGraph:
    ends = {kind.lower(): NirNode(kind, {"shape": np.array([2])}) for kind in ("Input", "Output")}
    return NirGraph({**ends, "n": node}, [("input", "n"), ("n", "output"), *more])


@pytest.mark.parametrize(
    ("name", "node", "text"),
    [
        ("norse", lif(), "norse ignores r of LIF, which is 10 and not 1 (n)"),
        ("norse", lif(r=np.ones(2), v_reset=-np.ones(2)), "norse resets to 0 whatever v_reset says (n)"),
        ("snntorch", lif(v_threshold=np.array([1.0, 2.0])), "takes one threshold a layer, and there are several (n)"),
        ("snntorch", NirNode("Scale", {"scale": np.ones(2)}), "snntorch imports no Scale (n)"),
        ("spikingjelly", lif(tau=np.array([1e-3, 2e-3])), "takes one tau a layer, and there are several (n)"),
        ("spikingjelly", lif(r=3 * np.ones(2)), "takes an r of 1 or of tau / dt for a LIF"),
        ("sinabs", lif(), "sinabs decays by exp(-1 / tau) with tau in steps"),
        ("rockpool", lif(), "rockpool imports no LIF (n)"),
    ],
)
def test_what_importers_change_is_told(name: str, node: NirNode, text: str):
    assert any(text in cause for cause in causes(graph(node), name, 1e-4))


def test_nothing_is_told_of_what_is_read_rightly():
    assert causes(graph(lif()), "snntorch", 1e-4) == []
    assert causes(graph(lif(r=np.ones(2))), "norse", 1e-4) == []


def test_recurrent_weights_are_told_of_where_they_cannot_run():
    recurrent = graph(lif(), ("n", "w"), ("w", "n"))
    recurrent.nodes["w"] = NirNode("Linear", {"weight": np.eye(2)})
    assert "snntorch cannot run recurrent weights" in causes(recurrent, "snntorch", 1e-4)
    assert causes(recurrent, "spikingjelly", 1e-4) == ["spikingjelly fires on the threshold too (n)"]


@pytest.mark.parametrize("name", IMPORTERS)
def test_importers_that_are_there_agree_or_have_a_cause(name: str):
    if not available(name):
        pytest.skip(f"{name} is not installed: qsc env create {name}")
    bundle, _ = compiled("nir")
    launch = bundle.launches()[0].artifact
    data = bundle.artifact(launch)["graph.nir"]
    known = causes(read(data), name, 1e-4)
    x = np.random.default_rng(0).random((STEPS, 3, 4)).astype(np.float32) * 2
    x[:] = x[0]
    with contextlib.suppress(TargetError):
        given = run_importer(name, data, x, 1e-4)
        known += [] if not np.array_equal(given, bundle.run(x[0])) else ["the same"]
    # Firing on the threshold too changes nothing where no potential is on it.
    assert [cause for cause in known if "on the threshold" not in cause]


@pytest.mark.parametrize("name", ["snntorch", "norse", "spikingjelly"])
def test_a_graph_for_an_importer_runs_there_without_a_difference(name: str):
    if not available(name):
        pytest.skip(f"{name} is not installed: qsc env create {name}")
    bundle, _ = compiled(f"nir:{name}")
    (check,) = (c for c in bundle.verify(importer=name).checks if c.kind == "importer")
    assert check.mismatches == 0
    assert "0.00% of the bins differ" in check.detail


def test_all_importers_are_asked_that_need_not_be_named():
    bundle, _ = compiled("nir")
    checks = [c for c in bundle.verify(importer="all").checks if c.kind == "importer"]
    assert len(checks) == 4
    for check in checks:
        assert check.detail
        assert "rockpool" not in check.detail
        if "left out" in check.detail:
            assert check.passed
            assert str(check).startswith("importer: ")
            assert "qsc env create" in check.detail or "cannot run the graph" in check.detail


def test_an_importer_that_refuses_the_graph_fails_its_check_beside_the_others(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> np.ndarray:
        raise KeyError("a node")

    monkeypatch.setattr("qsc.backends.nir.importers.available", lambda name: True)
    monkeypatch.setattr("qsc.backends.nir.importers._run", refuse)
    bundle, _ = compiled("nir")
    *ours, check = bundle.verify(importer="norse").checks
    assert ours
    assert all(c.passed for c in ours)
    assert str(check).startswith("importer: FAILED, norse cannot run the graph; its own message is: KeyError: 'a node'")
    assert check.help == "compile with --target nir:norse"


def test_an_importer_that_is_not_there_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qsc.backends.nir.importers.available", lambda name: False)
    bundle, x = compiled("nir")
    with pytest.raises(qsc.QscError, match="norse is not there") as caught:
        bundle.run(x, importer="norse")
    assert caught.value.exit_code == 4
    assert "qsc env create norse" in str(caught.value)


def test_an_unknown_reader_is_refused():
    with pytest.raises(qsc.QscError, match="no importer of NIR is called 'nrse'") as caught:
        qsc.compile(Net().eval(), target="nir:nrse", example_input=torch.rand(2, 4))
    assert "norse" in str(caught.value)


class Pooled(nn.Module):
    """A convolution with padding, and a pool that norse does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.AvgPool2d(2), nn.Linear(64, 5)
        self.one, self.two = (snntorch.Leaky(beta=0.9, reset_mechanism="zero") for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        v, w, out = self.one.init_leaky(), self.two.init_leaky(), []
        for step in x:
            spike, v = self.one(self.conv(step), v)
            spike, w = self.two(self.out(self.pool(spike).flatten(1)), w)
            out.append(spike)
        return torch.stack(out)


def test_a_graph_that_a_reader_refuses_is_not_written_for_it():
    torch.manual_seed(0)
    net, x = Pooled().eval(), (torch.rand(6, 2, 1, 8, 8) < 0.5).float()
    with torch.no_grad():
        net.conv.weight.mul_(4)
        net.out.weight.mul_(4)
    with pytest.raises(TargetError, match=r"norse cannot take the graph: it leaves out AvgPool2d.*\(pool\)") as caught:
        qsc.compile(net, target="nir:norse", example_input=x)
    assert caught.value.exit_code == 3
    bundle = qsc.compile(net, target="nir", example_input=x)
    # A kernel meets 484 = (3 * 8 - 2)^2 values of the picture in each channel, the rest is padding.
    assert bundle.costs["synapses"] == 4 * 484 + 64 * 5
