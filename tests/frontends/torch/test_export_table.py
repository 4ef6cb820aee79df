"""The table of known losses on export: every cell is exact, or refused with its reason."""

from __future__ import annotations

import importlib.util

import pytest

from .exactness import check, refusal
from .export_cells import FRAMEWORKS, Cell, model_of

CELLS = {
    f"{package}: {name}": cell
    for package, cells in FRAMEWORKS.items()
    if importlib.util.find_spec(package) is not None
    for name, cell in cells().items()
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_exact_or_refused(cell: Cell):
    model = model_of(cell)
    if cell.refused:
        reason = refusal(model, cell.shape)
        assert reason.startswith(cell.refused)
        assert "\n" not in reason
    else:
        check(model, cell.shape, cell.axis)


@pytest.mark.parametrize("package", [p for p in FRAMEWORKS if importlib.util.find_spec(p) is None])
def test_frameworks_that_are_not_installed(package: str):
    pytest.skip(f"{package} is not installed; golden vectors check its arithmetic")
