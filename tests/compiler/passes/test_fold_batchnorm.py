"""fold-batchnorm against torch's own layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.fold_batchnorm import FoldBatchnorm
from qsc.ir import GraphBuilder, Module, Type, Value, ops, verify
from qsc.ir.interpreter import evaluate, max_error


def trained(norm: torch.nn.Sequential, seed: int = 0) -> torch.nn.Sequential:
    """Statistics and parameters that are not the initial ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in norm.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + (0.2 if "var" in name else -0.3))
    return norm.eval()


def add_layer(builder: GraphBuilder, name: str, layer: torch.nn.Module, x: Value) -> Value:
    operands = [
        builder.weight(f"{name}.{k}") for k in ("running_mean", "running_var", "weight", "bias") if has(layer, k)
    ]
    if isinstance(layer, torch.nn.Linear):
        return builder.add(ops.Linear(), x, *operands)[0]
    if isinstance(layer, torch.nn.Conv1d | torch.nn.Conv2d):
        padding = tuple(map(int, layer.padding))
        op = ops.Conv(tuple(layer.stride), padding, tuple(layer.dilation), layer.groups)
        return builder.add(op, x, *operands)[0]
    if isinstance(layer, torch.nn.ReLU):
        return builder.add(ops.Relu(), x)[0]
    assert isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
    return builder.add(ops.BatchNorm(layer.eps), x, *operands)[0]


def has(layer: torch.nn.Module, name: str) -> bool:
    return getattr(layer, name, None) is not None


def module_of(net: torch.nn.Sequential, shape: tuple[int, ...]) -> Module:
    """The module of a sequence of layers."""
    kind = "f64" if next(net.parameters()).dtype == torch.float64 else "f32"
    state = {k: v.numpy() for k, v in net.state_dict().items() if v.is_floating_point()}
    module = Module("m", weights={f"n.{k}": v for k, v in state.items()})
    builder = GraphBuilder(module)
    x = builder.input("x", Type(kind, (-1, *shape)))
    for name, layer in net.named_children():
        x = add_layer(builder, f"n.{name}", layer, x)
    return module.with_(graph=builder.graph(x))


NN = torch.nn
NETS = {
    "linear": (lambda: [NN.Linear(5, 4), NN.BatchNorm1d(4)], (5,), ["linear"]),
    "no bias": (lambda: [NN.Linear(5, 4, bias=False), NN.BatchNorm1d(4), NN.ReLU()], (5,), ["linear", "relu"]),
    "not affine": (lambda: [NN.Linear(5, 4), NN.BatchNorm1d(4, affine=False)], (5,), ["linear"]),
    "twice": (lambda: [NN.Linear(5, 4), NN.BatchNorm1d(4), NN.BatchNorm1d(4)], (5,), ["linear"]),
    "conv1d": (lambda: [NN.Conv1d(3, 4, 2, stride=2), NN.BatchNorm1d(4)], (3, 8), ["conv"]),
    "groups": (lambda: [NN.Conv2d(4, 6, 3, padding=1, groups=2), NN.BatchNorm2d(6)], (4, 5, 5), ["conv"]),
    "conv no bias": (lambda: [NN.Conv2d(2, 3, 2, bias=False), NN.BatchNorm2d(3)], (2, 4, 4), ["conv"]),
    "after relu": (lambda: [NN.Linear(5, 4), NN.ReLU(), NN.BatchNorm1d(4)], (5,), ["linear", "relu", "mul", "add"]),
    "first": (lambda: [NN.BatchNorm2d(2), NN.Conv2d(2, 3, 2)], (2, 4, 4), ["mul", "add", "conv"]),
    "other axis": (lambda: [NN.Linear(5, 5), NN.BatchNorm1d(3)], (3, 5), ["linear", "mul", "add"]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NETS)
def test_like_torch(name: str, dtype: torch.dtype):
    make, shape, wanted = NETS[name]
    net = trained(NN.Sequential(*make())).to(dtype)
    before = module_of(net, shape)
    context = Context()
    after = FoldBatchnorm().run(before, context)
    verify(after)
    assert [n.op.mnemonic for n in after.graph.nodes] == wanted
    x = torch.randn(6, *shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = evaluate(after, [x], precision="f64")[0]
        assert max_error(found, net.double()(x.double())) < (1e-6 if dtype == torch.float32 else 1e-14)
    assert all(array.dtype == before.weights[next(iter(before.weights))].dtype for array in after.weights.values())
    assert not {k for k in after.weights if k in before.weights and "running" in k}
    assert len(context.remarks) == sum(isinstance(n.op, ops.BatchNorm) for n in before.graph.nodes)
    assert FoldBatchnorm().run(after, Context()) is after


def linear_norm(**changes) -> tuple[Module, GraphBuilder, Value, Value]:
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(4, 5)), "mean": rng.normal(size=4), "var": np.full(4, 0.5)} | changes
    module = Module("m", weights=arrays)
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, 5)))
    y = builder.add(ops.Linear(), x, builder.weight("w"))[0]
    return module, builder, x, y


def test_a_layer_that_something_else_reads_stays():
    module, builder, _, y = linear_norm()
    z = builder.add(ops.BatchNorm(), y, builder.weight("mean"), builder.weight("var"))[0]
    for outputs in ((y, z), (builder.add(ops.Add(), y, z)[0],)):
        before = module.with_(graph=builder.graph(*outputs))
        after = FoldBatchnorm().run(before, Context())
        verify(after)
        assert "w" in after.weights
        x = np.random.default_rng(1).normal(size=(3, 5))
        for a, b in zip(evaluate(before, [x]), evaluate(after, [x]), strict=True):
            assert max_error(a, b) < 1e-14


def test_one_weight_before_two_norms_gives_two():
    module, builder, x, y = linear_norm(mean2=np.ones(4))
    other = builder.add(ops.Linear(), x, builder.weight("w"))[0]
    results = [
        builder.add(ops.BatchNorm(), v, builder.weight(mean), builder.weight("var"))[0]
        for v, mean in ((y, "mean"), (other, "mean2"))
    ]
    before = module.with_(graph=builder.graph(*results))
    after = FoldBatchnorm().run(before, Context())
    verify(after)
    assert list(after.weights) == ["w.folded.weight", "w.folded.bias", "w.folded.weight_2", "w.folded.bias_2"]
    given = [np.random.default_rng(1).normal(size=(3, 5))]
    for a, b in zip(evaluate(before, given), evaluate(after, given), strict=True):
        assert max_error(a, b) < 1e-14


def test_computed_or_zero_variances_stay():
    module, builder, _, y = linear_norm(var=np.array([1.0, 0.0, 1.0, 1.0]))
    mean = builder.add(ops.Neg(), builder.weight("mean"))[0]
    first = builder.add(ops.BatchNorm(), y, mean, builder.weight("var"))[0]
    second = builder.add(ops.BatchNorm(0.0), first, builder.weight("mean"), builder.weight("var"))[0]
    before = module.with_(graph=builder.graph(second))
    context = Context()
    assert FoldBatchnorm().run(before, context) is before
    assert [r.message for r in context.remarks] == [
        "left a batch norm whose statistics are computed",
        "left a batch norm with a variance that is not positive",
    ]
