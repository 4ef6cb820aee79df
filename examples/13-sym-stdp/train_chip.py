"""Teaches the net on the chip, as this package simulates it, and writes `chip.safetensors`: python .../train_chip.py

Every sample is one run of the program that `qsc compile --target loihi2` makes of chip_learn.qsc.
"""

import argparse
import time

import numpy as np
from chip import WEIGHTS, Chip, compiled, lessons, start
from model import digits
from safetensors.numpy import save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    rng = np.random.default_rng(parser.parse_args().seed)
    images, labels, _, _ = digits()
    first = start(rng)
    save_file(first, WEIGHTS)
    chip = Chip(compiled(images[:4], labels[:4], rng))
    begin, spikes = time.perf_counter(), 0
    for count, sample in enumerate(rng.permutation(len(images)), 1):
        fired = chip.show(*lessons(images[[sample]], labels[[sample]], rng))
        chip.settle(fired)
        spikes += int(fired.sum())
        if count % 200 == 0:
            print(
                f"sample {count}: {time.perf_counter() - begin:.0f} s, {spikes / count:.1f} spikes of E each",
                flush=True,
            )
    save_file(first | chip.learned(), WEIGHTS)
    print(f"{time.perf_counter() - begin:.0f} s; wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()
