"""Synapses that learn, as a program says it: weights and traces that a loop carries, and the op that moves them.

    drive = reshape(matmul(w, reshape(x, shape=[?,in,1])), shape=[?,out])
    w', traces' = plasticity(before, after, w, traces)

Of a network this is one layer of the kind "plastic". Its weights begin as one of the module, expanded to the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...ir import Node, Value
from ...ir.ops import LoihiPlasticity, Plasticity
from ...ir.types import DYNAMIC, Type
from .layers import RefusedError

RULES = (Plasticity, LoihiPlasticity)

Signal = TypeVar("Signal")


@dataclass
class Learned(Generic[Signal]):
    """Weights that a loop carries. layer: the part that reads them; op: what moves them; pre, post: what it sees;
    count: how many steps went before the first."""

    layer: str = ""
    op: Plasticity | LoihiPlasticity | None = None
    pre: Signal | None = None
    post: Signal | None = None
    count: int = 0


@dataclass
class Plastic(Generic[Signal]):
    """What is known of the learned weights of one graph.

    begun: carried weights -> the value that they begin as. counts: carried numbers of steps -> the first. columns:
    signals as matrices of one column.
    """

    begun: dict[str, Value] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    learned: dict[str, Learned[Signal]] = field(default_factory=dict)
    columns: dict[str, Signal] = field(default_factory=dict)

    def of(self, name: str) -> Learned[Signal]:
        return self.learned.setdefault(name, Learned())

    def check(self) -> None:
        """RefusedError where weights are moved and not read, or read and not moved."""
        for name, found in self.learned.items():
            if not found.layer:
                raise RefusedError(f"the learned weights {name} bring no spikes to any neuron")
            if found.op is None:
                raise RefusedError(f"the weights {name} are carried, and nothing moves them")


def is_matrix(t: Type) -> bool:
    """Whether a value can be weights of every row, (?, out, in)."""
    return len(t.shape) == 3 and t.shape[0] == DYNAMIC and t.is_float


def is_column(given: Type, wanted: Type) -> bool:
    """Whether (?, n) becomes (?, n, 1)."""
    return given.shape[:1] == (DYNAMIC,) and wanted.shape == (*given.shape, 1) and len(given.shape) == 2


def trace_operands(node: Node) -> Sequence[Value]:
    """The states of a rule beside the weights: traces, and the number of steps. RefusedError where a third factor comes
    from outside."""
    op = node.op
    if isinstance(op, Plasticity) and op.third:
        raise RefusedError(f"it takes {', '.join(op.third)} as a third factor, and no neuron of a network delivers one")
    return node.operands[3:]


def trace_names(op: Plasticity | LoihiPlasticity) -> tuple[str, ...]:
    """The traces that an op carries, in order."""
    return op.carried() if isinstance(op, Plasticity) else tuple(op.whole.traces)


def counts_steps(op: Plasticity | LoihiPlasticity) -> bool:
    """Whether it carries the number of steps."""
    return isinstance(op, LoihiPlasticity) or op.terms.counts_steps
