"""The compiled network beside equations of its own in NumPy: python examples/31-ei-normalisation/evaluate.py"""

import argparse

import numpy as np
import qsc
from model import EI, HIDDEN, PIXELS, STEPS, EINet, calibrated, digits, model
from torch import Tensor, nn

TARGETS = ("nir", "loihi2")
CALIBRATION = 256
"""Training images by which scales are chosen; figures are of test images."""


class Spikes(nn.Module):
    """The network without its readout."""

    def __init__(self, net: EINet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.spikes(images)


def layer(weights: EI, x: np.ndarray) -> np.ndarray:
    """Currents (batch, outputs) in float64, row by row, zeros of the divisor and all."""
    w = {name: p.detach().double().numpy() for name, p in weights.named_parameters()}
    out = []
    for row in x.astype(np.float64):
        z = w["w_ie"] @ row
        divisor = w["w_ei"] @ (w["g_i"] * z)
        positive = sorted(set(divisor[divisor > 0].tolist()))
        # Numbers are zero or more, so the least above zero is the second of all where there is a zero.
        divisor = np.where(divisor == 0, positive[0] if positive else np.finfo(np.float32).max, divisor)
        out.append(w["g_e"] * (w["w_ee"] @ row - w["w_ei"] @ z) / divisor + w["b"])
    return np.stack(out)


def reference(net: EINet, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (STEPS, batch, 48) of the second layer in float64, and how near each of its neurons' potential came to
    the threshold there, with what came before: a number of the sample below 1e-6 may be rounded to the other side."""
    shown = layer(net.first, images)
    first, second = np.zeros_like(shown), np.zeros((len(images), net.second.b.shape[0]))
    out, near = [], np.full(len(images), np.inf)
    for _ in range(STEPS):
        first = first / 2 + shown
        fired = first >= 1
        near = np.minimum(near, np.abs(first - 1).min(1))
        first -= fired
        second = second / 2 + layer(net.second, fired)
        near = np.minimum(near, np.abs(second - 1).min(1))
        out.append(second >= 1)
        second -= out[-1]
    return np.stack(out), near


def layer_difference(net: EINet) -> tuple[float, int]:
    """Largest difference of three E-I layers from the equations, as a part of a row's largest current, and how many
    rows had a zero in the divisor. The third layer is not of the network: it has few weights, and so many zeros."""
    rng = np.random.default_rng(0)
    sparse = EI(PIXELS, HIDDEN[0])
    for weights in sparse.parameters():
        weights.data = Tensor(rng.random(weights.shape) * (rng.random(weights.shape) < 0.1))
    worst, zeros = 0.0, 0
    for part in (net.first, net.second, sparse):
        shape = (200, part.w_ee.shape[1])
        x = (rng.random(shape) * (rng.random(shape) < 0.1)).astype(np.float32)
        zeros += int((part.shunt(Tensor(x)).detach().numpy() == 0).any(1).sum())
        given = qsc.compile(part, target="host", example_input=Tensor(x), verify=False).run(x)
        wanted = layer(part, x)
        worst = max(worst, float((np.abs(given - wanted).max(1) / np.abs(wanted).max(1)).max()))
    return worst, zeros


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle of the network with its divisors."""
    train, _, test, labels = digits()
    how = {"target": target, "example_input": train[:32], "calibration": [train[:CALIBRATION].numpy()], "dale": True}
    bundle = qsc.compile(model, **how)
    spikes = qsc.compile(Spikes(model), **how)
    constant = qsc.compile(calibrated, **how)
    images = test.numpy()

    wanted, near = reference(model, images)
    given = spikes.run(images)
    differ = (given != wanted) & (near > 1e-6)[None, :, None]

    def right(scores: np.ndarray) -> str:
        return f"{(scores.argmax(1) == labels.numpy()).mean():.4f}"

    worst, zeros = layer_difference(model)
    dale = [r for r in bundle.manifest["remarks"] if r["text"].startswith("dale: ")]
    out = [
        (f"E-I layers, 600 inputs, {zeros} with a zero in a divisor: difference from NumPy", f"{worst:.1e}"),
        ("populations that only excite or only inhibit", f"{len(dale)} of {len(dale)}"),
        ("bins of the second layer that differ from NumPy's", f"{int(differ.sum())} of {given.size}"),
        ("accuracy on 450 test digits, compiled", right(bundle.run(images))),
        ("the same, PyTorch", right(model(test).detach().numpy())),
        ("with constant divisors, compiled", right(constant.run(images))),
        ("the same, PyTorch", right(calibrated(test).detach().numpy())),
        ("synapses of the network with constant divisors", f"{constant.costs['synapses']:.0f}"),
    ]
    return out, bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in found:
        print(f"{what:<85} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
