"""Follows the recipes of CONTRIBUTING.md on a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# file: (\S+)\n")
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "benchmarks", "examples")


def recipes() -> dict[str, list[tuple[str, str]]]:
    """Heading -> its blocks: (language, text)."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = {part.partition("\n")[0]: BLOCK.findall(part) for part in parts}
    return {title: blocks for title, blocks in found.items() if blocks}


def apply(folder: Path, language: str, text: str) -> None:
    """Make or extend a file, apply a diff by its context, or run commands."""
    environment = {**os.environ, "PYTHONPATH": str(folder.parent), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    if language == "sh":
        done = subprocess.run(["sh", "-e"], input=text, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    elif language == "diff":
        name = re.search(r"^\+\+\+ b/(\S+)$", text, re.MULTILINE)
        assert name is not None
        lines = [line for line in text.splitlines() if not line.startswith(("---", "+++", "@@"))]
        old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        path = folder / name[1]
        before = path.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"the diff for {name[1]} does not fit any more"
        path.write_text(before.replace(old, new), encoding="utf-8")
    else:
        name = FILE.match(text)
        assert name is not None, f"a {language} block does not say its file"
        path = folder / name[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text[name.end() :])


@pytest.mark.parametrize("title", recipes())
def test_recipe(title: str, tmp_path: Path):
    folder = tmp_path / "qsc"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    for language, text in recipes()[title]:
        apply(folder, language, text)


def test_there_is_a_recipe_for_each_kind():
    assert list(recipes()) == ["Add an op", "Add a pass", "Add a target", "Add a frontend"]
