"""Does the predicted fidelity rank the candidates of a circuit as noise does?

python benchmarks/quantum/fidelity.py

20 circuits of the suite's families, ten placements each on fake_torino (random connected places, routed by Qiskit). For
every circuit: Spearman's rank correlation between 1 - predicted fidelity and the distance (total variation) of the
outcome distribution under the device's calibrated noise, readout errors included, from the exact one.
"""

from __future__ import annotations

from collections.abc import Iterator

import cases
import numpy as np
import qsc
from qiskit.transpiler import generate_preset_pass_manager
from qsc import ir
from qsc.backends.base import RunOptions
from qsc.backends.qiskit.backend import QiskitBackend, artifacts, measured
from qsc.backends.qiskit.routing import routed_form
from qsc.backends.readouts import readout_of
from qsc.bridges.qiskit import to_qiskit
from qsc.compiler import driver, registry
from qsc.compiler.manager import Watch
from qsc.frontends.readouts import module_of
from qsc.ir.ops import Launch, Probabilities
from scipy.stats import rankdata

CANDIDATES = 10
DEVICE = "fake_torino"
PASSES = "cancel-gates,partition"


def circuits() -> Iterator[tuple[str, ir.Circuit]]:
    """20 circuits on 4 to 6 qubits."""
    for n in (4, 5, 6):
        yield f"hardware-efficient {n}", cases.joined(n, cases.hardware_efficient, 3, 2).build("c")
        yield f"strongly entangling {n}", cases.joined(n, cases.strongly_entangling, 2, 3).build("c")
        yield f"basic entangler {n}", cases.joined(n, cases.basic_entangler, 2, 1).build("c")
        yield f"brickwork {n}", cases.joined(n, cases.brickwork, 4, 2).build("c")
        yield f"re-uploading {n}", cases.reuploading(n, 2).build("c")
        yield f"ZZ map on a chain {n}", cases.zz_joined(n, [(q, q + 1) for q in range(n - 1)]).build("c")
    yield "QCNN 4", cases.qcnn(4).build("c")
    yield "trotter 5", cases.trotter(5, 2).build("c")


def places(links: dict[int, list[int]], size: int, rng: np.random.Generator) -> list[int]:
    """Random connected qubits of a device."""
    chosen = [int(rng.choice(list(links)))]
    while len(chosen) < size:
        border = sorted({b for a in chosen for b in links[a]} - set(chosen))
        chosen.append(int(rng.choice(border)))
    return chosen


def correlation(circuit: ir.Circuit, rng: np.random.Generator) -> float:
    """Spearman's correlation over the candidates of one circuit."""
    target = registry.find_target(DEVICE)
    device, backend = target.device.target, QiskitBackend()
    links: dict[int, list[int]] = {}
    for a, b in device.build_coupling_map().get_edges():
        links.setdefault(a, []).append(b)
    program, _, _ = driver.optimise(
        module_of(circuit, "probs"), [target], [], driver.Options((DEVICE,), passes=PASSES), Watch()
    )
    (launch,) = (node.op for node in program.nodes() if isinstance(node.op, Launch))
    op = readout_of(launch).op
    assert isinstance(op, Probabilities)
    source = program.circuits[op.circuit]
    converted = to_qiskit(source)
    logical, _ = measured(converted.circuit, op)
    inputs = [rng.uniform(0.3, 2.8, (1, *array.shape)) for array in source.inputs]
    predicted, errors = [], []
    for seed in range(CANDIDATES):
        layout = places(links, circuit.num_qubits, rng)
        out = generate_preset_pass_manager(1, target=device, initial_layout=layout, seed_transpiler=seed).run(logical)
        routed = routed_form(out, device)
        files, _ = artifacts(op, source, converted, routed, target)
        exact, noisy = (
            backend.run(files, launch, program, inputs, RunOptions(noise=noise))[0] for noise in (False, True)
        )
        predicted.append(-(routed.log_fidelity or 0.0))
        errors.append(0.5 * float(np.abs(exact - noisy).sum()))
    return float(np.corrcoef(rankdata(predicted), rankdata(errors))[0, 1])


def main() -> None:
    found = []
    for number, (name, circuit) in enumerate(circuits()):
        found.append(correlation(circuit, np.random.default_rng(number)))
        print(f"{name:26s} {found[-1]:6.3f}", flush=True)
    print(f"mean over {len(found)} circuits of {CANDIDATES} candidates: {np.mean(found):.3f} (qsc {qsc.__version__})")


if __name__ == "__main__":
    main()
