"""Writes spikingjelly.json: what SpikingJelly's op_counter says of small networks.

python -m venv env; env/bin/pip install torch spikingjelly==2.0.0; env/bin/python make_spikingjelly.py

Weights and spikes come from numpy's generator by a seed, so that a test makes the same networks.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.op_counter.analytical_energy import estimate_lemaire_energy
from spikingjelly.activation_based.op_counter.simple_energy import SimpleEnergyProfiler
from torch import nn

STEPS, ROWS = 10, 1
"""One row: op_counter takes the rows of a batch for one large memory."""

CASES = [
    {"seed": 0, "sizes": [12, 20, 5], "leaky": True, "bias": True, "binary": True},
    {"seed": 1, "sizes": [12, 20, 5], "leaky": False, "bias": False, "binary": True},
    {"seed": 2, "sizes": [30, 16, 16, 4], "leaky": True, "bias": True, "binary": False},
    {"seed": 3, "sizes": [700, 600, 10], "leaky": False, "bias": True, "binary": True},
    {"seed": 4, "channels": [2, 4], "size": 8, "kernel": 3, "stride": 1, "leaky": True, "bias": True, "binary": True},
    {"seed": 5, "channels": [3, 5], "size": 9, "kernel": 3, "stride": 2, "leaky": False, "bias": True, "binary": False},
]


def network(case: dict) -> tuple[nn.Sequential, torch.Tensor]:
    """The layers of a case, and (steps, rows, ...) to run them on."""
    rng = np.random.default_rng(case["seed"])
    parts: list[nn.Module] = []
    made: list[Any]
    if "sizes" in case:
        shape = (case["sizes"][0],)
        made = [layer.Linear(n, m, bias=case["bias"]) for n, m in pairwise(case["sizes"])]
    else:
        (a, b), size = case["channels"], case["size"]
        shape = (a, size, size)
        made = [layer.Conv2d(a, b, case["kernel"], case["stride"], bias=case["bias"])]
    for part in made:
        weight = rng.normal(0.1, 1.5 / np.sqrt(np.prod(part.weight.shape[1:])), part.weight.shape)
        part.weight.data = torch.from_numpy(weight.astype(np.float32))
        if case["bias"]:
            part.bias.data = torch.from_numpy(rng.normal(0.1, 0.1, part.bias.shape).astype(np.float32))
        kind = neuron.LIFNode if case["leaky"] else neuron.IFNode
        options = {"tau": 4.0, "decay_input": False} if case["leaky"] else {}
        parts += [part, kind(v_threshold=1.0, v_reset=0.0, **options)]
    net = nn.Sequential(*parts).eval()
    functional.set_step_mode(net, "m")
    x = rng.random((STEPS, ROWS, *shape))
    x = (x < 0.4) if case["binary"] else x
    return net, torch.from_numpy(x.astype(np.float32))


def keep(spikes: list, _module: nn.Module, _given: tuple, out: torch.Tensor) -> None:
    """Append what a layer of neurons put out."""
    spikes.append(out)


def main() -> None:
    """Run every case and write the file."""
    rows = []
    for case in CASES:
        net, x = network(case)
        spikes = []
        hooks = [m.register_forward_hook(partial(keep, spikes)) for m in net if hasattr(m, "v_reset")]
        lemaire = estimate_lemaire_energy(net, x)
        for hook in hooks:
            hook.remove()
        functional.reset_net(net)
        profiler = SimpleEnergyProfiler()
        profiler.bind_model(net)
        with profiler, torch.no_grad():
            net(x)
        memory = profiler.memory_counter.get_counts()["Global"]
        functional.reset_net(net)
        synapses = profiler.synop_counter.get_total()
        rows.append(
            case
            | {
                "spikes": [float(s.sum()) for s in spikes],
                "lemaire": {
                    "total_pj": lemaire.total_pj,
                    "breakdown_pj": lemaire.breakdown_pj,
                    "counts": lemaire.counts,
                },
                "simple": {"synops": synapses, "memory_bytes": memory},
            }
        )
    facts = {"spikingjelly": "2.0.0", "steps": STEPS, "rows": ROWS, "cases": rows}
    Path(__file__).with_name("spikingjelly.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
