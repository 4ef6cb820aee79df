"""Every torch operation that is taken gives what torch gives, in float64, for batches of another size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.frontends.torch import read
from qsc.ir.interpreter import evaluate
from torch import Tensor, nn

TOLERANCE = 1e-12
Shape = tuple[int, ...]


class Function(nn.Module):
    """A function of the input and of some layers."""

    def __init__(self, function: Callable[..., object], *layers: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x, *self.layers)


def fill(model: nn.Module, seed: int) -> None:
    """Parameters and statistics of a trained model rather than a fresh one."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.6, generator=generator)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5, generator=generator)


def check(model: nn.Module, *shapes: Shape, seed: int = 0, batch: int = 5) -> None:
    """The raised module against the model, both in float64."""
    fill(model, seed)
    rng = np.random.default_rng(seed)
    imported = read(model, tuple(torch.from_numpy(rng.normal(size=(3, *s)).astype(np.float32)) for s in shapes))
    assert all(v.type.shape[0] == -1 for v in imported.module.graph.inputs), "the batch is dynamic"
    inputs = [rng.normal(size=(batch, *s)).astype(np.float32) for s in shapes]
    assert imported.reference is not None
    wanted = imported.reference(inputs)
    given_ = evaluate(imported.module, inputs, precision="f64")
    assert len(wanted) == len(given_)
    for a, b in zip(wanted, given_, strict=True):
        assert a.dtype == np.float64
        assert a.shape == tuple(b.shape)
        np.testing.assert_allclose(b.numpy(), a, rtol=0, atol=TOLERANCE)


def sizes(seed: int, *ranges: tuple[int, int]) -> Shape:
    rng = np.random.default_rng(seed)
    return tuple(int(rng.integers(a, b)) for a, b in ranges)


@pytest.mark.parametrize("seed", range(4))
def test_linear_stacks(seed):
    a, b, c = sizes(seed, (1, 9), (1, 9), (1, 9))
    activation = [nn.ReLU(), nn.LeakyReLU(0.2), nn.SiLU(), nn.GELU("tanh")][seed]
    stack = nn.Sequential(
        nn.Linear(a, b, bias=seed % 2 == 0), activation, nn.Dropout(0.5), nn.Linear(b, c), nn.Softmax(dim=-1)
    )
    check(stack, (a,) if seed % 2 else (4, a), seed=seed)


@pytest.mark.parametrize("seed", range(8))
def test_conv2d(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 4))
    channels, out = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    same = seed % 3 == 0
    stride = 1 if same else tuple(rng.integers(1, 3, 2).tolist())
    padding = "same" if same else "valid" if seed % 3 == 1 else tuple(rng.integers(0, 3, 2).tolist())
    kernel, dilation = tuple(rng.integers(1, 5, 2).tolist()), tuple(rng.integers(1, 3, 2).tolist())
    layer = nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=bool(seed % 2))
    check(layer, (channels, *sizes(seed, (9, 12), (9, 12))), seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_conv1d(seed):
    kernel, stride, dilation = sizes(seed, (1, 5), (1, 3), (1, 3))
    layer = nn.Conv1d(4, 6, kernel, 1 if seed == 0 else stride, "same" if seed == 0 else seed, dilation, 2)
    check(layer, (4, *sizes(seed, (9, 14))), seed=seed)


NETS: dict[str, tuple[nn.Module, Shape]] = {
    "digits": (
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Dropout2d(),
            nn.Flatten(),
            nn.Linear(64, 3),
        ),
        (1, 8, 8),
    ),
    "batch norm without affine": (nn.BatchNorm1d(5, affine=False), (5,)),
    "batch norm over time": (nn.BatchNorm1d(5, eps=0.1), (5, 7)),
    "layer norms": (
        nn.Sequential(nn.LayerNorm([3, 4]), nn.LayerNorm(4, bias=False), nn.LayerNorm(4, elementwise_affine=False)),
        (3, 4),
    ),
    "group norm": (nn.GroupNorm(2, 4), (4, 3, 5)),
    "average pools": (nn.Sequential(nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True), nn.AvgPool2d(2, 1)), (2, 9, 8)),
    "average without padding": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 8, 8)),
    "max pools": (nn.Sequential(nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, 1, dilation=2)), (2, 12, 11)),
    "pools in one dimension": (nn.Sequential(nn.AvgPool1d(3, 2, 1), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(3)), (2, 17)),
    "adaptive pools": (nn.Sequential(nn.AdaptiveAvgPool2d((4, 5)), nn.AdaptiveMaxPool2d((2, 5))), (2, 9, 8)),
    "two-layer LSTM": (
        Function(lambda x, rnn, fc: fc(rnn(x)[0][:, -1]), nn.LSTM(4, 5, 2, batch_first=True), nn.Linear(5, 2)),
        (4, 4),
    ),
    "GRU": (Function(lambda x, rnn: rnn(x), nn.GRU(3, 4, batch_first=True)), (4, 3)),
}


@pytest.mark.parametrize("name", NETS)
def test_layers(name):
    check(NETS[name][0], NETS[name][1])


ELEMENTWISE: dict[str, Callable[[Tensor], object]] = {
    "arithmetic": lambda x: (
        (1 - x) / (2 + x.abs()) + 3 * x - (-x) + torch.add(x, x, alpha=3) - torch.sub(x, x.sin(), alpha=2)
    ),
    "powers": lambda x: x**2 + 0.5 * x**3 + x.square() + (x.abs() + 0.1) ** 0.5 + 2**0.5,
    "quotients": lambda x: 1 / (x.abs() + 1) + (x.abs() + 0.5).rsqrt() + x / 4 + x / (1 + x * x),
    "functions": lambda x: x.exp() + (x.abs() + 1).log() + (x * x + 1).sqrt() + x.sin() * x.cos(),
    "limits": lambda x: x.clamp(-0.5, 0.5) + x.clamp(min=0) + x.clamp_max(0.2) + F.relu6(3 * x) + F.hardtanh(x),
    "activations": lambda x: F.relu(x) + F.leaky_relu(x) * F.sigmoid(x) + F.tanh(x) - F.silu(x) + F.gelu(x),
    "hard activations": lambda x: F.hardswish(3 * x) + F.hardsigmoid(3 * x),
    "softmax": lambda x: (x.softmax(1), F.log_softmax(x, -1), F.softmax(x, dim=-2)),
    "sums": lambda x: (x.sum(-1), x.mean((1, 2)), x.mean(-1, keepdim=True), x.flatten(1).mean(1), x.sum((1, 2), True)),
    "least": lambda x: (x.amin(-1), x.amin((1, 2), keepdim=True)),
    "choices": lambda x: (
        torch.where(x > 0, x, -x),
        torch.where(x >= x.mean(-1, keepdim=True), x, 0.5),
        torch.where(x < 0.1, 1.0, torch.where(x.sin() <= x.cos(), x, 2 * x)),
    ),
    "in place": lambda x: F.relu_(x * 1).add_(1).mul_(x).sub_(0.5),
    "in place, seen twice": lambda x: _seen_twice(x),
    "types": lambda x: x.double().float() + x.to(torch.float64).to(x.dtype).type_as(x),
    "tensors from nothing": lambda x: (
        x + torch.ones(x.shape[0], 3, 4) * 2 + torch.zeros_like(x) + torch.full((4,), 3.0)
    ),
    "constants": lambda x: (
        x * torch.tensor(2.0) + torch.arange(4) + torch.tensor([1.0, 2.0, 3.0, 4.0]) + x.new_ones(3, 1)
    ),
    "identities": lambda x: x.contiguous().clone().detach() + x.expand(-1, -1, -1) + x[:, :, :],
}


def _seen_twice(x: Tensor) -> Tensor:
    y = x * 2
    row = y[:, 1]
    y += 1
    row *= 3
    return y + row.unsqueeze(1)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name):
    check(Function(ELEMENTWISE[name]), (3, 4))


SHAPES: dict[str, Callable[[Tensor], object]] = {
    "views": lambda x: (x.view(x.shape[0], -1), x.reshape(-1, 4, 3), x.flatten(1), x.flatten(1).unflatten(1, (2, 6))),
    "orders": lambda x: (
        x.permute(0, 2, 1),
        x.transpose(1, 2).reshape(-1, 12),
        x.mT,
        x.movedim(2, 1),
        x.swapaxes(1, 2),
    ),
    "sizes of one": lambda x: (x.unsqueeze(1), x.unsqueeze(-1).squeeze(-1), x[:, :1].squeeze(1), x[:, None].squeeze()),
    "joins": lambda x: (
        torch.cat([x, 2 * x], 1),
        torch.stack([x, -x]),
        torch.stack([x, x + 1], -1),
        torch.hstack([x, x]),
    ),
    "parts": lambda x: (x[:, 0], x[:, -1], x[..., 1], x[:, ::2], x[:, 1:, 2], x.select(1, 2), x.narrow(1, 1, 2)),
    "splits": lambda x: (*x.chunk(2, 2), *x.split(2, 1), *x.split([1, 3], -1), *x.unbind(1)),
    "repeats": lambda x: (
        x.repeat(1, 2, 1),
        x.repeat(1, 1, 3),
        x.unsqueeze(0).repeat(3, 1, 1, 1),
        x[:, :1].expand(-1, 5, -1),
    ),
    "padding": lambda x: (F.pad(x, (1, 2)), F.pad(x, (0, 0, 2, 0), value=1.0), F.pad(x, (-1, 0))),
    "assignment": lambda x: _assigned(x),
}


def _assigned(x: Tensor) -> Tensor:
    out = torch.zeros(x.shape[0], 5, 4)
    for t in range(3):
        out[:, t] = x[:, t] * (t + 1)
    out[:, 3:, 1:3] = x[:, :2, :2]
    out[:, 0] += 1
    return out


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    check(Function(SHAPES[name]), (3, 4))


PRODUCTS: dict[str, Callable[..., object]] = {
    "matmul": lambda x, _: (x @ x.transpose(1, 2), torch.bmm(x, x.mT), torch.einsum("bij,bkj->bik", x, x)),
    "weights": lambda x, fc: (x @ fc.weight.t(), torch.matmul(x, fc.weight[0]), F.linear(x, fc.weight * 2, fc.bias)),
    "addmm": lambda x, fc: (
        torch.addmm(fc.bias, x[:, 0], fc.weight.t()),
        torch.addmm(fc.bias, x[:, 0], fc.weight.t(), beta=2),
    ),
    "attention": lambda x, _: F.scaled_dot_product_attention(x, x, x * 2),
    "computed weights": lambda x, fc: F.linear(x, torch.tril(fc.weight), fc.bias.flip(0)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    check(Function(PRODUCTS[name], nn.Linear(4, 5)), (3, 4))


def test_several_inputs_and_a_dict_of_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x, y):
            return {"sum": self.fc(x) + y, "rest": (x, [y * 2])}

    check(Two(), (4,), (2,))


STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "halve": lambda x: x / 2 + 0.25,
    "sin": torch.sin,
    "turn": lambda x: x.transpose(1, 2),
    "flip halves": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "centre": lambda x: x - x.mean(-1, keepdim=True),
    "softmax": lambda x: x.softmax(1),
    "flatten": lambda x: x.flatten(1).unsqueeze(1),
    "gram": lambda x: (x @ x.mT) / x.shape[-1],
    "first rows": lambda x: x[:, : (x.shape[1] + 1) // 2],
    "pad": lambda x: F.pad(x, (0, 1), value=0.5),
    "norm": lambda x: F.layer_norm(x, x.shape[-1:]),
}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6), st.integers(1, 4), st.integers(1, 4))
def test_compositions(names, rows, columns):
    def run(x: Tensor) -> Tensor:
        for name in names:
            x = STEPS[name](x)
        return x

    check(Function(run), (rows, columns))


def test_weights_keep_their_type_and_names():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)).double()
    imported = read(model, torch.zeros(2, 3, dtype=torch.float64))
    assert {k: str(v.dtype) for k, v in imported.module.weights.items()} == {
        f"{k}.{name}": "float64" for k in (0, 1) for name in ("weight", "bias")
    }
    assert str(imported.module.graph.outputs[0].type) == "f64[?,2]"


def test_the_model_is_left_alone_and_later_training_does_not_reach_the_module():
    linear = nn.Linear(3, 2)
    model = nn.Sequential(linear, nn.Dropout(), nn.BatchNorm1d(2))
    x = torch.rand(4, 3)
    imported = read(model, x)
    assert model.training
    assert model[1].training
    before = imported.module.weights["0.weight"].copy()
    assert imported.reference is not None
    with torch.no_grad():
        linear.weight.add_(1)
    np.testing.assert_array_equal(imported.module.weights["0.weight"], before)
    given_ = evaluate(imported.module, [x.numpy()], precision="f64")[0].numpy()
    np.testing.assert_allclose(imported.reference([x.numpy()])[0], given_, atol=TOLERANCE)


def test_an_example_of_one_sample_still_gives_a_dynamic_batch():
    imported = read(nn.Linear(3, 2), torch.ones(1, 3))
    assert str(imported.module.graph.inputs[0].type) == "f32[?,3]"
    assert [a.shape for a in imported.example_inputs] == [(1, 3)]


def test_a_model_that_fixes_its_batch_keeps_it():
    imported = read(Function(lambda x: x.view(2, 6) + 1), torch.ones(2, 3, 2))
    assert str(imported.module.graph.inputs[0].type) == "f32[2,3,2]"


def test_every_node_says_where_it_is_from():
    model = nn.Sequential(nn.Linear(3, 2), Function(lambda x: x + 1))
    linear, add = read(model, torch.ones(2, 3)).module.graph.nodes
    assert linear.location.path == "0"
    assert add.location.path == "1"
    assert add.location.file.endswith("test_torch_operations.py")
    assert add.location.line > 0
