"""A chain of layers as lava-dl's network exchange: `network.net`, HDF5.

The layout is what lava-dl 0.6 writes (lava.lib.dl.slayer.block.base, export_hdf5) and reads (lava.lib.dl.netx.hdf5):
layer/0, layer/1, ... of type input, flatten, dense or conv. `docs/loihi.md` says how registers map. The reader has ways
of its own, which `read_weight` follows: it chooses exponent and bits of a matrix from its weights, and drops what it
does not know; so a program is written only where what netx reads means the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from math import floor, log2, prod
from typing import Any

import numpy as np

from ...bridges.extras import need
from ...ir import TargetError
from ...ir.diagnostics import Diagnostic
from .program import CLIPS, Connection, Population, Program
from .ranges import REGISTERS, faults

NETX_FILE = "network.net"
BIAS_EXPONENT = 6
"""Netx gives every neuron this exponent of its bias."""

MOST_DELAY = 62
"""Netx clips delays to it."""

_REGISTERS = {"iDecay": ("du", 1), "vDecay": ("dv", 0), "vThMant": ("threshold", 0)}
"""Name in the file -> (register, what is added to it)."""

Chain = list[tuple[Connection, Population]]


def dump(program: Program) -> dict[str, bytes]:
    """The file of a program that is a chain of dense and convolution layers; equal programs give equal bytes.

    Netx builds it for Lava's fixed-point simulation with the same spikes. TargetError T0006 for a program that does not
    fit the registers, T0003 with every reason why netx cannot hold it. MissingError E0001 without h5py.
    """
    if found := faults(program):
        raise TargetError(found)
    if reasons := list(_reasons(program)):
        help = "the program file and the Lava script hold every program"
        raise TargetError([Diagnostic("T0003", f"netx: {reason}", help=help) for reason in reasons])
    h5py = need("h5py", "nir")
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        for number, layer in enumerate(_layers(program)):
            for name, value in layer.items():
                file.create_dataset(f"layer/{number}/{name}", data=value)
    return {NETX_FILE: held.getvalue()}


def _layers(program: Program) -> Iterator[dict[str, Any]]:
    """Path -> value of every layer. A flatten comes between images and a matrix."""
    (source,) = program.sources
    yield {"type": _kind("input"), "shape": np.array(source.shape)}
    images, shape = len(source.shape) > 1, source.shape
    for c, p in _chain(program):
        if c.window is None and images:
            yield {"type": _kind("flatten"), "shape": np.array([prod(shape)])}
        yield _layer(c, p)
        images, shape = c.window is not None, p.shape


def _kind(name: str) -> np.ndarray:
    return np.array([name.encode()], "S10")


def _layer(c: Connection, p: Population) -> dict[str, Any]:
    weight = _scaled(c)
    layer: dict[str, Any] = {"shape": np.array(p.shape), "weight": weight.astype(np.int32)}
    if c.window is None:
        layer |= {"type": _kind("dense"), "inFeatures": weight.shape[1], "outFeatures": weight.shape[0]}
    else:
        layer |= {
            "type": _kind("conv"),
            "inChannels": weight.shape[1] * c.window.groups,
            "outChannels": weight.shape[0],
        }
        layer |= {"kernelSize": np.array(weight.shape[2:]), "groups": c.window.groups}
        layer |= {name: np.array(getattr(c.window, name)) for name in ("stride", "padding", "dilation")}
    if c.delays is not None:
        layer["delay"] = _dense(c, c.delays).astype(np.int32)
    neuron = {name: _laid_out(getattr(p, own), c, p) + more for name, (own, more) in _REGISTERS.items()}
    neuron |= {"type": "CUBA", "refDelay": 1, "gradedSpike": False}
    layer |= {f"neuron/{name}": value for name, value in neuron.items()}
    if np.any(p.bias):
        mantissa = (np.broadcast_to(p.bias, p.shape) << p.bias_exponent) >> BIAS_EXPONENT
        layer["bias"] = _laid_out(mantissa, c, p)
    return layer


def _laid_out(values: Any, c: Connection, p: Population) -> Any:
    """A register: one number; of a dense layer one for each neuron; of images one for each channel, else (w, h, c)."""
    if np.ndim(values) == 0:
        return int(values)
    values = np.asarray(values, np.int32)
    if c.window is None:
        return values.ravel()
    alike = (values == values[:, :1, :1]).all()
    return values[:, 0, 0] if alike else np.ascontiguousarray(values.transpose(2, 1, 0))


def _dense(c: Connection, data: np.ndarray) -> np.ndarray:
    """Weights or delays as they are, those of sparse rows in a whole matrix."""
    if isinstance(c.weight, np.ndarray):
        return data
    spread = c.weight.copy()
    spread.data = data
    return spread.toarray()


def _scaled(c: Connection) -> np.ndarray:
    """The weights with their exponent in them: of those below 0 only what divides is asked for."""
    kept = c.effective()
    kept = (kept if isinstance(c.weight, np.ndarray) else kept.toarray()).astype(np.int64)
    return kept << c.exponent if c.exponent >= 0 else kept >> -c.exponent


def read_weight(weight: np.ndarray) -> np.ndarray | None:
    """What a Dense of Lava multiplies with, its exponent in it, where netx reads `weight`, (out, in) integers.

    None where netx fails, or asks for a shift below 0. Not all are whole: a sum is rounded down after it is formed.
    lava.lib.dl.netx.utils.optimize_weight_bits chooses a shift, bits and a sign mode; netx hands on the first two, and
    lava.utils.weightutils takes a sign mode of its own, clips and truncates.
    """
    low, high = int(weight.min()), int(weight.max())
    if low == high == 0:
        return None
    mixed = low < 0 <= high
    scales = {"above": (127 if mixed else 255) / high if high > 0 else np.inf}
    scales["below"] = (128 if mixed else 256) / -low if low < 0 else np.inf
    shift = floor(log2(min(scales.values()))) + mixed
    lowest = next((n for n in range(8, 0, -1) if not (weight % 2**n).any()), 0) - mixed
    bits = 8 - shift - lowest
    sign = "excitatory" if low >= 0 else "inhibitory" if high <= 0 else "mixed"
    lost = 8 - bits + (sign == "mixed")
    if shift < 0 or lost < 0:
        return None
    kept = np.clip(weight << shift, *CLIPS[sign])
    kept = -(-kept >> lost << lost) if sign == "inhibitory" else kept >> lost << lost
    return kept / 2**shift


def _chain(program: Program) -> Chain:
    """Connections and the populations behind them, from the source on, as far as there is one way."""
    populations = {p.name: p for p in program.populations}
    after = {c.source: c for c in reversed(program.connections)}
    found: Chain = []
    here, seen = program.sources[0].name, set[str]()
    while here in after and after[here].target not in seen:
        c = after[here]
        found.append((c, populations[c.target]))
        here = c.target
        seen.add(here)
    return found


def _reasons(program: Program) -> Iterator[str]:
    structure = list(_structure(program))
    yield from structure
    for p in program.populations:
        yield from _against_neurons(p)
    images = True
    for c, _ in [] if structure else _chain(program):
        if c.window is not None and not images:
            yield f"connection {c.name} is a convolution of neurons behind a matrix, which netx holds in one row"
        images = c.window is not None
        yield from _against_synapses(c)


def _structure(program: Program) -> Iterator[str]:
    """Why the program is no chain."""
    if len(program.sources) != 1:
        names = ", ".join(s.name for s in program.sources) or "none"
        yield f"there is one input, and the program's sources are: {names}"
    for s in program.sources:
        if s.message_bits:
            yield f"source {s.name} has graded spikes, and the file does not say of how many bits"
    fed: dict[str, list[Connection]] = {p.name: [] for p in program.populations}
    for c in program.connections:
        fed[c.target].append(c)
        if _reaches(program, c.target, c.source):
            yield f"connection {c.name} feeds back, and its reader runs no recurrent layers"
    for name, given in fed.items():
        if not given:
            yield f"population {name} gets no spikes, and every layer has weights"
        if len(given) > 1:
            together = ", ".join(f"{c.name} from {c.source}" for c in given)
            yield f"population {name} gets {together}; a layer has one matrix, of one exponent and one layer before it"
    for name in (*(s.name for s in program.sources), *fed):
        targets = dict.fromkeys(c.target for c in program.connections if c.source == name and c.target != name)
        if len(targets) > 1:
            yield f"{name} leads to {', '.join(targets)}; a layer leads to one other"
        if targets and name in program.outputs:
            yield f"output {name} is not the last layer, the only one that can be read"


def _reaches(program: Program, start: str, end: str) -> bool:
    """Whether spikes of `start` come to `end`."""
    seen, open_ = {start}, [start]
    while open_:
        here = open_.pop()
        new = {c.target for c in program.connections if c.source == here} - seen
        seen |= new
        open_ += new
    return end in seen


def _against_neurons(p: Population) -> Iterator[str]:
    if np.any(p.initial_v):
        yield f"population {p.name} starts at a potential of its own, and there is no place for it"
    bias = np.asarray(p.bias, np.int64) << p.bias_exponent
    low, high = (limit << BIAS_EXPONENT for limit in REGISTERS["bias"])
    if (bias % 2**BIAS_EXPONENT).any() or bias.min() < low or bias.max() > high:
        worst = bias.ravel()[np.argmax((bias % 2**BIAS_EXPONENT != 0) | (bias < low) | (bias > high))]
        limits = f"multiples of {2**BIAS_EXPONENT} in {low}..{high}"
        yield f"population {p.name} has the bias {worst}; netx gives all the exponent {BIAS_EXPONENT}: {limits}"


def _against_synapses(c: Connection) -> Iterator[str]:
    what = f"connection {c.name}"
    if c.learning is not None:
        yield f"{what} learns, and its reader holds weights still"
    if c.delays is not None and c.window is not None:
        yield f"{what} is a convolution with delays, which its reader drops"
    elif c.delays is not None and c.delays.max(initial=0) > MOST_DELAY:
        yield f"{what} has a delay of {c.delays.max()}, which its reader clips to {MOST_DELAY}"
    kept = c.effective()
    stored = kept if isinstance(c.weight, np.ndarray) else kept.data
    if c.exponent < 0 and (stored % 2**-c.exponent).any():
        yield f"{what} shifts its sums right by {-c.exponent}, which loses bits; netx shifts none away"
        return
    weight = _scaled(c)
    low, high = CLIPS["mixed"]
    if weight.min() < low or weight.max() > high:
        yield (
            f"{what} has weights {weight.min()}..{weight.max()} with its exponent {c.exponent}; netx has none, and"
            f" {low}..{high}"
        )
    elif c.window is None:
        yield from _against_matrix(what, weight)


def _against_matrix(what: str, weight: np.ndarray) -> Iterator[str]:
    read = read_weight(weight)
    if read is None:
        kind = "weights, all 0" if not weight.any() else f"weights {weight.min()}..{weight.max()}"
        yield f"{what} has {kind}; its reader finds no bits that hold them"
    elif (read != weight).any():
        place = np.argmax(read != weight)
        yield f"{what}: its reader makes {read.ravel()[place]:g} of the weight {weight.ravel()[place]}"
