"""Shared fixtures: golden texts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files with what the code gives now")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Icarus Verilog, whatever simulates a netlist is skipped and says why."""
    if shutil.which("iverilog") is None:
        reason = pytest.mark.skip(reason="Icarus Verilog (iverilog) is not installed")
        for item in items:
            if "sfq" in item.nodeid or "two_targets" in item.nodeid:
                item.add_marker(reason)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the file `golden/<name>` beside the test, or rewrites it under --update."""

    def compare(name: str, text: str) -> None:
        path = Path(request.path).parent / "golden" / name
        if request.config.getoption("--update"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {path.name}: run pytest --update once and read it"
        assert text == path.read_text(encoding="utf-8")

    return compare
