"""The simulator against Lava 0.10: 300 random programs, equal to the bit in spikes, u and v.

Lava's answers come from golden/lava.npz, which tools/make_lava_golden.py wrote, and from Lava itself where its
environment is there (`qsc env create lava`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from qsc.backends.loihi.lava import Job, run_in_lava
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.backends.loihi.simulator import run
from qsc.bridges import environments
from qsc.ir import MissingError

GOLDEN = Path(__file__).parent / "golden" / "lava.npz"
ALL = ("spikes", "u", "v")
BATCHES, BATCH = 10, 30

live = pytest.mark.skipif(environments.find("lava") is None, reason="needs `qsc env create lava`")


@pytest.mark.parametrize("device", ["numpy", "cpu"])
def test_random_programs_do_what_lava_did(programs: ModuleType, device: str):
    with np.load(GOLDEN) as file:
        golden = dict(file)
    assert len(golden["traces"]) == programs.PROGRAMS == BATCHES * BATCH
    wrong = []
    for seed in range(programs.PROGRAMS):
        program, inputs = programs.make(seed)
        same = programs.program_digest(program, inputs) == golden["programs"][seed]
        assert same, f"the generator makes another program of seed {seed}: run tools/make_lava_golden.py"
        if programs.digest(run(program, inputs, programs.STEPS, ALL, device=device)) != golden["traces"][seed]:
            wrong.append(seed)
    assert not wrong


def test_the_numbers_of_the_first_programs(programs: ModuleType):
    with np.load(GOLDEN) as file:
        golden = {key: file[key] for key in file.files if "/" in key}
    assert golden
    for key, want in golden.items():
        seed, name, kind = key.split("/")
        program, inputs = programs.make(int(seed))
        np.testing.assert_array_equal(getattr(run(program, inputs, programs.STEPS, ALL), kind)[name], want, key)


def test_the_programs_are_of_every_kind(programs: ModuleType):
    seen = Counter[str]()
    exponents, bits, signs = set(), set(), set()
    for seed in range(programs.PROGRAMS):
        program, inputs = programs.make(seed)
        traces = run(program, inputs, programs.STEPS, ALL)
        for c in program.connections:
            seen[next(kind for kind in sorted(programs.KINDS, key=len, reverse=True) if kind in c.name)] += 1
            exponents.add(c.exponent)
            bits.add(c.weight_bits)
            signs.add(c.sign)
        seen["recurrent"] += any(c.source == c.target for c in program.connections)
        seen["graded"] += any(s.message_bits for s in program.sources)
        seen["bias"] += any(np.any(p.bias) for p in program.populations)
        seen["spiking"] += any(0.02 < s.mean() < 0.9 for s in traces.spikes.values())
        seen["beyond 24 bits"] += any((abs(u.astype(np.int64)) > 2**23).any() for u in traces.u.values())
        seen["clipped"] += any((abs(v) == 2**23 - 1).any() for v in traces.v.values())
    assert exponents == set(range(-7, 8))
    assert bits == set(range(1, 9))
    assert signs == {"mixed", "excitatory", "inhibitory"}
    assert set(seen) >= {*programs.KINDS, "recurrent", "graded", "bias", "spiking", "beyond 24 bits", "clipped"}
    assert min(seen.values()) >= 40, seen


@live
@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs_do_what_lava_does(programs: ModuleType, batch: int):
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    made = [programs.make(seed) for seed in seeds]
    jobs = [Job(p, {name: x[:, 0] for name, x in inputs.items()}, programs.STEPS) for p, inputs in made]
    for seed, (program, inputs), ran in zip(seeds, made, run_in_lava(jobs, timeout=400), strict=True):
        ours = run(program, inputs, programs.STEPS, ALL)
        for kind in ALL:
            for name, values in getattr(ran.traces, kind).items():
                np.testing.assert_array_equal(getattr(ours, kind)[name], values, f"seed {seed}, {name}, {kind}")


@live
def test_a_failure_of_lava_is_an_error_in_good_time(monkeypatch: pytest.MonkeyPatch):
    too_late = Connection("c", "x", "p", np.ones((2, 2), int), delays=np.full((2, 2), 64))
    program = Program((Source("x", (2,)),), (Population("p", (2,)),), (too_late,), ("p",))
    with pytest.raises(MissingError, match="did not end in 10 s"):
        run_in_lava([Job(program, {"x": np.ones((3, 2), int)}, 3)], timeout=10)


def test_without_lava_its_environment_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("QSC_ENVIRONMENTS", str(tmp_path))
    program = Program((Source("x", (1, 3, 3)),), (Population("p", (1, 2, 2)),), (_kernel(),), ("p",))
    with pytest.raises(MissingError, match="environment lava is not there\n  = help: qsc env create lava"):
        run_in_lava([Job(program, {"x": np.ones((3, 1, 3, 3), int)}, 3)], timeout=10)


def _kernel() -> Connection:
    return Connection("c", "x", "p", np.ones((1, 1, 2, 2), int), window=Window())
