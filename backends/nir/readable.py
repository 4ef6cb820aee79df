"""A graph changed so that another framework's importer means what it means, where that can be.

norse ignores the r of LIF: it goes into the weights before. norse and SpikingJelly leave out the bias of recurrent
weights in the first step: it goes into the weights before too. sinabs reads files of nir 1.0.4, which have no v_reset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...ir import InputError
from ...ir.diagnostics import did_you_mean
from ...ir.target import Target
from .known import IMPORTERS
from .plan import NirNode, Plan

GENERATIONS = {"sinabs": "1.0.4"}
"""Importer -> version of NIR files that it reads; the newest where nothing stands."""


def find(name: str) -> Target:
    """The target `nir:IMPORTER`. InputError T0001 for an importer that is not known."""
    reader = name.removeprefix("nir:")
    if reader not in IMPORTERS:
        help = did_you_mean(reader, IMPORTERS)
        raise InputError.of("T0001", f"no importer of NIR is called {reader!r}", help=help)
    from . import TARGET

    return replace(TARGET, name=name, summary=f"a NIR graph for {reader}", data={"reader": reader})


def readable(plan: Plan, reader: str | None) -> Plan:
    """The plan for a reader, the same where it needs nothing."""
    for change in CHANGES.get(reader or "", ()):
        plan = change(plan)
    return plan


def _gains_in_weights(plan: Plan) -> Plan:
    nodes = dict(plan.nodes)
    for name, node in plan.nodes.items():
        before = [a for a, b in plan.edges if b == name]
        if node.kind != "LIF" or not all(_only_for(plan, a, name) for a in before):
            continue
        gain = node.fields["r"]
        if any(nodes[a].kind.startswith("Conv") for a in before) and np.unique(gain).size > 1:
            continue
        for a in before:
            nodes[a] = _scaled(nodes[a], gain)
        nodes[name] = replace(node, fields=node.fields | {"r": np.ones_like(gain)})
    return replace(plan, nodes=nodes)


def _recurrent_biases_before(plan: Plan) -> Plan:
    """The bias of recurrent weights goes to the weights before the neurons: there it is in the first step too."""
    nodes, pairs = dict(plan.nodes), set(plan.edges)
    for weights, neurons in plan.edges:
        node = nodes.get(weights)
        if node is None or (neurons, weights) not in pairs or not np.any(node.fields.get("bias", 0)):
            continue
        others = [a for a, b in plan.edges if b == neurons and (b, a) not in pairs and _only_for(plan, a, neurons)]
        before = next((a for a in others if nodes[a].kind in ("Affine", "Linear")), None)
        if before is None or not _only_for(plan, weights, neurons) or node.kind != "Affine":
            continue
        bias = np.asarray(node.fields["bias"])
        fields = nodes[before].fields
        nodes[before] = replace(nodes[before], kind="Affine", fields=fields | {"bias": fields.get("bias", 0) + bias})
        nodes[weights] = replace(node, fields=node.fields | {"bias": np.zeros_like(bias)})
    return replace(plan, nodes=nodes)


def _only_for(plan: Plan, source: str, target: str) -> bool:
    """Whether a node has weights and leads to one node alone."""
    node = plan.nodes.get(source)
    return node is not None and "weight" in node.fields and [b for a, b in plan.edges if a == source] == [target]


def _scaled(node: NirNode, gain: np.ndarray) -> NirNode:
    """The layer with the gain of the neurons behind it in its weights, in the type that these have."""
    fields = dict(node.fields)
    rows = gain.reshape(-1)[:1] if node.kind.startswith("Conv") else gain.reshape(-1)
    for name in ("weight", "bias"):
        if name in fields:
            array = np.asarray(fields[name])
            factor = rows.reshape(-1, *(1,) * (array.ndim - 1)).astype(np.float64)
            fields[name] = (array * factor).astype(array.dtype)
    return replace(node, fields=fields)


CHANGES: dict[str, tuple[Callable[[Plan], Plan], ...]] = {
    "norse": (_recurrent_biases_before, _gains_in_weights),
    "spikingjelly": (_recurrent_biases_before,),
}
"""Importer -> what is changed for it, in order."""
