"""The net of 64 inputs, 50 E and 10 classes over one second, and what Brian2 makes of it, written to brian2.npz:

python examples/13-sym-stdp/reference.py        # where `qsc env create brian2` has been run
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from model import FOLDER, RATE, digits, first_weights, poisson, taught
from qsc.bridges.environments import create

SCRIPT, KEPT = FOLDER / "brian2_reference.py", FOLDER / "brian2.npz"
HIDDEN, STEPS = 50, 2000


def given() -> dict[str, Any]:
    """Spikes of four digits, a quarter of a second each, of their teacher, and the first weights."""
    rng = np.random.default_rng(0)
    images, labels, _, _ = digits()
    pe, ec, theta = first_weights(HIDDEN, rng)
    p = np.concatenate([poisson(image * RATE, STEPS // 4, rng) for image in images[:4]])
    teacher = np.concatenate([taught(label, STEPS // 4, rng)[:, 0] for label in labels[:4]])
    return {"p": p.astype(bool), "teacher": teacher.astype(bool), "pe": pe[0], "ec": ec[0], "theta": theta[0]}


def in_brian2(python: Path, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the script finds, run by an interpreter that has Brian2."""
    with tempfile.TemporaryDirectory() as folder:
        sent, found = Path(folder, "given.npz"), Path(folder, "found.npz")
        np.savez(sent, **inputs)
        done = subprocess.run([python, SCRIPT, sent, found], capture_output=True, text=True, timeout=500)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return dict(np.load(found))


def main() -> None:
    inputs = given()
    found = in_brian2(create("brian2", print), inputs)
    arrays: dict[str, Any] = {f"given_{k}": v for k, v in inputs.items()} | found
    np.savez_compressed(KEPT, **arrays)
    print(f"wrote {KEPT.name}: {found['spikes'].sum()} spikes of E, {KEPT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
