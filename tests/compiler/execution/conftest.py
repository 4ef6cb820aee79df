from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import qsc


@pytest.fixture(scope="session")
def cut_bundle() -> qsc.Bundle:
    """Two fragments of a chain of four qubits, whose observables need two settings in one of them."""
    c = qsc.Circuit(4)
    x = c.inputs("x", 4)
    for q in range(4):
        c.ry(x[q], q)
    c.rzz(0.8, 0, 1)
    c.cx(1, 2)
    c.rx(0.4, 2)
    c.rzz(x[0], 2, 3)
    return qsc.compile(
        c, target="all:2", readout="Z0*Z3, X3*Z1, X2", effort="fast", max_qubits=2, reuse=False, verify=False
    )


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (200, 4))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two workers of this machine, each a process that may die."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, silence_logs=50, dashboard_address="127.0.0.1:0"
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client
