"""Neurons stated in continuous time, as NIR does, advanced by Euler steps; delay lines; delays of single synapses.

`qsc.ir.neurons.FORMS` states the membranes. A `form` says which one, its parameters are operands. With u the potential
after the step, s = 1 where u > threshold (u >= threshold with `inclusive`), and then a spike acts at once:

    reset = "value":     v' = v_reset where s, else u
    reset = "subtract":  v' = u - s * threshold
    reset = "none":      v' = u

With `delayed=True` the reset acts in the step after the spike, on u, before s is taken of it (snntorch's Lapicque):
r = 1 where v is above the threshold as it comes in, u becomes v_reset where r, or u - r * threshold, and v' = u.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..graph import Op, TypeFault
from ..neurons import FORMS, SYNAPSES
from ..types import Type
from .rules import broadcast, common_float, need_numeric, need_shape, need_size
from .spiking import Neuron

if TYPE_CHECKING:
    from ..module import Module

EULER_RESETS = ("value", "subtract", "none")


@dataclass(frozen=True)
class EulerNeuron(Neuron):
    """What neurons in continuous time share: the membrane's form and the length of a step in seconds."""

    operands = (2, None)
    synapse: ClassVar[bool] = False
    form: str = "leak"
    dt: float = 1e-4

    def parameters(self) -> tuple[str, ...]:
        """Names of the operands after the input and the states."""
        if self.form not in FORMS:
            raise TypeFault(f"unknown form {self.form!r}", "one of " + ", ".join(FORMS))
        return FORMS[self.form].parameters

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        names = self.parameters()
        if len(operands) != self.inputs + self.states + len(names):
            wanted = f"{self.inputs} inputs" if self.inputs > 1 else "the input"
            raise TypeFault(f"needs {wanted}, {self.states} states and {', '.join(names)}; got {len(operands)} values")
        if not self.dt > 0:
            raise TypeFault(f"a step of {self.dt:g} s")
        return super().result_types(operands, module)


@dataclass(frozen=True)
class Integrate(EulerNeuron):
    """A membrane that never fires (NIR's LI and I): operands x, v, then the form's parameters; result v'."""

    mnemonic = "integrate"
    fires: ClassVar[bool] = False


@dataclass(frozen=True)
class EulerFiring(EulerNeuron):
    """What neurons that fire share."""

    reset: str = "value"
    inclusive: bool = False
    delayed: bool = False

    def parameters(self) -> tuple[str, ...]:
        """Names of the operands after the input and the states."""
        return (*super().parameters(), "threshold", *(("v_reset",) if self.reset == "value" else ()))

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if self.reset not in EULER_RESETS:
            raise TypeFault(f"unknown reset {self.reset!r}", "one of " + ", ".join(EULER_RESETS))
        return super().result_types(operands, module)


@dataclass(frozen=True)
class Lif(EulerFiring):
    """Integrate and fire, with or without leak (NIR's LIF and IF): operands x, v, then the form's parameters, threshold
    and, for reset = "value", v_reset; results s, v'."""

    mnemonic = "lif"


@dataclass(frozen=True)
class Cuba(EulerNeuron):
    """What neurons with an exponential synapse share. current: its statement in `qsc.ir.neurons.SYNAPSES`. recurrent:
    whether a second input w follows x, which is added after it."""

    states: ClassVar[int] = 2
    synapse: ClassVar[bool] = True
    current: str = "leak"
    recurrent: bool = False

    @property
    def inputs(self) -> int:
        """x, and w where it is recurrent."""
        return 1 + self.recurrent

    def merged(self) -> Cuba:
        """The neuron without w."""
        return replace(self, recurrent=False)

    def parameters(self) -> tuple[str, ...]:
        """Names of the operands after the inputs and the states."""
        if self.current not in SYNAPSES:
            raise TypeFault(f"unknown current {self.current!r}", "one of " + ", ".join(SYNAPSES))
        if self.recurrent and SYNAPSES[self.current].step is None:
            raise TypeFault(f"a synapse of current {self.current!r} has one input")
        return SYNAPSES[self.current].parameters + super().parameters()


@dataclass(frozen=True)
class CubaIntegrate(Cuba):
    """An exponential synapse and a membrane that never fires (NIR's CubaLI): operands x, i, v, then the synapse's
    parameters (tau_syn, w_in) and the form's; results i', v'. The membrane integrates the synapse's current."""

    mnemonic = "cuba_integrate"
    fires: ClassVar[bool] = False


@dataclass(frozen=True)
class CubaLif(Cuba, EulerFiring):
    """Current-based integrate and fire (NIR's CubaLIF): operands x, i, v, then the synapse's parameters (tau_syn, w_in)
    and the form's, threshold and, for reset = "value", v_reset; results s, i', v'. The membrane integrates the
    synapse's current."""

    mnemonic = "cuba_lif"


@dataclass(frozen=True)
class Fire(Op):
    """1 where x > threshold (x >= threshold with `inclusive`), else 0: operands x and threshold, broadcast to x."""

    mnemonic = "fire"
    operands = (2, 2)
    inclusive: bool = False

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x, threshold = operands
        common_float(x, threshold)
        if broadcast(x, threshold) != x.shape:
            raise TypeFault(f"the threshold {threshold} does not fit {x}")
        return (Type("spike", x.shape),)


@dataclass(frozen=True)
class Push(Op):
    """The delay line of the next step: operands x and a line (length, ...) with the newest value first; the oldest
    falls out."""

    mnemonic = "push"
    operands = (2, 2)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        x, line = operands
        need_numeric(x, line)
        need_shape(x, line.shape[1:], "what is pushed")
        return (line,)


@dataclass(frozen=True)
class Tap(Op):
    """What went into a delay line some steps ago: operands a line (length, batch, ...) and the steps, i64 (...), from 1
    (the newest) to length, one number for every channel; result (batch, ...)."""

    mnemonic = "tap"
    operands = (2, 2)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        line, steps = operands
        need_numeric(line)
        if steps.dtype != "i64" or steps.shape != line.shape[2:]:
            raise TypeFault(f"the steps of a tap of {line} are i64, one a channel, got {steps}")
        return (line.with_shape(line.shape[1:]),)


@dataclass(frozen=True)
class DelayedLinear(Op):
    """A linear layer with a delay of its own for every synapse: y[o] = sum_i W[o, i] x[i], x[i] as it was steps[o, i]
    steps ago.

    Operands: a delay line (length, batch, in), W (out, in), steps i64 (out, in) from 1 to length; result (batch, out).
    """

    mnemonic = "delayed_linear"
    operands = (3, 3)

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        line, weight, steps = operands
        if len(line.shape) != 3 or len(weight.shape) != 2:
            raise TypeFault(f"needs a line (length, batch, in) and a weight (out, in), got {line} and {weight}")
        need_size(line.shape[2], weight.shape[1], "the number of delayed values")
        if steps != Type("i64", weight.shape):
            raise TypeFault(f"the steps are i64, one a synapse of {weight}, got {steps}")
        return (Type(common_float(line, weight), (line.shape[1], weight.shape[0])),)
