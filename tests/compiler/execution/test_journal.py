"""A journal gives back what was put in, whatever became of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.compiler.execution.journal import MAGIC, Journal, opened_journal
from qsc.compiler.execution.tasks import Answer
from qsc.ir import InputError, MissingError


def answer(k: int) -> Answer:
    rng = np.random.default_rng(k)
    bits = rng.random((3, 2)) < 0.5
    return Answer([rng.normal(size=(4, k + 1)), bits], {"shots": 10.0 * k}, [np.ones((4, k + 1))] if k % 2 else [], [])


def same(a: Answer | None, b: Answer) -> bool:
    assert a is not None
    assert [x.dtype for x in a.results] == [x.dtype for x in b.results]
    pairs = [*zip(a.results, b.results, strict=True), *zip(a.errors, b.errors, strict=True)]
    return a.counts == b.counts and all(np.array_equal(x, y) for x, y in pairs)


def key(k: int) -> bytes:
    return bytes([k]) * 32


def fill(path: Path, count: int) -> None:
    with opened_journal(path) as journal:
        assert journal is not None
        for k in range(count):
            journal.put(key(k), answer(k))


def kept(path: Path) -> Journal:
    with opened_journal(path) as journal:
        assert journal is not None
        for k in range(len(journal)):
            assert same(journal.get(key(k)), answer(k))
        return journal


def test_it_gives_back_what_was_put_in(tmp_path: Path):
    fill(tmp_path / "sub" / "j", 4)
    assert len(kept(tmp_path / "sub" / "j")) == 4
    with opened_journal(tmp_path / "sub" / "j") as journal:
        assert journal is not None
        assert journal.get(key(9)) is None
        journal.put(key(4), answer(4))
    assert len(kept(tmp_path / "sub" / "j")) == 5


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_off_anywhere_it_keeps_the_whole_records(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    fill(path, 3)
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:at])
    left = len(kept(path))
    assert left == 3 if at == len(content) else left < 3
    with opened_journal(path) as journal:
        assert journal is not None
        for k in range(left, 3):
            journal.put(key(k), answer(k))
    assert path.read_bytes() == content


def test_a_damaged_record_ends_it(tmp_path: Path):
    path = tmp_path / "j"
    fill(path, 3)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert len(kept(path)) == 2


def test_two_runs_do_not_write_one_journal(tmp_path: Path):
    with (
        opened_journal(tmp_path / "j"),
        pytest.raises(InputError, match=r"B0006.*another run"),
        opened_journal(tmp_path / "j"),
    ):
        pass


def test_another_file_is_left_alone(tmp_path: Path):
    (tmp_path / "y.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="is not a journal"), opened_journal(tmp_path / "y.npy"):
        pass
    assert (tmp_path / "y.npy").read_bytes() == b"\x93NUMPY"


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(MissingError, match="E0003"), opened_journal(tmp_path / "file" / "j"):
        pass


def test_an_empty_file_becomes_one(tmp_path: Path):
    (tmp_path / "j").touch()
    assert len(kept(tmp_path / "j")) == 0
    assert (tmp_path / "j").read_bytes() == MAGIC
