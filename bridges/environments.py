"""Extra environments: SDKs that cannot share the main one each get a Python of their own, to which scripts are given.

`environments.toml` says which there are. They live under $QSC_ENVIRONMENTS, else in the user's data folder. One is made
under a temporary name and renamed when it is whole, with every package at a pinned version.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from ..ir import InputError, MissingError
from ..ir.diagnostics import did_you_mean

MARKER = "qsc-environment.json"
"""Written last: what the environment was made from."""

TABLE = Path(__file__).with_name("environments.toml")


@dataclass(frozen=True)
class Specification:
    """What an environment is made of.

    python: versions such as 3.10, the preferred one first. requirements: what is asked for; pins: versions of all that
    they bring. bare: what is installed without what it asks for, because that is not used. torch: whether torch is
    installed first, so that nothing else chooses a build of it. licence: a remark for the user, where there is
    something to know. named_only: whether it is used only where the user names it.
    """

    name: str
    summary: str
    python: tuple[str, ...]
    requirements: tuple[str, ...]
    pins: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    torch: bool = False
    licence: str = ""
    named_only: bool = False

    @property
    def digest(self) -> str:
        """What an environment must have been made from to be taken for this one."""
        made_from = [self.python, self.requirements, self.pins, *([self.bare] if self.bare else [])]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def read_table(path: Path = TABLE) -> dict[str, Specification]:
    """Name -> specification, of a file of the form of `environments.toml`."""
    rows: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _specification(name, row) for name, row in rows.items()}


def _specification(name: str, row: dict[str, Any]) -> Specification:
    lists = {key: tuple(row.get(key, ())) for key in ("python", "requirements", "pins", "bare")}
    return Specification(name=name, **{**row, **lists})


def folder() -> Path:
    """Where environments live."""
    if own := os.environ.get("QSC_ENVIRONMENTS"):
        return Path(own).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data).absolute() / "qsc" / "environments"


def specification(name: str) -> Specification:
    """InputError O0002 for a name that is not in the table."""
    table = read_table()
    if name not in table:
        raise InputError.of("O0002", f"there is no environment {name!r}", help=did_you_mean(name, table))
    return table[name]


def state(spec: Specification) -> str:
    """`ready`, `stale` (made by another version of qsc, from other packages) or `absent`."""
    try:
        made = json.loads((folder() / spec.name / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "absent"
    return "ready" if made.get("digest") == spec.digest and _python(folder() / spec.name).exists() else "stale"


def find(name: str) -> Path | None:
    """The Python of an environment, or None where it is not there as the table wants it."""
    spec = specification(name)
    return _python(folder() / name) if state(spec) == "ready" else None


def _python(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def create(name: str, note: Callable[[str], None] = lambda _: None) -> Path:
    """Make an environment unless it is there, and return its Python. note: gets a line a step.

    MissingError E0006 where no interpreter of a version that it needs is found, E0007 where it cannot be made.
    """
    spec = specification(name)
    if found := find(name):
        note(f"{name} is there: {found.parent.parent}")
        return found
    base = interpreter(spec)
    if spec.licence:
        note(spec.licence)
    _make_root()
    _sweep()
    place = folder() / f".{name}.{os.getpid()}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        note(f"python: {base}")
        _install(spec, base, place, note)
        facts = {**asdict(spec), "digest": spec.digest, "interpreter": str(base)}
        (place / MARKER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        _move(place, folder() / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    note(f"{name} is ready: {folder() / name}")
    return _python(folder() / name)


def _make_root() -> None:
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise MissingError.of("E0003", f"cannot write to {folder()}: {fault.strerror}", help=_ELSEWHERE) from fault


_ELSEWHERE = "set QSC_ENVIRONMENTS to a folder that can be written"


def _sweep() -> None:
    """Remove what creates that were killed have left: a temporary name ends with the process that uses it."""
    for left in folder().glob(".*.*"):
        process = left.suffix.removeprefix(".")
        if process.isdigit() and not _alive(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _install(spec: Specification, base: Path, place: Path, note: Callable[[str], None]) -> None:
    _step([str(base), "-m", "venv", str(place)], spec.name)
    if not spec.requirements:
        return
    pins = place / "constraints.txt"
    pins.write_text("\n".join(spec.pins) + "\n", encoding="utf-8")
    pip = [str(_python(place)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    rounds = [("torch",), spec.requirements] if spec.torch else [spec.requirements]
    for packages in rounds:
        note("installing " + ", ".join(packages))
        _step([*pip, "--constraint", str(pins), *packages], spec.name)
    if spec.bare:
        note("installing " + ", ".join(spec.bare))
        _step([*pip, "--no-deps", *spec.bare], spec.name)


def _step(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=_clean(), check=False)
    except OSError as fault:
        raise MissingError.of("E0007", f"environment {name}: {command[0]} does not start: {fault}") from fault
    if done.returncode:
        said = _last_line(done.stderr) or _last_line(done.stdout)
        doing = " ".join(command[2:4])
        raise MissingError.of("E0007", f"environment {name}: {doing} failed: {said}", help="nothing was left behind")


def _last_line(text: str) -> str:
    """The last line that says ERROR, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "error" in line.lower()]
    return (wrong or lines or [""])[-1]


def _clean() -> dict[str, str]:
    """The variables of this process without those that lead a Python to the packages of another."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def _move(place: Path, final: Path) -> None:
    if final.exists():
        remove(final.name)
    try:
        place.rename(final)
    except OSError as fault:
        raise MissingError.of("E0007", f"environment {final.name}: cannot be renamed: {fault.strerror}") from fault


def remove(name: str) -> bool:
    """Remove an environment; False where there is none."""
    specification(name)
    place = folder() / name
    if not (place / MARKER).is_file():
        return False
    away = folder() / f".{name}-removed.{os.getpid()}"
    place.rename(away)
    shutil.rmtree(away, ignore_errors=True)
    return True


def interpreter(spec: Specification) -> Path:
    """A Python of a version that `spec` takes: this one, on the PATH, in pyenv's versions, or one that uv knows.

    MissingError E0006 where there is none.
    """
    for version in spec.python:
        for candidate in _candidates(version):
            if _version(candidate) == version:
                return candidate
    wanted = " or ".join(spec.python)
    raise MissingError.of(
        "E0006",
        f"environment {spec.name} needs Python {wanted}, and none is on the PATH, in pyenv or in uv",
        help=f"get one with: uv python install {spec.python[0]}    (or: pyenv install {spec.python[0]})",
    )


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
    if uv := shutil.which("uv"):
        done = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield Path(done.stdout.strip())


def _patch(python: Path) -> int:
    last = python.parent.parent.name.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def _version(python: Path) -> str:
    """Major and minor version, empty where it does not run (a shim of pyenv with no version behind it, say)."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=_clean(), timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_script(
    name: str,
    script: str | Path,
    arguments: Sequence[str] = (),
    timeout: float = 600.0,
    variables: Mapping[str, str] | None = None,
) -> CompletedProcess[str]:
    """Run a script, a file or its text, by the Python of an environment, and return what it printed.

    timeout: seconds, after which it is ended with all that it started. variables: added to the environment variables.
    MissingError E0006 where the environment is not there, E0008 where the script fails or does not end in time.
    """
    python = find(name)
    if python is None:
        why = "was made by another version of qsc" if state(specification(name)) == "stale" else "is not there"
        raise MissingError.of("E0006", f"environment {name} {why}", help=f"qsc env create {name}")
    if isinstance(script, Path):
        return _run(name, [str(python), "-I", str(script), *arguments], timeout, variables or {})
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "script.py"
        file.write_text(script, encoding="utf-8")
        return _run(name, [str(python), "-I", str(file), *arguments], timeout, variables or {})


def _run(name: str, command: list[str], timeout: float, variables: Mapping[str, str]) -> CompletedProcess[str]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_clean() | dict(variables),
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as fault:
        out, err = _end(process)
        said = _last_line(err)
        message = f"a script in environment {name} did not end in {timeout:g} s"
        raise MissingError.of("E0008", message, notes=[said] if said else []) from fault
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        message = f"a script in environment {name} failed with {process.returncode}: {_last_line(err)}"
        raise MissingError.of("E0008", message)
    return CompletedProcess(command, 0, out, err)


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End a process with all that it started, and what it had printed."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()
