"""A run in tasks gives what one launch at a time gives."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qsc.backends.base import RunOptions
from qsc.compiler.execution.launches import launches_first
from qsc.compiler.execution.tasks import ROWS, Task, join, run_task, split
from qsc.ir.ops import Launch


def whole(bundle: qsc.Bundle, launch: Launch, operands: list[np.ndarray]) -> list[np.ndarray]:
    return bundle.backend_of(launch).run(
        bundle.artifact(launch.artifact), launch, bundle.program, operands, RunOptions()
    )


def operands_of(launch: Launch, rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(rows)
    shapes = [[rows if d < 0 else d for d in v.type.shape] for v in launch.body.inputs]
    return [rng.uniform(-1, 1, shape) for shape in shapes]


@pytest.mark.parametrize("rows", [0, 1, ROWS, ROWS + 1, 200])
def test_exact_values_are_those_of_the_whole_batch(cut_bundle, rows: int):
    for launch in cut_bundle.launches():
        operands = operands_of(launch, rows)
        tasks = split(launch, operands, RunOptions(), 0)
        assert len(tasks) == max(1, -(-rows // ROWS))
        found = join(launch, tasks, [run_task(cut_bundle, task) for task in tasks])
        for ours, theirs in zip(found.results, whole(cut_bundle, launch, operands), strict=True):
            assert ours.shape == theirs.shape
            assert np.array_equal(ours, theirs)
        assert found.counts.get("executions", 0) == rows


def test_every_task_has_a_seed_and_a_key_of_its_own(cut_bundle):
    tasks = [
        task
        for launch in cut_bundle.launches()
        for call in range(2)
        for task in split(launch, operands_of(launch, 150), RunOptions(shots=10), call)
    ]
    assert len({task.options.seed for task in tasks}) == len(tasks)
    assert len({task.key("a") for task in tasks}) == len(tasks)
    assert tasks[0].key("a") != tasks[0].key("b")
    assert str(tasks[0]) == f"{cut_bundle.launches()[0].artifact}, rows 0 to 63"


def test_shares_stay_with_their_rows(cut_bundle):
    (launch, *_) = cut_bundle.launches()
    shares = (0.5, 1.0, 1.5)
    made = Launch(launch.device, launch.artifact, launch.body, shares)
    for task in split(made, operands_of(launch, 150), RunOptions(shots=100), 0):
        assert task.shares == tuple(shares[(task.start + k) % 3] for k in range(3))


def reads(*observables: str) -> qsc.Bundle:
    c = qsc.Circuit(3)
    x = c.inputs("x", 3)
    for q in range(3):
        c.ry(x[q], q)
    c.cx(0, 1)
    return qsc.compile(c, target="all:3", readout=list(observables), effort="fast", verify=False)


def test_settings_of_few_rows_are_tasks():
    bundle = reads("Z0", "X0*X1", "Z1*Z2", "Y0*Y2", "Z0 + X1")
    (launch,) = bundle.launches()
    operands = operands_of(launch, 5)
    assert len(split(launch, operands, RunOptions(), 0)) == 1
    assert len(split(launch, operands_of(launch, ROWS + 1), RunOptions(shots=10), 0)) == 2
    tasks = split(launch, operands, RunOptions(shots=100_000), 0)
    groups = [task.options.observables for task in tasks]
    assert groups == [(0, 1, 2, 4), (3,)]
    assert str(tasks[1]).endswith("rows 0 to 4, observables 3")
    found = join(launch, tasks, [run_task(bundle, task) for task in tasks])
    exact = whole(bundle, launch, operands)[0]
    assert np.abs(found.results[0] - exact).max() < 0.02
    # Together they are measured in three settings, and apart too.
    assert found.counts == {"executions": 15, "shots": 1_500_000}
    (errors,), (covariances,) = found.errors, found.covariances
    assert np.allclose(errors**2, covariances.diagonal(axis1=1, axis2=2))
    assert np.all(covariances[:, 3, [0, 1, 2, 4]] == 0)
    assert np.any(covariances[:, 0, [2, 4]] != 0)


def test_fragments_are_called_before_any_of_them_is_read(cut_bundle):
    ordered = launches_first(cut_bundle.program).graph.nodes
    called = [k for k, node in enumerate(ordered) if isinstance(node.op, Launch)]
    results = {v.name for k in called for v in ordered[k].results}
    assert not any(v.name in results for node in ordered[: called[-1] + 1] for v in node.operands)
    assert {id(node) for node in ordered} == {id(node) for node in cut_bundle.program.graph.nodes}


def test_a_batch_of_none_and_a_model_without_a_batch(cut_bundle):
    assert cut_bundle.run(np.zeros((0, 4))).shape == (0, 3)
    assert cut_bundle.run(np.zeros((0, 4)), shots=10).shape == (0, 3)


def test_a_device_of_the_user_gets_the_whole_batch(cut_bundle):
    (launch, *_) = cut_bundle.launches()
    options = RunOptions(device=object())
    (task,) = split(launch, operands_of(launch, 500), options, 0)
    assert isinstance(task, Task)
    assert task.options is options
    assert len(task.operands[0]) == 500
