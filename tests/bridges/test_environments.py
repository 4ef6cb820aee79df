"""Extra environments: made whole or not at all, found, run in, removed. No network: requirements are a local wheel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from qsc.bridges import environments
from qsc.compiler.cli import run as qsc
from qsc.ir import InputError, MissingError

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of environments, with a table of small ones: plain, tiny (a local wheel), broken, ancient."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "SIZE = 7\n")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    row = f'summary = "for tests"\npython = ["{HERE}"]\n'
    table = tmp_path / "environments.toml"
    table.write_text(
        f"[plain]\n{row}requirements = []\n"
        f'[tiny]\n{row}licence = "tiny is free"\nrequirements = ["tiny @ {wheel.as_uri()}"]\npins = ["tiny==1.0"]\n'
        f'[broken]\n{row}requirements = ["broken @ file:///nowhere/broken-1.0-py3-none-any.whl"]\n'
        f'[ancient]\nsummary = "for tests"\npython = ["2.99", "1.5"]\nrequirements = []\n'
    )
    monkeypatch.setattr(environments.read_table, "__defaults__", (table,))
    monkeypatch.setenv("QSC_ENVIRONMENTS", str(tmp_path / "made"))
    return tmp_path / "made"


def test_made_found_used_removed(place: Path):
    assert environments.find("tiny") is None
    said = list[str]()
    python = environments.create("tiny", said.append)
    assert python == environments.find("tiny") == place / "tiny" / "bin" / "python"
    assert said[0] == "tiny is free"
    assert said[1].startswith("python: ")
    assert said[2].startswith("installing tiny @ file:")
    assert said[3] == f"tiny is ready: {place / 'tiny'}"
    assert [p.name for p in place.iterdir()] == ["tiny"]
    script = "import sys, tiny; print(tiny.SIZE, *sys.argv[1:])"
    assert environments.run_script("tiny", script, ["a", "b"]).stdout == "7 a b\n"
    again = list[str]()
    assert environments.create("tiny", again.append) == python
    assert again == [f"tiny is there: {place / 'tiny'}"]
    assert environments.remove("tiny")
    assert not environments.remove("tiny")
    assert list(place.iterdir()) == []


def test_scripts_see_nothing_of_this_environment(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environments.create("plain")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadows the standard library')")
    script = tmp_path / "script.py"
    script.write_text("import json, importlib.util as u; print(json.dumps(u.find_spec('numpy') is None))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert environments.run_script("plain", script).stdout == "true\n"
    read = "import os; print(os.environ['MARK'])"
    assert environments.run_script("plain", read, variables={"MARK": "seen"}).stdout == "seen\n"


def test_a_script_that_fails_or_hangs(place: Path):
    environments.create("plain")
    with pytest.raises(MissingError, match="a script in environment plain failed with 1: ValueError: no such cat"):
        environments.run_script("plain", "raise ValueError('no such cat')")
    hang = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "print('error: stuck', file=sys.stderr, flush=True)\n"
        "time.sleep(60)\n"
    )
    mark = place / "pid"
    with pytest.raises(MissingError, match=r"did not end in 3 s\n  = note: error: stuck"):
        environments.run_script("plain", hang, [str(mark)], timeout=3)
    child = int(mark.read_text())
    for _ in range(50):
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)


def _runs(process: int) -> bool:
    """Whether a process is there and not only its exit code (a zombie)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_missing_is_named(place: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MissingError, match=r"environment tiny is not there\n  = help: qsc env create tiny"):
        environments.run_script("tiny", "")
    with pytest.raises(InputError, match=r"there is no environment 'tinny'\n  = help: did you mean tiny?"):
        environments.find("tinny")
    with pytest.raises(MissingError, match=r"needs Python 2\.99 or 1\.5, and none is on the PATH, in pyenv or in uv"):
        environments.create("ancient")
    with pytest.raises(MissingError, match="environment broken: pip install failed"):
        environments.create("broken")
    assert list(place.iterdir()) == []
    monkeypatch.setenv("QSC_ENVIRONMENTS", "/proc/nowhere")
    with pytest.raises(MissingError, match="cannot write to /proc/nowhere"):
        environments.create("plain")


def test_one_made_from_other_packages_is_stale(place: Path):
    environments.create("plain")
    marker = place / "plain" / environments.MARKER
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"digest": "other"}))
    assert environments.state(environments.specification("plain")) == "stale"
    with pytest.raises(MissingError, match="plain was made by another version of qsc"):
        environments.run_script("plain", "")
    environments.create("plain")
    assert environments.state(environments.specification("plain")) == "ready"
    assert [p.name for p in place.iterdir()] == ["plain"]


def test_a_killed_create_leaves_no_environment(place: Path, tmp_path: Path):
    code = (
        "from pathlib import Path; from qsc.bridges import environments as e\n"
        f"e.read_table.__defaults__ = (Path({str(tmp_path / 'environments.toml')!r}),)\n"
        "e.create('plain')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    for _ in range(300):
        if place.exists() and any(place.iterdir()):
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert environments.find("plain") is None
    assert [p.name for p in place.iterdir()] == [f".plain.{process.pid}"]
    environments.create("plain")
    assert [p.name for p in place.iterdir()] == ["plain"]


def test_interpreters_of_pyenv_and_uv(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The newest patch of pyenv's is taken; one that does not start is passed over; uv is asked last."""

    def fake(path: Path, answer: str) -> Path:
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{answer}\n")
        path.chmod(0o755)
        return path

    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    spec = environments.specification("ancient")
    known = fake(tmp_path / "uv-python" / "python", "echo 1.5")
    uv = fake(tmp_path / "bin" / "uv", f'test "$3" = 1.5 && echo {known}')
    monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}{os.environ['PATH']}")
    assert environments.interpreter(spec) == known
    versions = tmp_path / "pyenv" / "versions"
    old, new = (fake(versions / f"1.5.{patch}" / "bin" / "python", "echo 1.5") for patch in (9, 10))
    fake(versions / "2.99.1" / "bin" / "python", "exit 1")
    assert environments.interpreter(spec) == new
    new.unlink()
    assert environments.interpreter(spec) == old


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("QSC_ENVIRONMENTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert environments.folder() == tmp_path / "qsc" / "environments"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environments.folder() == tmp_path / ".local" / "share" / "qsc" / "environments"


def test_the_table():
    table = environments.read_table()
    assert set(table) >= {"lava", "snntorch", "norse", "sinabs", "spikingjelly", "rockpool", "sanafe", "brian2"}
    assert table["lava"].python == ("3.10",)
    assert [s.name for s in table.values() if s.named_only] == ["rockpool"]
    assert "AGPL" in table["rockpool"].licence
    for spec in table.values():
        pinned = [Requirement(line) for line in (*spec.requirements, *spec.bare, *spec.pins)]
        assert all(re.fullmatch(r"==[\w.+]+", str(r.specifier)) for r in pinned), spec.name
        assert len({r.name.lower() for r in pinned}) == len(pinned), spec.name
        assert spec.torch == any(r.name == "torch" for r in pinned)


def test_the_command(place: Path, capsys: pytest.CaptureFixture[str]):
    assert qsc(["env", "create", "ancient"]) == 4
    assert "uv python install 2.99" in capsys.readouterr().err
    assert qsc(["env", "create", "plane"]) == 2
    assert "did you mean plain" in capsys.readouterr().err
    assert qsc(["env", "create", "plain"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{place / 'plain' / 'bin' / 'python'}\n"
    assert "plain is ready" in shown.err
    assert qsc(["env", "list"]) == 0
    assert "plain    ready   for tests\ntiny     absent  for tests\n" in capsys.readouterr().out
    assert qsc(["env", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["tiny"] == {"name": "tiny", "state": "absent", "summary": "for tests", "licence": "tiny is free"}
    assert qsc(["env", "remove", "plain"]) == 0
    assert capsys.readouterr().out == "plain is removed\n"
    assert qsc(["env", "remove", "plain"]) == 0
    assert capsys.readouterr().out == "plain is not there\n"
