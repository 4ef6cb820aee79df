"""How the tests load a published system: its modules by folder and file name, and where its data may be."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

Load = Callable[[str, str], ModuleType]


@pytest.fixture(scope="session")
def load_example() -> Iterator[Load]:
    """(folder, file without suffix) -> the module, which may import its neighbours while it is loaded."""
    loaded: dict[tuple[str, str], ModuleType] = {}

    def load(folder: str, file: str = "model") -> ModuleType:
        if (folder, file) in loaded:
            return loaded[folder, file]
        name = f"example_{folder.replace('-', '_')}_{file}"
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / folder / f"{file}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(EXAMPLES / folder))
        try:
            if file != "model" and (EXAMPLES / folder / "model.py").exists():
                sys.modules["model"] = load(folder, "model")
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(EXAMPLES / folder))
            sys.modules.pop("model", None)
        loaded[folder, file] = module
        return module

    yield load
    for module in loaded.values():
        sys.modules.pop(module.__name__, None)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of data that are not part of the repository; the test is skipped where QSC_DATA does not name it."""
    given = os.environ.get("QSC_DATA")
    if not given:
        pytest.skip("QSC_DATA does not name the folder of the published data (transmon_classifier/*.mat)")
    return Path(given)
