"""The Loihi 2 simulator: against Lava's fixed-point simulation, and how it grows with the number of synapses.

    python benchmarks/loihi.py

Against Lava (in its environment, `qsc env create lava`): 1000 inputs to 1000 neurons, alone and with 1000 x 1000
weights back, 1000 steps, spikes, u and v of all neurons recorded by both, and equal to the bit. Lava and ours take
turns, three times each, and the middle one counts; the start of Lava's processes is left out. Ours for one input, and
for 64 at once, by one thread. Growth: 100 random synapses to each neuron without the zeros, and dense layers of
1000 x 1000; 5 % of the inputs spike; spikes are counted, nothing is recorded; a process of its own for each size,
median of three runs. Takes about six minutes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from measure import in_child, median_seconds, peak_mib, resident_mib

WIDTH, STEPS, BATCH, RATE, TURNS = 1000, 1000, 64, 0.05, 3
ONE_LIMIT, BATCH_LIMIT = 5.0, 30.0
SIZES = (100_000, 1_000_000, 10_000_000)
GROWTH_STEPS, FAN_IN = 200, 100
ALL = ("spikes", "u", "v")


def dense_net(layers: int, back: bool = False) -> Any:
    """A source and layers of 1000 neurons, each with a dense matrix; `back` adds one from the last to itself."""
    import numpy as np
    from qsc.backends.loihi.program import Connection, Population, Program, Source

    rng = np.random.default_rng(0)

    def weights() -> np.ndarray:
        return rng.integers(-96, 101, (WIDTH, WIDTH), np.int16)

    names = ["x", *(f"p{k}" for k in range(layers))]
    joins = [Connection(f"c{k}", names[k], names[k + 1], weights()) for k in range(layers)]
    if back:
        joins.append(Connection("back", names[-1], names[-1], weights(), exponent=-1))
    neurons = (Population(name, (WIDTH,), du=2000, dv=400, threshold=1600) for name in names[1:])
    return Program((Source("x", (WIDTH,)),), tuple(neurons), tuple(joins), (names[-1],))


def sparse_net(synapses: int) -> Any:
    """As many neurons as inputs, 100 random synapses each."""
    import numpy as np
    from qsc.backends.loihi.program import Connection, Population, Program, Source
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    width = synapses // FAN_IN
    values = rng.integers(-96, 101, synapses, np.int16)
    each = width // FAN_IN
    sources = (rng.integers(0, each, (width, FAN_IN), np.int32) + each * np.arange(FAN_IN, dtype=np.int32)).ravel()
    weight = csr_array((values, sources, np.arange(0, synapses + 1, FAN_IN, dtype=np.int32)), (width, width))
    neurons = Population("p", (width,), du=2000, dv=400, threshold=500)
    join = Connection("c", "x", "p", weight, sparse=True)
    return Program((Source("x", (width,)),), (neurons,), (join,), ("p",))


def spikes_of(batch: int, width: int, steps: int) -> Any:
    import numpy as np

    return np.random.default_rng(1).random((steps, batch, width), np.float32) < RATE


def against_lava(back: bool) -> dict[str, Any]:
    """Seconds of Lava, of ours for one input and for 64 at once, and how many neurons spike in a step."""
    import numpy as np
    from qsc.backends.loihi.lava import Job, run_in_lava
    from qsc.backends.loihi.simulator import run
    from qsc.bridges import environments

    program, x = dense_net(1, back), spikes_of(BATCH, WIDTH, STEPS)
    job = Job(program, {"x": x[:, 0].astype(np.int32)}, STEPS)
    seconds: dict[str, list[float]] = {"lava": [], "one": [], "batch": []}

    def timed(name: str, batch: int) -> None:
        start = time.perf_counter()
        run(program, {"x": x[:, :batch]}, STEPS, ALL)
        seconds[name].append(time.perf_counter() - start)

    ours = run(program, {"x": x[:, :1]}, STEPS, ALL)
    for _ in range(TURNS):
        if environments.find("lava"):
            (ran,) = run_in_lava([job], timeout=500)
            seconds["lava"].append(ran.seconds - ran.start_seconds)
            if any((getattr(ours, k)["p0"] != getattr(ran.traces, k)["p0"]).any() for k in ALL):
                raise SystemExit("ours differs from Lava")
        timed("one", 1)
        timed("batch", BATCH)
    middle = {name: statistics.median(times) for name, times in seconds.items() if times}
    return {**middle, "rate": float(ours.spikes["p0"].mean())}


def growth(kind: str, synapses: int) -> dict[str, float]:
    """Seconds of a run, MiB that it took beside the program and its input, and those of them."""
    from qsc.backends.loihi.simulator import run

    program = sparse_net(synapses) if kind == "sparse" else dense_net(max(synapses // WIDTH**2, 1))
    x = spikes_of(1, program.sources[0].shape[0], GROWTH_STEPS)
    before = resident_mib("VmRSS")
    seconds = median_seconds(lambda: run(program, {"x": x}, GROWTH_STEPS, ("counts",)), 3)
    counts = run(program, {"x": x}, GROWTH_STEPS, ("counts",)).counts
    rate = sum(c.sum() for c in counts.values()) / sum(c.size for c in counts.values()) / GROWTH_STEPS
    return {"seconds": seconds, "given": before, "mib": peak_mib() - before, "rate": float(rate)}


def main() -> None:
    for name, argument in (("feed forward", "lava:"), ("recurrent", "lava:back")):
        row = in_child(__file__, argument)
        print(f"{WIDTH} -> {WIDTH}, {STEPS} steps, {name}: {row['rate']:.1%} of the neurons spike in a step")
        if "lava" not in row:
            print("  Lava is left out: qsc env create lava")
        base = row.get("lava")
        for what, seconds, limit in (
            ("Lava, one input", base, None),
            ("ours, one input", row["one"], ONE_LIMIT),
            (f"ours, {BATCH} inputs, each", row["batch"] / BATCH, BATCH_LIMIT),
        ):
            if seconds is not None:
                ratio = f"{base / seconds:>8.1f} x (at least {limit:.0f})" if base and limit else ""
                print(f"  {what:<22} {seconds:>8.3f} s {ratio}")
    print("  synapses matrix   seconds  growth  MiB taken  MiB given  spiking")
    for kind, sizes in (("sparse", SIZES), ("dense", SIZES[1:])):
        last = None
        for size in sizes:
            row = in_child(__file__, f"{kind}:{size}")
            more = f"{row['seconds'] / last:.1f} x" if last else ""
            last = row["seconds"]
            facts = f"{row['mib']:>10.0f} {row['given']:>10.0f} {row['rate']:>8.1%}"
            print(f"{size:>10} {kind:<7} {last:>8.3f} {more:>7} {facts}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kind, _, rest = sys.argv[1].partition(":")
        print(json.dumps(against_lava(bool(rest)) if kind == "lava" else growth(kind, int(rest))))
    else:
        main()
