"""Spikes between cores of Loihi 1 over twelve nets, against first-fit and halving; time, memory and growth.

    python benchmarks/loihi_mapping.py

Limits: the geometric mean of the ratios to each at most 0.7, every mapping legal by the independent checker. Growth:
nets of the same make with ten times the neurons. Fresh process each.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from loihi_nets import NETS, Made, communities, conv, first_fit, halved, mlp, off_core
from measure import in_child, peak_mib
from qsc.backends.loihi.mapping import load_limits, map_program, violations

GROWTH = {
    "conv, 4 k": lambda: conv(4, (2, 16, 16), ((8, 1, 1), (16, 2, 1), (16, 2, 1)), 10),
    "conv, 40 k": lambda: conv(4, (2, 51, 51), ((8, 1, 1), (16, 2, 1), (16, 2, 1)), 10),
    "mlp, 1 k": lambda: mlp(1, (400, 400, 400, 200)),
    "mlp, 10 k": lambda: mlp(1, (784, 3000, 3000, 3000, 1000)),
    "communities, 1 k": lambda: communities(1, 1000, 10, 0.3, 0.001),
    "communities, 10 k": lambda: communities(1, 10000, 100, 0.3, 0.0001),
}
"""Name -> net; pairs of the same make, the second with about ten times the neurons."""


def measured(name: str) -> dict[str, float]:
    made: Made = ({**NETS, **GROWTH})[name]()
    program, rates = made
    limits = load_limits("loihi1")
    start = time.perf_counter()
    mapping = map_program(program, limits, rates)
    row = {
        "seconds": time.perf_counter() - start,
        "mib": peak_mib(),
        "neurons": sum(len(row) for row in mapping.core_of.values()),
        "synapses": int(mapping.routes.synapses.sum()),
        "cores": mapping.cores,
        "spikes": mapping.off_core_spikes,
    }
    if name in NETS:
        row["wrong"] = len(violations(mapping))
        for key, place in (("first", first_fit), ("halved", halved)):
            core_of = place(program, limits)
            row[f"{key}_cores"] = 1 + max(int(core.max()) for core in core_of.values())
            row[key] = off_core(program, limits, core_of, rates)
    return row


def main() -> None:
    print(f"{'net':<20} {'cores':>5} {'spikes':>8} {'first-fit':>15} {'halving':>15}   ratios     s   MiB  violations")
    ratios = []
    for name in NETS:
        row = in_child(__file__, f"net:{name}")
        pair = [row["spikes"] / row[key] for key in ("first", "halved")]
        ratios.append(pair)
        print(
            f"{name:<20} {row['cores']:>5.0f} {row['spikes']:>8.1f} {row['first_cores']:>5.0f} {row['first']:>9.1f} "
            f"{row['halved_cores']:>5.0f} {row['halved']:>9.1f} {pair[0]:>5.2f} {pair[1]:>5.2f} {row['seconds']:>5.1f} "
            f"{row['mib']:>5.0f} {row['wrong']:>4.0f}",
            flush=True,
        )
    means, middle = np.exp(np.mean(np.log(ratios), axis=0)), np.median(ratios, axis=0)
    print(f"geometric mean of the ratios: {means[0]:.2f} and {means[1]:.2f} (limit 0.7)")
    print(f"median of the ratios: {middle[0]:.2f} and {middle[1]:.2f}")
    print(f"\n{'net':<20} {'neurons':>8} {'synapses':>10} {'cores':>5} {'s':>6} {'MiB':>6}")
    for name in GROWTH:
        row = in_child(__file__, f"net:{name}")
        print(
            f"{name:<20} {row['neurons']:>8.0f} {row['synapses']:>10.0f} {row['cores']:>5.0f} {row['seconds']:>6.1f} "
            f"{row['mib']:>6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measured(sys.argv[1].partition(":")[2])))
    else:
        main()
