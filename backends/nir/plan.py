"""A NIR graph as plain data, and how the numbers of a neuron become NIR's.

A neuron of the IR advances one step of `DT` seconds by v' = beta v + x. NIR states LIF as tau v' = (v_leak - v) + R I;
its Euler step of DT is the same with tau = DT / (1 - beta) and R = tau / DT (snntorch's own convention). CubaLIF has
the same for its current: tau_syn = DT / (1 - alpha) and w_in = tau_syn / DT.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir import Location

DT = 1e-4
"""Seconds of one time step: what snntorch assumes of every NIR file."""

INPUT, OUTPUT = "input", "output"
_RESERVED = {
    *("input", "output", "state", "apply", "buffers", "children", "clear", "compile", "cpu", "cuda", "double", "eval"),
    *("float", "forward", "half", "items", "keys", "modules", "parameters", "pop", "to", "train", "training", "type"),
    *("update", "values"),
}
"""Names that a NIR graph needs itself or that a torch ModuleDict, in which readers keep the nodes, has already."""


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


@dataclass
class Plan:
    """A NIR graph before it is written.

    steps: time steps. sequence: whether the input has a time axis; otherwise every step gets the same input.
    input_shape: without batch and time. weight_bits: bits of every weight tensor, 32 for floats.
    """

    steps: int = 0
    sequence: bool = False
    input_shape: tuple[int, ...] = ()
    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    weight_bits: list[int] = field(default_factory=list)

    def add(self, hint: str, node: NirNode, sources: tuple[str, ...]) -> str:
        """Append a node that is fed the sum of `sources`; its name is made from `hint`."""
        # HDF5 takes "/" for a folder and torch "." for a submodule.
        base = "".join(c if c.isalnum() or c == "_" else "_" for c in hint) or node.source
        name, count = base, 1
        while name in self.nodes or name in _RESERVED:
            count += 1
            name = f"{base}_{count}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    @property
    def neurons(self) -> int:
        """How many neurons the graph has."""
        return sum(int(np.prod(n.shape)) for n in self.nodes.values() if n.kind in ("LIF", "CubaLIF"))

    @property
    def synapses(self) -> int:
        """Connections with a weight that is not zero; a kernel counts once for every place it is laid on."""
        total = 0
        for node in self.nodes.values():
            if "weight" in node.fields:
                places = int(np.prod(node.shape[1:])) if node.kind.startswith("Conv") else 1
                total += int(np.count_nonzero(node.fields["weight"])) * places
        return total


def lif(beta: np.ndarray, threshold: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of a NIR LIF. beta, threshold: float32, one number a neuron."""
    tau = time_constant(beta)
    return {"tau": tau, "r": tau / DT, **_rest(threshold)}


def cuba_lif(alpha: np.ndarray, beta: np.ndarray, threshold: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of a NIR CubaLIF. alpha, beta, threshold: float32, one number a neuron."""
    synapse, membrane = time_constant(alpha), time_constant(beta)
    rest = _rest(threshold)
    return {"tau_syn": synapse, "tau_mem": membrane, "r": membrane / DT, "w_in": synapse / DT, **rest}


def _rest(threshold: np.ndarray) -> dict[str, np.ndarray]:
    zero = np.zeros_like(threshold)
    return {"v_leak": zero, "v_threshold": threshold, "v_reset": zero}


def time_constant(decay: np.ndarray) -> np.ndarray:
    """tau in seconds, of which a reader's 1 - DT / tau, rounded to float32, is `decay` again to the last bit.

    decay: float32 in [0, 1). The result is float32 where that is exact for every neuron (decays from 0.8 on), else
    float64.
    """
    exact = DT / (1.0 - decay.astype(np.float64))
    single = exact.astype(np.float32)
    for direction in (np.float32(0), np.float32(np.inf)):
        near = exact.astype(np.float32)
        for _ in range(4):
            near = np.nextafter(near, direction)
            single = np.where((1 - DT / single == decay) | (1 - DT / near != decay), single, near)
    return single if np.array_equal(1 - DT / single, decay) else exact
