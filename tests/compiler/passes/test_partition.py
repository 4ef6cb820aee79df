"""partition: launches hold what the device runs, the meaning stays, regions are convex."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.partition import HOST_NOTE, Partition
from qsc.ir import DYNAMIC, GraphBuilder, Module, Node, Type, ops, verify
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


def test_it_is_deterministic():
    module = random_module(np.random.default_rng(7))
    texts = [Partition().run(module, Context(TARGET, supports=supports, whole_region=True)).graph for _ in range(2)]
    assert texts[0] == texts[1]


def test_without_a_target_nothing_changes():
    module = random_module(np.random.default_rng(1))
    assert Partition().run(module, Context()) == module
