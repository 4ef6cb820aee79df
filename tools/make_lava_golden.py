"""Writes lava.npz and plastic.npz of tests/backends/loihi/golden: what Lava makes of the random programs there.

    qsc env create lava
    python tools/make_lava_golden.py

For each seed a hash of the program with its input, and one of the spikes, u and v of all its populations; of the first
few seeds also these numbers themselves. Of programs that learn the weights at the end are among them. Takes about five
minutes: Lava starts a process for each part of a program.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from qsc.backends.loihi.lava import Job, run_in_lava

HERE = Path(__file__).parents[1] / "tests" / "backends" / "loihi"
WHOLE = 12
"""Seeds whose numbers are kept."""

BATCH = 30


def generator(name: str) -> ModuleType:
    """A file of tests/backends/loihi."""
    spec = importlib.util.spec_from_file_location(f"random_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    write("programs", "lava.npz", ("spikes", "u", "v"))
    write("plastic_programs", "plastic.npz", ("spikes", "v", "weights"))


def write(name: str, file: str, kinds: tuple[str, ...]) -> None:
    """One file of golden numbers."""
    programs = generator(name)
    made = [programs.make(seed) for seed in range(programs.PROGRAMS)]
    jobs = [Job(p, {name: x[:, 0] for name, x in inputs.items()}, programs.STEPS) for p, inputs in made]
    traces = []
    for start in range(0, len(jobs), BATCH):
        traces += [ran.traces for ran in run_in_lava(jobs[start : start + BATCH], timeout=300)]
        print(f"{len(traces)} of {len(jobs)}", flush=True)
    arrays = {
        f"{seed}/{name}/{kind}": values
        for seed in range(WHOLE)
        for kind in kinds
        for name, values in getattr(traces[seed], kind).items()
    }
    path = HERE / "golden" / file
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        programs=np.array([programs.program_digest(*pair) for pair in made]),
        traces=np.array([programs.digest(trace) for trace in traces]),
        **arrays,  # pyright: ignore[reportArgumentType]
    )
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
