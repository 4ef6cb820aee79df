"""The package as it is shipped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SKIPPED = {"tests", "examples", "benchmarks", "docs", "build", "dist", "tools"}
CORE = ("numpy", "lark", "rich", "click", "safetensors", "markdown_it", "mdurl", "pygments")


def test_the_package_list_is_the_folders():
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    found = {"qsc"}
    for init in ROOT.rglob("__init__.py"):
        parts = init.parent.relative_to(ROOT).parts
        if parts and not parts[0].startswith(".") and parts[0] not in SKIPPED:
            found.add(".".join(("qsc", *parts)))
    assert listed == found


@pytest.fixture(scope="module")
def core_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel and the core dependencies alone; returns its `qsc`."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "env", with_pip=False)
    site = next((folder / "env").glob("lib/python*/site-packages"))
    # The core libraries are taken from this environment, so that the test needs no network.
    here = Path(next(p for p in sys.path if p.endswith("site-packages")))
    for name in CORE:
        os.symlink(here / name, site / name)
        for info in here.glob(f"{name}-*.dist-info"):
            os.symlink(info, site / info.name)
    for libs in here.glob("numpy.libs"):
        os.symlink(libs, site / libs.name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, *map(str, folder.glob("*.whl"))], check=True, capture_output=True)
    return folder / "env" / "bin" / "python"


def call(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from qsc.compiler.cli import main; main(sys.argv[1:])"
    return subprocess.run([python, "-c", script, *arguments], capture_output=True, text=True, cwd=python.parent)


def test_the_wheel_with_the_core_alone(core_only: Path):
    done = call(core_only, "--help")
    assert done.returncode == 0, done.stderr
    assert "compile" in done.stdout
    assert call(core_only, "ops").returncode == 0
    done = call(core_only, "passes")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("compile", "{example}", "--target", "host"), "qsc[torch]"),
        (("compile", "{circuit}", "--target", "fake_torino"), "qsc[qiskit]"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(core_only: Path, tmp_path: Path, arguments: tuple[str, ...], extra: str):
    (tmp_path / "model.py").write_text("model = 1\n")
    (tmp_path / "c.qsc").write_text("circuit c() on 1 qubits {\n  h q[0];\n}\n")
    paths = {"example": str(tmp_path / "model.py"), "circuit": str(tmp_path / "c.qsc")}
    done = call(core_only, *(a.format(**paths) for a in arguments))
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("error[") == 1
    assert f'pip install "{extra}"' in done.stderr
    assert "Traceback" not in done.stderr


def test_no_dependency_forbids_use_in_a_product():
    """No AGPL, GPL or non-commercial licence among the core and the extras that the tests install (LGPL is none)."""
    waiting, seen, refused = ["qsc[dev]"], set(), []
    while waiting:
        requirement = Requirement(waiting.pop())
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            try:
                found = metadata.distribution(requirement.name)
            except metadata.PackageNotFoundError:
                continue
            refused += [requirement.name] if FORBIDDEN.search(licence(found)) else []
            for line in found.requires or ():
                wanted = Requirement(line)
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    waiting.append(f"{wanted.name}[{','.join(wanted.extras)}]" if wanted.extras else wanted.name)
    assert len(seen) > 40
    assert FORBIDDEN.search("GPL-3.0-only")
    assert FORBIDDEN.search("License :: OSI Approved :: GNU Affero General Public License v3")
    assert not FORBIDDEN.search("LGPL-2.1")
    assert refused == []


FORBIDDEN = re.compile(r"(?<!L)(?<!Lesser )\b(A?GPL|(Affero )?General Public|non-?commercial)", re.IGNORECASE)


CLASSIFIED_WRONGLY = {"dcls": "MIT License"}
"""Packages whose classifiers name another licence than the text that they carry; how that text begins."""


def licence(found: metadata.Distribution) -> str:
    """What a package's metadata says of its licence; of a long text only the beginning."""
    fields: Any = found.metadata
    if carried := CLASSIFIED_WRONGLY.get(canonicalize_name(found.name)):
        path = next(file for file in found.files or () if file.name == "LICENSE").locate()
        text = Path(str(path)).read_text()
        assert text.startswith(carried)
        return text
    classifiers = [c for c in fields.get_all("Classifier") or [] if c.startswith("License")]
    own = fields.get("License-Expression") or (fields.get("License") or "")[:200]
    return own if fields.get("License-Expression") else " | ".join([own, *classifiers])
