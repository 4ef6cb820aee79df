"""Writes tests/ir/interpreter/golden/neurons.npz: what the neurons of norse 1.1, spikingjelly 2.0, sinabs 3.1 and
rockpool 3.1 put out for drawn inputs, so that their arithmetic is checked where they are not installed.

Run it where all four are. sinabs and rockpool pin an older nir: `pip install --no-deps sinabs==3.1.3 rockpool==3.1.0`
and `pip install pbr` puts them beside the rest. rockpool is under the AGPL; nothing of it is copied here but numbers
that it computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

STEPS, BATCH, COUNT = 40, 2, 5
TARGET = Path(__file__).parents[1] / "tests" / "ir" / "interpreter" / "golden" / "neurons.npz"

Case = tuple[dict[str, Any], dict[str, Tensor], Callable[[Tensor], Tensor]]
"""(class and fields of the IR op, its parameters by name, what the framework makes of an input with time first)."""


def draw(low: float, high: float) -> Tensor:
    """One number a neuron."""
    return torch.rand(COUNT) * (high - low) + low


def norse_cell(cell: Any) -> Callable[[Tensor], Tensor]:
    """A cell over time."""

    def run(series: Tensor) -> Tensor:
        state, out = None, []
        for x in series:
            y, state = cell(x, state)
            out.append(y)
        return torch.stack(out)

    return run


def norse_cases() -> dict[str, Case]:
    """Box, current-based, integrator and integrate-and-fire cells."""
    import norse.torch as norse

    membrane: dict[str, Any] = {"tau_mem_inv": draw(100, 400), "v_leak": draw(-0.1, 0.1)}
    fire: dict[str, Any] = {"v_th": draw(0.2, 0.6), "v_reset": draw(-0.2, 0.0)}
    named = {"threshold": fire["v_th"], "v_reset": fire["v_reset"]}
    synapse: dict[str, Any] = {"tau_syn_inv": draw(100, 300)}
    cuba = norse.LIFParameters(**synapse, **membrane, **fire)
    base = {"dt": 1e-3, "form": "rate"}
    return {
        "norse.box": (
            {"op": "lif", **base, "form": "rate_box"},
            {**membrane, **named},
            norse_cell(norse.LIFBoxCell(norse.LIFBoxParameters(**membrane, **fire))),
        ),
        "norse.lif": (
            {"op": "cuba_lif", **base, "current": "jump"},
            {**synapse, **membrane, **named},
            norse_cell(norse.LIFCell(cuba)),
        ),
        "norse.li": (
            {"op": "cuba_integrate", **base, "current": "jump"},
            {**synapse, **membrane},
            norse_cell(norse.LICell(norse.LIParameters(**synapse, **membrane))),
        ),
        "norse.iaf": ({"op": "lif", "form": "add"}, named, norse_cell(norse.IAFCell(norse.IAFParameters(**fire)))),
    }


def jelly_case(node: Any, op: dict[str, Any], parameters: dict[str, float | Tensor]) -> Case:
    """A node of many steps."""
    node.step_mode = "m"
    resets = {} if node.v_reset is None else {"v_reset": node.v_reset}
    given = {**parameters, "threshold": node.v_threshold, **resets}
    reset = "subtract" if node.v_reset is None else "value"
    tensors = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in given.items()}
    return {"op": "lif", "reset": reset, "inclusive": True, **op}, tensors, node


def jelly_cases() -> dict[str, Case]:
    """IF, LIF, parametric LIF and CUBA-LIF, hard and soft reset."""
    from spikingjelly.activation_based import neuron

    plif = neuron.ParametricLIFNode(3.3, v_threshold=0.4)
    share = plif.w.detach().sigmoid()
    cuba = {"op": "cuba_lif", "form": "decay", "current": "decay"}
    return {
        "spikingjelly.if": jelly_case(neuron.IFNode(v_reset=None, v_threshold=0.7), {"form": "add"}, {}),
        "spikingjelly.lif": jelly_case(
            neuron.LIFNode(2.3, v_threshold=0.4), {"form": "charge"}, {"steps": 2.3, "v_rest": 0.0}
        ),
        "spikingjelly.drain": jelly_case(
            neuron.LIFNode(3.7, False, 0.6, -0.1), {"form": "drain"}, {"steps": 3.7, "v_rest": -0.1}
        ),
        "spikingjelly.plif": jelly_case(plif, {"form": "charge_share"}, {"share": share, "v_rest": 0.0}),
        "spikingjelly.cuba": jelly_case(neuron.CUBALIFNode(0.45, 0.7), cuba, {"alpha": 0.45, "beta": 0.7}),
    }


def batch_first(layer: Any) -> Callable[[Tensor], Tensor]:
    """A layer that takes time as the second dimension."""
    return lambda series: layer(series.transpose(0, 1)).transpose(0, 1)


def sinabs_cases() -> dict[str, Case]:
    """Integrate-and-fire, leaky and current-based neurons, hard and soft reset, and a leaky integrator."""
    import sinabs.layers as sl  # pyright: ignore[reportMissingImports]
    from sinabs.activation import MembraneReset, SingleSpike  # pyright: ignore[reportMissingImports]

    tau, tau_syn, threshold = draw(3, 12), draw(2, 8), draw(0.2, 0.6)
    beta, alpha = torch.exp(-1.0 / tau), torch.exp(-1.0 / tau_syn)
    options = {"spike_threshold": threshold, "spike_fn": SingleSpike}
    soft = {"op": "lif", "reset": "subtract", "inclusive": True}
    zero = torch.zeros(())
    return {
        "sinabs.iaf": ({**soft, "form": "add"}, {"threshold": threshold}, batch_first(sl.IAF(**options))),
        "sinabs.hard": (
            {**soft, "form": "decay", "reset": "value"},
            {"beta": beta, "threshold": threshold, "v_reset": zero},
            batch_first(sl.LIF(tau, reset_fn=MembraneReset(), norm_input=False, **options)),
        ),
        "sinabs.lif": (
            {**soft, "form": "average"},
            {"beta": beta, "threshold": threshold},
            batch_first(sl.LIF(tau, **options)),
        ),
        "sinabs.cuba": (
            {**soft, "op": "cuba_lif", "form": "average", "current": "damped"},
            {"alpha": alpha, "beta": beta, "threshold": threshold},
            batch_first(sl.LIF(tau, tau_syn, **options)),
        ),
        "sinabs.leak": ({"op": "integrate", "form": "decay"}, {"beta": beta}, batch_first(sl.ExpLeak(tau))),
    }


def rockpool_cases() -> dict[str, Case]:
    """LIFTorch of one spike a step."""
    from rockpool.nn.modules import LIFTorch  # pyright: ignore[reportMissingImports]

    tau, tau_syn, bias, threshold = draw(0.01, 0.03), draw(0.01, 0.03), draw(-0.05, 0.05), draw(0.5, 1.5)
    layer = LIFTorch(
        COUNT,
        tau_mem=tau,
        tau_syn=tau_syn[:, None],
        bias=bias,
        threshold=threshold,
        max_spikes_per_dt=torch.tensor(1.0),
    )
    parameters = {"alpha": torch.exp(-1e-3 / tau_syn), "beta": torch.exp(-1e-3 / tau)}
    op = {"op": "cuba_lif", "form": "decay_bias", "current": "damped", "reset": "subtract", "inclusive": True}
    run = batch_first(lambda x: layer(x)[0])
    return {"rockpool.lif": (op, {**parameters, "bias": bias, "threshold": threshold}, run)}


def main() -> None:
    """Draw, run, write."""
    torch.manual_seed(20)
    arrays: dict[str, np.ndarray] = {}
    for cases in (norse_cases, jelly_cases, sinabs_cases, rockpool_cases):
        for name, (op, parameters, run) in cases().items():
            scale = 0.1 if name.startswith("rockpool") else 1.0
            series = (torch.randn(STEPS, BATCH, COUNT) * 0.8 + 0.5) * scale
            with torch.no_grad():
                out = run(series)
            arrays[f"{name}/op"] = np.array(json.dumps(op))
            arrays[f"{name}/x"], arrays[f"{name}/out"] = series.numpy(), out.numpy()
            arrays |= {f"{name}/p/{key}": value.detach().numpy() for key, value in parameters.items()}
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, allow_pickle=False, **arrays)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
