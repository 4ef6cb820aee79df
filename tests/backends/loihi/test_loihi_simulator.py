"""The simulator: batches, chunks, devices and forms of a matrix give the same numbers; known cases; wrong input."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from qsc.backends.loihi import products, simulator
from qsc.backends.loihi.program import Connection, Population, Program, Source
from qsc.backends.loihi.simulator import components, run
from qsc.ir import InputError, TargetError
from scipy.sparse import csr_array

ALL = ("spikes", "u", "v")


def one(connection: Connection | None = None, **registers) -> Program:
    """A source of two and a population of two."""
    c = connection or Connection("c", "x", "p", np.eye(2, dtype=int) * 100)
    return Program((Source("x", (2,)),), (Population("p", (2,), **registers),), (c,), ("p",))


def ones(steps: int) -> dict[str, np.ndarray]:
    return {"x": np.ones((steps, 1, 2), int)}


def test_one_neuron_step_by_step():
    traces = run(one(du=2047, dv=1024, threshold=200, bias=3, bias_exponent=2), ones(4), 4, ALL)
    # The first spike arrives in step 1. u: 0, 6400, 3200 + 6400, 4800 + 6400; v is 12 + u + 3/4 v, with 3/4 rounded
    # towards 0, and starts again from 0 after it was above 200 << 6.
    assert traces.u["p"][:, 0, 0].tolist() == [0, 6400, 9600, 11200]
    assert traces.v["p"][:, 0, 0].tolist() == [12, 6421, 0, 11212]
    assert traces.spikes["p"][:, 0, 0].tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("sign", "given", "kept"),
    [
        ("mixed", [7, -7, -256, 255], [4, -8, -256, 252]),
        ("excitatory", [7, 3, 255, 0], [6, 2, 254, 0]),
        ("inhibitory", [-7, -3, -255, 0], [-6, -2, -254, 0]),
    ],
)
def test_weights_lose_bits_as_lava_drops_them(sign: str, given: list[int], kept: list[int]):
    c = Connection("c", "x", "p", np.array([given]), weight_bits=7, sign=sign)
    assert c.effective().tolist() == [kept]
    assert replace(c, weight=csr_array([given])).effective().toarray().tolist() == [kept]


@pytest.mark.parametrize("seed", range(12))
def test_chunks_and_batches_change_nothing(programs: ModuleType, seed: int, monkeypatch: pytest.MonkeyPatch):
    program, first = programs.make(seed, steps=70)
    _, second = programs.make(seed, steps=70)
    inputs = {name: np.concatenate([first[name], second[name][::-1], 0 * first[name]], axis=1) for name in first}
    whole = run(program, inputs, 70, (*ALL, "counts"))
    monkeypatch.setattr(simulator, "CHUNK_STEPS", 7)
    parts = run(program, inputs, 70, (*ALL, "counts"))
    for kind in (*ALL, "counts"):
        for name, values in getattr(whole, kind).items():
            np.testing.assert_array_equal(getattr(parts, kind)[name], values)
    for at in range(3):
        alone = run(program, {name: x[:, at : at + 1] for name, x in inputs.items()}, 70, ALL)
        for name in alone.u:
            np.testing.assert_array_equal(alone.u[name][:, 0], whole.u[name][:, at])
            np.testing.assert_array_equal(alone.v[name][:, 0], whole.v[name][:, at])
    for name, counts in whole.counts.items():
        np.testing.assert_array_equal(counts, whole.spikes[name].sum(axis=0))


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.6])
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("loop", [False, True])
def test_every_way_to_a_product_gives_the_same(rate: float, batch: int, loop: bool):
    rng = np.random.default_rng(7)
    weight = rng.integers(-256, 256, (90, 120)) * (rng.random((90, 120)) < 0.2)
    back = Connection("r", "p", "p", rng.integers(-256, 256, (90, 90)), exponent=-2)
    inputs = {"x": rng.random((40, batch, 120)) < rate}

    def traces(matrix, bits: int, device: str = "numpy") -> simulator.Traces:
        c = Connection("c", "x", "p", matrix, exponent=-1)
        p = Population("p", (90,), du=300, dv=90, threshold=60, bias=1)
        program = Program((Source("x", (120,), bits),), (p,), (c, back) if loop else (c,), ("p",))
        return run(program, inputs, 40, ALL, device=device)

    want = traces(weight, 0)
    for got in (
        traces(csr_array(weight), 0),
        traces(weight, 4),
        traces(csr_array(weight), 4),
        traces(weight, 0, "cpu"),
    ):
        for kind in ALL:
            np.testing.assert_array_equal(getattr(got, kind)["p"], getattr(want, kind)["p"])


def test_sums_beyond_float32_are_exact():
    rng = np.random.default_rng(3)
    x = rng.integers(-(2**22), 2**22, (3, 2, 5000))
    weight = rng.integers(-255, 255, (4, 5000))
    c = Connection("c", "x", "p", weight, exponent=-7)
    program = Program((Source("x", (5000,), 24),), (Population("p", (4,)),), (c,), ("p",))
    total = (x @ c.effective().astype(np.int64).T).astype(np.int32) >> 7
    expected = (total << 6).astype(np.int64)
    expected = np.where(expected > 2**23, expected - 2**24, np.where(expected <= -(2**23), expected + 2**24, expected))
    got = run(program, {"x": np.concatenate([x, x[:1]])}, 4, ("u",)).u["p"]
    np.testing.assert_array_equal(got[1:], expected)


def test_a_matrix_of_many_delays_is_held_without_zeros():
    rng = np.random.default_rng(5)
    delays = rng.integers(0, 64, (30, 20))
    c = Connection("c", "x", "p", rng.integers(-90, 90, (30, 20)), delays=delays)
    assert [b.step for b in products.branches(c, (20,), 0, simulator.kit_of("numpy"))] == sorted({*(1 + delays).flat})
    x = np.zeros((70, 1, 20), int)
    x[2, 0, 4] = 1
    traces = run(Program((Source("x", (20,)),), (Population("p", (30,)),), (c,), ("p",)), {"x": x}, 70, ("u",))
    for target in range(30):
        (at,) = np.nonzero(traces.u["p"][:, 0, target])
        assert at.tolist() in ([3 + delays[target, 4]], [])
    assert traces.u["p"].any()


def test_what_is_recorded_is_what_was_asked_for():
    traces = run(one(), ones(3), 3, ("counts",))
    assert (traces.spikes, traces.u, traces.v) == ({}, {}, {})
    assert traces.counts["p"].shape == (1, 2)
    assert run(one(), ones(3), 3, populations=()).spikes == {}


def test_a_program_without_a_source_runs_on_its_bias():
    program = Program((), (Population("p", (2,), bias=64, threshold=1),), (), ("p",))
    assert run(program, {}, 4).spikes["p"][:, 0, 0].tolist() == [False, True, False, True]


def test_groups_of_a_graph():
    after = {"x": ["a"], "a": ["b"], "b": ["c", "b"], "c": ["a", "d"], "d": ["e"], "e": []}
    assert [sorted(group) for group in components(list("edcba"), after)] == [["a", "b", "c"], ["d"], ["e"]]


@pytest.mark.parametrize(
    ("inputs", "steps", "message"),
    [
        ({}, 3, "source x has no input"),
        ({"y": np.ones((3, 1, 2), int)}, 3, "the program has no source 'y'"),
        (ones(4), 3, r"is of shape \(4, 1, 2\); it takes \(steps 3, batch, 2\)"),
        ({"x": np.ones((3, 1, 2))}, 3, "is of type float64; it takes whole numbers"),
        ({"x": np.full((3, 1, 2), 2)}, 3, "has 2; binary spikes are 0..1"),
        ({"x": np.ones((3, 0, 2), int)}, 3, "there is no input"),
        (ones(0), 0, "a run takes at least one step, not 0"),
    ],
)
def test_wrong_input_is_named(inputs: dict[str, np.ndarray], steps: int, message: str):
    with pytest.raises(InputError, match=message):
        run(one(), inputs, steps)


def test_graded_input_beyond_its_bits():
    program = replace(one(), sources=(Source("x", (2,), 5),))
    run(program, {"x": np.full((3, 1, 2), -15)}, 3)
    with pytest.raises(InputError, match=r"has -16; spikes of 5 bits are -15\.\.15"):
        run(program, {"x": np.full((3, 1, 2), -16)}, 3)


def test_unknown_names_and_devices():
    with pytest.raises(InputError, match="no record 'w'"):
        run(one(), ones(3), 3, ("w",))
    with pytest.raises(InputError, match="no population 'q'"):
        run(one(), ones(3), 3, populations=("q",))
    with pytest.raises(InputError, match="device 'cuda:77' cannot be used"):
        run(one(), ones(3), 3, device="cuda:77")


def test_a_program_that_does_not_fit_is_not_run():
    with pytest.raises(TargetError, match=r"du 5000 is outside 0\.\.4095"):
        run(one(du=5000), ones(3), 3)
