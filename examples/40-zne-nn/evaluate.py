"""The sweep over the noise, and the value at no noise by a network, by a line, and by folded circuits.

python examples/40-zne-nn/evaluate.py
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import qsc
import torch
from model import LAYERS, QUBITS, Extrapolator, energy, example_input, model
from torch import Tensor

TARGETS = ("noisy.toml",)
STRENGTHS = np.linspace(0.01, 0.2, 20)
ANGLE = np.zeros((1, 1))
STEPS = 400


def device(folder: Path, p: float, qubits: int = QUBITS, single: float = 0.1) -> Path:
    """A device whose cx depolarise with strength p, and whose ry and rz do with `single` times p."""
    path = folder / f"noisy_{p:.4f}_{qubits}_{single}.toml"
    path.write_text(
        f'name = "noisy"\nbackend = "qiskit"\nqubits = {qubits}\nbasis = ["ry", "rz", "cx"]\n'
        f"one_qubit_error = {float(single * p / 2)!r}\ntwo_qubit_error = {float(0.75 * p)!r}\n",
        encoding="utf-8",
    )
    return path


def compiled(layer: torch.nn.Module, target: Path, mitigation: str = "", verify: bool = True) -> qsc.Bundle:
    """The ansatz as it is written, for a noisy device."""
    passes = f"bake-weights,{mitigation}partition"
    return qsc.compile(
        layer, target=str(target), example_input=example_input, passes=passes, effort="fast", verify=verify
    )


def swept(folder: Path) -> np.ndarray:
    """The exact noisy value at every strength, from density matrices."""
    bundles = [compiled(model, device(folder, p), verify=p == STRENGTHS[0]) for p in STRENGTHS]
    return np.array([bundle.run(ANGLE, noise=True)[0, 0] for bundle in bundles])


def trained(values: np.ndarray) -> Extrapolator:
    """The network that has learned the sweep."""
    torch.manual_seed(0)
    net = Extrapolator().double()
    p, wanted = (torch.from_numpy(a)[:, None] for a in (STRENGTHS, values))
    optimizer = torch.optim.LBFGS(
        net.parameters(), max_iter=STEPS, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = ((net(p) - wanted) ** 2).mean()
        error.backward()
        return error

    optimizer.step(loss)
    return net


@dataclass
class Estimates:
    """The value without noise, and what every way makes of the noisy ones."""

    ideal: float
    least_noise: float
    network: float
    line: float
    line_of_two: float
    folded: dict[str, float]


def estimates(folder: Path) -> Estimates:
    """Everything that the table shows."""
    values = swept(folder)
    net = trained(values)
    with torch.no_grad():
        network = float(net(torch.zeros(1, 1, dtype=torch.float64)))
    folded = {}
    for kind in ("linear", "richardson", "exponential"):
        bundle = compiled(model, device(folder, STRENGTHS[0]), f"mitigate{{zne=1+3+5 extrapolation={kind}}},")
        folded[kind] = float(bundle.run(ANGLE, noise=True)[0, 0])
    ideal = float(compiled(model, device(folder, STRENGTHS[0])).run(ANGLE)[0, 0])
    lines = [float(np.polyfit(STRENGTHS[:k], values[:k], 1)[1]) for k in (len(values), 2)]
    return Estimates(ideal, float(values[0]), network, lines[0], lines[1], folded)


def decay(folder: Path, p: float, scale: int) -> tuple[float, float]:
    """On two qubits, where the noise of a cx is global: (value, ideal value times (1 - p)^(number of cx))."""
    torch.manual_seed(2)
    layer = energy(2, LAYERS)
    folding = f"fold-gates{{scale={scale} folding=local}}," if scale > 1 else ""
    bundle = compiled(layer, device(folder, p, 2, single=0.0), folding)
    count = bundle.costs["two_qubit_gates"]
    assert count == LAYERS * scale
    return float(bundle.run(ANGLE, noise=True)[0, 0]), float(bundle.run(ANGLE)[0, 0]) * (1 - p) ** count


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle that extrapolates by folded circuits."""
    with tempfile.TemporaryDirectory() as name:
        found = estimates(Path(name))
        worst = max(abs(np.subtract(*decay(Path(name), p, scale))) for p in (0.01, 0.1) for scale in (1, 3, 5))
    ways = {
        "at p = 0.01": found.least_noise,
        "line through all 20 strengths": found.line,
        "line through the two least strengths": found.line_of_two,
        "network at p = 0": found.network,
        **{f"folded 1, 3, 5 times at p = 0.01, {kind}": value for kind, value in found.folded.items()},
    }
    rows = [("without noise", f"{found.ideal:.6f}")]
    rows += [(what, f"{value:.6f}, error {abs(value - found.ideal):.1e}") for what, value in ways.items()]
    rows.append(("two qubits against ideal * (1 - p)^k", f"{worst:.1e}"))
    folder = Path(__file__).parent
    return rows, compiled(model, folder / target, "mitigate{zne=1+3+5 extrapolation=exponential},")


def main() -> None:
    for what, figure in figures(TARGETS[0])[0]:
        print(f"{what:<50} {figure}")


if __name__ == "__main__":
    main()
