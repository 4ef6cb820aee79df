"""Runs a program step by step, to the bit as Lava's fixed-point models do, for a batch of inputs at once.

Steps are taken in chunks. Within one, populations are taken in the order of their connections: one that does not feed
back gets the input of all steps by one product for each connection, then only its neurons go step by step. Populations
that feed back to each other take every step together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ...ir import InputError, TargetError
from ...ir.diagnostics import did_you_mean
from .arrays import Kit, kit_of
from .neurons import Neurons
from .plastic import PlasticSynapses
from .products import Branch, branches
from .program import Population, Program, Source
from .ranges import faults

RECORDS = ("spikes", "u", "v", "counts")

CHUNK_NUMBERS = 2**21
"""Neurons of all populations x inputs x steps that are held at once, about."""

CHUNK_STEPS = 256


@dataclass
class Traces:
    """What a run recorded, for each population.

    spikes: bool, u, v: int32, (steps, batch, *shape), after each step, v after the reset; counts: int64, (batch,
    *shape), spikes over all steps. What was not asked for is empty. weights: connection that learns -> int64, (batch,
    out, in), after the last step, or after the step that was asked for.
    """

    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    u: dict[str, np.ndarray] = field(default_factory=dict)
    v: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)


def run(
    program: Program,
    inputs: Mapping[str, np.ndarray],
    steps: int,
    record: Collection[str] = ("spikes",),
    *,
    populations: Collection[str] | None = None,
    device: str = "numpy",
    weights_after: Mapping[str, int] | None = None,
) -> Traces:
    """Spikes, u and v of a program, bit for bit those of Lava 0.10.

    inputs: source -> whole numbers (steps, batch, *shape), 0 and 1 but for graded spikes. record: of spikes, u, v and
    counts. populations: those that are recorded [all]. device: numpy, or a device of torch (cpu, cuda); the numbers are
    the same on all of them. weights_after: connection that learns -> the steps after which its weights are kept [all].
    Raises TargetError T0006 for a program that does not fit the registers, InputError R0001
    for inputs that do not fit the program, O0002 for anything unknown to be recorded.
    """
    if found := faults(program):
        raise TargetError(found)
    names = [p.name for p in program.populations]
    wanted = names if populations is None else list(populations)
    _known("population", wanted, names)
    _known("record", record, RECORDS)
    batch = _batch(program, inputs, steps)
    simulation = _Simulation(program, batch, kit_of(device), _ends(program, steps, weights_after or {}))
    recorder = _Recorder(program, wanted, record, steps, batch, simulation.kit)
    for start in range(0, steps, simulation.chunk):
        stop = min(start + simulation.chunk, steps)
        simulation.take({name: values[start:stop] for name, values in inputs.items()}, start, stop - start, recorder)
    recorder.traces.weights = {s.name: s.kept for leaves in simulation.plastic.values() for s in leaves}
    return recorder.traces


def _ends(program: Program, steps: int, weights_after: Mapping[str, int]) -> dict[str, int]:
    """Connection that learns -> the steps after which its weights are kept."""
    learning = [c.name for c in program.connections if c.learning is not None]
    _known("connection that learns", weights_after, learning)
    for name, after in weights_after.items():
        if not 1 <= after <= steps:
            raise _unfit(f"weights of {name} after {after} steps are asked for, of a run of {steps}")
    return dict.fromkeys(learning, steps) | dict(weights_after)


def _known(what: str, given: Collection[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError.of("O0002", f"there is no {what} {name!r}", help=did_you_mean(name, known))


def _batch(program: Program, inputs: Mapping[str, np.ndarray], steps: int) -> int:
    """How many inputs there are, the same of every source; 1 where there is no source."""
    sources = {s.name: s for s in program.sources}
    if steps < 1:
        raise _unfit(f"a run takes at least one step, not {steps}")
    for name in inputs:
        if name not in sources:
            raise _unfit(f"the program has no source {name!r}", did_you_mean(name, sources))
    sizes = dict[str, int]()
    for name, source in sources.items():
        if name not in inputs:
            raise _unfit(f"source {name} has no input")
        values = inputs[name]
        want = f"(steps {steps}, batch, {', '.join(map(str, source.shape))})"
        if values.ndim < 2 or values.shape[0] != steps or values.shape[2:] != source.shape:
            raise _unfit(f"the input of source {name} is of shape {values.shape}; it takes {want}")
        _check_values(source, values)
        sizes[name] = values.shape[1]
    if len(set(sizes.values())) > 1 or 0 in sizes.values():
        raise _unfit(
            f"the inputs differ in how many there are: {sizes}" if all(sizes.values()) else "there is no input"
        )
    return next(iter(sizes.values()), 1)


def _check_values(source: Source, values: np.ndarray) -> None:
    if values.dtype.kind not in "iub":
        raise _unfit(f"the input of source {source.name} is of type {values.dtype}; it takes whole numbers")
    if not values.size or values.dtype.kind == "b":
        return
    high = 2 ** (source.message_bits - 1) - 1 if source.message_bits else 1
    low = -high if source.message_bits else 0
    least, greatest = int(values.min()), int(values.max())
    if least < low or greatest > high:
        worst = least if least < low else greatest
        kind = f"spikes of {source.message_bits} bits are" if source.message_bits else "binary spikes are"
        raise _unfit(f"the input of source {source.name} has {worst}; {kind} {low}..{high}")


def _unfit(message: str, help: str = "") -> InputError:
    return InputError.of("R0001", message, help=help)


class _Recorder:
    """Copies what is wanted of each chunk into arrays of all steps."""

    def __init__(
        self, program: Program, wanted: Sequence[str], record: Collection[str], steps: int, batch: int, kit: Kit
    ) -> None:
        self.kit = kit
        self.traces = Traces()
        shapes = {p.name: p.shape for p in program.populations if p.name in wanted}
        for kind, dtype in (("spikes", bool), ("u", np.int32), ("v", np.int32)):
            if kind in record:
                made = {name: np.empty((steps, batch, *shape), dtype) for name, shape in shapes.items()}
                setattr(self.traces, kind, made)
        if "counts" in record:
            self.traces.counts = {name: np.zeros((batch, *shape), np.int64) for name, shape in shapes.items()}

    def note(self, name: str, start: int, spikes: Any, u: Any, v: Any) -> None:
        """Steps from `start` on of one population: (steps, batch, neurons)."""
        stop = start + len(spikes)
        for kind, values in (("spikes", spikes), ("u", u), ("v", v)):
            if name in (kept := getattr(self.traces, kind)):
                kept[name][start:stop] = self.kit.get(values).reshape(kept[name][start:stop].shape)
        if name in self.traces.counts:
            kept = self.traces.counts[name]
            kept += self.kit.get(spikes.sum(0)).reshape(kept.shape)


class _Simulation:
    """A program made ready: its products, the state of its neurons, and what is on its way to them."""

    def __init__(self, program: Program, batch: int, kit: Kit, ends_of_learning: Mapping[str, int]) -> None:
        ends: dict[str, Source | Population] = {e.name: e for e in (*program.sources, *program.populations)}
        self.kit, self.batch = kit, batch
        self.graded = {s.name: s.message_bits for s in program.sources}
        self.leaving: dict[str, list[tuple[str, Branch]]] = {name: [] for name in ends}
        peak = dict.fromkeys(ends, 0.0)
        reach = dict.fromkeys(ends, 1)
        self.plastic: dict[str, list[PlasticSynapses]] = {p.name: [] for p in program.populations}
        """Population -> the connections into it that learn."""
        for c in program.connections:
            if c.learning is not None:
                made = PlasticSynapses.of(c, c.learning, batch, ends_of_learning[c.name])
                self.plastic[c.target].append(made)
                peak[c.target] += made.bound
                continue
            for branch in branches(c, ends[c.source].shape, self.graded.get(c.source, 0), kit):
                self.leaving[c.source].append((c.target, branch))
                peak[c.target] += branch.bound
                reach[c.target] = max(reach[c.target], branch.step)
        neurons = sum(prod(e.shape) for e in ends.values())
        self.chunk = max(1, min(CHUNK_STEPS, CHUNK_NUMBERS // (neurons * batch)))
        self.neurons = {p.name: Neurons.of(p, batch, peak[p.name], kit) for p in program.populations}
        self.arriving = {
            p.name: kit.zeros((self.chunk + reach[p.name], batch, prod(p.shape)), "float64")
            for p in program.populations
        }
        made = {p.name: (self.chunk, batch, prod(p.shape)) for p in program.populations}
        self.v = {name: kit.zeros(shape, "float64") for name, shape in made.items()}
        self.spikes = {name: kit.zeros(shape, "bool") for name, shape in made.items()}
        after = {name: [target for target, _ in leaving] for name, leaving in self.leaving.items()}
        for target, found in self.plastic.items():
            for synapses in found:
                after[synapses.source].append(target)
        self.groups = components([p.name for p in program.populations], after)

    def take(self, inputs: Mapping[str, np.ndarray], start: int, steps: int, recorder: _Recorder) -> None:
        """`steps` steps from step `start` on; inputs are those of these steps."""
        given: dict[str, Any] = {}
        for name, values in inputs.items():
            kind = np.float64 if self.graded[name] else bool
            given[name] = self.kit.put(values.reshape(steps, self.batch, -1).astype(kind))
            self._send(given[name], self.leaving[name], 0)
        for group in self.groups:
            inside = {name: [leaf for leaf in self.leaving[name] if leaf[0] in group] for name in group}
            learning = [(name, synapses) for name in group for synapses in self.plastic[name]]
            size = 1 if learning or any(inside.values()) else steps
            kept = {
                name: (self.arriving[name][:steps], self.v[name][:steps], self.spikes[name][:steps]) for name in group
            }
            for at in range(0, steps, size):
                part = slice(at, at + size)
                for name, (u, v, spikes) in kept.items():
                    self.neurons[name].advance(u[part], v[part], spikes[part])
                for name, (_, _, spikes) in kept.items():
                    self._send(spikes[part], inside[name], at)
                for name, synapses in learning:
                    before = given[synapses.source] if synapses.source in given else self.spikes[synapses.source]
                    total = synapses.take(self.kit.get(before[at]), self.kit.get(self.spikes[name][at]))
                    place = self.arriving[name][at + 1]
                    place += self.kit.put(total)
            for name, (u, v, spikes) in kept.items():
                recorder.note(name, start, spikes, u, v)
                self._send(spikes, [leaf for leaf in self.leaving[name] if leaf not in inside[name]], 0)
        for arriving in self.arriving.values():
            later = len(arriving) - steps
            arriving[:later] = arriving[steps:] + 0
            arriving[later:] = 0

    def _send(self, spikes: Any, leaving: Sequence[tuple[str, Branch]], at: int) -> None:
        """Spikes (steps, batch, neurons) of the steps from `at` on go to their targets."""
        flat = spikes.reshape(len(spikes) * self.batch, -1)
        for target, branch in leaving:
            total = branch.product(flat)
            if total is not None:
                first = at + branch.step
                place = self.arriving[target][first : first + len(spikes)]
                place += total.reshape(place.shape)


def components(names: Sequence[str], after: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Groups of names that reach each other, those before that lead to those after (Tarjan, SIAM J. Comput. 1, 1972).

    after: name -> names that follow it; others than `names` may be keys.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []
    for root in names:
        work = [(root, iter(after[root]))] if root not in index else []
        while work:
            name, rest = work[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                open_.append(name)
            for other in rest:
                if other not in index:
                    work.append((other, iter(after[other])))
                    break
                if other in open_:
                    low[name] = min(low[name], low[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    cut = open_.index(name)
                    found.append(open_[cut:])
                    del open_[cut:]
    return found[::-1]
