"""Digits learned by symmetric spike-timing-dependent plasticity: what surrounds the programs learn.qsc and recall.qsc.

    qsc compile examples/13-sym-stdp/learn.qsc --target host -o build/learn

Y. Hao, X. Huang, M. Dong, B. Xu, A Biologically Plausible Supervised Learning Method for Spiking Neural Networks Using
the Symmetric STDP Rule, Neural Networks 121 (2020), arXiv:1812.06574. Poisson inputs P excite neurons E, each of which
excites its own I, which inhibits all other E; E excites class neurons C. P -> E and E -> C learn; while they do, a
teacher takes the place of C. Scaling of the weights and showing a sample again are the host's.

Where the paper is silent, or the data are others:
- scikit-learn's 8 x 8 digits: 64 inputs, 100 E. A pixel of 16 is RATE Hz, a sample is shown for 200 ms (350 ms in the
  paper); the rest of 150 ms between samples, in which all but thresholds and weights fades, is a new start.
- Weights of P -> E sum up to 0.3 a synapse (0.1 in the paper, for 784 inputs, most of them dark).
- C at test: rest and reset -65, threshold -40 mV, refractory 2 ms. The teacher fires at TEACHER Hz.
"""

import re
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "weights.safetensors"
INPUTS, HIDDEN, CLASSES, STEPS = 64, 100, 10, 400
DT = 0.5e-3  # s
RATE, TEACHER = 200.0, 200.0  # Hz
FEWEST, MOST = 5, 32
"""A sample that makes fewer spikes of E is shown again, brighter by 1, up to this."""


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(train images, train labels, test images, test labels): 1347 and 450 digits, images (n, 64) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = map(
        np.asarray, train_test_split(np.asarray(pixels) / 16, labels, test_size=450, stratify=labels, random_state=0)
    )
    return train_x, train_y, test_x, test_y


def sized(name: str, hidden: int = HIDDEN, steps: int = STEPS) -> str:
    """The text of a program, for that many E and steps."""
    text = (FOLDER / f"{name}.qsc").read_text(encoding="utf-8")
    text = re.sub(rf"(?<=[\[,]){HIDDEN}(?=[\],])", str(hidden), text)
    return re.sub(rf"(?<=[\[=]){STEPS}(?=,)", str(steps), text)


def poisson(rates: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Spikes (steps, *rates.shape) of neurons that fire at these rates in Hz."""
    return (rng.random((steps, *rates.shape)) < rates * DT).astype(np.float32)


def taught(label: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Spikes (steps, 1, 10) of a teacher that knows the label."""
    return poisson(np.where(np.arange(CLASSES) == label, TEACHER, 0.0)[None], steps, rng)


def first_weights(hidden: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P -> E (1, hidden, 64), E -> C (1, 10, hidden), theta (1, hidden)) before learning."""
    pe, ec = rng.random((1, hidden, INPUTS)) + 0.03, rng.random((1, CLASSES, hidden))
    return (*scaled(pe, ec), np.full((1, hidden), 20.0))


def scaled(pe: np.ndarray, ec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights whose sum for every neuron is what it should be: 0.3 a synapse for E, 0.8 for C."""
    return (
        pe * (0.3 * INPUTS / pe.sum(-1, keepdims=True)),
        ec * (0.8 * ec.shape[-1] / ec.sum(-1, keepdims=True)),
    )
