"""Every benchmark, one after the other.

python benchmarks/run_all.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "startup",
    "circuit_size",
    "circuit_growth",
    "nir_size",
    "quantum_layer",
    "gradient_batch",
    "execution",
    "loihi",
    "loihi_mapping",
    "quantizers",
    "quantum/cut_landmarks",
    "quantum/landmarks",
    "quantum/suite",
    "quantum/mqt_families",
    "quantum/fidelity",
    "quantum/cut_search",
    "quantum/cutting",
    "quantum/cutting_shots",
)
"""The last seven take from minutes to an hour."""


def main() -> None:
    here = Path(__file__).parent
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(here / f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
