"""Circuit cutting with shots beside qiskit-addon-cutting: the mean squared error at as many shots in all.

    python benchmarks/quantum/cutting_shots.py [repeats]

Circuits of `cutting.py` that both sides have to cut, for one input sample. The peer's shots are the same for each of
its subexperiments, Aer's sampler runs them, and its own function recombines them. Ours are compiled for a device of the
fragments' width, and get as many shots in all. `bars` is how often our 95 % intervals hold the value, and how wide the
intervals are over the scatter of the repeats. Exact values are those of the uncut circuit.
"""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from math import exp, log
from typing import Any

import numpy as np
from addon_cutting import RefusedError, cut_by_addon
from cutting import case

SHOTS = 20_000
"""About how many of each side, for one repeat."""
FEWEST, MOST = 8, 600
"""Executions of the peer from and up to which a case is compared."""
CASES = 12


def bound(seed: int) -> tuple[Any, int, np.ndarray]:
    """(module with its weights as they are, qubits of a fragment, one input sample)."""
    module, width = case(seed)
    x = np.random.default_rng(seed).uniform(-3, 3, (1, module.graph.inputs[0].type.shape[1]))
    return module, width, x


def ours(module: Any, width: int, x: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray, int, int] | None:
    """(values and standard errors of all repeats, executions, shots of one repeat); None where nothing is cut."""
    import qsc

    bundle = qsc.compile(
        module, target=f"all:{width}", example_input=x, effort="fast", max_qubits=width, reuse=False, verify=False
    )
    if not bundle.manifest["cuts"]:
        return None
    executions = int(bundle.costs["executions"])
    values, errors = [], []
    for seed in range(repeats):
        values.append(bundle.run(x, shots=SHOTS // executions, seed=seed)[0])
        bars = bundle.standard_errors[0]
        assert bars is not None
        errors.append(bars[0])
    return np.array(values), np.array(errors), executions, int(bundle.run_counts["shots"])


def peer(module: Any, width: int, x: np.ndarray, repeats: int) -> tuple[np.ndarray, int, int] | None:
    """(values of all repeats, subexperiments, shots of one repeat); None where it refuses, or has too many or few."""
    from qiskit_addon_cutting import reconstruct_expectation_values
    from qiskit_aer.primitives import SamplerV2

    try:
        cut = cut_by_addon(module, width, x, 1e3)
    except RefusedError:
        return None
    if not FEWEST <= cut.executions <= MOST:
        return None
    shots = max(1, SHOTS // cut.executions)
    values = []
    for seed in range(repeats):
        sampler = SamplerV2(seed=seed)
        results: Any = {k: sampler.run(c, shots=shots).result() for k, c in cut.experiments.items()}
        values.append(reconstruct_expectation_values(results, cut.coefficients, cut.observables))
    return np.array(values), cut.executions, cut.executions * shots


def main() -> None:
    warnings.filterwarnings("ignore")
    if find_spec("qiskit_addon_cutting") is None:
        print("qiskit-addon-cutting is not installed: there is nothing to compare with")
        return
    from qsc.ir.interpreter import evaluate

    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    ratios: list[float] = []
    for seed in range(200):
        if len(ratios) == CASES:
            break
        module, width, x = bound(seed)
        exact = evaluate(module, [x], precision="f64")[0].numpy()[0]
        a = ours(module, width, x, repeats)
        b = peer(module, width, x, repeats) if a is not None else None
        if a is None or b is None:
            continue
        mine, theirs = (((v - exact) ** 2).mean() for v in (a[0], b[0]))
        ratios.append(mine / theirs)
        held = (np.abs(a[0] - exact) < 1.96 * a[1]).mean()
        wide = (a[1].mean(axis=0) / np.maximum(a[0].std(axis=0), 1e-12)).max()
        print(
            f"{seed:3d} {module.circuits['c'].num_qubits:2d} qubits: ours {a[2]:4d} executions {a[3]:6d} shots mse "
            f"{mine:.2e}   peer {b[1]:4d} {b[2]:6d} {theirs:.2e}   ratio {ratios[-1]:.3f}   bars {held:.3f} {wide:.2f}",
            flush=True,
        )
    print(f"geometric mean of ours / peer {exp(sum(map(log, ratios)) / len(ratios)):.3f}, largest {max(ratios):.3f}")


if __name__ == "__main__":
    main()
