"""Energy of spiking networks in digital CMOS, from what was counted: joules for one input.

Two published models, both for 45 nm. They leave out the network between cores, leakage and control, so that they
compare networks rather than chips; `loihi_energy` prices the events of a chip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from .activity import Activity, NeuronCounts, SynapseCounts

PICOJOULE = 1e-12
WORD_BITS = 32
"""Of a state, and of a number that is no weight."""


@dataclass(frozen=True)
class Arithmetic:
    """Joules of an addition and a multiplication. Horowitz, Computing's energy problem, ISSCC 2014, figure 1.1.9."""

    name: str
    add_j: float
    multiply_j: float

    @property
    def mac_j(self) -> float:
        """A multiplication and an addition."""
        return self.multiply_j + self.add_j


FLOAT32 = Arithmetic("float32", 0.9e-12, 3.7e-12)
FLOAT16 = Arithmetic("float16", 0.4e-12, 1.1e-12)
INT32 = Arithmetic("int32", 0.1e-12, 3.1e-12)
INT8 = Arithmetic("int8", 0.03e-12, 0.2e-12)


def arithmetic_of(bits: int) -> Arithmetic:
    """What computes with weights of so many bits: floats for 32 and 16, integers below.

    Horowitz gives integers of 8 and of 32 bits. Between them and below, an adder grows with the width and a multiplier
    with its square, as their areas do.
    """
    if bits in (16, 32):
        return {16: FLOAT16, 32: FLOAT32}[bits]
    if bits <= 8:
        return Arithmetic(f"int{bits}", INT8.add_j * bits / 8, INT8.multiply_j * (bits / 8) ** 2)
    add = INT8.add_j + (INT32.add_j - INT8.add_j) * (bits - 8) / 24
    multiply = INT8.multiply_j + (INT32.multiply_j - INT8.multiply_j) * (bits**2 - 64) / (WORD_BITS**2 - 64)
    return Arithmetic(f"int{bits}", add, multiply)


@dataclass(frozen=True)
class LayerEnergy:
    """Joules of one layer for one input. operations: of the arithmetic, additions and multiplications; addressing: of
    finding out which weights and states; memory: of reading and writing."""

    name: str
    operations_j: float
    memory_j: float
    addressing_j: float = 0.0

    @property
    def total_j(self) -> float:
        return self.operations_j + self.memory_j + self.addressing_j


@dataclass(frozen=True)
class Energy:
    """The energy of one input, layer by layer. model: whose."""

    model: str
    layers: tuple[LayerEnergy, ...]

    @property
    def total_j(self) -> float:
        return sum(layer.total_j for layer in self.layers)

    def part(self, name: str) -> float:
        """The sum of `operations_j`, `memory_j` or `addressing_j` over all layers."""
        return sum(getattr(layer, name) for layer in self.layers)


# What is computed


@dataclass(frozen=True)
class Operations:
    """additions: alone. macs: multiplications with an addition each."""

    additions: float
    macs: float

    def energy(self, arithmetic: Arithmetic) -> float:
        return self.additions * arithmetic.add_j + self.macs * arithmetic.mac_j


def synapse_operations(counts: SynapseCounts, steps: float) -> Operations:
    """An addition an event where what comes in is binary; else a multiplication and an addition for every connection in
    every step. And an addition a bias. steps: of all rows."""
    biases = counts.targets * steps if counts.biases else 0.0
    if counts.binary:
        return Operations(counts.events + biases, 0.0)
    return Operations(biases, counts.connections * steps)


def neuron_operations(counts: NeuronCounts, steps: float) -> Operations:
    """A multiplication and an addition for every state and step where it leaks, and an addition a spike, for the reset
    (Lemaire et al. 2022). What comes in was added by the synapses."""
    return Operations(counts.spikes, counts.neurons * counts.states * steps if counts.leaks else 0.0)


def weights_read(counts: SynapseCounts, steps: float) -> float:
    """How often a weight is read: once an event, or for every connection in every step."""
    return counts.events if counts.binary else counts.connections * steps


# Horowitz


FLAT_J_A_BIT = 3.12e-12
"""A memory of one kind: STEP (arXiv 2505.11151), as SpikingJelly 2.0 cites it (24.96 pJ a byte)."""


def horowitz(activity: Activity) -> Energy:
    """Arithmetic by the width of the weights, and a flat price for every bit that memory gives or takes.

    E = MAC e_mac + AC e_ac + (bits of weights and biases read + 2 x bits of states, every step) e_memory: the form of
    SpikingJelly 2.0, `estimate_simple_energy`, with e from Horowitz 2014. States and biases have 32 bits, and the
    neurons of a network compute in its widest arithmetic.
    """
    steps = activity.rows * activity.steps
    widest = max((s.weight_bits for s in activity.synapses), default=WORD_BITS)
    layers = []
    for s in activity.synapses:
        bits = weights_read(s, steps) * s.weight_bits + (s.targets * steps * WORD_BITS if s.biases else 0.0)
        operations = synapse_operations(s, steps).energy(arithmetic_of(s.weight_bits))
        layers.append(LayerEnergy(s.name, operations, bits * FLAT_J_A_BIT))
    for n in activity.neurons:
        bits = 2 * n.neurons * n.states * steps * WORD_BITS
        operations = neuron_operations(n, steps).energy(arithmetic_of(widest))
        layers.append(LayerEnergy(n.name, operations, bits * FLAT_J_A_BIT))
    return Energy("Horowitz, 45 nm", _per_row(layers, activity.rows))


# Lemaire


WORD_BYTES = 4
SRAM = ((0, 0.0), (8 * 1024, 10e-12), (32 * 1024, 20e-12), (1024 * 1024, 100e-12))
"""(bytes of a memory, joules of an access of 32 bits). Lemaire et al. 2022, from Horowitz 2014."""

FIFO_WORDS = 1000
"""Spikes that wait in front of and behind a layer (the experiments of Lemaire et al. 2022)."""


def sram_j(size: float) -> float:
    """Joules of an access of 32 bits to a static memory of `size` bytes, linear between the points of `SRAM`; above 1
    MB as at 1 MB."""
    for (low, below), (high, above) in pairwise(SRAM):
        if size <= high:
            return below + (above - below) * (size - low) / (high - low)
    return SRAM[-1][1]


def lemaire(activity: Activity) -> Energy:
    """Lemaire, Cordone, Castagnetti, Novac, Courtois, Miramond: An analytical estimation of spiking neural networks
    energy efficiency (arXiv 2210.13107, ICONIP 2022): operations, memory and addressing, all in integers of 32 bits,
    memories as large as what a layer keeps in them. Its equations are taken as SpikingJelly 2.0's op_counter takes
    them: a spike into a dense layer costs one operation for each of its outputs.

    Counts are those of the run where the paper has averages: an event is one of `SynapseCounts.events`. A spike into a
    layer is read from a queue, its weights are read, and the potentials they reach are read and written.
    """
    steps = activity.rows * activity.steps
    layers = [_lemaire_synapses(s, steps) for s in activity.synapses]
    layers += [_lemaire_neurons(n, steps) for n in activity.neurons]
    return Energy("Lemaire et al., 45 nm", _per_row(layers, activity.rows))


def _lemaire_synapses(s: SynapseCounts, steps: float) -> LayerEnergy:
    parameters = sram_j((s.weights + s.biases) * WORD_BYTES)
    biases = s.targets * steps if s.biases else 0.0
    memory = (weights_read(s, steps) + biases) * parameters
    if s.binary:
        memory += s.inputs * sram_j(FIFO_WORDS * WORD_BYTES) + 2 * s.events * sram_j(s.targets * WORD_BYTES)
        # A spike's place in a picture takes two multiplications, each weight an addition.
        addressing = Operations(s.events, 2 * s.inputs if s.kind == "conv" else 0.0)
    else:
        read = s.connections if s.kind == "conv" else s.sources
        memory += read * steps * sram_j(s.sources * WORD_BYTES)
        addressing = Operations((s.sources + s.targets + s.kernel) * steps, 0.0)
    operations = synapse_operations(s, steps).energy(INT32)
    return LayerEnergy(s.name, operations, memory, addressing.energy(INT32))


def _lemaire_neurons(n: NeuronCounts, steps: float) -> LayerEnergy:
    states = n.neurons * n.states
    memory = 2 * states * steps * sram_j(states * WORD_BYTES) + n.spikes * sram_j(FIFO_WORDS * WORD_BYTES)
    return LayerEnergy(n.name, neuron_operations(n, steps).energy(INT32), memory)


def _per_row(layers: Iterable[LayerEnergy], rows: int) -> tuple[LayerEnergy, ...]:
    share = 1 / rows if rows else 0.0
    return tuple(
        LayerEnergy(e.name, e.operations_j * share, e.memory_j * share, e.addressing_j * share) for e in layers
    )
