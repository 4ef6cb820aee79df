"""The learning net in Brian2 2.9: PYTHON_OF_BRIAN2 brian2_reference.py GIVEN.npz FOUND.npz

For a Python that has Brian2, and nothing of qsc. Given: spikes p (steps, 64) and teacher (steps, 10), weights pe
(hidden, 64) and ec (10, hidden), theta (hidden,). Found: the spikes of E (steps, hidden), and pe, ec and theta after
every quarter of the steps.
"""
# pyright: reportMissingImports=false

import sys
from collections.abc import Sequence
from typing import Any

import brian2 as b
import numpy as np

b.prefs.codegen.target = "numpy"
DT = 0.5 * b.ms
NEURONS = """
dv/dt = ((rest - v) + g*(0 - v) + h*(-100 - v)) / tau : 1 (unless refractory)
dg/dt = -g / (1*ms) : 1
dh/dt = -h / (2*ms) : 1
dtheta/dt = -theta / (1e7*ms) : 1
rest : 1 (shared)
tau : second (shared)
"""
TRACES = """
w : 1
dx/dt = -x / (20*ms) : 1 (clock-driven)
dy/dt = -y / (20*ms) : 1 (clock-driven)
"""


def population(size: int, rest: float, reset: float, tau: float, threshold: str, on_spike: Sequence[str] = ()) -> Any:
    """Neurons at rest; rest and reset in mV, tau in ms."""
    group = b.NeuronGroup(
        size,
        NEURONS,
        threshold=threshold,
        reset="\n".join([f"v = {reset}", *on_spike]),
        refractory=2 * b.ms,
        method="exponential_euler",
        dt=DT,
    )
    group.rest, group.tau, group.v = rest, tau * b.ms, rest
    return group


def given_spikes(series: np.ndarray) -> Any:
    """Neurons that spike as a series (steps, n) says."""
    steps, neurons = np.nonzero(series)
    return b.SpikeGeneratorGroup(series.shape[1], neurons, steps * DT, dt=DT)


def plastic(before: Any, after: Any, weights: np.ndarray, nu: float, most: float, acts: Sequence[str] = ()) -> Any:
    """Symmetric STDP, as the paper states it; the spike before is first where both come in one step."""
    synapses = b.Synapses(
        before,
        after,
        TRACES,
        on_pre="\n".join([*acts, "w = clip(w + nu*y, 0, most)", "x += a"]),
        on_post="w = clip(w + nu*x, 0, most)\ny += a",
        method="exact",
        namespace={"nu": nu, "a": 0.1, "most": most},
        dt=DT,
    )
    synapses.connect()
    synapses.pre.order, synapses.post.order = 0, 1
    synapses.w = weights[synapses.j[:], synapses.i[:]]
    return synapses


def matrix(synapses: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The weights (after, before)."""
    out = np.zeros(shape)
    out[synapses.j[:], synapses.i[:]] = synapses.w[:]
    return out


def main() -> None:
    given = dict(np.load(sys.argv[1]))
    steps, hidden = len(given["p"]), len(given["theta"])
    inputs, teacher = given_spikes(given["p"]), given_spikes(given["teacher"])
    e = population(hidden, -65, -65, 100, "v > theta - 72", ["theta += 0.07*10/abs(theta - 10)"])
    i = population(hidden, -60, -45, 10, "v > -40")
    e.theta = given["theta"]
    pe = plastic(inputs, e, given["pe"], 0.005, 1, ["g_post += w"])
    ec = plastic(e, teacher, given["ec"], 0.04, 8)
    excite = b.Synapses(e, i, on_pre="g_post += 10.4", dt=DT)
    excite.connect(j="i")
    inhibit = b.Synapses(i, e, on_pre="h_post += 17", dt=DT)
    inhibit.connect(condition="i != j")
    monitor = b.SpikeMonitor(e)
    net = b.Network(inputs, teacher, e, i, pe, ec, excite, inhibit, monitor)
    found: dict[str, list[np.ndarray]] = {"pe": [], "ec": [], "theta": []}
    for _ in range(4):
        net.run(steps // 4 * DT)
        found["pe"].append(matrix(pe, given["pe"].shape))
        found["ec"].append(matrix(ec, given["ec"].shape))
        found["theta"].append(np.array(e.theta[:]))
    spikes = np.zeros((steps, hidden), bool)
    spikes[np.round(np.array(monitor.t / DT)).astype(int), np.array(monitor.i)] = True
    arrays: dict[str, Any] = {k: np.stack(v) for k, v in found.items()}
    np.savez_compressed(sys.argv[2], spikes=spikes, **arrays)


if __name__ == "__main__":
    main()
