"""Emitted Lava scripts: read as text, and run by Lava where its environment is there (`qsc env create lava`)."""

from __future__ import annotations

import ast
import io
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from qsc.backends.loihi.lava_script import ARRAYS_FILE, SCRIPT_FILE, dump
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.backends.loihi.simulator import run
from qsc.bridges import environments
from qsc.ir import InputError, TargetError

STEPS = 12
PYTHON = environments.find("lava")

live = pytest.mark.skipif(PYTHON is None, reason="needs `qsc env create lava`")


def example() -> Program:
    """A convolution, then delays, a recurrent matrix, a sparse one, and neurons with registers of their own."""
    rng = np.random.default_rng(3)
    return Program(
        (Source("pixels", (1, 4, 5)), Source("drive", (2,), 8)),
        (
            Population("edges", (2, 2, 5), du=1000, dv=200, threshold=90, bias=3, bias_exponent=2),
            Population("out", (3,), dv=np.array([0, 40, 4095]), threshold=np.array([200, 250, 300]), initial_v=5000),
        ),
        (
            Connection(
                "kernels", "pixels", "edges", rng.integers(-90, 91, (2, 1, 3, 3)), window=Window((2, 1), (1, 1))
            ),
            Connection(
                "late",
                "edges",
                "out",
                rng.integers(0, 256, (3, 20)),
                exponent=-1,
                sign="excitatory",
                delays=rng.integers(0, 6, (3, 20)),
            ),
            Connection("back", "out", "out", -100 * np.eye(3, dtype=int), 4, 1, "inhibitory", sparse=True),
            Connection("steer", "drive", "out", rng.integers(-9, 10, (3, 2)), 6),
        ),
        ("out",),
        latency=2,
    )


def stimulus(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    limits = {s.name: 2 ** (s.message_bits - 1) - 1 if s.message_bits else 0 for s in program.sources}
    shapes = {s.name: (STEPS, *s.shape) for s in program.sources}
    return {
        name: rng.integers(-high, high + 1, shapes[name]) if high else rng.integers(0, 2, shapes[name])
        for name, high in limits.items()
    }


def call(
    files: Mapping[str, bytes], inputs: Mapping[str, np.ndarray], folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run a script as its user would."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    np.savez(folder / "in.npz", **dict(inputs))  # pyright: ignore[reportArgumentType]
    command = [str(PYTHON), "-I", SCRIPT_FILE, "in.npz", "out.npz", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def independent(program: Program, inputs: Mapping[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """Spikes by the rules of Lava's models, one spike and one synapse after the other; matrices without delays."""
    found = {p.name: np.zeros((steps, *p.shape), bool) for p in program.populations}
    state = {
        p.name: [np.zeros(int(np.prod(p.shape)), np.int64), np.ravel(p.initial_v) + np.zeros(int(np.prod(p.shape)))]
        for p in program.populations
    }
    before = {name: np.zeros(x[0].size, np.int64) for name, x in inputs.items()}
    before |= {name: np.zeros(u.size, np.int64) for name, (u, _) in state.items()}
    for t in range(steps):
        now = {name: x[t].ravel().astype(np.int64) for name, x in inputs.items()}
        for p in program.populations:
            u, v = state[p.name]
            added = np.zeros(u.size, np.int64)
            for c in program.connections:
                if c.target == p.name:
                    total = c.effective().astype(np.int64) @ before[c.source]
                    added += total << c.exponent if c.exponent > 0 else total >> -c.exponent
            u = np.sign(u) * ((abs(u) * (4095 - np.ravel(p.du))) >> 12) + (added << 6)
            u = np.where(u > 2**23, u - 2**24, np.where(u <= -(2**23), u + 2**24, u))
            v = v.astype(np.int64)
            v = np.sign(v) * ((abs(v) * (4096 - np.ravel(p.dv))) >> 12) + u + (np.ravel(p.bias) << p.bias_exponent)
            v = np.clip(v, -(2**23) + 1, 2**23 - 1)
            fired = v > np.ravel(p.threshold) << 6
            state[p.name] = [u, np.where(fired, 0, v)]
            found[p.name][t] = fired.reshape(p.shape)
            now[p.name] = fired.astype(np.int64)
        before = now
    return found


def test_the_text_of_a_script(golden: Callable[[str, str], None]):
    files = dump(example(), STEPS)
    golden("lava_program.txt", files[SCRIPT_FILE].decode())
    assert files == dump(example(), STEPS)


def test_scripts_stand_alone(programs: ModuleType):
    for seed in range(60):
        program, _ = programs.make(seed)
        text = dump(program, STEPS)[SCRIPT_FILE].decode()
        imports = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        assert {str(n.module).split(".")[0] for n in imports} <= {"__future__", "lava", "pathlib", "scipy", "typing"}
        compile(text, SCRIPT_FILE, "exec", dont_inherit=True)


def test_any_name_is_text_in_a_script():
    name = 'a "b"\n\\c\'"""#{'
    program = Program((Source(name, (1,)),), (Population("é/spikes", (1,)),), (), ("é/spikes",))
    tree = ast.parse(dump(program, 1)[SCRIPT_FILE])
    tables = {n.targets[0].id: n.value for n in tree.body if isinstance(n, ast.Assign)}  # pyright: ignore
    assert ast.literal_eval(tables["SOURCES"]) == {name: ((1,), 0)}
    assert ast.literal_eval(tables["NETS"]) == [["é/spikes"]]


def test_what_no_script_can_mean_is_refused():
    with pytest.raises(InputError, match="at least one step, not 0"):
        dump(example(), 0)
    hot = replace(example().populations[1], threshold=2**17)
    with pytest.raises(TargetError, match=r"threshold 131072 is outside 0\.\.131071"):
        dump(replace(example(), populations=(example().populations[0], hot)), STEPS)
    wide = Connection("c", "x", "p", np.full((1, 1, 2, 2), 100), exponent=3, window=Window())
    program = Program((Source("x", (1, 3, 3), 16),), (Population("p", (1, 2, 2)),), (wide,), ("p",))
    with pytest.raises(TargetError, match=r"connection c: a convolution with an exponent .* can reach 104854400"):
        dump(program, STEPS)


@live
def test_the_example_in_lava(tmp_path: Path):
    program, inputs = example(), stimulus(example())
    done = call(dump(program, STEPS), inputs, tmp_path)
    assert done.returncode == 0, done.stderr
    ours = run(program, {name: x[:, None] for name, x in inputs.items()}, STEPS)
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == {"edges/spikes", "out/spikes"}
        for name, spikes in ours.spikes.items():
            np.testing.assert_array_equal(found[f"{name}/spikes"], spikes[:, 0])
            assert f"{name}: {spikes.sum()} spikes\n" in done.stdout
        assert found["out/spikes"].any()


@live
def test_matrices_in_lava_by_an_independent_reference(tmp_path: Path):
    program = replace(example(), sources=example().sources[1:], populations=example().populations[1:])
    program = replace(program, connections=example().connections[2:])
    inputs = stimulus(program, 4)
    assert call(dump(program, STEPS), inputs, tmp_path).returncode == 0
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["out/spikes"], independent(program, inputs, STEPS)["out"])
        assert 0 < found["out/spikes"].mean() < 1


@live
@pytest.mark.parametrize("seed", [0, 3, 7, 9, 10, 11])
def test_random_programs_in_lava(programs: ModuleType, tmp_path: Path, seed: int):
    """Convolutions with exponents and delays, sparse and dense delays, graded input, recurrence; u and v too."""
    program, inputs = programs.make(seed)
    given = {name: x[:, 0] for name, x in inputs.items()}
    done = call(dump(program, programs.STEPS), given, tmp_path, "--record")
    assert done.returncode == 0, done.stderr
    ours = run(program, inputs, programs.STEPS, ("spikes", "u", "v"))
    with np.load(tmp_path / "out.npz") as found:
        for kind in ("spikes", "u", "v"):
            for name, values in getattr(ours, kind).items():
                np.testing.assert_array_equal(found[f"{name}/{kind}"], values[:, 0], f"{name} {kind}")


@live
def test_nets_that_are_not_linked_all_run(tmp_path: Path):
    weight = np.full((2, 2), 100)
    program = Program(
        (Source("x", (2,)), Source("unused", (1,))),
        (Population("a", (2,)), Population("alone", (3,), threshold=2, bias=1, bias_exponent=6), Population("b", (2,))),
        (Connection("x_b", "x", "b", weight), Connection("b_b", "b", "b", -weight)),
        ("a",),
    )
    inputs = stimulus(program)
    done = call(dump(program, STEPS), inputs, tmp_path)
    assert done.returncode == 0, done.stderr
    ours = run(program, {name: x[:, None] for name, x in inputs.items()}, STEPS)
    with np.load(tmp_path / "out.npz") as found:
        for name, spikes in ours.spikes.items():
            np.testing.assert_array_equal(found[f"{name}/spikes"], spikes[:, 0])
        assert [int(found[f"{name}/spikes"].any()) for name in ("a", "alone", "b")] == [0, 1, 1]


@live
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drive": None}, "in.npz has no array 'drive'; it takes pixels, drive"),
        ({"drive": np.full((STEPS, 2), 128)}, "drive has values 128..128; it takes -127..127"),
        ({"pixels": np.full((STEPS, 1, 4, 5), 2)}, "pixels has values 2..2; it takes 0..1"),
        ({"drive": np.ones((STEPS, 2))}, "drive is float64 of shape (12, 2); it takes whole numbers of shape (12, 2)"),
        ({"drive": np.ones((3, 2), int)}, "drive is int64 of shape (3, 2); it takes whole numbers of shape (12, 2)"),
    ],
)
def test_wrong_inputs_are_refused_before_lava_starts(change: dict, message: str, tmp_path: Path):
    given = {name: x for name, x in (stimulus(example()) | change).items() if x is not None}
    done = call(dump(example(), STEPS), given, tmp_path)
    assert done.returncode == 1
    assert f"lava_program.py: {message}" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@live
def test_a_script_that_was_changed_ends_with_the_reason(tmp_path: Path):
    """Registers that Lava would take without a word, delays that it would hang on, and a process that dies."""
    files, inputs = dump(example(), STEPS), stimulus(example())
    with np.load(io.BytesIO(files[ARRAYS_FILE])) as held:
        arrays = dict(held)
    late = io.BytesIO()
    np.savez(late, **(arrays | {"late/delays": arrays["late/delays"] + 60}))
    text = files[SCRIPT_FILE]
    for changed, options, message in (
        ({SCRIPT_FILE: text.replace(b"du=1000", b"du=4096")}, (), "edges: du 4096..4096 is outside 0..4095"),
        ({ARRAYS_FILE: late.getvalue()}, (), "late/delays: delays 60..65 are outside 0..63"),
        (
            {SCRIPT_FILE: text.replace(b"weight_exp=1,", b"weight_exp='1',")},
            (),
            "'>' not supported between instances of 'str'",
        ),
        ({}, ("--timeout", "0.01"), "not done in 0.01 s"),
    ):
        done = call({**files, **changed}, inputs, tmp_path, *options)
        assert done.returncode == 1, done.stderr
        assert message in done.stderr
        assert not (tmp_path / "out.npz").exists()
