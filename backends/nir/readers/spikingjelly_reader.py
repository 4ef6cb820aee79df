"""SpikingJelly 2.0: `nir_exchange.import_from_nir`, one step after the other."""

import sys
from typing import Any

import numpy as np


def run(path: str, x: np.ndarray, dt: float) -> np.ndarray:
    """What the graph puts out, (steps, batch, ...), in steps of dt seconds."""
    import torch
    from spikingjelly.activation_based.nir_exchange import (  # pyright: ignore[reportMissingImports]
        import_from_nir,
    )

    net: Any = import_from_nir(path, dt=dt)
    with torch.no_grad():
        state, outputs = None, []
        for step in torch.from_numpy(x):
            out, state = net(step, state)
            outputs.append(out.numpy())
    return np.stack(outputs)


if __name__ == "__main__":
    given = np.load(sys.argv[2])
    np.savez(sys.argv[3], y=run(sys.argv[1], given["x"], float(given["dt"])))
