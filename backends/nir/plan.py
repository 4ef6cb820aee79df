"""A NIR graph as plain data, before it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...bridges.networks import fresh_name
from ...ir import Location
from ..activity import Laying, synapses_of

DT = 1e-4
"""Seconds of one time step where the model states none: what snntorch assumes of every NIR file."""

OUTPUT = "output"
NEURONS = ("LIF", "IF", "CubaLIF", "Threshold")
"""Kinds of nodes that put out spikes."""
STATEFUL = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Delay")
"""Kinds of nodes that remember."""


@dataclass(frozen=True)
class NirNode:
    """One NIR node: `kind` is the class name in the nir package, `fields` its arguments."""

    kind: str
    fields: dict[str, Any]
    shape: tuple[int, ...]
    """Shape of the output without batch and time."""
    source: str
    """Mnemonic of the IR node."""
    location: Location
    weight_bits: int = 32
    weight_scale: np.ndarray | None = None
    """What one unit of whole-number weights is, one number or one an output channel."""

    def metadata(self) -> dict[str, Any]:
        """Bits and scale of weights that are whole numbers times that scale, which they are in float32 too."""
        if self.weight_scale is None or "weight" not in self.fields:
            return {}
        weight = np.asarray(self.fields["weight"], np.float32)
        scale = np.asarray(self.weight_scale, np.float32)
        wide = scale.reshape(-1, *(1,) * (weight.ndim - 1)) if scale.shape else scale
        exact = np.array_equal(np.rint(weight / np.where(wide == 0, 1, wide)) * wide, weight)
        return {"qsc": {"weight_bits": self.weight_bits, "weight_scale": scale}} if exact else {}


@dataclass
class Plan:
    """A NIR graph before it is written.

    steps: time steps. sequence: whether the input has a time axis; otherwise every step gets the same input.
    input_shape: without batch and time. weight_bits: bits of every weight tensor, 32 for floats. dt: seconds of a step.
    late_resets: whether neurons of the model are reset to a value in the step after the spike.
    """

    steps: int = 0
    sequence: bool = False
    input_shape: tuple[int, ...] = ()
    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    weight_bits: list[int] = field(default_factory=list)
    dt: float = DT
    late_resets: bool = False

    def name(self, hint: str) -> str:
        """A name for a new node, made from `hint`."""
        return fresh_name(hint, self.nodes)

    def stateless(self) -> set[str]:
        """The nodes that remember nothing."""
        return {n for n, node in self.nodes.items() if node.kind not in STATEFUL}

    def delays(self) -> set[str]:
        """The nodes that put out what came in at least one step ago."""
        return {
            n for n, node in self.nodes.items() if node.kind == "Delay" and (node.fields["delay"] > self.dt / 2).all()
        }

    @property
    def neurons(self) -> int:
        """How many neurons the graph has."""
        return sum(int(np.prod(n.shape)) for n in self.nodes.values() if n.kind in NEURONS)

    @property
    def synapses(self) -> int:
        """Connections with a weight that is not zero; a kernel counts once for every place it is laid on."""
        return sum(_synapses(node) for node in self.nodes.values() if "weight" in node.fields)


def _synapses(node: NirNode) -> int:
    fields = node.fields
    weight = np.asarray(fields["weight"])
    if not node.kind.startswith("Conv"):
        return int(np.count_nonzero(weight))
    stride, padding, dilation, size = (
        tuple(np.atleast_1d(fields[k]).tolist()) for k in ("stride", "padding", "dilation", "input_shape")
    )
    groups = int(fields["groups"])
    return synapses_of(weight, (weight.shape[1] * groups, *size), Laying(stride, padding, dilation, groups))
