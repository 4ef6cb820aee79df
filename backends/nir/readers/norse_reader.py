"""norse 1.1: `norse.torch.from_nir`, one step after the other."""

import sys
from typing import Any

import numpy as np


def run(path: str, x: np.ndarray, dt: float) -> np.ndarray:
    """What the graph puts out, (steps, batch, ...), in steps of dt seconds."""
    import nir
    import norse.torch as norse  # pyright: ignore[reportMissingImports] - in an environment of its own
    import torch

    net: Any = norse.from_nir(nir.read(path), dt=dt)
    with torch.no_grad():
        state, outputs = None, []
        for step in torch.from_numpy(x):
            out, state = net(step, state)
            outputs.append(out.numpy())
    return np.stack(outputs)


if __name__ == "__main__":
    given = np.load(sys.argv[2])
    np.savez(sys.argv[3], y=run(sys.argv[1], given["x"], float(given["dt"])))
