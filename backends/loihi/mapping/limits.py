"""What a core, a chip and a synapse list may hold, read from a target file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....ir import Diagnostic, InputError, Location
from ....ir.diagnostics import did_you_mean

NO_LIMIT = 2**62
"""Stands for a limit that the target file leaves out."""
TARGETS = Path(__file__).parents[3] / "ir" / "target"


@dataclass(frozen=True)
class SynapseFormat:
    """How the synapses of one spike in one core are stored; see `loihi1.toml`.

    weight_bits: widths that a weight can be stored in. exponents: (lowest, highest). learning_bits: what a synapse that
    learns takes beside its weight. shared_kernels: lists of a convolution with equal contents are stored once.
    """

    weight_bits: tuple[int, ...]
    delay_max: int = 0
    exponents: tuple[int, int] = (0, 0)
    index_bits: int = 0
    word_bits: int = 1
    block: int = 2**31
    header_bits: int = 0
    learning_bits: int = 0
    shared_kernels: bool = False

    def list_bits(self, synapses: np.ndarray, bits: int) -> np.ndarray:
        """Bits of lists with that many synapses of `bits` each, int64; an empty list takes none.

        As SynapseConfig.bits_per_axon of nengo-loihi 1.1.0 counts them.
        """
        synapses = np.asarray(synapses, np.int64)
        full, rest = synapses // self.block, synapses % self.block
        return full * self._block_bits(self.block, bits) + np.where(rest > 0, self._block_bits(rest, bits), 0)

    def _block_bits(self, synapses: Any, bits: int) -> Any:
        return -(-(synapses * bits + self.header_bits) // self.word_bits) * self.word_bits


@dataclass(frozen=True)
class Limits:
    """The limits of a target; NO_LIMIT where the file has none.

    mesh: (columns, rows) of tiles, None where it is not known. energy: joules an event. latency: seconds an event.
    """

    name: str
    synapse: SynapseFormat
    neurons: int
    synapse_bits: int
    cores: int
    in_axons: int = NO_LIMIT
    out_axons: int = NO_LIMIT
    neuron_configs: int = NO_LIMIT
    threshold_configs: int = NO_LIMIT
    synapse_configs: int = NO_LIMIT
    mesh: tuple[int, int] | None = None
    cores_per_tile: int = 1
    chips: int = NO_LIMIT
    graded_spikes: bool = False
    energy: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)


_INTEGERS = {
    "core": (
        ("neurons", "synapse_bits"),
        ("in_axons", "out_axons", "neuron_configs", "threshold_configs", "synapse_configs"),
    ),
    "chip": (("cores",), ("cores_per_tile",)),
    "system": ((), ("chips",)),
    "synapse": ((), ("index_bits", "word_bits", "block", "header_bits", "learning_bits", "delay_max")),
}
"""Table -> (keys that it must have, keys that it may have), all whole numbers."""
_OTHERS = {"chip": ("mesh",), "synapse": ("weight_bits", "exponents", "shared_kernels")}
_TOP = ("name", "kind", "backend", "summary", "graded_spikes", "energy", "latency", "sources", *_INTEGERS)


def load_limits(target: str | Path) -> Limits:
    """The limits of `loihi1`, `loihi2` or a TOML file of the same form.

    Raises InputError M0001 where there is no file, T0005 with every fault of it.
    """
    path = TARGETS / f"{target}.toml" if str(target) in ("loihi1", "loihi2") else Path(target)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError.of("M0001", f"there is no target file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError.of("T0005", f"{path} is not TOML: {fault}") from None
    return limits_of(table, path)


def limits_of(table: Mapping[str, Any], path: Path) -> Limits:
    """The limits that a parsed target file holds. Raises InputError T0005 with every fault of it."""
    faults = [Diagnostic("T0005", text, Location(str(path)), help=help_) for text, help_ in _faults(table)]
    if faults:
        raise InputError(faults)
    chip, synapse = dict(table["chip"]), dict(table["synapse"])
    synapse["weight_bits"] = tuple(sorted(synapse["weight_bits"]))
    if "exponents" in synapse:
        synapse["exponents"] = tuple(synapse["exponents"])
    if "mesh" in chip:
        chip["mesh"] = tuple(chip["mesh"])
    return Limits(
        name=table["name"],
        synapse=SynapseFormat(**synapse),
        graded_spikes=table.get("graded_spikes", False),
        energy=dict(table.get("energy", {})),
        latency=dict(table.get("latency", {})),
        **table["core"],
        **chip,
        **table.get("system", {}),
    )


def _faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in table:
        if key not in _TOP:
            yield f"unknown key {key!r}", did_you_mean(key, _TOP)
    if not isinstance(table.get("name"), str) or not table["name"]:
        yield "the target has no name", 'add a line like name = "my_chip"'
    for key in ("core", "chip", "synapse"):
        if not isinstance(table.get(key), Mapping):
            yield f"there is no table [{key}]", "see loihi1.toml"
    for name, (needed, allowed) in _INTEGERS.items():
        if isinstance(table.get(name), Mapping):
            yield from _integer_faults(name, table[name], needed, allowed)
    for name in ("energy", "latency"):
        for key, value in table.get(name, {}).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                yield f"{name}.{key} is {value!r}", "a number that is not negative"
    if not isinstance(table.get("graded_spikes", False), bool):
        yield f"graded_spikes is {table['graded_spikes']!r}", "true or false"
    yield from _list_faults(table)


def _integer_faults(
    name: str, row: Mapping[str, Any], needed: tuple[str, ...], allowed: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    for key in needed:
        if key not in row:
            yield f"[{name}] has no {key}", "see loihi1.toml"
    known = (*needed, *allowed, *_OTHERS.get(name, ()))
    for key, value in row.items():
        if key not in known:
            yield f"unknown key {name}.{key}", did_you_mean(key, known)
        elif key not in _OTHERS.get(name, ()):
            least = 0 if key.endswith("_bits") or key == "delay_max" else 1
            least = 1 if key in ("synapse_bits", "word_bits") else least
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                yield f"{name}.{key} is {value!r}", f"a whole number of at least {least}"


def _list_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    chip, synapse = table.get("chip", {}), table.get("synapse", {})
    if not isinstance(chip, Mapping) or not isinstance(synapse, Mapping):
        return
    widths = synapse.get("weight_bits")
    if not _whole(widths) or not widths or min(widths) < 1:
        yield f"synapse.weight_bits is {widths!r}", "a list of the widths that a weight can have, as [1, 2, 4, 8]"
    exponents = synapse.get("exponents", [0, 0])
    if not _whole(exponents) or len(exponents) != 2 or exponents[0] > exponents[1]:
        yield f"synapse.exponents is {exponents!r}", "the lowest and the highest exponent, as [-7, 7]"
    if not isinstance(synapse.get("shared_kernels", False), bool):
        yield f"synapse.shared_kernels is {synapse['shared_kernels']!r}", "true or false"
    mesh, cores, each = chip.get("mesh", [1, 1]), chip.get("cores"), chip.get("cores_per_tile", 1)
    if not _whole(mesh) or len(mesh) != 2 or min(mesh) < 1:
        yield f"chip.mesh is {mesh!r}", "columns and rows of tiles, as [8, 4]"
    elif "mesh" in chip and isinstance(cores, int) and isinstance(each, int) and mesh[0] * mesh[1] * each < cores:
        yield (
            f"a mesh of {mesh[0]} x {mesh[1]} tiles with {each} cores has no room for {cores} cores",
            "see loihi1.toml",
        )


def _whole(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
