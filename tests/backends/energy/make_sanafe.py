"""Writes sanafe.json: what SANA-FE says of a small net on Loihi.

python3.11 -m venv env; env/bin/pip install sanafe==2.2.9; env/bin/python make_sanafe.py [FILE]

Its own description of the chip, without barriers. Spikes, energies and times are SANA-FE's; the weights and places are
written beside them, so that a test maps the same net. SANA-FE is GPL: it runs apart, and nothing of it is in the file
but what it printed.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
import tempfile
from importlib.resources import files
from itertools import product
from pathlib import Path
from random import Random

import sanafe

STEPS = 30
GROUPS = {"a": 12, "b": 20, "c": 6}
CORES = {"a": [(0, 0), (0, 1)], "b": [(1, 0), (9, 2), (9, 3)], "c": [(20, 0)]}
"""Group -> (tile, core in it), taken in turn by its neurons. Tile k is in column k // 4 and row k % 4."""
EDGES = (("a", "b"), ("b", "b"), ("b", "c"), ("c", "a"))
KINDS = {"b": "dense", "c": "sparse", "a": "conv"}
"""Group -> kind of the synapses that end in it."""
KERNEL = (6, 1, 2, 2)
"""Of the convolution from c, (1, 2, 3), to a, (6, 1, 2)."""


def weight(random: Random) -> int:
    """An even number: signed weights of 8 bits lose the lowest bit on the chip."""
    return 2 * random.randint(1, 12)


def matrix(kind: str, targets: int, sources: int, random: Random) -> list[list[int]]:
    """(targets, sources)."""
    if kind != "conv":
        chance = 0.4 if kind == "sparse" else 1.0
        return [[weight(random) if random.random() < chance else 0 for _ in range(sources)] for _ in range(targets)]
    rows = [[0] * sources for _ in range(targets)]
    for channel, i, j in product(range(KERNEL[0]), range(KERNEL[2]), range(KERNEL[3])):
        value = weight(random)
        for place in range(2):
            rows[2 * channel + place][3 * i + place + j] = value
    return rows


def architecture() -> sanafe.Architecture:
    """Loihi 1 as SANA-FE ships it, without the time of barriers."""
    lines = (files("sanafe.examples") / "loihi.yaml").read_text().splitlines()
    changed = {"sync_model": "fixed", "latency_sync": "0.0"}
    for at, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if key in changed:
            lines[at] = line.partition(key)[0] + f"{key}: {changed[key]}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("\n".join(lines))
        file.flush()
        return sanafe.load_arch(file.name)


def main() -> None:
    """Build, map, run, write."""
    random = Random(0)
    arch = architecture()
    net = sanafe.Network()
    groups, homes = {}, {}
    for name, count in GROUPS.items():
        facts = {"threshold": 64.0, "leak_decay": 0.9, "force_update": True, "reset_mode": "hard"}
        synapse = f"loihi_{KINDS[name]}_synapse"
        group = net.create_neuron_group(
            name, count, facts, synapse, "loihi_dendrites", log_spikes=True, soma_hw_name="loihi_lif"
        )
        homes[name] = [CORES[name][k % len(CORES[name])] for k in range(count)]
        groups[name] = group
        for k, neuron in enumerate(group):
            bias = float(random.randint(8, 39)) if name == "a" else 0.0
            neuron.set_attributes(model_attributes={"bias": bias})
            tile, core = homes[name][k]
            neuron.map_to_core(arch.tiles[tile].cores[core])
    weights = {}
    for source, target in EDGES:
        rows = matrix(KINDS[target], GROUPS[target], GROUPS[source], random)
        weights[source, target] = rows
        for i, j in product(range(GROUPS[target]), range(GROUPS[source])):
            if rows[i][j]:
                groups[source][j].connect_to_neuron(groups[target][i], {"weight": float(rows[i][j])})
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    run = chip.sim(STEPS, timing_model="simple", spike_trace=True, perf_trace=True)
    fired = {name: [] for name in GROUPS}
    for step, addresses in enumerate(run["spike_trace"]):
        for address in addresses:
            fired[address.group_name].append([step, int(address.neuron_offset)])
    facts = {
        "sanafe": "2.2.9",
        "steps": STEPS,
        "groups": GROUPS,
        "homes": homes,
        "connections": [{"source": s, "target": t, "kind": KINDS[t], "weight": w} for (s, t), w in weights.items()],
        "spikes": fired,
        "energy": {name: float(value) for name, value in run["energy"].items()},
        "sim_time": float(run["sim_time"]),
    }
    text = json.dumps(facts) + "\n"
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sanafe.json")
    place.write_text(text)


if __name__ == "__main__":
    main()
