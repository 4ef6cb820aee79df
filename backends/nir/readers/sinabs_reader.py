"""sinabs 3.1: `sinabs.from_nir`, all steps at once, the batch before time in one dimension."""

import sys
from typing import Any

import numpy as np


def run(path: str, x: np.ndarray, dt: float) -> np.ndarray:
    """What the graph puts out, (steps, batch, ...). sinabs counts time in steps and knows no dt."""
    import nir
    import torch
    from sinabs import from_nir  # pyright: ignore[reportMissingImports] - in an environment of its own

    steps, batch = x.shape[:2]
    net: Any = from_nir(nir.read(path), batch_size=batch)
    rows = torch.from_numpy(np.ascontiguousarray(x.swapaxes(0, 1))).reshape(batch * steps, *x.shape[2:])
    with torch.no_grad():
        out = net(rows)
    out = out[0] if isinstance(out, tuple) else out
    return out.numpy().reshape(batch, steps, *out.shape[1:]).swapaxes(0, 1)


if __name__ == "__main__":
    given = np.load(sys.argv[2])
    np.savez(sys.argv[3], y=run(sys.argv[1], given["x"], float(given["dt"])))
