"""The main job: compile the trained model for a 133-qubit device, run the bundle on every test digit, compare.

python examples/digits_qcnn/demo.py
"""

import time
from pathlib import Path

import numpy as np
import qsc
import torch
from model import digits, model
from qsc.compiler.driver import Options, compile_model

HERE = Path(__file__).parent
BUNDLE = Path("build") / "qcnn"
SHOTS, REPEATS = (4096, 64), 5


def main() -> None:
    start = time.perf_counter()
    bundle = compile_model(HERE / "model.py", Options(targets=("fake_torino",)))
    bundle.save(BUNDLE)
    print(bundle.report())
    print(f"compiled, checked and written to {BUNDLE} in {time.perf_counter() - start:.1f} s\n")

    _, _, images, labels = digits()
    with torch.no_grad():
        wanted = model.double()(images.double()).numpy()
    answer = labels.numpy()
    loaded = qsc.load(BUNDLE)
    start = time.perf_counter()
    exact = loaded.run(images)
    seconds = time.perf_counter() - start
    worst = np.abs(exact - wanted).max()
    print(f"{len(answer)} test digits, exact simulation of the emitted, routed circuit: {seconds:.1f} s")
    print(f"  largest difference of an output from PyTorch (float64)  {worst:.1e}")
    print(f"  accuracy  PyTorch {accuracy(wanted, answer):.4f}   compiled {accuracy(exact, answer):.4f}")
    for shots in SHOTS:
        sampled = [loaded.run(images, shots=shots, seed=seed) for seed in range(REPEATS)]
        drops = [accuracy(exact, answer) - accuracy(logits, answer) for logits in sampled]
        spread = f"{np.mean(drops):+.4f} +- {np.std(drops, ddof=1) / np.sqrt(REPEATS):.4f}"
        print(f"  accuracy drop with {shots:>4} shots  {spread}  (mean of {REPEATS} runs, standard error)")


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of right answers."""
    return float((logits.argmax(1) == labels).mean())


if __name__ == "__main__":
    main()
