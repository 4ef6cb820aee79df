"""Teaches the net with the compiled program and writes `weights.safetensors`: python examples/13-sym-stdp/train.py

Every sample is one run of the program that `qsc compile` makes of learn.qsc; between samples the host scales the
weights, and shows a sample again, brighter, where it made too few spikes.
"""

import argparse
import time

import numpy as np
import qsc
from evaluate import accuracy
from model import (
    FEWEST,
    HIDDEN,
    MOST,
    RATE,
    STEPS,
    WEIGHTS,
    digits,
    first_weights,
    poisson,
    scaled,
    sized,
    taught,
)
from qsc.frontends.text import read
from safetensors.numpy import save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    program = qsc.compile(read(sized("learn")), target="host")
    images, labels, _, _ = digits()
    pe, ec, theta = first_weights(HIDDEN, rng)
    start = time.perf_counter()
    shown = 0
    for epoch in range(arguments.epochs):
        for count, sample in enumerate(rng.permutation(len(images)), 1):
            spikes, brightness = np.zeros(0), 1
            while spikes.sum() < FEWEST and brightness <= MOST:
                given = poisson(images[sample][None] * RATE * brightness, STEPS, rng)
                pe, ec, theta, spikes = program.run(given, taught(int(labels[sample]), STEPS, rng), pe, ec, theta)
                brightness += 1
                shown += 1
            pe, ec = scaled(pe, ec)
            if count % 200 == 0:
                print(f"epoch {epoch + 1}, sample {count}: {time.perf_counter() - start:.0f} s", flush=True)
    save_file({"w_pe": pe[0], "w_ec": ec[0], "theta": theta[0]}, WEIGHTS)
    right = accuracy(qsc.compile(WEIGHTS.with_name("recall.qsc"), target="host"), seed=1)
    seconds = time.perf_counter() - start
    print(f"{seconds:.0f} s, {shown} presentations; {right:.4f} of 450 test digits right; wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()
