"""Cell libraries: the own one, a user's, and every fault of a file with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import qsc.backends.sfq
from qsc.backends.sfq import TARGET, SfqBackend, load_library
from qsc.backends.sfq.library import Library
from qsc.ir import InputError

OWN = Path(qsc.backends.sfq.__file__).with_name("rsfq.toml").read_text(encoding="utf-8")


def test_the_own_library():
    library = Library.of(TARGET)
    assert (TARGET.name, TARGET.kind, TARGET.backend) == ("rsfq", "sfq", "sfq")
    assert TARGET.native_ops == ("SPLIT", "JTL", "DFF", "NOT", "AND2", "OR2", "XOR2", "XNOR2")
    split = library.cells["SPLIT"]
    assert (split.junctions, split.bias, split.delay, split.setup) == (3, 0.525e-3, 6300, 0)
    assert library.period is None


def test_no_cell_is_faster_than_its_neighbour_holds():
    clocked = [cell for cell in Library.of(TARGET).cells.values() if cell.hold]
    assert max(cell.hold for cell in clocked) < min(cell.delay for cell in clocked)


def test_a_users_library(tmp_path):
    path = tmp_path / "mine.toml"
    text = OWN.replace('name = "rsfq"', 'name = "mine"').replace("margin = 0.10", "margin = 0.5\nperiod = 50e-12")
    path.write_text(text + "\n[limits]\njunctions = 5000\nbias = 0.7\n", encoding="utf-8")
    target = load_library(path)
    assert (target.name, target.limits) == ("mine", {"junctions": 5000, "bias": 0.7})
    assert Library.of(target).period == 50000
    import tomllib

    assert SfqBackend().target_from(tomllib.loads(path.read_text(encoding="utf-8")), path) == target


def test_faults_of_a_library(tmp_path, monkeypatch, golden):
    monkeypatch.chdir(tmp_path)
    text = (
        OWN.replace("[cells.AND2]", "[cells.AND3]")
        .replace('name = "rsfq"', 'nam = "rsfq"')
        .replace("delay = 14.3e-12", "delay = 14.3")
        .replace("junctions = 8\n", "junctions = 8.5\n")
        .replace("margin = 0.10", 'margin = "much"')
        .replace("bias = 0.350e-3", "bias = -0.350e-3\nsetup = 1e-12")
        .replace("junctions = 7\n", "")
    )
    Path("mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_library("mine.toml")
    golden("library.err", str(caught.value) + "\n")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (None, "M0001", "there is no target file"),
        ("name = [", "T0005", "is not TOML"),
        ('name = "x"\nkind = "sfq"\nbackend = "sfq"\n', "T0005", r"there is no table \[clock\]"),
        ('name = "x"\nkind = "quantum"\nbackend = "sfq"\nclock = 3\n', "T0005", "kind is 'quantum'"),
        ('name = "x"\nkind = "sfq"\nbackend = "sfq"\n[clock]\n[cells]\nDFF = 7\n', "T0005", "cells.DFF is not a table"),
    ],
)
def test_files_that_are_no_library(text, code, message, tmp_path):
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_library(path)
    assert code in [fault.code for fault in caught.value.diagnostics]
