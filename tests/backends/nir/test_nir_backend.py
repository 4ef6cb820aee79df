"""The nir backend: our simulator, snntorch's importer and the interpreter agree bin by bin."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import qsc
import torch
from qsc.backends.nir import TARGET, NirBackend
from qsc.backends.nir.backend import GRAPH_FILE
from qsc.backends.nir.neurons import time_constant
from qsc.backends.nir.plan import DT
from qsc.backends.nir.simulate import run_graph
from qsc.bridges.nir import NirGraph, read
from qsc.ir import DYNAMIC, GraphBuilder, Module, Type, Value, ops, verify


def read_graph(data: bytes) -> nir.NIRGraph:
    """The graph as the package nir reads it, its types checked."""
    return nir.read(io.BytesIO(data))  # pyright: ignore[reportArgumentType] - h5py takes open files


def ours(graph: nir.NIRGraph) -> NirGraph:
    """A graph of the package nir as ours, through a file."""
    buffer: Any = io.BytesIO()
    nir.write(buffer, graph, compression=None)  # pyright: ignore[reportArgumentType] - h5py takes None
    return read(buffer.getvalue())


STEPS = 15
EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_snn"


def scan_module(
    sizes: Sequence[int],
    rng: np.random.Generator,
    *,
    cuba: bool = False,
    sequence: bool = False,
    reset: str = "zero",
    delayed: bool | None = None,
    per_neuron: bool = True,
    use_state: bool = False,
) -> Module:
    """Layers linear-neuron in one scan; the input is static or a sequence."""
    weights: dict[str, np.ndarray] = {}
    for k, (n, m) in enumerate(pairwise(sizes)):
        weights[f"l{k}.w"] = rng.normal(0, 1.2 / np.sqrt(n), (m, n)).astype(np.float32)
        weights[f"l{k}.b"] = rng.normal(0.1, 0.1, m).astype(np.float32)
        shape = (m,) if per_neuron else ()
        weights[f"l{k}.alpha"] = np.asarray(rng.uniform(0.5, 0.9, shape), np.float32)
        weights[f"l{k}.beta"] = np.asarray(rng.uniform(0.5, 0.98, shape), np.float32)
        weights[f"l{k}.threshold"] = np.asarray(rng.uniform(0.3, 1.0), np.float32)
    module = Module("net", weights=weights)
    neuron = ops.Synaptic if cuba else ops.Leaky
    op = neuron(reset=reset, delayed=(not cuba) if delayed is None else delayed)
    inner = GraphBuilder(module)
    state_count = op.states * (len(sizes) - 1)
    states = [inner.input(f"s{k}", Type("f32", (DYNAMIC, sizes[1 + k // op.states]))) for k in range(state_count)]
    value = inner.input("x", Type("f32", (DYNAMIC, sizes[0])))
    new_states: list[Value] = []
    for k in range(len(sizes) - 1):
        (current,) = inner.add(ops.Linear(), value, inner.weight(f"l{k}.w"), inner.weight(f"l{k}.b"))
        own = states[k * op.states : (k + 1) * op.states]
        parameters = [inner.weight(f"l{k}.{p}") for p in (("alpha",) if cuba else ()) + ("beta", "threshold")]
        value, *made = inner.add(op, current, *own, *parameters)
        new_states += made
    body = inner.graph(*new_states, value)
    outer = GraphBuilder(module)
    shape = (STEPS, DYNAMIC, sizes[0]) if sequence else (DYNAMIC, sizes[0])
    x = outer.input("x", Type("f32", shape))
    start = [outer.add(ops.Constant(0.0, s.type.shape), x)[0] for s in states]
    results = outer.add(ops.Scan(STEPS, body, state_count, int(sequence)), *start, x)
    module = module.with_(graph=outer.graph(results[-1], *([results[0]] if use_state else [])))
    verify(module)
    return module


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cuba", [False, True])
@pytest.mark.parametrize("sequence", [False, True])
def test_three_ways_to_run_agree(seed: int, cuba: bool, sequence: bool):
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(2, 9, size=rng.integers(2, 5))]
    module = scan_module(sizes, rng, cuba=cuba, sequence=sequence, per_neuron=bool(seed % 2))
    shape = (STEPS, 12, sizes[0]) if sequence else (12, sizes[0])
    x = rng.normal(0.5, 1.0, shape).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x], verify=False, strict=True)
    ours, theirs = bundle.run(x), bundle.run(x, importer="snntorch")
    from qsc.ir.interpreter import evaluate

    wanted = evaluate(module, [x])[0].numpy()
    assert wanted.any()
    assert np.array_equal(ours, wanted)
    assert np.array_equal(theirs, wanted)


def test_a_conv_net():
    import snntorch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 3, 3, padding=1)
            self.lif1 = snntorch.Leaky(beta=0.8, reset_mechanism="zero")
            self.pool = torch.nn.AvgPool2d(2)
            self.fc = torch.nn.Linear(27, 4)
            self.lif2 = snntorch.Leaky(beta=0.9, reset_mechanism="zero", threshold=0.2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = self.lif1.init_leaky(), self.lif2.init_leaky()
            out = []
            for _ in range(STEPS):
                spikes, a = self.lif1(self.conv(x), a)
                spikes, b = self.lif2(self.fc(torch.flatten(self.pool(spikes), 1)), b)
                out.append(spikes)
            return torch.stack(out)

    torch.manual_seed(3)
    net, x = Net().eval(), torch.rand(5, 1, 6, 6) * 3
    bundle = qsc.compile(net, target="nir", example_input=x, strict=True)
    wanted = net(x).detach().numpy()
    assert wanted.any()
    assert np.array_equal(bundle.run(x), wanted)
    assert np.array_equal(bundle.run(x, importer="snntorch"), wanted)
    kinds = sorted(type(n).__name__ for n in read_graph(artifact(bundle)).nodes.values())
    assert kinds == ["Affine", "AvgPool2d", "Conv2d", "Flatten", "Input", "LIF", "LIF", "Output"]


def artifact(bundle: qsc.Bundle) -> bytes:
    return bundle.artifact(bundle.launches()[0].artifact)[GRAPH_FILE]


def test_hundred_digits_spike_as_snntorch_says():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import model, qsc, numpy as np\n"
        "x = model.digits()[2][:100]\n"
        "bundle = qsc.compile(model.model, target='nir', example_input=model.example_input)\n"
        "wanted = model.model(x).detach().numpy()\n"
        "print(wanted.sum(), (bundle.run(x) != wanted).sum(), (bundle.run(x, importer='snntorch') != wanted).sum())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(EXAMPLE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    spikes, ours, theirs = (float(n) for n in done.stdout.split())
    assert spikes > 500
    assert ours == theirs == 0


def test_equal_models_give_equal_bytes_in_every_process():
    script = (
        "import sys, hashlib, torch, snntorch, qsc\n"
        "torch.manual_seed(0)\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc = torch.nn.Linear(4, 3)\n"
        "        self.lif = snntorch.Leaky(beta=0.9, reset_mechanism='zero')\n"
        "    def forward(self, x):\n"
        "        v, out = self.lif.init_leaky(), []\n"
        "        for _ in range(4):\n"
        "            s, v = self.lif(self.fc(x), v)\n"
        "            out.append(s)\n"
        "        return torch.stack(out)\n"
        "b = qsc.compile(Net(), target='nir', example_input=torch.rand(2, 4), verify=False)\n"
        "for name, data in sorted(b.artifact('nir').items()):\n"
        "    print(name, hashlib.sha256(data).hexdigest())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout.count("\n") == 2
    assert runs[0].stdout == runs[1].stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cuba": True, "delayed": True}, "delayed reset"),
        ({"use_state": True}, "last state of a neuron"),
    ],
)
def test_what_nir_cannot_hold_stays_on_the_host_with_a_reason(options: dict, reason: str):
    module = scan_module([3, 4], np.random.default_rng(0), **options)
    x = np.random.default_rng(1).normal(0.5, 1, (6, 3)).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x])
    assert not bundle.launches()
    assert any(reason in r["text"] for r in bundle.manifest["remarks"])
    with pytest.raises(qsc.QscError, match=reason) as caught:
        qsc.compile(module, target="nir", calibration=[x], strict=True)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("beta", 1.5, "its beta is 1.5; a neuron of a network needs one from 0 to 1"),
        ("beta", np.nan, "its beta is nan"),
        ("threshold", -0.5, "its threshold is -0.5; a NIR neuron needs one above its reset value 0"),
        ("threshold", np.inf, "its threshold is inf"),
    ],
)
def test_parameters_that_nir_takes_silently_are_refused(name: str, value: float, reason: str):
    module = scan_module([3, 4], np.random.default_rng(0), per_neuron=False)
    module = module.with_(weights=dict(module.weights) | {f"l0.{name}": np.array(value, np.float32)})
    scan = next(node for node in module.graph.nodes if isinstance(node.op, ops.Scan))
    assert reason in (NirBackend().unsupported(scan, module, TARGET) or "")
    if np.isfinite(value):
        assert not qsc.compile(module, target="nir", verify=False).launches()
        with pytest.raises(qsc.QscError, match=reason) as caught:
            qsc.compile(module, target="nir", verify=False, strict=True)
        assert caught.value.exit_code == 3


def test_a_weight_that_is_not_finite_is_named():
    module = scan_module([3, 4], np.random.default_rng(0))
    launch = qsc.compile(module, target="nir", verify=False).launches()[0]
    weights = dict(module.weights)
    weights["l0.w"] = weights["l0.w"].copy()
    weights["l0.w"][2, 1] = np.nan
    with pytest.raises(qsc.QscError, match=r"l0.w is nan at index \[2, 1\]") as caught:
        NirBackend().emit(launch, module.with_(weights=weights), TARGET, 0)
    assert caught.value.exit_code == 3


def test_quantised_weights_reach_the_file():
    module = scan_module([4, 6, 3], np.random.default_rng(2))
    x = np.random.default_rng(1).normal(0.5, 1, (6, 4)).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x], bits=4)
    nodes = read_graph(artifact(bundle)).nodes
    for node in nodes.values():
        if isinstance(node, nir.Affine):
            facts = node.metadata["qsc"]
            whole = node.weight / facts["weight_scale"][:, None]
            assert facts["weight_bits"] == 4
            assert np.abs(np.rint(whole)).max() == 7
            assert np.array_equal(np.rint(whole).astype(np.float32) * facts["weight_scale"][:, None], node.weight)
    assert bundle.costs["weight_bits"] == 4


@pytest.mark.parametrize(("low", "high", "kind"), [(0.9, 0.9999999, np.float32), (0.0, 0.8, np.float64)])
def test_time_constants_come_back_as_decays(low: float, high: float, kind: type):
    rng = np.random.default_rng(0)
    decays = np.concatenate([[low], rng.uniform(low, high, 20_000)]).astype(np.float32)
    tau = time_constant(decays, DT)
    assert tau.dtype == kind
    assert np.array_equal((1 - DT / tau).astype(np.float32), decays)


def test_a_cycle_brings_the_spikes_of_the_step_before():
    """One neuron that inhibits itself, by hand: v = 0.5 v + x - 2 s."""
    one = np.ones(1, np.float32)
    nodes = {
        "input": nir.Input({"input": np.array([1])}),
        "lif": nir.LIF(2 * DT * one, 2 * one, 0 * one, one, 0 * one),
        "back": nir.Linear(-2 * np.eye(1, dtype=np.float32)),
        "output": nir.Output({"output": np.array([1])}),
    }
    edges = [("input", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output")]
    x = torch.tensor([1.5, 1.5, 1.5, 3.5, 0.0, 2.5]).reshape(6, 1, 1)
    spikes, counts = run_graph(ours(nir.NIRGraph(nodes, edges)), 6, DT, x, sequence=True)
    # v: 1.5 fires; -0.5; 1.25 fires; 3.5 - 2 = 1.5 fires; 0 - 2 = -2; -1 + 2.5 = 1.5 fires.
    assert spikes.ravel().tolist() == [1, 0, 1, 1, 0, 1]
    assert counts == {"lif": 4.0}


def test_a_residual_connection_is_two_edges():
    rng = np.random.default_rng(4)
    module = Module(
        "residual",
        weights={
            "w": rng.normal(0, 1, (3, 3)).astype(np.float32),
            "b": np.array(0.8, np.float32),
            "t": np.array(0.4, np.float32),
        },
    )
    inner = GraphBuilder(module)
    state, x = inner.input("v", Type("f32", (DYNAMIC, 3))), inner.input("x", Type("f32", (DYNAMIC, 3)))
    (a,) = inner.add(ops.Linear(), x, inner.weight("w"))
    (total,) = inner.add(ops.Add(), a, x)
    spike, after = inner.add(ops.Leaky(reset="zero"), total, state, inner.weight("b"), inner.weight("t"))
    outer = GraphBuilder(module)
    given = outer.input("x", Type("f32", (DYNAMIC, 3)))
    (zero,) = outer.add(ops.Constant(0.0, (DYNAMIC, 3)), given)
    results = outer.add(ops.Scan(STEPS, inner.graph(after, spike), 1, 0), zero, given)
    module = module.with_(graph=outer.graph(results[-1]))
    x_values = rng.normal(0.5, 1, (7, 3)).astype(np.float32)
    bundle = qsc.compile(module, target="nir", calibration=[x_values], strict=True)
    graph = read_graph(artifact(bundle))
    assert sum(1 for _, end in graph.edges if type(graph.nodes[end]).__name__ == "LIF") == 2
    assert np.array_equal(bundle.run(x_values), bundle.run(x_values, importer="snntorch"))
