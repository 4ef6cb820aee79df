"""The program file: what is written is read again, whole, and is what its schema says."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
import qsc
from qsc.backends.loihi.program import Connection, Population, Program, Source
from qsc.backends.loihi.program_file import ARRAYS_FILE, JSON_FILE, SCHEMA, dump, load
from qsc.ir import InputError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

SCHEMA_FILE = Path(qsc.__file__).parent / "backends" / "loihi" / "program.schema.json"


def schema() -> dict[str, Any]:
    return json.loads(SCHEMA_FILE.read_text())


def assert_same(one: Any, other: Any) -> None:
    """Two parts of programs are equal, arrays by their values."""
    assert type(one) is type(other)
    for f in fields(one):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if hasattr(a, "indptr"):
            assert a.shape == b.shape
            for part in ("data", "indices", "indptr"):
                np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, f.name


def small() -> Program:
    weight = np.array([[3, -4], [5, 0]])
    return Program(
        (Source("x", (2,)),),
        (Population("p", (2,), threshold=np.array([7, 8])),),
        (Connection("c", "x", "p", weight, delays=np.array([[0, 1], [2, 3]])),),
        ("p",),
        scales={"p": 0.1},
    )


def test_random_programs_are_read_as_they_were_written(programs: ModuleType):
    validator = jsonschema.Draft202012Validator(schema())
    for seed in range(150):
        program, _ = programs.make(seed)
        program = replace(program, latency=seed % 5, scales={p.name: 1 / (seed + 1) for p in program.populations})
        files = dump(program)
        validator.validate(json.loads(files[JSON_FILE]))
        again = load(files)
        for kind in ("sources", "populations", "connections"):
            for one, other in zip(getattr(program, kind), getattr(again, kind), strict=True):
                assert_same(one, other)
        assert (again.outputs, again.latency, again.scales) == (program.outputs, program.latency, program.scales)
        assert dump(again) == files


def test_the_schema_is_a_schema_and_says_every_field():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["schema"]["const"] == SCHEMA
    parts = {kind: schema()["properties"][kind]["items"]["properties"] for kind in ("sources", "connections")}
    assert set(parts["sources"]) == {f.name for f in fields(Source)}
    assert set(parts["connections"]) == {f.name for f in fields(Connection)}
    populations = schema()["properties"]["populations"]["items"]["properties"]
    assert set(populations) == {f.name for f in fields(Population)} | {"scale"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), 2),
        (("extra",), 1),
        (("populations", 0, "du"), 4096),
        (("populations", 0, "threshold"), "p.threshold"),
        (("connections", 0, "weight_bits"), 9),
        (("connections", 0, "sign"), "both"),
        (("sources", 0, "message_bits"), 1),
        (("sources", 0, "shape"), []),
    ],
)
def test_the_schema_refuses_what_is_wrong(place: tuple, value: Any):
    facts = changed(place, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(facts, schema())


def changed(place: tuple, value: Any) -> dict[str, Any]:
    facts = json.loads(dump(small())[JSON_FILE])
    inner = facts
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return facts


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), 2, "has schema 2\n  = help: this qsc reads schema 1"),
        (("extra",), 1, "the program has a field that is not known: extra"),
        (("latency",), True, "latency is True; it takes a whole number"),
        (("outputs",), "p", "outputs is 'p'; it takes a list of texts"),
        (("populations",), [3], "population 0 is 3, no object"),
        (("populations", 0, "refractory"), 1, "population 0 has a field that is not known: refractory"),
        (("populations", 0, "dv"), 1.5, "population 0: dv is 1.5; it takes a whole number"),
        (("populations", 0, "du"), "@p.du", "du names the array 'p.du', and there is none"),
        (("populations", 0, "scale"), None, "scale is None; it takes a number"),
        (("connections", 0, "weight"), 4, 'weight is 4; it takes an array, "@NAME"'),
        (("connections", 0, "weight"), {"data": "@c.weight"}, "connection 0: weight has no indices"),
        (("connections", 0, "delays"), 0, 'delays is 0; it takes an array, "@NAME"'),
        (("connections", 0, "window"), None, "connection 0: window is None, no object"),
        (("connections", 0, "sparse"), 1, "sparse is 1; it takes true or false"),
    ],
)
def test_a_damaged_json_is_refused_with_its_place(place: tuple, value: Any, message: str):
    files = dump(small()) | {JSON_FILE: json.dumps(changed(place, value)).encode()}
    with pytest.raises(InputError) as caught:
        load(files, "out.bundle")
    assert message in str(caught.value)
    assert "out.bundle: program.json" in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff\xfe", b'{"schema": '])
def test_a_file_that_is_no_program_is_refused(text: bytes):
    with pytest.raises(InputError, match="is damaged"):
        load(dump(small()) | {JSON_FILE: text})


def test_damaged_arrays_are_refused():
    files = dump(small())
    arrays = load_arrays(files[ARRAYS_FILE])
    real = arrays | {"c.weight": arrays["c.weight"].astype(np.float32)}
    for damaged, message in {
        files[ARRAYS_FILE][:-2]: "is damaged",
        b"": "is damaged",
        save_arrays(real): "'c.weight' is of type float32, not of integers",
    }.items():
        with pytest.raises(InputError, match=message):
            load(files | {ARRAYS_FILE: damaged})
    for name in files:
        with pytest.raises(InputError, match=f"{name} is missing"):
            load({other: data for other, data in files.items() if other != name})


def test_sparse_weights_that_do_not_fit_are_refused(programs: ModuleType):
    program = next(p for p, _ in map(programs.make, range(99)) if any("csr" in c.name for c in p.connections))
    files = dump(program)
    arrays = load_arrays(files[ARRAYS_FILE])
    key = next(name for name in arrays if name.endswith("indptr"))
    with pytest.raises(InputError, match="is damaged"):
        load(files | {ARRAYS_FILE: save_arrays(arrays | {key: arrays[key] + 1})})
