"""The compiled network beside the convolution it was trained as: python examples/39-dcls-delays/evaluate.py"""

import argparse

import numpy as np
import qsc
import torch
from model import PLACES, example_input, model, patterns

TARGETS = ("nir",)
TEST, CALIBRATION = 1000, 1001
"""Seeds of patterns that were not trained on."""


def whole_delays() -> np.ndarray:
    """The delay of every synapse, in steps."""
    return np.concatenate([(PLACES // 2 - s.P.detach().numpy()).ravel() for s in model.synapses()])


def figures(target: str, count: int = 1000) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle."""
    spikes, classes = patterns(count, TEST)
    calibration = patterns(200, CALIBRATION)[0].numpy()
    bundle = qsc.compile(model, target=target, example_input=example_input, calibration=[calibration])
    with torch.no_grad():
        wanted = model(spikes).numpy()
    given = bundle.run(spikes.numpy())
    delays = whole_delays()
    right = [(s.sum(0).argmax(1) == classes.numpy()).mean() for s in (given, wanted)]
    out = [
        ("delays in steps, least and largest", f"{delays.min():.0f} {delays.max():.0f}"),
        ("distinct delays", str(len(np.unique(delays)))),
        ("bins that differ from the convolution's", f"{int((given != wanted).sum())} of {wanted.size}"),
        (f"accuracy on {count} fresh patterns, compiled", f"{right[0]:.4f}"),
        ("the same, PyTorch", f"{right[1]:.4f}"),
        ("neurons, synapses", f"{bundle.costs['neurons']} {bundle.costs['synapses']}"),
        ("spikes of one pattern", f"{bundle.costs['spikes']:.1f}"),
    ]
    return out, bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<60} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
