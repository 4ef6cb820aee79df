"""Ops that hold a body graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph import Graph, Op, TypeFault
from ..types import Type

if TYPE_CHECKING:
    from ..module import Module


@dataclass(frozen=True)
class Scan(Op):
    """A loop over time: `steps` runs of `body`.

    Operands: `carried` initial states, then `sequences` values with time first (steps, ...), then values that stay the
    same. Body inputs: the states, one time slice of every sequence, the values that stay. Body outputs: the new states,
    then per-step values. Results: the last states, then the per-step values stacked with time first.
    """

    mnemonic = "scan"
    operands = (0, None)
    steps: int
    body: Graph
    carried: int = 0
    sequences: int = 0

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        body, split = self.body, self.carried + self.sequences
        if self.steps < 1:
            raise TypeFault(f"needs at least one step, got {self.steps}")
        if len(operands) != len(body.inputs) or len(operands) < split or len(body.outputs) < self.carried:
            raise TypeFault(
                f"the body takes {len(body.inputs)} and gives {len(body.outputs)} values; there are {len(operands)} "
                f"operands, of which {self.carried} are carried and {self.sequences} are sequences"
            )
        for k, (given, inner) in enumerate(zip(operands, body.inputs, strict=True)):
            is_sequence = self.carried <= k < split
            wanted = inner.type.with_shape((self.steps, *inner.type.shape)) if is_sequence else inner.type
            if given != wanted:
                raise TypeFault(f"operand {k + 1} is {given}, the body's {inner.name} needs {wanted}")
        for start, end in zip(body.inputs, body.outputs[: self.carried], strict=False):
            if start.type != end.type:
                raise TypeFault(f"the state {start.name} goes in as {start.type} and comes out as {end.type}")
        stacked = (v.type.with_shape((self.steps, *v.type.shape)) for v in body.outputs[self.carried :])
        return (*(v.type for v in body.outputs[: self.carried]), *stacked)


@dataclass(frozen=True)
class Launch(Op):
    """A part that runs on a device: the body's inputs are the operands, its outputs the results.

    `artifact` names the compiled form in the bundle; the backend of `device` wrote it and runs it. `shares`: where
    shots are drawn, how many each row of a sample gets, over what is asked for; all the same where there are none.
    """

    mnemonic = "launch"
    operands = (0, None)
    device: str
    artifact: str
    body: Graph
    shares: tuple[float, ...] = ()

    def result_types(self, operands: tuple[Type, ...], module: Module) -> tuple[Type, ...]:
        if any(not share > 0 for share in self.shares):
            raise TypeFault(f"shares {list(self.shares)} of shots are not all above 0")
        wanted = tuple(v.type for v in self.body.inputs)
        if operands != wanted:
            raise TypeFault(f"operands are {_list(operands)}, the body takes {_list(wanted)}")
        return tuple(v.type for v in self.body.outputs)


def _list(types: tuple[Type, ...]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"
