"""snntorch 1.0: `snntorch.import_nir.import_from_nir`, one step after the other."""

import contextlib
import io
import sys
from typing import Any

import numpy as np


def run(path: str, x: np.ndarray, dt: float) -> np.ndarray:
    """What the graph puts out, (steps, batch, ...). dt is snntorch's own, 1e-4 s."""
    import nir
    import torch
    from snntorch.import_nir import import_from_nir

    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        net: Any = import_from_nir(nir.read(path))
        for layer in net.modules():
            # NIR counts dimensions without the batch, and the importer keeps its numbers.
            if isinstance(layer, torch.nn.Flatten):
                start, end = int(layer.start_dim), int(layer.end_dim)
                layer.start_dim, layer.end_dim = start + (start >= 0), end + (end >= 0)
        state, outputs = None, []
        for step in torch.from_numpy(x):
            out, state = net(step, state)
            outputs.append(out.numpy())
    return np.stack(outputs)


if __name__ == "__main__":
    given = np.load(sys.argv[2])
    np.savez(sys.argv[3], y=run(sys.argv[1], given["x"], float(given["dt"])))
