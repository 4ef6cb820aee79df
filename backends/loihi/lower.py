"""From a network in whole numbers to a Loihi 2 program.

Every connection costs a step of time on the chip, and none in the network. A population therefore runs `level` steps
late: its step t is the chip's step t + level. A connection of k steps from level a to level b is delayed by
k + b - a - 1 steps beside the one that it costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...bridges.networks import Layer, Network, Neurons
from ...ir import TargetError
from ...ir.diagnostics import UNKNOWN, Diagnostic, Location
from ...ir.ops import LoihiPlasticity
from ...ir.ops.fixed import LoihiLif
from .learning_network import reasons_against_learning
from .program import Connection, Learning, Population, Program, Source, Window

ALWAYS = "always"
"""Name of the source that spikes in every step: what a synaptic current gets in every step."""

POTENTIAL = (1 << 23) - 1
MOST_DELAY = 63


@dataclass(frozen=True)
class Synapse:
    """One connection of the network in whole numbers."""

    name: str
    source: str
    target: str
    steps: int
    layer: Layer
    shift: int

    @property
    def rule(self) -> LoihiPlasticity | None:
        """How it learns, or None."""
        return self.layer.fields.get("rule")

    @property
    def delays(self) -> np.ndarray | None:
        """Steps of every synapse, or None."""
        return self.layer.array("steps") if "steps" in self.layer.fields else None

    @property
    def least(self) -> int:
        """Steps that every spike takes."""
        return self.steps + (0 if self.delays is None else int(self.delays.min()))


def make_program(network: Network, message_bits: dict[str, int]) -> tuple[Program, dict[str, int]]:
    """(program, level of every population) of a network of `loihi_lif`.

    message_bits: input -> bits of its graded spikes with their sign, 0 for binary ones. TargetError where time does not
    work out, or where a bias cannot be held back until a population's input arrives.
    """
    if reasons := list(reasons_against_learning(network)):
        raise TargetError([Diagnostic("T0003", reason) for reason in reasons])
    found = _synapses(network)
    levels = _levels(network, found)
    sources = [Source(i.name, i.shape, message_bits[i.name]) for i in network.inputs]
    connections = [c for s in found for c in _connection(s, levels, network)]
    biases = [_always(s, levels) for s in found if "bias" in s.layer.fields]
    populations: list[Population] = []
    for name, part in network.parts.items():
        if isinstance(part, Neurons):
            made, axon = _population(name, part, levels[name])
            populations.append(made)
            biases += [] if axon is None else [axon]
    if biases:
        channels = max(c.weight.shape[1] for c in biases)
        sources.append(Source(ALWAYS, (channels,)))
        connections += [_widened(c, channels) for c in biases]
    latency = max(levels[end_of(network, name)] for name in network.outputs)
    outputs = tuple(name for name in network.outputs if isinstance(network.parts[name], Neurons))
    return Program(tuple(sources), tuple(populations), tuple(connections), outputs, latency), levels


def end_of(network: Network, output: str) -> str:
    """The population of an output: itself, or that behind synapses whose weights are read."""
    part = network.parts[output]
    return part.fields["post"][0] if isinstance(part, Layer) else output


def levels_of(network: Network) -> dict[str, int]:
    """How many steps later every population and input runs on the chip. TargetError where time does not work out."""
    return _levels(network, _synapses(network))


def _synapses(network: Network) -> list[Synapse]:
    return [s for name, part in network.parts.items() if isinstance(part, Neurons) for s in _into(network, name)]


def _into(network: Network, name: str) -> list[Synapse]:
    """The connections into a population: shift, weights, and a flatten that changes no order."""
    found: list[Synapse] = []
    for edge in network.into(name):
        part, shift, steps, label = network.parts.get(edge.source), 0, edge.steps, edge.source
        if isinstance(part, Layer) and part.kind == "shift":
            (edge,) = network.into(label)
            shift, label, steps = part.fields["by"], edge.source, steps + edge.steps
            part = network.parts[label]
        if not isinstance(part, Layer) or "weight" not in part.fields:
            raise TargetError(
                [Diagnostic("T0003", f"{name} is fed by {edge.source}, not by weights", _place(network, name))]
            )
        layer = part
        (edge,) = network.into(label)
        before, steps = network.parts.get(edge.source), steps + edge.steps
        if isinstance(before, Layer) and before.kind == "flatten":
            (edge,) = network.into(edge.source)
            steps += edge.steps
        found.append(Synapse(label, edge.source, name, steps, layer, shift))
    return found


def _place(network: Network, name: str) -> Location:
    return network.parts[name].location if name in network.parts else UNKNOWN


def _levels(network: Network, found: list[Synapse]) -> dict[str, int]:
    """The earliest level of every population and input, such that no connection has to be faster than a step."""
    names = [n for n, p in network.parts.items() if isinstance(p, Neurons)]
    levels = dict.fromkeys([*(i.name for i in network.inputs), *names], 0)
    changed = ""
    for _ in range(len(names) + 1):
        changed = ""
        for s in found:
            wanted = levels[s.source] + 1 - s.least
            if levels[s.target] < wanted:
                levels[s.target], changed = wanted, s.target
            elif s.rule is not None and levels[s.target] > wanted and s.source in names:
                # Synapses that learn have no delays: what comes before them waits.
                levels[s.source], changed = levels[s.target] - 1 + s.least, s.source
        if not changed:
            return levels
    text = f"a loop through {changed} takes fewer steps than it has connections, and on Loihi each costs one"
    raise TargetError([Diagnostic("T0003", text, _place(network, changed), help="give its recurrent path more delay")])


def _connection(s: Synapse, levels: dict[str, int], network: Network) -> list[Connection]:
    """The connection of a synapse, its weights at the upper end of the chip's 8 bits."""
    weight = s.layer.array("weight").astype(np.int64)
    if s.rule is not None:
        return [_plastic(s, s.rule, levels, weight)]
    sign = (
        "mixed" if (weight < 0).any() and (weight > 0).any() else "inhibitory" if (weight < 0).any() else "excitatory"
    )
    left_out = _left_out(weight, sign, s.shift)
    late = s.steps + levels[s.target] - levels[s.source] - 1
    delays: Any = late if s.delays is None else s.delays + late
    if np.max(delays) > MOST_DELAY:
        text = f"a spike takes {int(np.max(delays)) + 1} steps from {s.source} to {s.target}; Loihi 2 takes at most 64"
        raise TargetError([Diagnostic("T0003", text, s.layer.location)])
    window = _window(s.layer) if s.layer.kind == "conv" else None
    stored = weight.reshape(*weight.shape[:2], *(1,) * (4 - weight.ndim), *weight.shape[2:]) if window else weight
    held = None if not np.any(delays) else np.broadcast_to(np.asarray(delays), stored.shape).copy()
    bits = 8 - left_out + (sign == "mixed")
    return [
        Connection(
            s.name,
            s.source,
            s.target,
            stored << left_out,
            bits,
            s.shift - left_out,
            sign,
            held,
            window,
            window is None and _thin(weight),
        )
    ]


def _plastic(s: Synapse, op: LoihiPlasticity, levels: dict[str, int], weight: np.ndarray) -> Connection:
    """The connection of synapses that learn, its weights in the units of the rule."""
    late = s.steps + levels[s.target] - levels[s.source] - 1
    if late:
        text = f"spikes from {s.source} to {s.target} wait {late} steps, and synapses that learn have no delays"
        help = f"let the other ways to {s.target} take as many steps more, or fewer before {s.source}"
        raise TargetError([Diagnostic("T0003", text, s.layer.location, help=help)])
    learning = Learning(op.whole, op.seed)
    return Connection(s.name, s.source, s.target, weight, 8, s.shift, op.sign, learning=learning)


def _left_out(weight: np.ndarray, sign: str, shift: int) -> int:
    """By how many bits the weights are shifted up: as far as they go, within the exponents that the chip has."""
    limits = {"mixed": (-256, 254), "excitatory": (0, 255), "inhibitory": (-255, 0)}[sign]
    least = 1 if sign == "mixed" else 0
    return max(
        (
            k
            for k in range(least, 9)
            if limits[0] <= weight.min() << k and weight.max() << k <= limits[1] and shift - k >= -7
        ),
        default=least,
    )


def _thin(weight: np.ndarray) -> bool:
    """Whether a list of the weights that are not zero is shorter than all of them."""
    return int(np.count_nonzero(weight)) * 2 < weight.size


def _window(layer: Layer) -> Window:
    def pair(name: str, fill: int) -> tuple[int, int]:
        given = tuple(int(v) for v in np.atleast_1d(layer.fields[name]))
        return (given[0], given[1]) if len(given) == 2 else (fill, given[0])

    return Window(pair("stride", 1), pair("padding", 0), pair("dilation", 1), int(layer.fields["groups"]))


def _always(s: Synapse, levels: dict[str, int]) -> Connection:
    """What a synaptic current gets in every step."""
    bias = s.layer.array("bias").astype(np.int64)
    if s.layer.kind == "conv":
        bias = np.broadcast_to(bias.reshape(-1, 1), (len(bias), int(np.prod(s.layer.shape[1:])))).ravel()
    # A shift to the right would round the sum and the bias apart; the bias is a multiple of what it drops.
    whole, shift = (bias >> -s.shift, 0) if s.shift < 0 else (bias << max(s.shift - 8, 0), min(s.shift, 8))
    return _axon(f"{s.name}_bias", s.target, whole, shift, levels[s.target])


def _axon(name: str, target: str, whole: np.ndarray, shift: int, level: int) -> Connection:
    """Whole numbers that a population gets in every step, by as many synapses a neuron as it takes, exactly."""
    channels = max(1, int(-(-np.abs(whole).max() // 127)))
    weight = np.stack(
        [np.clip(whole - np.sign(whole) * 127 * k, -127, 127) * (np.abs(whole) > 127 * k) for k in range(channels)],
        axis=1,
    )
    delays = np.full(weight.shape, level - 1) if level > 1 else None
    return Connection(name, ALWAYS, target, weight << 1, 8, shift - 1, "mixed", delays)


def _widened(c: Connection, channels: int) -> Connection:
    missing = ((0, 0), (0, channels - c.weight.shape[1]))
    delays = None if c.delays is None else np.pad(c.delays, missing)
    return Connection(c.name, c.source, c.target, np.pad(c.weight, missing), c.weight_bits, c.exponent, c.sign, delays)


def _population(name: str, part: Neurons, level: int) -> tuple[Population, Connection | None]:
    """(the population, the connection that brings its bias where its register would do so too early)."""
    assert isinstance(part.op, LoihiLif)
    given = (np.asarray(part.parameters[n]).astype(np.int64) for n in ("du", "dv", "bias", "threshold"))
    du, dv, bias, threshold = given
    initial: Any = 0
    axon = None
    try:
        spread = np.broadcast_to(bias, part.shape), np.broadcast_to(dv, part.shape)
        initial = held_back(*spread, threshold, level, name, part)
    except TargetError:
        # A current without memory is the same as a bias, in units of 64 and as late as its synapses.
        if (du != 4095).any() or (bias % 64).any():
            raise
        axon = _axon(f"{name}_bias", name, np.broadcast_to(bias // 64, part.shape).ravel(), 0, level)
        bias = np.zeros_like(bias)
    exponent = next((k for k in range(7, -1, -1) if not np.any(bias & ((1 << k) - 1))), 0)
    du_held, dv_held, level_held, bias_held = (
        x.item() if x.ndim == 0 else x for x in (du, dv, threshold, bias >> exponent)
    )
    started = initial if np.any(initial) else 0
    return Population(name, part.shape, du_held, dv_held, level_held, bias_held, exponent, started), axon


def held_back(
    bias: np.ndarray, dv: np.ndarray, threshold: np.ndarray, level: int, name: str, part: Neurons
) -> np.ndarray:
    """The potentials from which `level` steps of bias alone lead to zero, without a spike on the way.

    A step takes |v| to (|v| (4096 - dv)) >> 12, towards zero and onto every whole number, so that each step can be gone
    back: v' - bias has to be what the potential decays to. TargetError where there is no such way.
    """
    v = np.zeros(part.shape, np.int64)
    highest = np.full(part.shape, -POTENTIAL)
    for _ in range(level):
        wanted = v - bias
        # The least magnitude that decays to |wanted|.
        size = -(-(np.abs(wanted) << 12) // (4096 - dv))
        highest = np.maximum(highest, v)
        v = np.sign(wanted) * size
    if np.abs(v).max(initial=0) > POTENTIAL or (highest > (np.asarray(threshold) << 6)).any():
        text = (
            f"the bias of {name} acts {level} steps before its input arrives, and no initial potential makes up for it"
        )
        raise TargetError([Diagnostic("T0003", text, part.location, help="a smaller bias, or fewer layers before it")])
    return v
