"""The table of known losses on export, through to the file: what goes into the graph spikes as the framework does."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import qsc
import torch

from .export_cells import FRAMEWORKS, model_of

pytest.importorskip("h5py")

CELLS = {
    f"{package}: {name}": cell
    for package, cells in FRAMEWORKS.items()
    if importlib.util.find_spec(package) is not None
    for name, cell in cells().items()
    if not cell.refused
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_a_cell_is_exact_in_nir_or_stays_on_the_host_with_a_reason(name: str):
    cell = CELLS[name]
    model = model_of(cell)
    torch.manual_seed(7)
    # Sums of these are exact in every order.
    x = (torch.rand(cell.shape) < 0.5).float()
    bundle = qsc.compile(model, target="nir", example_input=x, verify=False)
    remarks = [remark["text"] for remark in bundle.manifest["remarks"]]
    assert bundle.launches() or any("on the host" in text for text in remarks)
    with torch.no_grad():
        wanted = model_of(cell)(x)
    given = bundle.run(x)
    for ours, theirs in zip(_several(given), _several(wanted), strict=False):
        a, b = np.asarray(ours), np.asarray(theirs)
        # Spikes to the last; potentials of a readout but for the rounding of a sum in another order.
        assert np.array_equal(a, b) or (not np.isin(b, (0, 1)).all() and np.allclose(a, b, rtol=1e-5, atol=1e-6))


def _several(values: object) -> list[object]:
    return list(values) if isinstance(values, list | tuple) else [values]
