"""Every example of docs/language.md is what the page says, and so are the .qsc files of the examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qsc.frontends.text import read, read_file
from qsc.ir import InputError, print_module, verify
from qsc.ir.gates import GATES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(qsc|qsc prints|qsc same|qsc error|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NUMBERED = [pytest.param(k, id=f"{k}-{kind.replace(' ', '-')}") for k, (kind, _) in enumerate(BLOCKS)]


@pytest.mark.parametrize("number", NUMBERED)
def test_example(number: int):
    kind, text = BLOCKS[number]
    before = BLOCKS[number - 1][1]
    if kind == "qsc error":
        assert BLOCKS[number + 1][0] == "text"
    elif kind == "text":
        with pytest.raises(InputError) as caught:
            read(before)
        assert str(caught.value) + "\n" == text
    else:
        module = read(text)
        verify(module)
        assert read(print_module(module)) == module
        if kind == "qsc prints":
            printed = print_module(read(before))
            assert re.sub(r' at "<text>":\d+:\d+', "", printed) == text
        elif kind == "qsc same":
            assert module == read(before)


def test_the_page_names_every_gate():
    words = set(re.findall(r"\w+", PAGE))
    assert {gate.name for gate in GATES} <= words


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.qsc")), ids=lambda p: p.stem)
def test_example_file(path: Path):
    module = read_file(path).module
    verify(module)
    assert read(print_module(module), weights=module.weights) == module
