"""Single-step neurons against snntorch, bit by bit, in a scan over time."""

from __future__ import annotations

import itertools

import pytest
import torch
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, ops, verify
from qsc.ir.interpreter import evaluate

snntorch = pytest.importorskip("snntorch")

STEPS, BATCH, NEURONS = 40, 6, 11
CASES = list(itertools.product(("zero", "subtract", "none"), (True, False)))


def parameters(kind: str, each: bool) -> dict[str, torch.Tensor]:
    """Decays and threshold, one for all neurons or one each."""
    generator = torch.Generator().manual_seed(3)
    shape = (NEURONS,) if each else ()
    names = ("beta", "threshold") if kind == "leaky" else ("alpha", "beta", "threshold")
    return {name: torch.rand(shape, generator=generator) * 0.8 + 0.15 for name in names}


def scan_of(kind: str, reset: str, delayed: bool, weights: dict[str, torch.Tensor], dtype: str = "f32") -> Module:
    """A scan over time of one neuron; results: last states, spikes and states of every step."""
    module = Module("m", weights={name: w.numpy() for name, w in weights.items()})
    state = Type(dtype, (DYNAMIC, NEURONS))
    body = GraphBuilder(module)
    op = (ops.Leaky if kind == "leaky" else ops.Synaptic)(reset, delayed)
    states = [body.input(f"state{k}", state) for k in range(op.states)]
    x = body.input("x", state)
    spikes, *new = body.add(op, x, *states, *(body.weight(name) for name in weights))
    scan = ops.Scan(STEPS, body.graph(*new, spikes, *new), op.states, 1)
    graph = GraphBuilder(module)
    start = [graph.input(f"start{k}", state) for k in range(op.states)]
    series = graph.input("series", Type(dtype, (STEPS, DYNAMIC, NEURONS)))
    module = module.with_(graph=graph.graph(*graph.add(scan, *start, series)))
    verify(module)
    return module


def theirs(
    kind: str, reset: str, delayed: bool, weights: dict, start: list, series: torch.Tensor
) -> list[torch.Tensor]:
    """Spikes and states of every step, and the last states first, as snntorch gives them."""
    make = snntorch.Leaky if kind == "leaky" else snntorch.Synaptic
    neuron = make(**weights, reset_mechanism=reset, reset_delay=delayed)
    states, steps = list(start), []
    for x in series:
        # snntorch changes states in place for one of its resets.
        spikes, *states = neuron(x, *(s.clone() for s in states))
        steps.append([spikes, *states])
    return [*states, *(torch.stack(column) for column in zip(*steps, strict=True))]


def stimulus(dtype: torch.dtype = torch.float32, count: int = 1) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    start = [torch.rand(BATCH, NEURONS, generator=generator) * 1.5 for _ in range(count)]
    series = torch.randn(STEPS, BATCH, NEURONS, generator=generator) * 0.5 + 0.15
    return [s.to(dtype) for s in start], series.to(dtype)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("reset", "delayed"), CASES)
@pytest.mark.parametrize("kind", ["leaky", "synaptic"])
def test_spikes_and_states_are_snntorchs(kind, reset, delayed, each):
    weights = parameters(kind, each)
    start, series = stimulus(count=1 if kind == "leaky" else 2)
    ours = evaluate(scan_of(kind, reset, delayed, weights), [*start, series])
    wanted = theirs(kind, reset, delayed, weights, start, series)
    for a, b in zip(ours, wanted, strict=True):
        assert torch.equal(a, b)
    spikes = ours[1 if kind == "leaky" else 2]
    assert 0.02 < spikes.mean() < 0.98, "the check is empty"


@pytest.mark.parametrize("kind", ["leaky", "synaptic"])
def test_double_precision(kind):
    weights = parameters(kind, False)
    start, series = stimulus(count=1 if kind == "leaky" else 2)
    ours = evaluate(scan_of(kind, "subtract", True, weights), [*start, series], precision="f64")
    wide = {name: w.double() for name, w in weights.items()}
    wanted = theirs(kind, "subtract", True, wide, [s.double() for s in start], series.double())
    for a, b in zip(ours, wanted, strict=True):
        assert a.dtype == torch.float64
        torch.testing.assert_close(a, b.double(), rtol=0, atol=0)


def test_a_float64_module_gives_float32_spikes():
    weights = {name: w.double() for name, w in parameters("leaky", False).items()}
    start, series = stimulus(torch.float64)
    last, spikes, states = evaluate(scan_of("leaky", "zero", True, weights, "f64"), [*start, series])
    assert (last.dtype, spikes.dtype, states.dtype) == (torch.float64, torch.float32, torch.float64)


@pytest.mark.parametrize(("reset", "delayed"), CASES)
@pytest.mark.parametrize("kind", ["leaky", "synaptic"])
def test_gradients_are_snntorchs(kind, reset, delayed):
    """Through spikes too: the arctangent surrogate, with the reset detached where it is delayed."""
    weights = parameters(kind, True)
    start, series = stimulus(count=1 if kind == "leaky" else 2)
    series.requires_grad_()
    module = scan_of(kind, reset, delayed, weights)
    columns = slice(1 if kind == "leaky" else 2, None)
    factor = torch.randn(STEPS, BATCH, NEURONS, generator=torch.Generator().manual_seed(7))
    ours = torch.stack([(factor * r).sum() for r in evaluate(module, [*start, series])[columns]]).sum()
    steps = theirs(kind, reset, delayed, weights, start, series)[columns]
    wanted = torch.stack([(factor * r).sum() for r in steps]).sum()
    (a,), (b,) = torch.autograd.grad(ours, series), torch.autograd.grad(wanted, series)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_the_threshold_itself_does_not_fire(apply):
    x, v = torch.tensor([[0.5, 0.5000001, 0.4999]]), torch.tensor([[0.5, 0.5, 0.5]])
    one = torch.tensor(1.0)
    spikes, _ = apply(ops.Leaky("zero"), x, v, one, one, batched=(0, 1))
    assert spikes.tolist() == [[0.0, 1.0, 0.0]]
