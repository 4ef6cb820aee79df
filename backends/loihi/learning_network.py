"""Which synapses of a network can learn on the chip, where a rule sees the spikes of one step and brings them to the
neurons in the next."""

from __future__ import annotations

from collections.abc import Iterator

from ...bridges.networks import Edge, Layer, Network, Neurons
from ...ir import TargetError
from ...ir.ops import Plasticity
from .learning import chip_rule


def reason_against_rule(layer: Layer) -> str | None:
    """Why the chip has no constants for a layer's rule; None where it has, or where it is the chip's already."""
    op = layer.fields.get("rule")
    if not isinstance(op, Plasticity):
        return None
    try:
        chip_rule(op)
    except TargetError as fault:
        return "; ".join(d.message for d in fault.diagnostics)
    return None


def reasons_against_learning(network: Network) -> Iterator[str]:
    """Why synapses that learn are not the chip's, of a network that was read as a whole."""
    for name, part in network.parts.items():
        if isinstance(part, Layer) and part.kind == "plastic":
            reason = _reason(network, name, part)
            if reason is not None:
                yield f"{name} learns, and {reason}"


def _reason(network: Network, name: str, part: Layer) -> str | None:
    (pre, before), (post, after) = part.fields["pre"], part.fields["post"]
    brought, taken = network.into(name), _through_shift(network, network.out_of(name))
    if len(brought) != 1 or len(taken) != 1:
        return f"it brings {len(brought)} signals to {len(taken)} parts; on the chip it is one connection"
    (given,), (taker,) = brought, taken
    if not isinstance(network.parts.get(taker.target), Neurons):
        return "between it and its neurons stands another layer"
    if isinstance(network.parts.get(pre), Layer) or given.source != pre or taker.target != post:
        ends = f"{given.source} and {taker.target}"
        return f"its rule sees {pre} and {post}; on the chip it sees where its spikes come from and go to, {ends}"
    if given.steps != before:
        return f"its rule sees spikes of {before} steps ago, while it brings those of {given.steps} steps ago"
    if taker.steps != 1 - after:
        if after > 1:
            return (
                f"its rule sees spikes of {after} steps ago behind it; the chip's sees those of this step or the last"
            )
        return (
            f"what it brings takes {taker.steps} steps to its neurons, and on the chip {1 - after} where the rule sees"
            f" their spikes of {after} steps ago: carry the current to the next step"
        )
    return None


def _through_shift(network: Network, edges: list[Edge]) -> list[Edge]:
    """The edges, from behind a shift where there is one."""
    found: list[Edge] = []
    for edge in edges:
        part = network.parts[edge.target]
        behind = network.out_of(edge.target) if isinstance(part, Layer) and part.kind == "shift" else None
        found += [edge] if behind is None else [Edge(e.source, e.target, e.steps + edge.steps) for e in behind]
    return found
