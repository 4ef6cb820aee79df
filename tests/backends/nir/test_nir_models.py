"""Torch models as people write them: what becomes NIR spikes as the model does, whatever stays on the host."""

from __future__ import annotations

import io

import nir
import numpy as np
import pytest
import qsc
import snntorch
import torch
from qsc.backends.nir.backend import GRAPH_FILE
from torch import Tensor, nn


def read_graph(data: bytes) -> nir.NIRGraph:
    """The graph as the package nir reads it, its types checked."""
    return nir.read(io.BytesIO(data))  # pyright: ignore[reportArgumentType] - h5py takes open files


STEPS = 7
STATIC, SEQUENCE, BATCH_FIRST = (12, 4), (STEPS, 12, 4), (12, STEPS, 4)


class Net(nn.Module):
    """Two layers of neurons; a subclass says how they are run."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
        self.one = snntorch.Leaky(beta=0.8, reset_mechanism="zero", threshold=0.5)
        self.two = snntorch.Leaky(beta=0.7, reset_mechanism="zero", threshold=0.3)


class Chained(Net):
    """One loop a layer: both become one graph."""

    def forward(self, x: Tensor) -> Tensor:
        v, hidden, out = self.one.init_leaky(), [], []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            hidden.append(spike)
        series = torch.stack(hidden)
        v = self.two.init_leaky()
        for step in range(STEPS):
            spike, v = self.two(self.b(series[step]), v)
            out.append(spike)
        return torch.stack(out)


class LayerOnSequence(Net):
    """A linear layer over all steps at once, before the loop."""

    def forward(self, x: Tensor) -> Tensor:
        currents, v, out = self.a(x), self.one.init_leaky(), []
        for step in range(STEPS):
            spike, v = self.one(currents[step], v)
            out.append(spike)
        return torch.stack(out)


class BatchFirst(Net):
    """Time in the middle: the host moves it to the front."""

    def forward(self, x: Tensor) -> Tensor:
        v, out = self.one.init_leaky(), []
        for step in range(STEPS):
            spike, v = self.one(self.a(x[:, step]), v)
            out.append(spike)
        return torch.stack(out, 1)


class Counting(Net):
    """Spikes counted inside the loop: the sum is parted from it and stays on the host."""

    def forward(self, x: Tensor) -> Tensor:
        v, w = self.one.init_leaky(), self.two.init_leaky()
        count = torch.zeros(1)
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            spike, w = self.two(self.b(spike), w)
            count = count + spike
        return count


class TwoOutputs(Net):
    """The spikes of both layers: a graph each."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        v, w, first, second = self.one.init_leaky(), self.two.init_leaky(), [], []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            first.append(spike)
            spike, w = self.two(self.b(spike), w)
            second.append(spike)
        return torch.stack(first), torch.stack(second)


class ReadsPotential(Net):
    """The second layer sees the first one's potential: only the second becomes NIR."""

    def forward(self, x: Tensor) -> Tensor:
        v, w, out = self.one.init_leaky(), self.two.init_leaky(), []
        for _ in range(STEPS):
            _, v = self.one(self.a(x), v)
            spike, w = self.two(self.b(v), w)
            out.append(spike)
        return torch.stack(out)


class Potentials(Net):
    """Potentials put out: nothing becomes NIR."""

    def forward(self, x: Tensor) -> Tensor:
        v, out = self.one.init_leaky(), []
        for _ in range(STEPS):
            _, v = self.one(self.a(x), v)
            out.append(v)
        return torch.stack(out)


class Currents(Net):
    """A linear readout of spikes in every step."""

    def forward(self, x: Tensor) -> Tensor:
        v, out = self.one.init_leaky(), []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            out.append(self.b(spike))
        return torch.stack(out)


class SharedStart(Net):
    """One zero tensor starts two loops, and the same layers are used twice."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        start = torch.zeros(x.shape[0], 6)
        outputs = []
        for given in (x, x + 1):
            v, out = start, []
            for _ in range(STEPS):
                spike, v = self.one(self.a(given), v)
                out.append(spike)
            outputs.append(torch.stack(out))
        return outputs[0], outputs[1]


class Skip(Net):
    """A residual connection from spikes to spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Linear(6, 6)
        self.three = snntorch.Leaky(beta=0.6, reset_mechanism="zero", threshold=0.4)

    def forward(self, x: Tensor) -> Tensor:
        v, w, u, out = self.one.init_leaky(), self.three.init_leaky(), self.two.init_leaky(), []
        for _ in range(STEPS):
            first, v = self.one(self.a(x), v)
            second, w = self.three(self.c(first), w)
            spike, u = self.two(self.b(first + second), u)
            out.append(spike)
        return torch.stack(out)


class Hidden(nn.Module):
    """Hidden states, layers without names."""

    def __init__(self) -> None:
        super().__init__()
        keep = {"reset_mechanism": "zero", "init_hidden": True}
        self.net = nn.Sequential(
            nn.Linear(4, 6), snntorch.Leaky(0.3, **keep), nn.Linear(6, 3), snntorch.Leaky(0.7, threshold=0.3, **keep)
        )

    def forward(self, x: Tensor) -> Tensor:
        snntorch.Leaky.reset_hidden()
        return torch.stack([self.net(x) for _ in range(STEPS)])


CASES = [
    (Chained, STATIC, [{"a", "one", "b", "two"}], []),
    (LayerOnSequence, SEQUENCE, [{"a", "one"}], []),
    (BatchFirst, BATCH_FIRST, [{"a", "one"}], ["permute: networks of neurons have no permute"]),
    (Counting, STATIC, [{"a", "one", "b", "two"}], ["adds up over time without a neuron"]),
    (TwoOutputs, STATIC, [{"a", "one"}, {"b", "two"}], []),
    (ReadsPotential, STATIC, [{"b", "two"}], ["it reads the potential"]),
    (Potentials, STATIC, [], ["it reads the potential"]),
    (Currents, STATIC, [{"a", "one", "b"}], []),
    (SharedStart, STATIC, [{"a", "one"}, {"a", "one"}], ["add: it adds a constant"]),
    (Skip, STATIC, [{"a", "one", "c", "three", "b", "two"}], []),
    (Hidden, STATIC, [{"net_0", "net_1", "net_2", "net_3"}], []),
]


@pytest.mark.parametrize(("kind", "shape", "graphs", "host"), CASES, ids=lambda v: v.__name__ if callable(v) else "")
def test_the_compiled_model_spikes_as_snntorch_does(
    kind: type[nn.Module], shape: tuple[int, ...], graphs: list[set[str]], host: list[str]
):
    torch.manual_seed(3)
    net, x = kind().eval(), torch.rand(shape) * 2
    wanted = net(x)
    bundle = qsc.compile(net, target="nir", example_input=x)
    launches = [bundle.artifact(launch.artifact)[GRAPH_FILE] for launch in bundle.launches()]
    assert [set(read_graph(data).nodes) - {"input", "output"} for data in launches] == graphs
    remarks = " ".join(r["text"] for r in bundle.manifest["remarks"])
    assert all(reason in remarks for reason in host)
    assert bool(remarks) == bool(host)
    for importer in (None, "snntorch") if bundle.launches() else (None,):
        given = bundle.run(x, importer=importer)
        for a, b in zip(given if isinstance(given, list) else [given], _tuple(wanted), strict=True):
            assert b.any()
            assert np.array_equal(a, b.detach().numpy())


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


class Scaled(Net):
    """Factors, which NIR has and snntorch's importer has not."""

    def forward(self, x: Tensor) -> Tensor:
        v, out = self.one.init_leaky(), []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x * 0.7) * 3, v)
            out.append(spike)
        return torch.stack(out)


class SeveralThresholds(Net):
    """A threshold for every neuron."""

    def __init__(self) -> None:
        super().__init__()
        self.one = snntorch.Leaky(beta=torch.rand(6), reset_mechanism="zero")
        self.one.register_buffer("threshold", torch.rand(6) + 0.1)

    def forward(self, x: Tensor) -> Tensor:
        v, out = torch.zeros(x.shape[0], 6), []
        for _ in range(STEPS):
            spike, v = self.one(self.a(x), v)
            out.append(spike)
        return torch.stack(out)


@pytest.mark.parametrize(
    ("kind", "reason"), [(Scaled, "snntorch imports no Scale"), (SeveralThresholds, "one threshold a layer")]
)
def test_what_snntorch_cannot_import_is_said_in_words(kind: type[nn.Module], reason: str):
    torch.manual_seed(3)
    net, x = kind().eval(), torch.rand(STATIC) * 2
    bundle = qsc.compile(net, target="nir", example_input=x, strict=True)
    assert np.array_equal(bundle.run(x), net(x).detach().numpy())
    assert any(reason in note for notes in bundle.manifest["notes"].values() for note in notes)
    with pytest.raises(qsc.QscError, match=reason) as caught:
        bundle.run(x, importer="snntorch")
    assert caught.value.exit_code == 3


def test_an_unknown_importer_is_refused():
    torch.manual_seed(3)
    net, x = Chained().eval(), torch.rand(STATIC) * 2
    bundle = qsc.compile(net, target="nir", example_input=x)
    with pytest.raises(qsc.QscError, match="nothing here for the importer 'brian'"):
        bundle.run(x, importer="brian")
