"""A circuit for which Aer 0.18.2, left to itself, drops a qubit too many: <Y0> came out as 0."""

from __future__ import annotations

import numpy as np
import qsc
from qsc.backends.base import RunOptions
from qsc.frontends.readouts import module_of
from qsc.ir.interpreter import evaluate


def test_an_expectation_beside_a_qubit_of_its_own():
    c = qsc.Circuit(3)
    c.sx(0)
    c.rz(c.inputs("x"), 1)
    c.sx(1)
    c.sx(2)
    c.sx(2)
    c.cz(2, 0)
    module = module_of(c.build(), ["Y0"])
    bundle = qsc.compile(module, target="all:3", verify=False, passes="partition")
    values = np.array([0.3, 1.1])
    wanted = evaluate(module, [values], precision="f64")[0].numpy()
    assert np.abs(wanted).min() > 0.9
    (launch,) = bundle.launches()
    files = bundle.artifact(launch.artifact)
    (given,) = bundle.backend_of(launch).run(files, launch, bundle.program, [values], RunOptions())
    assert np.abs(given - wanted).max() < 1e-9
