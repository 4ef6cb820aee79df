"""Programs with synapses that learn: to the bit as in Lava, in files as in memory, and refused where they do not fit.

Lava's answers come from golden/plastic.npz, which tools/make_lava_golden.py wrote, and from Lava itself where its
environment is there (`qsc env create lava`).
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import numpy as np
import pytest
import qsc
from qsc.backends.loihi import lava_script, netx
from qsc.backends.loihi.lava import Job, run_in_lava
from qsc.backends.loihi.mapping import load_limits, map_program
from qsc.backends.loihi.program import Connection, Learning, Population, Program, Source, Window
from qsc.backends.loihi.program_file import JSON_FILE, dump, load
from qsc.backends.loihi.ranges import faults
from qsc.backends.loihi.simulator import run
from qsc.bridges import environments
from qsc.ir import InputError, TargetError
from qsc.ir.whole_learning import ChipProduct, whole_rule

GOLDEN = Path(__file__).parent / "golden" / "plastic.npz"
SCHEMA_FILE = Path(qsc.__file__).parent / "backends" / "loihi" / "program.schema.json"
ALL = ("spikes", "u", "v")
PYTHON = environments.find("lava")
RULE = whole_rule("1*2^-4*x0*y1 + 1*2^-4*y0*x1", {"x1": (10.0, 16.0), "y1": (10.0, 16.0)}, "excitatory")
PLASTIC = Connection("c", "x", "p", np.full((3, 2), 90), exponent=1, sign="excitatory", learning=Learning(RULE, 5))

live = pytest.mark.skipif(PYTHON is None, reason="needs `qsc env create lava`")


def small(connection: Connection = PLASTIC, source: Source | None = None) -> Program:
    return Program((source or Source("x", (2,)),), (Population("p", (3,), threshold=100),), (connection,), ("p",))


def test_random_programs_do_what_lava_did(plastic_programs: ModuleType):
    with np.load(GOLDEN) as file:
        golden = dict(file)
    assert len(golden["traces"]) == plastic_programs.PROGRAMS
    for seed in range(plastic_programs.PROGRAMS):
        program, inputs = plastic_programs.make(seed)
        same = plastic_programs.program_digest(program, inputs) == golden["programs"][seed]
        assert same, f"the generator makes another program of seed {seed}: run tools/make_lava_golden.py"
        traces = run(program, inputs, plastic_programs.STEPS, ALL)
        for key in (k for k in golden if k.startswith(f"{seed}/")):
            _, name, kind = key.split("/")
            np.testing.assert_array_equal(getattr(traces, kind)[name], golden[key], key)
        assert plastic_programs.digest(traces) == golden["traces"][seed], seed


def test_the_programs_are_of_every_kind(plastic_programs: ModuleType):
    seen = Counter[str]()
    for seed in range(plastic_programs.PROGRAMS):
        program, inputs = plastic_programs.make(seed)
        traces = run(program, inputs, plastic_programs.STEPS, ("spikes",))
        learning = [c for c in program.connections if c.learning is not None]
        seen.update(c.sign for c in learning)
        seen["several"] += len(learning) > 1
        seen["recurrent"] += any(c.source == c.target for c in learning)
        seen["moved"] += any((traces.weights[c.name][0] != c.weight).any() for c in learning)
        seen["spiking"] += any(0.02 < s.mean() < 0.9 for s in traces.spikes.values())
    wanted = {"mixed", "excitatory", "inhibitory", "several", "recurrent", "moved", "spiking"}
    assert min(seen[kind] for kind in wanted) >= 4, seen


@live
def test_random_programs_do_what_lava_does(plastic_programs: ModuleType):
    seeds = range(100, 110)
    made = [plastic_programs.make(seed) for seed in seeds]
    steps = plastic_programs.STEPS
    after = [{c.name: steps - 7 for c in p.connections[:1] if c.learning is not None} for p, _ in made]
    jobs = [
        Job(p, {name: x[:, 0] for name, x in inputs.items()}, steps, weights_after=ends)
        for (p, inputs), ends in zip(made, after, strict=True)
    ]
    for (program, inputs), ends, ran in zip(made, after, run_in_lava(jobs, timeout=400), strict=True):
        ours = run(program, inputs, steps, ALL, weights_after=ends)
        for kind in (*ALL, "weights"):
            for name, values in getattr(ran.traces, kind).items():
                np.testing.assert_array_equal(getattr(ours, kind)[name], values)


@live
def test_the_script_learns_in_lava(plastic_programs: ModuleType, tmp_path: Path):
    program, inputs = plastic_programs.make(4)
    for name, data in lava_script.dump(program, plastic_programs.STEPS).items():
        (tmp_path / name).write_bytes(data)
    np.savez(tmp_path / "in.npz", **{name: x[:, 0] for name, x in inputs.items()})
    command = [str(PYTHON), "-I", lava_script.SCRIPT_FILE, "in.npz", "out.npz", "--record"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120, capture_output=True)
    ours = run(program, inputs, plastic_programs.STEPS, ALL)
    with np.load(tmp_path / "out.npz") as file:
        assert any(key.endswith("/weights") for key in file.files)
        for key in file.files:
            name, _, kind = key.rpartition("/")
            np.testing.assert_array_equal(
                getattr(ours, kind)[name][:, 0] if kind in ALL else ours.weights[name][0], file[key]
            )


def test_rows_of_a_batch_learn_by_themselves(plastic_programs: ModuleType):
    program, inputs = plastic_programs.make(4)
    other = ~inputs["x"]
    both = run(program, {"x": np.concatenate([inputs["x"], other], axis=1)}, plastic_programs.STEPS, ALL)
    for row, x in enumerate((inputs["x"], other)):
        alone = run(program, {"x": x}, plastic_programs.STEPS, ALL, device="cpu")
        for name, weights in alone.weights.items():
            np.testing.assert_array_equal(both.weights[name][row], weights[0])
        for name, spikes in alone.spikes.items():
            np.testing.assert_array_equal(both.spikes[name][:, row], spikes[:, 0])
    assert any((both.weights[name][0] != both.weights[name][1]).any() for name in both.weights)


def test_weights_are_kept_after_the_step_that_is_asked_for():
    spikes = np.ones((30, 1, 2), bool)
    whole, part = run(small(), {"x": spikes}, 30), run(small(), {"x": spikes}, 30, weights_after={"c": 11})
    np.testing.assert_array_equal(part.weights["c"], run(small(), {"x": spikes[:11]}, 11).weights["c"])
    assert (whole.weights["c"] > part.weights["c"]).all()
    with pytest.raises(InputError, match="after 31 steps are asked for, of a run of 30"):
        run(small(), {"x": spikes}, 30, weights_after={"c": 31})
    with pytest.raises(InputError, match="there is no connection that learns 'd'"):
        run(small(), {"x": spikes}, 30, weights_after={"d": 3})


def test_the_file_holds_the_rule(plastic_programs: ModuleType):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    for seed in range(plastic_programs.PROGRAMS):
        program, _ = plastic_programs.make(seed)
        files = dump(program)
        validator.validate(json.loads(files[JSON_FILE]))
        again = load(files)
        assert [c.learning for c in again.connections] == [c.learning for c in program.connections]
        assert dump(again) == files


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rule", "0.1*x0*y1 + y0*x1", "the constant of `0.1*x0*y1` is not m * 2^e"),
        ("rule", "1*2^-4*x1", "a product has none of x0, y0 and u0..u9"),
        ("rule", "1*2^-4*x0*y2", "the rule reads the traces y2, not x1, y1"),
        ("rule", 3, "connection 0: learning: rule is 3; it takes a text"),
        ("traces", {"x1": [10, 16]}, "the rule reads the traces x1, y1, not x1"),
        ("traces", {"x1": [10, 16], "y1": [10, 128]}, "y1 has the time constant 10 and the impulse 128"),
        ("traces", {"x1": [10, 16], "y1": [10]}, "y1 is [10]; it takes a list of two numbers"),
        ("traces", {"x1": [10, 16], "y1": [10, 16], "z": [1, 1]}, "a field that is not known: z"),
        ("seed", 1.5, "seed is 1.5; it takes a whole number"),
        ("epoch", 2, "connection 0: learning has a field that is not known: epoch"),
    ],
)
def test_a_damaged_rule_is_refused_with_its_place(field: str, value: Any, message: str):
    files = dump(small())
    facts = json.loads(files[JSON_FILE])
    facts["connections"][0]["learning"][field] = value
    with pytest.raises(InputError) as caught:
        load(files | {JSON_FILE: json.dumps(facts).encode()})
    assert message in str(caught.value)


THREE = replace(RULE, three_factor=True)
FORM = replace(RULE, products=(ChipProduct(2, -5, "x0", (), (("y1", 0),)), *RULE.products[1:]))


@pytest.mark.parametrize(
    ("change", "source", "message"),
    [
        ({"weight_bits": 6}, 0, "connection c learns: weights of 6 bits, not of 8"),
        ({"delays": np.ones((3, 2), int)}, 0, "connection c learns: its synapses have delays"),
        ({"sparse": True}, 0, "connection c learns: it is sparse"),
        ({"sign": "mixed"}, 0, "connection c learns: its rule is for excitatory weights, and they are mixed"),
        ({}, 6, "connection c learns: its source sends spikes of 6 bits, not of 0 and 1"),
        ({"learning": Learning(RULE, -1)}, 0, "connection c learns: the seed -1 is below 0"),
        ({"learning": Learning(THREE)}, 0, "connection c learns: its neurons would have to deliver traces"),
        ({"learning": Learning(FORM)}, 0, "constants in another form: `1*2^-4*x0*y1 + 1*2^-4*y0*x1`"),
        ({"weight": np.full((3, 2), 256)}, 0, "connection c: weight 256 is outside 0..255"),
    ],
)
def test_what_cannot_learn_is_refused(change: dict[str, Any], source: int, message: str):
    assert faults(small()) == []
    found = [f.message for f in faults(small(replace(PLASTIC, **change), Source("x", (2,), source)))]
    assert len(found) == 1
    assert message in found[0]


def test_a_convolution_does_not_learn():
    kernel = replace(PLASTIC, weight=np.ones((1, 1, 2, 2), int), window=Window())
    program = Program((Source("x", (1, 3, 3)),), (Population("p", (1, 2, 2)),), (kernel,), ("p",))
    assert [f.message for f in faults(program)] == ["connection c learns: it is a convolution"]


def test_no_net_file_learns():
    with pytest.raises(TargetError, match="connection c learns, and its reader holds weights still"):
        netx.dump(small())


def test_synapses_that_learn_take_memory():
    """Eight bits a weight, lists of Loihi 1 rounded to words with their headers, and a tag where a target has one."""
    limits = load_limits("loihi1")
    assert map_program(small(), limits).used["synapse_bits"].tolist() == [2 * 64]
    tagged = replace(limits, synapse=replace(limits.synapse, learning_bits=12))
    assert map_program(small(), tagged).used["synapse_bits"].tolist() == [2 * 128]
