"""partition: launches hold what the device runs, the meaning stays, regions are convex."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.partition import HOST_NOTE, Partition
from qsc.ir import DYNAMIC, GraphBuilder, Module, Node, Type, Value, ops, verify
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import Launch
from qsc.ir.target import Target

ROW = Type("f32", (DYNAMIC, 3))
TARGET = Target("chip", "neuromorphic", "nir")


def random_module(rng: np.random.Generator) -> Module:
    """A random graph of elementwise ops, some of them neurons."""
    module = Module("m", weights={"b": np.array(0.5, np.float32), "t": np.array(0.3, np.float32)})
    builder = GraphBuilder(module)
    values = [builder.input("x", ROW), builder.input("y", ROW)]
    for _ in range(int(rng.integers(4, 14))):
        a, b = (values[int(k)] for k in rng.integers(0, len(values), 2))
        kind = rng.integers(0, 5)
        if kind == 0:
            made = builder.add(ops.Leaky(), a, b, builder.weight("b"), builder.weight("t"))
            values += [v for v in made if v.type == ROW]
        elif kind == 1:
            values += builder.add(ops.Tanh(), a)
        elif kind == 2:
            values += builder.add(ops.Relu(), a)
        else:
            values += builder.add(ops.Add(), a, b)
    return module.with_(graph=builder.graph(values[-1], values[-2]))


def supports(node: Node, module: Module) -> str | None:
    if isinstance(node.op, Launch):
        return next((r for n in node.op.body.nodes if (r := supports(n, module))), None)
    return None if isinstance(node.op, ops.Leaky | ops.Add | ops.Relu) else "not on this chip"


@pytest.mark.parametrize("whole_region", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_the_meaning_stays(seed: int, whole_region: bool):
    rng = np.random.default_rng(seed)
    module = random_module(rng)
    context = Context(TARGET, supports=supports, whole_region=whole_region)
    after = Partition().run(module, context)
    verify(after)
    inputs = [rng.normal(size=(4, 3)).astype(np.float32) for _ in range(2)]
    for a, b in zip(evaluate(module, inputs), evaluate(after, inputs), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    launches = [n.op for n in after.graph.nodes if isinstance(n.op, Launch)]
    inside = [n for launch in launches for n in launch.body.nodes]
    assert all(supports(n, module) is None for n in inside)
    assert len({launch.artifact for launch in launches}) == len(launches)
    if whole_region:
        assert all(any(isinstance(n.op, ops.Leaky) for n in launch.body.nodes) for launch in launches)
    else:
        assert all(len(launch.body.nodes) == 1 for launch in launches)
    left = [n for n in after.graph.nodes if not isinstance(n.op, Launch)]
    assert sum(r.message.startswith(HOST_NOTE) for r in context.remarks) == len(left)


def neuron_loop(builder: GraphBuilder, x: Value, start: Value, steps: int = 4) -> tuple[Value, ...]:
    """A scan of one neuron layer over a static input; the potential starts at `start`."""
    inner = GraphBuilder(builder.module)
    v, current = inner.input("v", start.type), inner.input("x", x.type)
    spike, after = inner.add(ops.Leaky(reset="zero"), current, v, inner.weight("b"), inner.weight("t"))
    return builder.add(ops.Scan(steps, inner.graph(after, spike), 1), start, x)


def empty_module() -> Module:
    return Module("m", weights={"b": np.array(0.5, np.float32), "t": np.array(0.3, np.float32)})


def anything(node: Node, module: Module) -> str | None:
    return None


def launches_of(module: Module) -> list[Launch]:
    return [n.op for n in module.graph.nodes if isinstance(n.op, Launch)]


def test_two_regions_that_need_each_other_are_not_formed():
    """a1 -> b1, b2 -> a2 with a1, a2 joined by a3 and b1, b2 by b3: each is convex, both would wait for the other."""
    module = empty_module()
    builder = GraphBuilder(module)
    x, y = builder.input("x", ROW), builder.input("y", ROW)

    def neuron(a: Value, b: Value) -> Value:
        return builder.add(ops.Leaky(), a, b, builder.weight("b"), builder.weight("t"))[1]

    a1, b2 = neuron(x, x), neuron(y, y)
    b1, a2 = neuron(builder.add(ops.Tanh(), a1)[0], y), neuron(builder.add(ops.Tanh(), b2)[0], x)
    a3, b3 = neuron(a1, a2), neuron(b1, b2)
    module = module.with_(graph=builder.graph(a3, b3))
    after = Partition().run(module, Context(TARGET, supports=supports, whole_region=True))
    verify(after)
    inputs = [np.random.default_rng(k).normal(size=(4, 3)).astype(np.float32) for k in range(2)]
    for a, b in zip(evaluate(module, inputs), evaluate(after, inputs), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert sum(len(op.body.nodes) for op in launches_of(after)) == 6


def test_every_region_holds_its_own_constants():
    """One zero state starts two loops, and takes its batch from a value inside the first region."""
    module = empty_module()
    builder = GraphBuilder(module)
    x = builder.input("x", ROW)
    (a,), (b,) = builder.add(ops.Relu(), x), builder.add(ops.Tanh(), x)
    (zero,) = builder.add(ops.Constant(0.0, ROW.shape), a)
    first, second = neuron_loop(builder, a, zero)[1], neuron_loop(builder, b, zero)[1]
    (scaled,) = builder.add(ops.Mul(), zero, x)
    module = module.with_(graph=builder.graph(first, second, scaled))

    def not_tanh(node: Node, module: Module) -> str | None:
        return "no" if isinstance(node.op, ops.Tanh | ops.Mul) else None

    after = Partition().run(module, Context(TARGET, supports=not_tanh, whole_region=True))
    verify(after)
    one, two = launches_of(after)
    assert [len(op.body.inputs) for op in (one, two)] == [1, 1]
    assert all(sum(isinstance(n.op, ops.Constant) for n in op.body.nodes) == 1 for op in (one, two))
    x_value = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for p, q in zip(evaluate(module, [x_value]), evaluate(after, [x_value]), strict=True):
        assert np.array_equal(p.numpy(), q.numpy())


def test_a_region_is_as_large_as_the_backend_takes_it():
    module = empty_module()
    builder = GraphBuilder(module)
    x = builder.input("x", ROW)
    value = x
    for _ in range(6):
        (value,) = builder.add(ops.Relu(), value)
        value = builder.add(ops.Leaky(), value, x, builder.weight("b"), builder.weight("t"))[1]
    module = module.with_(graph=builder.graph(value))

    def at_most_five(node: Node, module: Module) -> str | None:
        return f"{n} nodes" if isinstance(node.op, Launch) and (n := len(node.op.body.nodes)) > 5 else None

    context = Context(TARGET, supports=at_most_five, whole_region=True)
    after = Partition().run(module, context)
    verify(after)
    sizes = [len(op.body.nodes) for op in launches_of(after)]
    assert max(sizes) == 5
    assert sum(sizes) == 12
    assert not context.remarks


def test_a_refused_region_says_why():
    module = random_module(np.random.default_rng(0))
    context = Context(TARGET, supports=lambda n, m: "too big" if isinstance(n.op, Launch) else None, whole_region=True)
    after = Partition().run(module, context)
    assert not launches_of(after)
    assert any("too big" in r.message for r in context.remarks)


def test_reasons_of_its_own_are_told_before_those_of_neighbours():
    module = empty_module()
    builder = GraphBuilder(module)
    x = builder.input("x", ROW)
    (idle,) = builder.add(ops.Relu(), x)
    module = module.with_(graph=builder.graph(builder.add(ops.Leaky(), idle, x, *map(builder.weight, "bt"))[1]))
    context = Context(
        TARGET, supports=lambda n, m: "no leak" if isinstance(n.op, ops.Leaky) else None, whole_region=True
    )
    Partition().run(module, context)
    assert [r.message.removeprefix(HOST_NOTE) for r in context.remarks] == [
        "leaky: no leak",
        "relu: no neuron that the target runs is connected to it",
    ]


def test_nodes_inside_a_loop_are_launched_there():
    """A backend that takes single nodes gets them inside host loops too; names of artifacts do not repeat."""
    module = empty_module()
    builder = GraphBuilder(module)
    x = builder.input("x", ROW)
    (zero,) = builder.add(ops.Constant(0.0, ROW.shape), x)
    module = module.with_(graph=builder.graph(*neuron_loop(builder, x, zero), builder.add(ops.Relu(), x)[0]))
    context = Context(TARGET, supports=supports)
    once = Partition().run(module, context)
    verify(once)
    scan = next(n.op for n in once.graph.nodes if isinstance(n.op, ops.Scan))
    assert [type(n.op) for n in scan.body.nodes] == [Launch]
    other = Context(Target("other", "sim", "nir"), supports=anything)
    twice = Partition().run(once, other)
    verify(twice)
    artifacts = [n.op.artifact for n in twice.nodes() if isinstance(n.op, Launch)]
    assert len(set(artifacts)) == len(artifacts)
    x_value = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for changed in (once, twice):
        for p, q in zip(evaluate(module, [x_value]), evaluate(changed, [x_value]), strict=True):
            assert np.array_equal(p.numpy(), q.numpy())


def test_it_is_deterministic():
    module = random_module(np.random.default_rng(7))
    texts = [Partition().run(module, Context(TARGET, supports=supports, whole_region=True)).graph for _ in range(2)]
    assert texts[0] == texts[1]


def test_without_a_target_nothing_changes():
    module = random_module(np.random.default_rng(1))
    assert Partition().run(module, Context()) == module
