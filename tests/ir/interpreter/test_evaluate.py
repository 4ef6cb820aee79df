"""Evaluating modules: what inputs are taken and refused, weights, memory, constants, coverage of every op."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from qsc.ir import DYNAMIC, GraphBuilder, InputError, Module, Op, Type, Value, ops, verify
from qsc.ir.interpreter import MEANINGS, constant_value, evaluate, evaluate_graph, max_error, random_inputs
from qsc.ir.interpreter.walk import plan

IMAGE = Type("f32", (DYNAMIC, 3))


def test_every_op_has_a_meaning():
    assert set(Op.registry.values()) <= set(MEANINGS)


def identity(*types: Type) -> Module:
    builder = GraphBuilder(Module("m"))
    inputs = [builder.input(f"x{k}", t) for k, t in enumerate(types)]
    return Module("m", graph=builder.graph(*inputs))


# Inputs


@pytest.mark.parametrize(
    ("declared", "given", "dtype"),
    [
        ("f32", np.ones((2, 3)), torch.float32),
        ("f32", np.ones((2, 3), np.uint8), torch.float32),
        ("f32", np.ones((2, 3), ">f8"), torch.float32),
        ("f32", np.ones((4, 6), np.float32)[::-2, ::-2], torch.float32),
        ("f64", np.ones((2, 3), np.float32), torch.float64),
        ("f32", np.ones((2, 3), bool), torch.float32),
        ("bit", np.ones((2, 3), bool), torch.bool),
        ("bit", np.ones((2, 3), np.int64), torch.bool),
        ("spike", np.ones((2, 3), np.float32), torch.float32),
        ("i8", np.full((2, 3), -128, np.int64), torch.int8),
        ("i8", np.full((0, 3), -128, np.int64), torch.int8),
        ("f32", torch.ones(2, 3, dtype=torch.float64), torch.float32),
        ("f32", torch.ones(2, 3, dtype=torch.float16), torch.float32),
        ("i32", torch.ones(2, 3, dtype=torch.int64), torch.int32),
        ("f32", [[1, 2, 3], [4, 5, 6]], torch.float32),
    ],
)
def test_inputs_that_fit(declared, given, dtype):
    (result,) = evaluate(identity(Type(declared, (DYNAMIC, 3))), [given])
    assert result.dtype == dtype
    assert result.tolist() == np.asarray(given).astype(float).tolist()


def test_read_only_arrays_are_taken_and_left_alone():
    array = np.ones((2, 3), np.float32)
    array.setflags(write=False)
    (result,) = evaluate(identity(IMAGE), [array])
    result += 1
    assert (array == 1).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.ones((2, 4), np.float32)], r"input x0: wanted f32\[\?,3\], given f32\[2,4\][\s\S]*dimension 1"),
        ([np.ones(3, np.float32)], r"given f32\[3\][\s\S]*it needs 2 dimensions \(the first one is the batch\)"),
        ([np.ones((2, 3), complex)], r"given complex128\[2,3\][\s\S]*does not convert"),
        ([np.array([["a"] * 3])], r"input x0: wanted f32"),
        ([torch.ones(2, 3, dtype=torch.complex64)], r"complex64 does not convert"),
        ([], r"wanted 1 inputs \(x0: f32\[\?,3\]\), given 0"),
        ([np.ones((2, 3)), np.ones((2, 3))], r"wanted 1 inputs .*, given 2"),
    ],
)
def test_inputs_that_do_not_fit(given, message):
    with pytest.raises(InputError, match=message) as fault:
        evaluate(identity(IMAGE), given)
    assert fault.value.exit_code == 2
    assert [d.code for d in fault.value.diagnostics] == ["R0001"]


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ("bit", np.full((2, 3), 2), "bits are 0 or 1"),
        ("bit", np.ones((2, 3), np.float32), "f32 does not convert to bit"),
        ("i8", np.full((2, 3), 200), "do not fit i8"),
        ("i8", np.full((2, 3), 1.0), "f64 does not convert to i8"),
    ],
)
def test_numbers_that_do_not_fit(declared, given, message):
    with pytest.raises(InputError, match=message):
        evaluate(identity(Type(declared, (DYNAMIC, 3))), [given])


def test_every_input_that_does_not_fit_is_named():
    module = identity(IMAGE, IMAGE, Type("i8", (2,)))
    with pytest.raises(InputError) as fault:
        evaluate(module, [np.ones((2, 4)), np.ones((2, 3)), np.ones(2)])
    assert [d.message.partition(":")[0] for d in fault.value.diagnostics] == ["input x0", "input x2"]


def test_batches_are_equal():
    with pytest.raises(InputError, match="different batch sizes: 2 in x0, 5 in x1"):
        evaluate(identity(IMAGE, IMAGE), [np.ones((2, 3)), np.ones((5, 3))])
    twice = identity(Type("f32", (DYNAMIC, DYNAMIC)))
    with pytest.raises(InputError, match="batch dimensions differ"):
        evaluate(twice, [np.ones((2, 3))])


def test_only_two_precisions():
    with pytest.raises(ValueError, match="precision"):
        evaluate(identity(IMAGE), [np.ones((2, 3))], precision="f16")


def test_double_precision_keeps_double_inputs():
    x = np.full((1, 3), 1 / 3)
    (result,) = evaluate(identity(IMAGE), [x], precision="f64")
    assert result.numpy().tolist() == x.tolist()


# Weights


def mlp() -> tuple[Module, torch.nn.Sequential]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    module = Module("m", weights={name: p.detach().numpy().copy() for name, p in net.named_parameters()})
    builder = GraphBuilder(module)
    x = builder.input("x", IMAGE)
    (h,) = builder.add(ops.Linear(), x, builder.weight("0.weight"), builder.weight("0.bias"))
    (h,) = builder.add(ops.Tanh(), h)
    (y,) = builder.add(ops.Linear(), h, builder.weight("2.weight"), builder.weight("2.bias"))
    module = module.with_(graph=builder.graph(y))
    verify(module)
    return module, net


def test_training_through_the_ir_is_training_the_model():
    module, net = mlp()
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    x = torch.randn(8, 3, requires_grad=True)
    (ours,) = evaluate(module, [x], weights=weights)
    ours.square().sum().backward()
    by_ir, x.grad = x.grad, None
    net(x).square().sum().backward()
    torch.testing.assert_close(by_ir, x.grad)
    for name, p in net.named_parameters():
        torch.testing.assert_close(weights[name].grad, p.grad)


def test_some_weights_replaced():
    module, net = mlp()
    (result,) = evaluate(module, [torch.zeros(1, 3)], weights={"2.bias": torch.tensor([10.0, 20.0])})
    (plain,) = evaluate(module, [torch.zeros(1, 3)])
    bias = dict(net.named_parameters())["2.bias"].detach()
    torch.testing.assert_close(result - plain, torch.tensor([[10.0, 20.0]]) - bias)


def test_weights_that_do_not_fit():
    module, _ = mlp()
    with pytest.raises(InputError) as fault:
        evaluate(module, [torch.zeros(1, 3)], weights={"bias": torch.zeros(2), "2.bias": torch.zeros(3)})
    assert [d.code for d in fault.value.diagnostics] == ["R0001", "R0001"]


def test_nothing_records_gradients_unless_asked():
    module, net = mlp()
    (result,) = evaluate(module, [np.zeros((1, 3), np.float32)])
    assert not result.requires_grad
    assert max_error(result, net(torch.zeros(1, 3))) < 1e-6


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_any_batch(batch):
    module, _ = mlp()
    (result,) = evaluate(module, random_inputs(module, batch))
    assert result.shape == (batch, 2)


# Memory


def test_values_are_dropped_after_their_last_use():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", IMAGE)
    for _ in range(10):
        (x,) = builder.add(ops.Relu(), x)
    builder.add(ops.Neg(), x, name="unused")
    graph = builder.graph(x)
    dead = [step.dead for step in plan(graph)]
    assert dead[0] == ("x",)
    assert all(len(names) == 1 for names in dead[:10])
    assert dead[10] == ("unused",)


def test_a_chain_holds_two_values_at_most():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", IMAGE)
    for _ in range(6):
        (x,) = builder.add(ops.Relu(), x)
    alive: list[weakref.ref] = []
    most = 0

    def watched(op, args, env):
        nonlocal most
        result = args[0].clone()
        alive.append(weakref.ref(result))
        most = max(most, sum(ref() is not None for ref in alive))
        return (result,)

    original, MEANINGS[ops.Relu] = MEANINGS[ops.Relu], watched
    try:
        evaluate_graph(builder.graph(x), Module("m"), [torch.zeros(2, 3)])
    finally:
        MEANINGS[ops.Relu] = original
    assert most == 2


# Constants


def test_constant_values():
    weights = {"q": np.array([[1, 2], [3, 4]], np.int8), "scale": np.array([0.5, 2.0], np.float32)}
    module = Module("m", weights=weights)
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32", (DYNAMIC, 2)))
    (w,) = builder.add(ops.Dequantize(), builder.weight("q"), builder.weight("scale"))
    (wt,) = builder.add(ops.Permute((1, 0)), w)
    (y,) = builder.add(ops.Linear(), x, wt)
    (c,) = builder.add(ops.Constant(2.0, (3,)))
    (batched,) = builder.add(ops.Constant(2.0, (DYNAMIC, 3)), x)
    graph = builder.graph(y)
    scale = constant_value(builder.weight("scale"), graph, module)
    assert scale is module.weights["scale"]
    folded = constant_value(wt, graph, module)
    assert folded is not None
    assert folded.dtype == np.float32
    assert folded.tolist() == [[0.5, 6.0], [1.0, 8.0]]
    filled = constant_value(c, graph, module)
    assert filled is not None
    assert filled.tolist() == [2.0, 2.0, 2.0]
    for value in (x, y, batched, Value("elsewhere", x.type), Value("@gone", x.type)):
        assert constant_value(value, graph, module) is None
