"""Models that exporters of spiking networks are known to lose something of: a cell each, by framework and name.

A cell's model takes batch and time first (spikingjelly: time and batch) and gives spikes. What it is read as has to
equal it to the bit, or to be refused for the stated reason. Found with nir 1.0.8 and nirtorch 2.6 on snntorch 1.0.0,
norse 1.1.0, sinabs 3.1.3, spikingjelly 2.0.0 and rockpool 3.1.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .exactness import with_exact_sums

STEPS, FEATURES, COUNT = 10, 8, 6


@dataclass(frozen=True)
class Cell:
    """make: the model. shape: of an input. axis: its batch dimension. refused: how the reason begins, "" where the
    model is taken. package: what has to be installed."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = (3, STEPS, FEATURES)
    axis: int = 0
    refused: str = ""
    package: str = "snntorch"


class Looped(nn.Module):
    """Layers that keep their own states, step by step."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.layers(x[:, t]) for t in range(x.shape[1])], 1)


class Branches(nn.Module):
    """A hidden layer h, what `join` makes of it and of a second population b, and an output population."""

    def __init__(self, join: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__()
        self.join = join
        self.a, self.h = nn.Linear(FEATURES, COUNT), leaky()
        self.b, self.l2, self.out = leaky(), nn.Linear(COUNT, 4), leaky()

    def forward(self, x: Tensor) -> Tensor:
        spikes = []
        for t in range(x.shape[1]):
            h = self.h(self.a(x[:, t]))
            spikes.append(self.out(self.l2(self.join(h, self.b))))
        return torch.stack(spikes, 1)


class Shared(nn.Module):
    """One linear layer in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.first, self.second = nn.Linear(FEATURES, FEATURES), leaky(), leaky()

    def forward(self, x: Tensor) -> Tensor:
        spikes = []
        for t in range(x.shape[1]):
            spikes.append(self.second(self.layer(self.first(self.layer(x[:, t])))))
        return torch.stack(spikes, 1)


class Attention(nn.Module):
    """Tokens of one step attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
        self.neurons = leaky(threshold=0.3)

    def forward(self, x: Tensor) -> Tensor:
        spikes = []
        for t in range(x.shape[1]):
            tokens = x[:, t].unflatten(-1, (2, 4))
            mixed = functional.scaled_dot_product_attention(self.q(tokens), self.k(tokens), self.v(tokens))
            spikes.append(self.neurons(mixed))
        return torch.stack(spikes, 1)


class Passed(nn.Module):
    """A layer and neurons whose states are passed from step to step."""

    def __init__(self, layer: nn.Module, neurons: Any, returned: bool = False) -> None:
        super().__init__()
        self.layer, self.neurons, self.returned = layer, neurons, returned

    def forward(self, x: Tensor) -> Tensor:
        states = self.neurons.reset_mem()
        states = states if isinstance(states, tuple) else (states,)
        spikes = []
        for t in range(x.shape[1]):
            spike, *states = self.neurons(self.layer(x[:, t]), *states)
            states = [spike, *states] if self.returned else states
            spikes.append(spike)
        return torch.stack(spikes, 1)


class Threaded(nn.Module):
    """norse: layers and cells, the states of which are passed as one."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        import norse.torch as norse

        self.net = norse.SequentialState(*layers)

    def forward(self, x: Tensor) -> Tensor:
        state, spikes = None, []
        for t in range(x.shape[1]):
            z, state = self.net(x[:, t], state)
            spikes.append(z)
        return torch.stack(spikes, 1)


class First(nn.Module):
    """rockpool: the output of a module, without its states and record."""

    def __init__(self, layer: nn.Module, neurons: Any) -> None:
        super().__init__()
        self.layer, self.neurons = layer, neurons

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(self.layer(x))[0]


def leaky(beta: Any = 0.9, **options: Any) -> nn.Module:
    """A Leaky that keeps its state."""
    import snntorch as snn

    return snn.Leaky(beta, init_hidden=True, **options)


def linear(out: int = COUNT, given: int = FEATURES) -> nn.Module:
    """A linear layer."""
    return nn.Linear(given, out)


def image_net(*layers: Callable[[], nn.Module], **options: Any) -> Callable[[], nn.Module]:
    """Layers on 8x8 images, then neurons."""
    return lambda: Looped(*(layer() for layer in layers), leaky(threshold=0.5, **options))


IMAGE = (2, STEPS, 2, 8, 8)


def conv(**options: Any) -> Callable[[], nn.Module]:
    """A convolution of two channels to four."""
    given = {"kernel_size": 3, "padding": 1, "bias": False} | options
    return lambda: nn.Conv2d(2, 4, **given)


def snn_cells() -> dict[str, Cell]:
    """snntorch, and structures in torch around it."""
    import snntorch as snn

    circuit: Any = {"R": 5, "C": 2}
    return {
        "one step, scalar beta": Cell(
            lambda: nn.Sequential(linear(), leaky(0.9), linear(4, COUNT), leaky(0.9)), (3, 8)
        ),
        "mlp": Cell(lambda: Looped(linear(), leaky(), linear(4, COUNT), leaky())),
        "vector beta": Cell(lambda: Looped(linear(), leaky(torch.rand(COUNT), threshold=torch.rand(COUNT) + 0.2))),
        "learned": Cell(lambda: Looped(linear(), leaky(learn_beta=True, learn_threshold=True))),
        "reset subtract": Cell(lambda: Passed(linear(), snn.Leaky(0.8, reset_mechanism="subtract"))),
        "reset zero": Cell(lambda: Passed(linear(), snn.Leaky(0.8, reset_mechanism="zero"))),
        "reset none": Cell(lambda: Passed(linear(), snn.Leaky(0.8, reset_mechanism="none"))),
        "reset at once": Cell(lambda: Passed(linear(), snn.Leaky(0.8, reset_delay=False, reset_mechanism="zero"))),
        "beta 1": Cell(lambda: Looped(linear(), leaky(1.0))),
        "synaptic": Cell(lambda: Passed(linear(), snn.Synaptic(0.7, 0.8))),
        "rleaky": Cell(lambda: Passed(linear(), snn.RLeaky(0.8, linear_features=COUNT), returned=True)),
        "rleaky one to one": Cell(lambda: Passed(linear(), snn.RLeaky(0.8, V=0.5, all_to_all=False), returned=True)),
        "rsynaptic": Cell(lambda: Passed(linear(), snn.RSynaptic(0.7, 0.8, linear_features=COUNT), returned=True)),
        "lapicque": Cell(lambda: Passed(linear(), snn.Lapicque(**circuit, threshold=0.3))),
        "alpha": Cell(lambda: Passed(linear(), snn.Alpha(0.9, 0.8, threshold=0.1))),
        "residual": Cell(lambda: Branches(lambda h, b: b(h) + h)),
        "scaled and rectified": Cell(lambda: Branches(lambda h, b: h * 0.5 + torch.relu(h))),
        "shared linear": Cell(Shared),
        "attention": Cell(Attention),
        "relu": Cell(lambda: Looped(linear(), nn.ReLU(), leaky())),
        "dropout": Cell(lambda: Looped(linear(), leaky(), nn.Dropout(0.5), linear(4, COUNT), leaky())),
        "flatten, 3-D beta": Cell(
            lambda: Looped(
                conv()(), leaky(torch.rand(4, 8, 8)), nn.AvgPool2d(2), nn.Flatten(), linear(5, 64), leaky(threshold=0.1)
            ),
            IMAGE,
        ),
        "average pool, padded": Cell(image_net(conv(), lambda: nn.AvgPool2d(3, 2, padding=1)), IMAGE),
        "maximum pool": Cell(image_net(conv(), lambda: nn.MaxPool2d(2)), IMAGE),
        "batch norm": Cell(image_net(conv(), lambda: nn.BatchNorm2d(4)), IMAGE),
        "rectangular kernel": Cell(image_net(conv(kernel_size=(3, 5), padding=(1, 2))), IMAGE),
        "groups": Cell(image_net(conv(groups=2)), IMAGE),
        "inhibition": Cell(lambda: Looped(linear(), leaky(inhibition=True)), refused="Leaky with inhibition"),
        "state_quant": Cell(lambda: Looped(linear(), leaky(state_quant=torch.round)), refused="Leaky with state_quant"),
    }


def norse_cells() -> dict[str, Cell]:
    """norse: cells and layers."""
    import norse.torch as norse

    box, low = norse.LIFBoxParameters, norse.LIFParameters(v_th=torch.tensor(0.2))
    sharp = norse.IAFParameters(v_th=torch.tensor(0.1))

    def vectors() -> Any:
        given = {"tau_mem_inv": torch.rand(COUNT) * 300 + 100, "v_th": torch.rand(COUNT) * 0.5 + 0.1}
        return box(**given, v_leak=torch.zeros(COUNT), v_reset=torch.zeros(COUNT))

    return {
        "box, scalars": Cell(lambda: Threaded(linear(), norse.LIFBoxCell(box(tau_mem_inv=torch.tensor(400.0))))),
        "box, vectors": Cell(lambda: Threaded(linear(), norse.LIFBoxCell(vectors()))),
        "lif cell, batch": Cell(lambda: Threaded(linear(), norse.LIFCell(low))),
        "recurrent cell": Cell(lambda: Threaded(norse.LIFRecurrentCell(FEATURES, COUNT, p=low))),
        "iaf": Cell(lambda: Threaded(linear(), norse.IAFCell())),
        "readout": Cell(lambda: Threaded(linear(), norse.LIFCell(low), linear(4, COUNT), norse.LICell())),
        "convolution without bias": Cell(
            lambda: Threaded(conv()(), norse.LIFCell(low), nn.Flatten(), linear(3, 256), norse.IAFCell(sharp)), IMAGE
        ),
        "adjoint": Cell(
            lambda: Threaded(linear(), norse.LIFCell(norse.LIFParameters(method="adjoint"))),
            refused="LIFCell with method='adjoint'",
        ),
    }


def jelly_cells() -> dict[str, Cell]:
    """spikingjelly: nodes, containers, networks of many steps."""
    from spikingjelly.activation_based import functional as sj
    from spikingjelly.activation_based import layer, neuron

    def many(*layers: nn.Module) -> nn.Module:
        net = nn.Sequential(*layers)
        sj.set_step_mode(net, "m")
        return net.eval()

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.h, self.b = layer.Linear(FEATURES, COUNT), neuron.LIFNode(v_threshold=0.3), neuron.IFNode()
            self.l2, self.out = layer.Linear(COUNT, 4), neuron.IFNode(v_threshold=0.5)
            sj.set_step_mode(self, "m")

        def forward(self, x: Tensor) -> Tensor:
            h = self.h(self.a(x))
            return self.out(self.l2(self.b(h) + h))

    low: dict[str, Any] = {"v_threshold": 0.3}
    flat: dict[str, Any] = {"shape": (STEPS, 3, FEATURES), "axis": 1}
    image: dict[str, Any] = {"shape": (STEPS, 2, 2, 8, 8), "axis": 1}
    dense = lambda: layer.Linear(FEATURES, COUNT)  # noqa: E731 - beside the cells that use it
    kernel = lambda **given: layer.Conv2d(2, 4, 3, padding=1, bias=False, **given)  # noqa: E731
    ends = lambda: (layer.Flatten(), layer.Linear(64, 5), neuron.IFNode(**low))  # noqa: E731
    return {
        "if": Cell(lambda: many(dense(), neuron.IFNode(**low)), **flat),
        "lif": Cell(lambda: many(dense(), neuron.LIFNode(**low)), **flat),
        "plif": Cell(lambda: many(dense(), neuron.ParametricLIFNode(**low)), **flat),
        "cuba": Cell(lambda: many(dense(), neuron.CUBALIFNode()), **flat),
        "soft reset": Cell(lambda: many(dense(), neuron.LIFNode(v_reset=None, **low)), **flat),
        "residual": Cell(Residual, **flat),
        "convolution": Cell(lambda: many(kernel(), neuron.IFNode(**low), layer.AvgPool2d(2), *ends()), **image),
        "groups": Cell(lambda: many(kernel(groups=2), neuron.IFNode(**low)), **image),
        "maximum pool": Cell(lambda: many(kernel(), neuron.IFNode(**low), layer.MaxPool2d(2), *ends()), **image),
        "batch norm": Cell(lambda: many(kernel(), layer.BatchNorm2d(4), neuron.IFNode(**low)), **image),
        "container": Cell(
            lambda: many(layer.SeqToANNContainer(nn.Linear(FEATURES, COUNT)), neuron.IFNode(**low)), **flat
        ),
        "recurrent container": Cell(
            lambda: many(dense(), layer.LinearRecurrentContainer(neuron.IFNode(**low), COUNT, COUNT)), **flat
        ),
    }


def sinabs_cells() -> dict[str, Cell]:
    """sinabs: layers that take all steps."""
    import sinabs.layers as sl  # pyright: ignore[reportMissingImports]
    from sinabs.activation import SingleSpike  # pyright: ignore[reportMissingImports]

    one = {"spike_fn": SingleSpike}
    return {
        "iaf": Cell(lambda: nn.Sequential(linear(), sl.IAF(**one), linear(4, COUNT), sl.IAF(**one))),
        "lif": Cell(lambda: nn.Sequential(linear(), sl.LIF(10.0, spike_threshold=torch.tensor(0.2), **one))),
        "leak": Cell(lambda: nn.Sequential(linear(), sl.IAF(**one), linear(4, COUNT), sl.ExpLeak(8.0))),
        "dropout": Cell(lambda: nn.Sequential(linear(), nn.Dropout(0.5), sl.IAF(**one)).eval()),
        "multi spike": Cell(lambda: nn.Sequential(linear(), sl.IAF()), refused="IAF with spike_fn=MultiSpike"),
        "squeeze": Cell(
            lambda: nn.Sequential(conv()(), sl.IAFSqueeze(num_timesteps=STEPS, **one), sl.SumPool2d(2)),
            (2 * STEPS, 2, 8, 8),
            refused="torch operation reshape merges the batch dimension with another one",
        ),
    }


def rockpool_cells() -> dict[str, Cell]:
    """rockpool: LIFTorch."""
    from rockpool.nn.modules import LIFTorch  # pyright: ignore[reportMissingImports]

    one = {"max_spikes_per_dt": torch.tensor(1.0)}
    return {
        "lif": Cell(lambda: First(linear(), LIFTorch(COUNT, **one))),
        "recurrent": Cell(lambda: First(linear(), LIFTorch(COUNT, has_rec=True, w_rec=torch.eye(COUNT), **one))),
        "two synapses": Cell(
            lambda: First(linear(), LIFTorch((COUNT, 3), **one)), refused="LIFTorch with 2 synapses a neuron"
        ),
        "multi spike": Cell(lambda: First(linear(), LIFTorch(COUNT)), refused="LIFTorch with max_spikes_per_dt=65536"),
    }


FRAMEWORKS: dict[str, Callable[[], dict[str, Cell]]] = {
    "snntorch": snn_cells,
    "norse": norse_cells,
    "spikingjelly": jelly_cells,
    "sinabs": sinabs_cells,
    "rockpool": rockpool_cells,
}
"""Package -> its cells, made when it is installed."""


def model_of(cell: Cell) -> nn.Module:
    """A cell's model, the same at every call, with weights whose sums are exact."""
    torch.manual_seed(5)
    return with_exact_sums(cell.make()).eval()
