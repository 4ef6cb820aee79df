"""The net as Loihi 2 has it, learned there: what surrounds the programs chip_learn.qsc and chip_recall.qsc.

Both layers of synapses learn on the chip by the paper's rule, with its constants. The chip's neurons are leaky
integrate-and-fire: currents stand for conductances, and a threshold stays for the length of a sample. Between samples
the host scales the weights, as in the paper, and sets the thresholds of E: they move by how much more or less than the
others a neuron has spiked, which stands for the adaptive threshold. A step is 1 ms.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import qsc
from model import CLASSES, FOLDER, HIDDEN, INPUTS, scaled
from qsc.backends.loihi.learning import chip_rule
from qsc.backends.loihi.program import Connection, Population, Program
from qsc.backends.loihi.program_file import load
from qsc.backends.loihi.simulator import run
from qsc.compiler.bundle import Bundle
from qsc.frontends.text import read_file
from qsc.ir.ops import Plasticity

WEIGHTS = FOLDER / "chip.safetensors"
LEARN, RECALL = FOLDER / "chip_learn.qsc", FOLDER / "chip_recall.qsc"
STEPS, DT = 200, 1e-3  # s
RATE, TEACHER = 300.0, 200.0  # Hz
UNIT = 250 / 256
"""Of weights and thresholds: with it those of the chip are binary fractions."""
THRESHOLD, INHIBITION, SPREAD = 20.0, 20.0, 0.015
"""Of E: the threshold before learning, what a spike takes off the others, and how fast thresholds move apart."""


def poisson(rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spikes (STEPS, *rates.shape) of neurons that fire at these rates in Hz."""
    return (rng.random((STEPS, *rates.shape)) < rates * DT).astype(np.float32)


def lessons(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(spikes of the pixels (STEPS, n, 64), of the teacher (STEPS, n, 10))."""
    return poisson(images * RATE, rng), poisson(TEACHER * np.eye(CLASSES)[labels], rng)


def start(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All weights and thresholds before learning. Decays: 100 ms for E and C."""
    pe, ec = rng.random((1, HIDDEN, INPUTS)) + 0.03, rng.random((1, CLASSES, HIDDEN))
    (pe,), (ec,) = scaled(pe, ec)
    found = {
        "w_pe": UNIT * pe,
        "w_ec": UNIT * ec,
        "keep_e": np.full(HIDDEN, np.exp(-1 / 100)),
        "keep_c": np.full(CLASSES, np.exp(-1 / 100)),
        "theta": np.full(HIDDEN, UNIT * THRESHOLD),
        "theta_c": np.full(CLASSES, UNIT * 4),
        "inhibit": UNIT * INHIBITION * (np.eye(HIDDEN) - 1),
        "teach": UNIT * 20 * (2 * np.eye(CLASSES) - 1),
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


def compiled(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, path: Path = LEARN) -> Bundle:
    """chip_learn.qsc for Loihi 2, calibrated on a few lessons."""
    given = lessons(images, labels, rng)
    return qsc.compile(path, target="loihi2", calibration=given, effort="fast")


class Chip:
    """The compiled program, one sample after the other: it learns, the host scales weights and sets thresholds."""

    def __init__(self, bundle: Bundle) -> None:
        self.program: Program = load(bundle.artifact("loihi2"))
        self.pe, self.ec = (c.name for c in self.program.connections if c.learning is not None)
        ops = [n.op for n in read_file(LEARN).module.graph.walk() if isinstance(n.op, Plasticity)]
        self.units = {name: chip_rule(op).weight_scale for name, op in zip((self.pe, self.ec), ops, strict=True)}
        """Units of the chip for one of the model's weights."""
        self.first = float(np.ravel(self._excitatory().threshold)[0])
        self.rise = np.ones(HIDDEN)
        """Thresholds of E, of what they were before learning."""

    def _excitatory(self) -> Population:
        target = self._connection(self.pe).target
        return next(p for p in self.program.populations if p.name == target)

    def _connection(self, name: str) -> Connection:
        return next(c for c in self.program.connections if c.name == name)

    def weights(self, name: str) -> np.ndarray:
        """Weights (out, in) in the model's units."""
        return self._connection(name).weight / self.units[name]

    def show(self, p: np.ndarray, teacher: np.ndarray) -> np.ndarray:
        """Show one sample, spikes (STEPS, 1, 64) and (STEPS, 1, 10); how often each E spiked."""
        names = [s.name for s in self.program.sources]
        given = {name: x.astype(np.int32) for name, x in zip(names, (p, teacher), strict=True)}
        traces = run(self.program, given, STEPS, ("counts",))
        self._load({name: w[0] for name, w in traces.weights.items()})
        return traces.counts[self._excitatory().name][0]

    def settle(self, spikes: np.ndarray) -> None:
        """What the host does after a sample: scale the weights, move the thresholds of E."""
        pe, ec = scaled(self.weights(self.pe)[None], self.weights(self.ec)[None])
        wanted = {self.pe: UNIT * pe[0] * self.units[self.pe], self.ec: UNIT * ec[0] * self.units[self.ec]}
        self._load({name: np.clip(np.rint(w), 0, 255).astype(np.int64) for name, w in wanted.items()})
        self.rise = np.clip(self.rise + SPREAD * (spikes - spikes.mean()), 0.3, 20)
        moved = replace(self._excitatory(), threshold=np.rint(self.first * self.rise).astype(np.int64))
        populations = tuple(moved if p.name == moved.name else p for p in self.program.populations)
        self.program = replace(self.program, populations=populations)

    def _load(self, weights: Mapping[str, np.ndarray]) -> None:
        connections = self.program.connections
        loaded = tuple(replace(c, weight=weights[c.name]) if c.name in weights else c for c in connections)
        self.program = replace(self.program, connections=loaded)

    def learned(self) -> dict[str, np.ndarray]:
        """The weights and thresholds that learning has moved, in the model's units."""
        theta = UNIT * THRESHOLD * np.ravel(self._excitatory().threshold) / self.first
        found = {"w_pe": self.weights(self.pe), "w_ec": self.weights(self.ec), "theta": theta}
        return {name: array.astype(np.float32) for name, array in found.items()}
