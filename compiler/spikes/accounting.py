"""What a bundle says of the spikes that its verification counted: costs, a table of layers, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends.activity import Activity
from ...backends.bit_budget import LayerBudget, budget_of, totals
from ...backends.energy import Energy, horowitz, lemaire, weights_read
from .pictures import raster, traces

if TYPE_CHECKING:
    from ..bundle import Bundle

FOLDER = "pictures"

BITS = ("steps", "spike_bits", "weight_bits", "bit_budget", "s_ace", "ns_ace", "activation_bits", "memory_bits")
"""What is said of a layer's bits."""


def account(bundle: Bundle, inputs: str) -> None:
    """Put what was counted into costs, notes and the manifest's `activity`, and pictures into the bundle's files.

    inputs: what the verification ran, in words. A bundle in which nothing spikes stays as it is.
    """
    for artifact, activity in bundle.activities.items():
        if not activity.rows:
            continue
        energy = horowitz(activity)
        budgets = [budget_of(counts, activity) for counts in activity.synapses]
        costs = {"spikes": activity.spikes / activity.rows, "energy_j": energy.total_j}
        bundle.manifest["costs_by_op"][artifact] |= costs | totals(budgets)
        bundle.manifest["notes"][artifact] += _notes(activity, energy, inputs)
        facts = {"inputs": inputs, "rows": activity.rows, "steps": activity.steps, "dt_s": activity.dt}
        rows = _layers(activity, energy, budgets)
        bundle.manifest.setdefault("activity", {})[artifact] = facts | {"layers": rows}
        for name, picture in _pictures(activity).items():
            bundle.files[f"{FOLDER}/{artifact}-{name}.svg"] = picture.encode()


def pictures_of(bundle: Bundle) -> dict[str, str]:
    """Name -> SVG of every picture in a bundle."""
    return {path: data.decode() for path, data in bundle.files.items() if path.startswith(f"{FOLDER}/")}


def _notes(activity: Activity, energy: Energy, inputs: str) -> list[str]:
    from ..report import show_cost

    def joules(value: float) -> str:
        return show_cost("energy_j", value)

    other = lemaire(activity)
    parts = f"{joules(energy.part('operations_j'))} arithmetic, {joules(energy.part('memory_j'))} memory"
    return [
        f"spikes are those of {inputs}, {activity.steps} steps each; spikes and energy are the mean of an input",
        f"energy by {energy.model}: {parts} at 3.12 pJ a bit",
        f"energy by {other.model}, in integers of 32 bits and static memories by size: {joules(other.total_j)}",
    ]


def _layers(activity: Activity, energy: Energy, budgets: Sequence[LayerBudget]) -> list[dict[str, Any]]:
    """One row a layer, for the manifest: counts, bits and joules of one input."""
    by_name = {layer.name: layer for layer in energy.layers}
    rows: list[dict[str, Any]] = []
    for s, budget in zip(activity.synapses, budgets, strict=True):
        used = weights_read(s, activity.rows * activity.steps) / activity.rows
        counted = {"synapses": s.connections, "events": s.events / activity.rows, "operations": used}
        came = {"input": "spikes" if s.binary else "numbers"}
        bits = {key: getattr(budget, key) for key in BITS}
        rows.append({"name": s.name, "kind": s.kind} | came | counted | bits | {"energy_j": by_name[s.name].total_j})
    for n in activity.neurons:
        share = n.neurons * activity.steps * activity.rows
        counted = {"neurons": n.neurons, "spikes": n.spikes / activity.rows, "rate": n.spikes / share if share else 0.0}
        rows.append({"name": n.name, "kind": "neurons"} | counted | {"energy_j": by_name[n.name].total_j})
    return rows


def _pictures(activity: Activity) -> dict[str, str]:
    found = {}
    spikes = {name: t.spikes for name, t in activity.rasters.items() if t.spikes is not None}
    if spikes:
        totals = {name: t.total for name, t in activity.rasters.items()}
        found["spikes"] = raster(spikes, activity.dt, totals)
    potentials = {name: t.potentials for name, t in activity.potentials.items() if t.potentials is not None}
    if potentials:
        limits = {name: t.thresholds for name, t in activity.potentials.items() if t.thresholds is not None}
        numbers = {name: np.asarray(t.neurons).tolist() for name, t in activity.potentials.items()}
        found["potentials"] = traces(potentials, activity.dt, limits, numbers)
    return found


def layer_lines(facts: dict[str, Any]) -> list[str]:
    """The table of one artifact's layers as text."""
    from ..report import show_cost

    table = [("layer", "kind", "size", "operations", "T x bits", "S-ACE", "NS-ACE", "spikes", "rate", "energy")]
    for row in facts["layers"]:
        energy = show_cost("energy_j", row["energy_j"])
        if row["kind"] == "neurons":
            fired, rate = f"{row['spikes']:.4g}", f"{row['rate']:.3g}"
            table.append((row["name"], "neurons", f"{row['neurons']}", "", "", "", "", fired, rate, energy))
        else:
            kind, used = f"{row['kind']}, of {row['input']}", f"{row['operations']:.4g}"
            bits = f"{row['steps']} x {row['spike_bits']} x {row['weight_bits']}"
            ace = (f"{row['s_ace']:.4g}", f"{row['ns_ace']:.4g}")
            table.append((row["name"], kind, f"{row['synapses']}", used, bits, *ace, "", "", energy))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
