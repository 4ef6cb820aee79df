"""qsc.nn.Quantum against PennyLane's TorchLayer (default.qubit, backprop) on the same circuit and weights.

    python benchmarks/quantum_layer.py [runs]

RY of each input, three StronglyEntanglingLayers, <Z> of every qubit; batch 64, float32, one thread; forward without
gradient, and forward with the gradient of all inputs and weights. The two take turns, times are medians. Memory is the
peak of a fresh process above what it held before its first pass. Outputs and gradients are compared first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import pennylane as qml
import qsc
import torch
from measure import in_child, resident_mib
from pennylane.qnn.torch import TorchLayer
from torch import Tensor, nn

BATCH, LAYERS, QUBITS = 64, 3, (8, 12)


def ours(qubits: int) -> nn.Module:
    """The circuit as our layer."""
    c = qsc.Circuit(qubits)
    x, w = c.inputs("x", qubits), c.weights("w", (LAYERS, qubits, 3))
    for q in range(qubits):
        c.ry(x[q], q)
    for number, layer in enumerate(w):
        for q, (phi, theta, omega) in enumerate(layer):
            c.rz(phi, q)
            c.ry(theta, q)
            c.rz(omega, q)
        reach = number % (qubits - 1) + 1
        for q in range(qubits):
            c.cx(q, (q + reach) % qubits)
    return qsc.nn.Quantum(c, readout=[qsc.Z(q) for q in range(qubits)])


def pennylane(qubits: int) -> nn.Module:
    """The same circuit as a PennyLane layer."""

    def circuit(inputs: Tensor, weights: Tensor) -> list:
        qml.AngleEmbedding(inputs, wires=range(qubits), rotation="Y")
        qml.StronglyEntanglingLayers(weights, wires=range(qubits))
        return [qml.expval(qml.PauliZ(q)) for q in range(qubits)]

    device = qml.device("default.qubit", wires=qubits)
    node = qml.QNode(circuit, device, interface="torch", diff_method="backprop")
    return TorchLayer(node, {"weights": (LAYERS, qubits, 3)})


MAKERS: dict[str, Callable[[int], nn.Module]] = {"qsc": ours, "pennylane": pennylane}


def prepared(kind: str, qubits: int) -> tuple[nn.Module, Tensor]:
    """The layer and its input, with the same numbers for both kinds."""
    torch.manual_seed(0)
    weights, x = torch.rand(LAYERS, qubits, 3) * 6, torch.randn(BATCH, qubits)
    layer = MAKERS[kind](qubits)
    with torch.no_grad():
        next(layer.parameters()).copy_(weights)
    return layer, x.requires_grad_()


def forward(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(x)


def forward_backward(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the sum of squares, with respect to inputs and weights."""
    loss = layer(x).square().sum()
    gradients = torch.autograd.grad(loss, (x, next(layer.parameters())))
    return gradients[0], gradients[1]


MODES: dict[str, Callable[[nn.Module, Tensor], object]] = {"forward": forward, "forward+backward": forward_backward}


def memory(argument: str) -> None:
    """In a fresh process: the peak of three passes above what was held before."""
    kind, qubits, mode = argument.split(":")
    layer, x = prepared(kind, int(qubits))
    before = resident_mib("VmRSS")
    for _ in range(3):
        MODES[mode](layer, x)
    print(json.dumps({"mib": resident_mib("VmHWM") - before}))


def check(qubits: int) -> float:
    """The largest difference of an output or gradient."""
    sides = [prepared(kind, qubits) for kind in MAKERS]
    results = [(forward(*side), *forward_backward(*side)) for side in sides]
    worst = max(float((a - b).abs().max()) for a, b in zip(*results, strict=True))
    assert worst < 1e-3, f"outputs or gradients differ by {worst}"
    return worst


def times(qubits: int, mode: str, runs: int) -> dict[str, float]:
    """Median seconds of each kind, taking turns."""
    sides = {kind: prepared(kind, qubits) for kind in MAKERS}
    taken: dict[str, list[float]] = {kind: [] for kind in MAKERS}
    for number in range(runs + 1):
        for kind, side in sides.items():
            start = time.perf_counter()
            MODES[mode](*side)
            if number:
                taken[kind].append(time.perf_counter() - start)
    return {kind: median(values) for kind, values in taken.items()}


def main() -> None:
    if len(sys.argv) > 1 and ":" in sys.argv[1]:
        memory(sys.argv[1])
        return
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    print(f"batch {BATCH}, {LAYERS} layers, float32, one thread; median of {runs}")
    head = ("qsc ms", "PennyLane ms", "ratio", "qsc MiB", "PennyLane MiB", "difference")
    print(" " * 26 + "".join(f"{name:>15s}" for name in head))
    for qubits in QUBITS:
        worst = check(qubits)
        for mode in MODES:
            seconds = times(qubits, mode, runs)
            mib = {kind: in_child(__file__, f"{kind}:{qubits}:{mode}")["mib"] for kind in MAKERS}
            cells = (
                f"{1e3 * seconds['qsc']:.2f}",
                f"{1e3 * seconds['pennylane']:.1f}",
                f"{seconds['pennylane'] / seconds['qsc']:.1f}",
                f"{mib['qsc']:.1f}",
                f"{mib['pennylane']:.1f}",
                f"{worst:.1e}",
            )
            print(f"{qubits:2d} qubits {mode:17s}" + "".join(f"{cell:>15s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
