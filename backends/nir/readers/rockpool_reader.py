"""rockpool 3.1: `rockpool.nn.modules.torch.nir.from_nir`, all steps at once, batch first."""

import sys
from typing import Any

import numpy as np


def run(path: str, x: np.ndarray, dt: float) -> np.ndarray:
    """What the graph puts out, (steps, batch, ...). rockpool takes dt from each node's numbers."""
    import nir
    import torch
    from rockpool.nn.modules.torch.nir import from_nir  # pyright: ignore[reportMissingImports]

    net: Any = from_nir(nir.read(path))
    with torch.no_grad():
        out = net(torch.from_numpy(np.ascontiguousarray(x.swapaxes(0, 1))))
    out = out[0] if isinstance(out, tuple) else out
    return out.numpy().swapaxes(0, 1)


if __name__ == "__main__":
    given = np.load(sys.argv[2])
    np.savez(sys.argv[3], y=run(sys.argv[1], given["x"], float(given["dt"])))
