"""Single-step spiking neurons. A loop over time is a `scan` whose body holds them; the state is a carried value.

`reset` says what a spike does to the membrane potential v: "zero", "subtract" (the threshold) or "none". With
`delayed=True` (snntorch's default) the reset acts in the step after the spike; with `delayed=False` it acts at once.
Both follow snntorch 1.0.0 to the bit, arithmetic in the order written, with

    r = 1 where v > threshold, else 0       (the potential that came in: a spike of the step before)
    s = 1 where u > threshold, else 0       (u is stated by each neuron; s is the spike result)
    delayed:      v' = u
    not delayed:  v' = u - (s - r) * threshold  for "subtract",  u - (s - r) * u  for "zero",  u  for "none"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..graph import Op, TypeFault
from ..types import Type
from .rules import broadcast, common_float

if TYPE_CHECKING:
    from ..module import Module

RESETS = ("zero", "subtract", "none")


@dataclass(frozen=True)
class Neuron(Op):
    """One step of neurons. Operands: input x, one value for every state, then the parameters, each a scalar or
    broadcast to x. Results: spikes where it fires, then every new state.
    """

    states: ClassVar[int] = 1
    fires: ClassVar[bool] = True

    @property
    def inputs(self) -> int:
        """How many operands come in before the states: x, and for some neurons w, which is added after x."""
        return 1

    def merged(self) -> Neuron:
        """The neuron of one input that does the same, but for rounding, where all inputs are added up before it."""
        return self

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        kind = common_float(*operands)
        shape = broadcast(*operands)
        for t in operands[: self.inputs + self.states]:
            if t.shape != shape:
                raise TypeFault(f"input and state need one shape, got {', '.join(map(str, operands))}")
        return ((Type("spike", shape),) if self.fires else ()) + (Type(kind, shape),) * self.states


@dataclass(frozen=True)
class SteppedNeuron(Neuron):
    """A neuron that is stated by its decay a step, as snntorch's are."""

    reset: str = "subtract"
    delayed: bool = True

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if self.reset not in RESETS:
            raise TypeFault(f"unknown reset {self.reset!r}", "one of " + ", ".join(RESETS))
        return super().result_types(operands, module)


@dataclass(frozen=True)
class Leaky(SteppedNeuron):
    """Leaky integrate-and-fire (snntorch.Leaky): operands x, v, beta, threshold; results s, v'.

    "zero": u = beta * ((1 - r) * v) + x (what comes in is kept); "subtract": u = (beta * v + x) - r * threshold;
    "none": u = beta * v + x.
    """

    mnemonic = "leaky"
    operands = (4, 4)


@dataclass(frozen=True)
class Synaptic(SteppedNeuron):
    """Current-based leaky integrate-and-fire (snntorch.Synaptic): operands x, i, v, alpha, beta, threshold; results
    s, i', v'.

    i' = alpha * i + x is never reset. With m = beta * v + i': "zero": u = m - m * r (what comes in is lost);
    "subtract": u = m - r * threshold; "none": u = m.
    """

    mnemonic = "synaptic"
    operands = (6, 6)
    states: ClassVar[int] = 2


@dataclass(frozen=True)
class RLeaky(SteppedNeuron):
    """Leaky integrate-and-fire with recurrent input (snntorch.RLeaky): operands x, w (what its own spikes of the step
    before bring), v, beta, threshold; results s, v'.

    With m = (beta * v + x) + w: "zero": u = m - r * m (what comes in is lost); "subtract": u = m - r * threshold;
    "none": u = m.
    """

    mnemonic = "rleaky"
    operands = (5, 5)

    @property
    def inputs(self) -> int:
        """x and w."""
        return 2

    def merged(self) -> Leaky:
        """A `Leaky`; ValueError for a delayed reset to zero, which there keeps what comes in."""
        if self.reset == "zero" and self.delayed:
            raise ValueError("a delayed reset also drops the input of the step after a spike")
        return Leaky(self.reset, self.delayed)


@dataclass(frozen=True)
class RSynaptic(SteppedNeuron):
    """Current-based leaky integrate-and-fire with recurrent input (snntorch.RSynaptic): operands x, w, i, v, alpha,
    beta, threshold; results s, i', v'. As `Synaptic`, with i' = (alpha * i + x) + w.
    """

    mnemonic = "rsynaptic"
    operands = (7, 7)
    states: ClassVar[int] = 2

    @property
    def inputs(self) -> int:
        """x and w."""
        return 2

    def merged(self) -> Synaptic:
        """A `Synaptic`."""
        return Synaptic(self.reset, self.delayed)
