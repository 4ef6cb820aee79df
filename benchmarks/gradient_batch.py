"""One training step of a quantum layer on an estimator: ours against qiskit-machine-learning's EstimatorQNN.

    python benchmarks/gradient_batch.py

ZZ feature map and RealAmplitudes on 4 qubits, <Z> of every qubit, 12 weights, a batch of 8, gradients of inputs and
weights by parameter shift. Both run on the same kind of exact estimator, which counts what it is given; EstimatorQNN's
Jacobian is contracted with the same output gradient that ours is asked for. CPU seconds are those of the process.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import qsc
import torch
from measure import in_child, resident_mib
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import Tensor, nn

QUBITS, LAYERS, BATCH = 4, 3, 8


class Counting(StatevectorEstimator):
    """Exact values, and how many PUBs and bindings it was given."""

    pubs = 0
    bindings = 0

    def run(self, pubs: Any, *, precision: float | None = None) -> Any:
        taken = [EstimatorPub.coerce(pub) for pub in pubs]
        self.pubs += len(taken)
        self.bindings += sum(pub.parameter_values.size for pub in taken)
        return super().run([EstimatorPub(p.circuit, p.observables, p.parameter_values, 0.0) for p in taken])


class Ours(nn.Module):
    """The feature map's products in torch, the rest as a layer on the estimator."""

    def __init__(self, estimator: StatevectorEstimator | None) -> None:
        super().__init__()
        pairs = list(combinations(range(QUBITS), 2))
        c = qsc.Circuit(QUBITS)
        x, w = c.inputs("x", QUBITS + len(pairs)), c.weights("w", (LAYERS, QUBITS))
        for q in range(QUBITS):
            c.h(q)
            c.p(x[q], q)
        for k, (a, b) in enumerate(pairs):
            # CX, P, CX in Qiskit's feature map is this up to the global phase.
            c.rzz(x[QUBITS + k], a, b)
        for layer in range(LAYERS):
            for q in range(QUBITS):
                c.ry(w[layer][q], q)
            if layer < LAYERS - 1:
                for q in reversed(range(QUBITS - 1)):
                    c.cx(q, q + 1)
        self.layer = qsc.nn.Quantum(c, [qsc.Z(q) for q in range(QUBITS)], backend=estimator, dtype=torch.float64)
        self.pairs = pairs

    def forward(self, x: Tensor) -> Tensor:
        products = [2 * (math.pi - x[:, a]) * (math.pi - x[:, b]) for a, b in self.pairs]
        return self.layer(torch.cat([2 * x, torch.stack(products, dim=1)], dim=1))


@dataclass
class Step:
    """One forward and backward pass: values, gradients of inputs and weights, and what each pass took."""

    values: np.ndarray
    inputs: np.ndarray
    weights: np.ndarray
    forward: Taken
    backward: Taken


@dataclass
class Taken:
    """Seconds on the clock and of the processor, and what the estimator was given."""

    seconds: float
    cpu: float
    pubs: int
    executions: int


def numbers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (batch, qubits), weights (12,), and the gradient of the outputs (batch, qubits)."""
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (BATCH, QUBITS)), rng.uniform(-3, 3, LAYERS * QUBITS), rng.normal(size=(BATCH, QUBITS))


def timed(estimator: Counting, work: Callable[[], Any]) -> tuple[Any, Taken]:
    """The result of `work`, and what it took."""
    pubs, bindings, wall, cpu = estimator.pubs, estimator.bindings, time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return result, Taken(wall, cpu, estimator.pubs - pubs, estimator.bindings - bindings)


def ours() -> Step:
    """One step of our layer."""
    x, w, given = numbers()
    estimator = Counting()
    model = Ours(estimator)
    inputs = torch.from_numpy(x).requires_grad_()
    with torch.no_grad():
        model.layer.weights["w"].copy_(torch.from_numpy(w.reshape(LAYERS, QUBITS)))
    values, forward = timed(estimator, lambda: model(inputs))
    loss = (values * torch.from_numpy(given)).sum()
    found, backward = timed(estimator, lambda: torch.autograd.grad(loss, (inputs, model.layer.weights["w"])))
    return Step(values.detach().numpy(), found[0].numpy(), found[1].numpy().ravel(), forward, backward)


def theirs() -> Step:
    """One step of EstimatorQNN."""
    from qiskit.circuit.library import real_amplitudes, zz_feature_map
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    x, w, given = numbers()
    estimator = Counting()
    features, ansatz = zz_feature_map(QUBITS, reps=1), real_amplitudes(QUBITS, reps=LAYERS - 1)
    circuit: Any = features.compose(ansatz)
    network = EstimatorQNN(
        circuit=circuit,
        estimator=estimator,
        observables=[SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], QUBITS) for q in range(QUBITS)],
        input_params=list(features.parameters),
        weight_params=list(ansatz.parameters),
        gradient=ParamShiftEstimatorGradient(estimator),
        input_gradients=True,
    )
    values, forward = timed(estimator, lambda: network.forward(x, w))
    (by_input, by_weight), backward = timed(estimator, lambda: network.backward(x, w))
    gradients = np.einsum("bki,bk->bi", by_input, given), np.einsum("bki,bk->i", by_weight, given)
    return Step(values, *gradients, forward, backward)


SIDES: dict[str, Callable[[], Step]] = {"qsc": ours, "EstimatorQNN": theirs}


def memory(side: str) -> None:
    """In a fresh process: the peak of one step above what was held before it."""
    before = resident_mib("VmRSS")
    SIDES[side]()
    print(json.dumps({"mib": resident_mib("VmHWM") - before}))


def main() -> None:
    if len(sys.argv) > 1:
        memory(sys.argv[1])
        return
    torch.set_num_threads(1)
    steps = {name: run() for name, run in SIDES.items()}
    us, them = steps["qsc"], steps["EstimatorQNN"]
    worst = max(np.abs(getattr(us, part) - getattr(them, part)).max() for part in ("values", "inputs", "weights"))
    print("case: ZZFeatureMap + RealAmplitudes, 4 qubits, 4 observables Z, 12 weights, batch 8, input gradients")
    for name, step in steps.items():
        mib = in_child(__file__, name)["mib"]
        for part, taken in (("forward", step.forward), ("backward", step.backward)):
            print(
                f"{name:13s}{part:9s}{taken.pubs:6d} PUBs{taken.executions:7d} bindings{taken.seconds:9.3f} s"
                f"{taken.cpu:9.3f} CPU s{mib:9.1f} MiB"
            )
    print(
        f"ratio of backward: {them.backward.pubs / us.backward.pubs:.0f} in PUBs, "
        f"{them.backward.executions / us.backward.executions:.1f} in bindings, "
        f"{them.backward.seconds / us.backward.seconds:.1f} in seconds, "
        f"{them.backward.cpu / us.backward.cpu:.1f} in CPU seconds; largest difference {worst:.1e}"
    )


if __name__ == "__main__":
    main()
