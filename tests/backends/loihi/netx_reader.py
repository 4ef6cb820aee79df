# pyright: reportMissingImports=false
"""Runs .net files by lava-dl's own reader, in Lava's fixed point.

    python netx_reader.py JOBS.npz RESULTS.npz

A script for a Python with lava-dl, and no qsc. JOBS.npz holds K/net, the bytes of a file, and K/input, (steps, *shape)
spikes as qsc lays them out, or K/matrix; RESULTS.npz gets K/LAYER, the spikes of a layer, (steps, ...) in the reader's
layout, or K/read, what a matrix is read as.
"""

from __future__ import annotations

import sys
import tempfile
import types
from pathlib import Path

import numpy as np

# Netx takes one function from slayer, for resonate-and-fire neurons; slayer takes torch.
for name in ("slayer", "slayer.neuron", "slayer.neuron.rf", "netx.sequential_modules"):
    sys.modules[f"lava.lib.dl.{name}"] = types.ModuleType(name)
sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None  # pyright: ignore[reportAttributeAccessIssue]

from lava.lib.dl.netx import hdf5  # noqa: E402
from lava.lib.dl.netx.utils import optimize_weight_bits  # noqa: E402
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.io.source import RingBuffer  # noqa: E402
from lava.proc.monitor.process import Monitor  # noqa: E402
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights  # noqa: E402

# Lava looks for models beside every module of the package.
sys.modules["lava.lib.dl.netx.sequential_modules"].__file__ = hdf5.__file__


def read_weight(weight: np.ndarray) -> np.ndarray:
    """What Lava multiplies with where netx reads a matrix, its exponent in it.

    Empty where netx fails, or asks for a shift below 0.
    """
    try:
        shifted, bits, exponent, _ = optimize_weight_bits(weight)
    except OverflowError:
        return np.zeros(0)
    sign = determine_sign_mode(shifted)
    if exponent > 0 or bits > 8 + (sign.name == "MIXED"):
        return np.zeros(0)
    return truncate_weights(clip_weights(shifted, sign, 8), sign, bits) / 2**-exponent


def run(file: Path, given: np.ndarray) -> list[np.ndarray]:
    steps = len(given)
    net = hdf5.Network(net_config=str(file))
    images = len(net.inp.shape) == 3
    laid_out = given.transpose(3, 2, 1, 0) if images else given.reshape(steps, -1).T
    source = RingBuffer(data=np.ascontiguousarray(laid_out, np.int32))
    source.s_out.connect(net.inp)
    monitors = []
    for layer in net.layers:
        monitors.append(Monitor())
        monitors[-1].probe(layer.neuron.s_out, steps)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found = []
    for monitor in monitors:
        ((values,),) = (each.values() for each in monitor.get_data().values())
        found.append(values.astype(bool))
    net.stop()
    return found


def main() -> None:
    with np.load(sys.argv[1]) as file:
        jobs = dict(file)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for key in sorted({key.partition("/")[0] for key in jobs}):
            if f"{key}/matrix" in jobs:
                results[f"{key}/read"] = read_weight(jobs[f"{key}/matrix"])
                continue
            path = Path(folder) / f"{key}.net"
            path.write_bytes(jobs[f"{key}/net"].tobytes())
            for number, spikes in enumerate(run(path, jobs[f"{key}/input"])):
                results[f"{key}/{number}"] = spikes
    np.savez_compressed(sys.argv[2], **results)


if __name__ == "__main__":
    main()
