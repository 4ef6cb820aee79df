"""Writes golden/lava.json.gz, what Lava makes of random learning rules:

python tests/backends/loihi/learning/make_golden.py PYTHON_OF_LAVA
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

from conftest import GOLDEN, in_lava, random_case


def main() -> None:
    cases = [random_case(seed) for seed in range(40)] + [random_case(seed, floating=True) for seed in range(100, 112)]
    with tempfile.TemporaryDirectory() as folder:
        results = in_lava(sys.argv[1], cases, Path(folder))
    for case, result in zip(cases, results, strict=True):
        for name in ("x1", "x2", "y1", "y2", "y3") if case["floating"] else ():
            del result[name]
    GOLDEN.parent.mkdir(exist_ok=True)
    text = json.dumps([{"case": c, "result": r} for c, r in zip(cases, results, strict=True)])
    GOLDEN.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"wrote {GOLDEN.name}: {len(cases)} cases, {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
