"""A stack of Linear layers and neurons compiled to NIR, against `torch.export` plus `nir.write` alone.

    python benchmarks/nir_size.py [weights]

The peer exports the same torch module and writes the same weights as NIR nodes; ours is a whole `qsc.compile` without
verification, the bundle on disk included. Fresh process each, median of three runs after a warm-up, peak memory.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import in_child, median_seconds, peak_mib

LAYERS = 10
STEPS = 2


def make_model(weights: int) -> tuple[Any, Any]:
    """(spiking torch module, example input); torch is imported here, so that only the children load it."""
    import snntorch
    import torch

    width = int((weights / LAYERS) ** 0.5)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(LAYERS))
            self.neurons = torch.nn.ModuleList(snntorch.Leaky(beta=0.9, reset_mechanism="zero") for _ in range(LAYERS))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            neurons: list[Any] = list(self.neurons)
            states = [neuron.init_leaky() for neuron in neurons]
            out = []
            for _ in range(STEPS):
                value = x
                for k in range(LAYERS):
                    value, states[k] = neurons[k](self.layers[k](value), states[k])
                out.append(value)
            return torch.stack(out)

    torch.manual_seed(0)
    return Net().eval(), torch.rand(2, width)


def run_qsc(weights: int) -> dict[str, float]:
    import qsc

    model, x = make_model(weights)
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            qsc.compile(model, target="nir", example_input=x, verify=False).save(Path(folder) / "bundle")

        return {"seconds": median_seconds(work, 3), "mib": peak_mib()}


def run_peer(weights: int) -> dict[str, float]:
    import nir
    import numpy as np
    import torch

    model, x = make_model(weights)
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            torch.export.export(model, (x,), strict=False)
            width = x.shape[1]
            shape = np.array([width])
            nodes: dict[str, Any] = {"input": nir.Input({"input": shape})}
            edges, last = [], "input"
            for k, layer in enumerate(model.layers):
                affine, neuron = f"affine{k}", f"lif{k}"
                nodes[affine] = nir.Affine(layer.weight.detach().numpy(), layer.bias.detach().numpy())
                one = np.ones(width, np.float32)
                nodes[neuron] = nir.LIF(one, one, 0 * one, one)
                edges += [(last, affine), (affine, neuron)]
                last = neuron
            nodes["output"] = nir.Output({"output": shape})
            nir.write(str(Path(folder) / "graph.nir"), nir.NIRGraph(nodes, [*edges, (last, "output")]))

        return {"seconds": median_seconds(work, 3), "mib": peak_mib()}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    print(f"{'weights':>10} {'tool':<22} {'seconds':>8} {'MiB':>7}")
    for size in (count // 10, count):
        rows = {tool: in_child(__file__, f"{tool}:{size}") for tool in ("qsc", "peer")}
        print(f"{size:>10} {'qsc compile':<22} {rows['qsc']['seconds']:>8.3f} {rows['qsc']['mib']:>7.0f}")
        print(f"{size:>10} {'export + nir.write':<22} {rows['peer']['seconds']:>8.3f} {rows['peer']['mib']:>7.0f}")
        print(f"{size:>10} ratio: {rows['qsc']['seconds'] / rows['peer']['seconds']:.2f} (limit 2)")


if __name__ == "__main__":
    if len(sys.argv) > 1 and ":" in sys.argv[1]:
        tool, _, size = sys.argv[1].partition(":")
        print(json.dumps((run_qsc if tool == "qsc" else run_peer)(int(size))))
    else:
        main()
