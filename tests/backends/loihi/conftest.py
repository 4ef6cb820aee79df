"""The generators of random programs, shared with tools/make_lava_golden.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def programs() -> ModuleType:
    return load("random_loihi_programs", "programs.py")


@pytest.fixture(scope="session")
def plastic_programs() -> ModuleType:
    return load("random_plastic_programs", "plastic_programs.py")
