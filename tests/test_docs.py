"""The docs that are made from the code are up to date, and the commands in the others run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_generated_docs_are_up_to_date():
    command = [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "languages"),
    [
        ("quantum.md", {"sh", "python"}),
        ("cutting.md", {"sh"}),
        ("execution.md", {"sh", "python"}),
        ("spiking.md", {"sh"}),
        ("loihi.md", {"python"}),
    ],
)
def test_the_commands_of_a_guide_run_one_after_the_other(page: str, languages: set[str], tmp_path: Path):
    blocks = re.findall(r"```(sh|python)\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert {language for language, _ in blocks} == languages
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, text in blocks:
        command = ["bash", "-eu", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True)
        assert done.returncode == 0, text + done.stdout + done.stderr
