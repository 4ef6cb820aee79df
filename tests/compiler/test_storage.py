"""The bundle on disk: bytes, hashes, atomic writes."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from qsc.compiler import storage
from qsc.ir import InputError, MissingError

FILES = {"a.txt": b"one", "artifacts/x/b.bin": bytes(range(256))}
MANIFEST = {"schema": storage.SCHEMA, "qsc": "0.1.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    storage.write_folder(tmp_path / "bundle", FILES, MANIFEST)
    return tmp_path / "bundle"


def codes(fault: InputError | MissingError) -> list[str]:
    return [d.code for d in fault.diagnostics]


def test_reads_back_what_was_written(folder: Path):
    manifest, files = storage.read_folder(folder)
    assert files == FILES
    assert manifest["qsc"] == "0.1.0"


def test_same_content_gives_same_bytes(tmp_path: Path):
    for name in ("one", "two"):
        storage.write_folder(tmp_path / name, FILES, MANIFEST)
    one, two = (sorted((tmp_path / n).rglob("*")) for n in ("one", "two"))
    assert [p.read_bytes() for p in one if p.is_file()] == [p.read_bytes() for p in two if p.is_file()]


def test_replaces_an_older_bundle_and_leaves_nothing_else(folder: Path):
    storage.write_folder(folder, {"a.txt": b"new"}, MANIFEST)
    assert storage.read_folder(folder)[1] == {"a.txt": b"new"}
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_refuses_a_folder_that_is_not_a_bundle(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError) as caught:
        storage.write_folder(tmp_path / "mine", FILES, MANIFEST)
    assert codes(caught.value) == ["B0004"]
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_every_altered_and_missing_file_is_named(folder: Path):
    (folder / "a.txt").write_bytes(b"onE")
    (folder / "artifacts/x/b.bin").unlink()
    with pytest.raises(InputError) as caught:
        storage.read_folder(folder)
    assert sorted(codes(caught.value)) == ["B0001", "B0002"]
    assert "a.txt" in str(caught.value)
    assert "b.bin" in str(caught.value)


def test_a_truncated_manifest(folder: Path):
    path = folder / storage.MANIFEST
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError) as caught:
        storage.read_folder(folder)
    assert codes(caught.value) == ["B0002"]


def test_a_newer_schema_says_which_version_reads_it(folder: Path):
    path = folder / storage.MANIFEST
    path.write_bytes(storage.to_json(json.loads(path.read_bytes()) | {"schema": storage.SCHEMA + 1, "qsc": "9.9"}))
    with pytest.raises(InputError) as caught:
        storage.read_folder(folder)
    assert codes(caught.value) == ["B0003"]
    assert "9.9" in str(caught.value)


def test_a_manifest_cannot_name_files_outside(folder: Path):
    (folder.parent / "secret").write_bytes(b"x")
    path = folder / storage.MANIFEST
    manifest = json.loads(path.read_bytes())
    manifest["files"]["../secret"] = storage.digest(b"x")
    path.write_bytes(storage.to_json(manifest))
    with pytest.raises(InputError) as caught:
        storage.read_folder(folder)
    assert "outside" in str(caught.value)


@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "no space"), (errno.EACCES, "ermission")])
def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, word: str):
    written = Path.write_bytes

    def fail(self: Path, data: bytes) -> int:
        if self.name == "b.bin":
            raise OSError(number, "Permission denied" if number == errno.EACCES else "No space left on device")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(MissingError, match=word) as caught:
        storage.write_folder(tmp_path / "bundle", FILES, MANIFEST)
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_arrays_keep_type_shape_and_bits():
    arrays = {
        "b": np.zeros((0, 3)),
        "a": np.array([[1.5, -0.0]], np.float32),
        "c": np.array([True, False]),
        "s": np.array(2.0),
    }
    back = storage.unpack_arrays(storage.pack_arrays(arrays))
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_two_values_under_one_weight_name_are_found():
    with pytest.raises(ValueError, match="w"):
        storage.merge_weights([{"w": np.zeros(2)}, {"w": np.ones(2)}])
