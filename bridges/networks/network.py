"""A network of neurons as plain data: parts, and edges between them that take whole steps of time.

A part's input is the sum of what its edges bring. Within one step, values flow along edges of zero steps from part to
part; an edge of k steps brings what its source put out k steps ago, zeros before the first step.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir import Location
from ...ir.neurons import FORMS, SYNAPSES
from ...ir.ops.fixed import LoihiLif
from ...ir.ops.neurons import Cuba, EulerFiring, EulerNeuron
from ...ir.ops.spiking import Neuron, SteppedNeuron, Synaptic

INPUT = "input"
"""Name of the first input of a network; further ones are input1, input2, ..."""


@dataclass(frozen=True)
class Layer:
    """A part without state.

    kind: "linear" (fields weight (out, in) and, maybe, bias), "delayed_linear" (weight, steps, the number of steps ago
    of every synapse), "conv" (weight, maybe bias, stride, padding, dilation, groups), "avg_pool" and "sum_pool"
    (kernel, stride, padding), "flatten" (start, end: dimensions of the input that become one, without the batch),
    "scale" (scale, of the shape of the part), "delay" (steps, one a channel), "fire" (threshold, inclusive), "shift"
    (by: whole numbers times 2^by, rounded down) or "plastic" (weight that learning begins with; rule, the op that moves
    it after every step; pre and post, the (source, steps ago) that its rule sees; count, of steps before the first).
    """

    kind: str
    shape: tuple[int, ...]
    """Of the output, without batch and time."""
    fields: dict[str, Any]
    source: str
    """Mnemonic of the IR node."""
    location: Location
    weight_bits: int = 32
    weight_scale: np.ndarray | None = None
    """What one unit of whole-number weights is: one number, or one an output channel; None where they are none."""

    def array(self, name: str) -> np.ndarray:
        """A field that is an array."""
        return np.asarray(self.fields[name])

    @property
    def synapses(self) -> int:
        """Connections whose weight is not zero; a kernel counts once for every place it is laid on."""
        if "weight" not in self.fields:
            return 0
        places = int(np.prod(self.shape[1:])) if self.kind == "conv" else 1
        return int(np.count_nonzero(self.fields["weight"])) * places


@dataclass(frozen=True)
class Neurons:
    """A part with state. op: what a step does. parameters: name -> array that broadcasts to `shape`."""

    op: Neuron
    shape: tuple[int, ...]
    parameters: dict[str, np.ndarray]
    location: Location

    @property
    def count(self) -> int:
        """How many neurons."""
        return int(np.prod(self.shape))

    @property
    def source(self) -> str:
        """Mnemonic of the IR node."""
        return self.op.mnemonic

    def full(self, name: str) -> np.ndarray:
        """A parameter, one number a neuron."""
        return np.broadcast_to(self.parameters[name], self.shape).copy()

    def membrane(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(decay, gain, offset) of v' = decay v + gain i + offset, float64, one number a neuron; i is the input, or the
        synaptic current where the neurons have one."""
        if isinstance(self.op, SteppedNeuron):
            numbers = (self.parameters["beta"], 1.0, 0.0)
        else:
            assert isinstance(self.op, EulerNeuron)
            form = FORMS[self.op.form]
            given = (np.asarray(self.parameters[name], np.float64) for name in form.parameters)
            numbers = form.coefficients(self.op.dt, *given)
        decay, gain, offset = (np.broadcast_to(np.asarray(n, np.float64), self.shape).copy() for n in numbers)
        return decay, gain, offset

    def synapse(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(decay, gain) of i' = decay i + gain x, float64, one number a neuron; None where the input is the current."""
        if isinstance(self.op, Synaptic):
            numbers = (self.parameters["alpha"], 1.0)
        elif isinstance(self.op, Cuba):
            stated = SYNAPSES[self.op.current]
            numbers = stated.coefficients(
                self.op.dt, *(np.asarray(self.parameters[name], np.float64) for name in stated.parameters)
            )
        else:
            return None
        decay, gain = (np.broadcast_to(np.asarray(n, np.float64), self.shape).copy() for n in numbers)
        return decay, gain

    @property
    def reset(self) -> str:
        """What a spike does to the potential: "value" (sets it to `v_reset`), "subtract" (the threshold) or "none"."""
        if isinstance(self.op, SteppedNeuron):
            return "value" if self.op.reset == "zero" else self.op.reset
        return self.op.reset if isinstance(self.op, EulerFiring) else "none"

    @property
    def reset_delayed(self) -> bool:
        """Whether the reset acts in the step after the spike."""
        return isinstance(self.op, SteppedNeuron | EulerFiring) and self.op.delayed

    @property
    def inclusive(self) -> bool:
        """Whether a potential on the threshold fires."""
        return isinstance(self.op, EulerFiring) and self.op.inclusive

    @property
    def v_reset(self) -> np.ndarray:
        """The potential after a spike, one number a neuron."""
        return self.full("v_reset") if "v_reset" in self.parameters else np.zeros(self.shape, np.float32)


Part = Layer | Neurons


@dataclass(frozen=True, order=True)
class Edge:
    """From part to part, `steps` steps of time later."""

    source: str
    target: str
    steps: int = 0


@dataclass(frozen=True)
class Input:
    """Where values come in: shape without batch and time; `sequence`: a value a step, else one for all steps."""

    name: str
    shape: tuple[int, ...]
    sequence: bool


@dataclass
class Network:
    """Parts by name, in an order in which every edge of zero steps points forward.

    steps: time steps of a run. outputs: the parts that are read, one for every output of the region. dt: seconds of a
    step where the neurons state it.
    """

    steps: int = 0
    inputs: list[Input] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    dt: float | None = None

    @property
    def neurons(self) -> int:
        """How many neurons the network has."""
        return sum(p.count for p in self.parts.values() if isinstance(p, Neurons))

    @property
    def synapses(self) -> int:
        """Connections whose weight is not zero."""
        return sum(p.synapses for p in self.parts.values() if isinstance(p, Layer))

    def into(self, name: str) -> list[Edge]:
        """The edges that end at a part, in order."""
        return [e for e in self.edges if e.target == name]

    def out_of(self, name: str) -> list[Edge]:
        """The edges that begin at a part, in order."""
        return [e for e in self.edges if e.source == name]


def parameter_names(op: Neuron) -> tuple[str, ...]:
    """What the operands of a neuron after its input and its states are called, in order."""
    if isinstance(op, EulerNeuron):
        return op.parameters()
    if isinstance(op, LoihiLif):
        return ("du", "dv", "bias", "threshold")
    return ("alpha", "beta", "threshold") if op.states == 2 else ("beta", "threshold")


def spiking(part: Part) -> bool:
    """Whether a part puts out 0 and 1 only."""
    return part.op.fires if isinstance(part, Neurons) else part.kind == "fire"


RESERVED = {
    *("input", "output", "state", "apply", "buffers", "children", "clear", "compile", "cpu", "cuda", "double", "eval"),
    *("float", "forward", "half", "items", "keys", "modules", "parameters", "pop", "to", "train", "training", "type"),
    *("update", "values"),
}
"""Names that a graph of parts needs itself or that a torch ModuleDict, in which readers keep parts, has already."""


def fresh_name(hint: str, taken: Container[str]) -> str:
    """A name for a part made from a path: HDF5 takes "/" for a folder, torch "." for a submodule."""
    base = "".join(c if c.isalnum() or c == "_" else "_" for c in hint) or "part"
    name, count = base, 1
    while name in taken or name in RESERVED:
        count += 1
        name = f"{base}_{count}"
    return name
