"""The bundle on disk: deterministic bytes, one atomic write, every hash checked on load, no pickles."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..ir import Diagnostic, InputError, MissingError

SCHEMA = 1
"""The version of the bundle's layout that this qsc writes; it reads this one and older ones."""

MANIFEST = "manifest.json"


def digest(data: bytes) -> str:
    """sha256 as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def to_json(value: Any) -> bytes:
    """JSON in the order of the keys as they were set, with one trailing newline: equal values give equal bytes."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as safetensors."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array).reshape(array.shape) for name, array in sorted(arrays.items())})


def unpack_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file."""
    from safetensors.numpy import load

    return load(data)


def write_folder(folder: Path, files: Mapping[str, bytes], manifest: dict[str, Any]) -> None:
    """Write all files and the manifest under a temporary name, then rename: a killed write leaves no half bundle.

    An older bundle of that name is replaced; any other existing folder is refused. MissingError where the disk is full
    or the place cannot be written.
    """
    folder = folder.absolute()
    if folder.exists() and not (folder / MANIFEST).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise InputError.of(
            "B0004", f"{folder.name} exists and is not a bundle", help="choose another -o, or remove it yourself"
        )
    hashes = {name: digest(data) for name, data in sorted(files.items())}
    everything = {**files, MANIFEST: to_json(manifest | {"files": hashes})}
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, data in everything.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        os.chmod(temporary, 0o755)
        _put_in_place(temporary, folder)
    except OSError as fault:
        raise cannot_write(folder, fault) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_file(path: Path, data: bytes) -> None:
    """Write one file atomically, its folder too where there is none. MissingError E0003 where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as fault:
        raise cannot_write(path, fault) from None


def cannot_write(path: Path, fault: OSError) -> MissingError:
    """The error for an output that cannot be written, with the reason in words."""
    reasons = {errno.ENOSPC: "no space is left on the disk", errno.EEXIST: "a part of the path is a file"}
    reason = reasons.get(fault.errno or 0, fault.strerror or str(fault))
    return MissingError.of(
        "E0003", f"cannot write {path}: {reason}", help="free space, or choose a place that can be written with -o"
    )


def _put_in_place(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    try:
        folder.rename(old / folder.name)
        new.rename(folder)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(manifest, files) of a bundle. InputError that lists every missing or altered file."""
    path = folder / MANIFEST
    if not path.is_file():
        there = "is not a bundle: it has no manifest.json" if folder.exists() else "does not exist"
        raise InputError.of("B0004", f"{folder} {there}", help="make one with: qsc compile MODEL --target T -o FOLDER")
    try:
        manifest = json.loads(path.read_bytes())
        schema, hashes = manifest["schema"], manifest["files"]
    except (ValueError, KeyError, TypeError):
        raise InputError.of("B0002", f"{path} is not a whole manifest", help="compile the model again") from None
    if schema > SCHEMA:
        raise InputError.of(
            "B0003",
            f"{folder} has bundle schema {schema}, this qsc reads up to {SCHEMA}",
            help=f"use qsc {manifest.get('qsc', 'of that version')} or newer",
        )
    files: dict[str, bytes] = {}
    faults: list[Diagnostic] = []
    for name, wanted in hashes.items():
        fault = _read_one(folder, name, wanted, files)
        if fault:
            faults.append(fault)
    if faults:
        raise InputError(faults)
    return manifest, files


def _read_one(folder: Path, name: str, wanted: str, files: dict[str, bytes]) -> Diagnostic | None:
    again = "the bundle is damaged: compile the model again"
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return Diagnostic("B0002", f"{folder}: the manifest names {name}, which lies outside the bundle", help=again)
    try:
        data = path.read_bytes()
    except OSError:
        return Diagnostic("B0001", f"{folder}: {name} is missing", help=again)
    if digest(data) != wanted:
        return Diagnostic("B0002", f"{folder}: {name} was altered (its sha256 is not the manifest's)", help=again)
    files[name] = data
    return None


def merge_weights(groups: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One table of weights for several modules. A pass that changes a weight gives it a new name, so names agree."""
    out: dict[str, np.ndarray] = {}
    for group in groups:
        for name, array in group.items():
            if name in out and out[name] is not array and not np.array_equal(out[name], array):
                raise ValueError(f"weight {name} has two different values")
            out[name] = array
    return out
