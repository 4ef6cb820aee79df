"""Accuracy of examples/digits_snn after `quantize-weights`, without training: levels, bits, and where the range ends.

    python benchmarks/quantizers.py

450 test digits, which neither the training nor a choice has seen: errors are compensated on the first 256 training
digits. The artifacts run in the embedded simulator of NIR graphs. The interval is of the difference from float weights,
over the same digits: 95 %, by the binomial test's normal form of the digits that only one of the two gets right
(McNemar).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import qsc

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits_snn"
CASES = {
    f"uniform {bits}, {clip}": {"bits": bits, "clip": clip} for bits in (2, 3, 4, 6, 8) for clip in ("max", "error")
}
CASES |= {
    f"power-of-two {bits}, {clip}": {"quantizer": "power-of-two", "bits": bits, "clip": clip}
    for bits in (3, 4)
    for clip in ("max", "error")
}
CASES |= {
    f"uniform {bits}, error, comp.": {"bits": bits, "clip": "error", "rounding": "compensated"} for bits in (2, 3, 4)
}
for kind in ("ternary", "binary"):
    CASES |= {kind: {"quantizer": kind}, f"{kind}, comp.": {"quantizer": kind, "rounding": "compensated"}}
"""What is printed -> the options of `quantize-weights`."""


def right(
    known: np.ndarray, images: np.ndarray, labels: np.ndarray, options: dict
) -> tuple[np.ndarray, dict[str, float]]:
    """Which digits the compiled network gets right, and its costs."""
    bundle = qsc.compile(EXAMPLE / "model.py", target="nir", calibration=[known], **options)
    spikes = bundle.run(images)
    return spikes.sum(axis=0).argmax(axis=1) == labels, bundle.costs


def main() -> None:
    sys.path.insert(0, str(EXAMPLE))
    from model import digits  # pyright: ignore[reportMissingImports]

    known, _, images, labels = (part.numpy() for part in digits())
    known = known[:256]
    plain, costs = right(known, images, labels, {})
    print(f"{'weights':<24} {'right':>9} {'accuracy':>9} {'minus float':>22} {'bit budget':>11} {'weight bits':>12}")
    print(f"{'float32':<24} {plain.sum():>5}/{len(plain)} {plain.mean():>9.4f} {'':>22} {costs['bit_budget']:>11.1f}")
    for name, options in CASES.items():
        found, costs = right(known, images, labels, options)
        gained, lost = int((found & ~plain).sum()), int((plain & ~found).sum())
        middle, wide = (gained - lost) / len(plain), 1.96 * (gained + lost) ** 0.5 / len(plain)
        between = f"{middle:+.4f} +- {wide:.4f}"
        print(
            f"{name:<24} {found.sum():>5}/{len(plain)} {found.mean():>9.4f} {between:>22} {costs['bit_budget']:>11.1f} "
            f"{costs['weight_memory_bits']:>12.0f}"
        )


if __name__ == "__main__":
    main()
