"""The authors' figures from the compiled circuit:

    python examples/11-transmon-classifier/evaluate.py --data DIR [--target line:10]

DIR holds the folder `transmon_classifier` with the three .mat files of the authors' repository
(LWKJJONAK/Experimental-quantum-adversarial-learning-with-superconducting-qubits); QSC_DATA=DIR says the same.
"""

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import qsc
import torch
from scipy.io import loadmat

MODEL = Path(__file__).with_name("model.qsc")
TARGETS = ("line:10", "fake_torino", "tket:line:10")
HAND, BREAST = 50, 231  # the two training images that the authors' notebook shows
FOREGROUND, STEPS, RATE = math.pi + 0.048, 7, 0.01
"""The attack: changes brighter pixels only. Brightness, steps and loss are fitted to the two published figures."""


@dataclass(frozen=True)
class Published:
    """Images as angles (n, 260) and labels (n,), 0 for hand and 1 for breast. By how they were trained: the angles
    (260,), and the index of some test images with the P(0) that was measured for them."""

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    theta: dict[str, np.ndarray]
    measured: dict[str, tuple[np.ndarray, np.ndarray]]


def published(folder: Path) -> Published:
    """What the authors published. FileNotFoundError where it is not there."""
    files = {"hardware": "train_step=20_row_idx=9.mat", "adversarial": "train_step=30_row_idx=0.mat"}
    with h5py.File(folder / "transmon_classifier" / "model_medical_20220130.mat") as stored:
        train, test, onehot, theta = (np.asarray(stored[key]) for key in ("x_train", "x_test", "y_test", "theta"))
    runs = {name: loadmat(str(folder / "transmon_classifier" / file)) for name, file in files.items()}
    # Columns of `thetas` are layers of ten rotations. An index from 100 on is an attacked image, not published.
    angles = {name: run["thetas"].T.ravel() for name, run in runs.items()}
    measured = {name: (run["batch_idx_test"][0].astype(int), run["P0_corr_test"][0]) for name, run in runs.items()}
    return Published(train, test, onehot.argmax(0), {"simulated": theta} | angles, measured)


def attack(image: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The image (260,) after Adam steps against P(0), its gradient taken through the circuit."""
    layer = qsc.nn.Quantum(MODEL, readout="probs", qubits=[4], dtype=torch.float64)
    with torch.no_grad():
        layer.weights["theta"].copy_(torch.from_numpy(theta))
    x = torch.tensor(image, requires_grad=True)
    foreground = torch.from_numpy(image > FOREGROUND)
    optimizer = torch.optim.Adam([x], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        layer(x)[0].backward()
        assert x.grad is not None
        x.grad *= foreground
        optimizer.step()
    return x.detach().numpy()


def figures(target: str, data: Path) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) of every published number that the compiled circuit gives again, and the bundle."""
    bundle = qsc.compile(MODEL, target=target)
    known = published(data)
    hand, breast = known.train[[HAND]], known.train[[BREAST]]
    hardware, adversarial = known.theta["hardware"], known.theta["adversarial"]
    changed = attack(known.train[HAND], hardware)[None]
    out = [
        ("P(0) of the authors' hand image (0.7085782963915472)", f"{bundle.run(hand, hardware)[0, 0]:.16f}"),
        ("P(0) of their breast image (0.3048620682065254)", f"{bundle.run(breast, hardware)[0, 0]:.16f}"),
        ("P(0) of the attacked hand image (0.3788, fitted attack)", f"{bundle.run(changed, hardware)[0, 0]:.4f}"),
        ("the same, adversarially trained (0.6916)", f"{bundle.run(changed, adversarial)[0, 0]:.4f}"),
    ]
    for name, theta in known.theta.items():
        right = bundle.run(known.test, theta).argmax(1) == known.labels
        out.append((f"accuracy on 100 test images, {name} training", f"{right.mean():.2f}"))
    for name, (rows, p0) in known.measured.items():
        inside = rows < len(known.test)
        theory = bundle.run(known.test[rows[inside]], known.theta[name])[:, 0]
        out.append((f"mean |P(0) - measured|, {name} training", f"{np.abs(theory - p0[inside]).mean():.3f}"))
    return out, bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default=os.environ.get("QSC_DATA"), help="folder of the data; QSC_DATA where left out"
    )
    parser.add_argument("--target", default=TARGETS[0])
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("say where the authors' files are: --data DIR, or the environment variable QSC_DATA")
    found, bundle = figures(arguments.target, Path(arguments.data))
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
