"""How many synapses every source neuron has in every group of target neurons, without an object a synapse.

Dense layers have one row for all their sources, convolutions one a pixel, sparse layers one a source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ....bridges.extras import need
from ..program import Connection, Population, Program, Source, Window
from .limits import Limits

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Fan:
    """One connection as the mapping sees it.

    bits: of one synapse, its index included. shared: whether equal lists are stored once. config: what tells formats
    of synapses apart. source_count, target_count: neurons.
    """

    connection: Connection
    source_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    external: bool
    bits: int
    shared: bool
    config: tuple[int, ...]

    @property
    def source_count(self) -> int:
        return int(np.prod(self.source_shape))

    @property
    def target_count(self) -> int:
        return int(np.prod(self.target_shape))

    @property
    def dense(self) -> bool:
        """Whether every source has a synapse to every target."""
        return self.connection.window is None and not self.connection.sparse

    @cached_property
    def taps(self) -> Taps:
        """The geometry of a connection with a window."""
        window = self.connection.window
        assert window is not None
        return Taps(window, self.connection.weight.shape, self.source_shape, self.target_shape)

    @cached_property
    def stored(self) -> csr_array:
        """Synapses of a sparse connection: (targets, sources), 1 where one is stored."""
        sparse = need("scipy.sparse", "loihi")
        return sparse.csr_array(self.connection.effective() != 0, dtype=np.int64)

    def counts(self, group: np.ndarray, groups: int) -> tuple[csr_array, np.ndarray]:
        """(rows, row of every source): rows[r, g] is how many synapses a source with row r has in group g.

        group: of every target neuron, flattened, -1 for none.
        """
        sparse = need("scipy.sparse", "loihi")
        if self.dense:
            row = np.bincount(group[group >= 0], minlength=groups)
            return sparse.csr_array(row[None]), np.zeros(self.source_count, np.int64)
        if self.connection.window is None:
            inside = np.flatnonzero(group >= 0)
            indicator = sparse.csr_array(
                (np.ones(len(inside), np.int64), (group[inside], inside)), (groups, self.target_count)
            )
            return (indicator @ self.stored).T.tocsr(), np.arange(self.source_count)
        return self.taps.counts(group, groups)


@dataclass(frozen=True)
class Taps:
    """Which input pixel every tap of a kernel reads for every output pixel. Shapes are (channels, height, width)."""

    window: Window
    kernel: tuple[int, ...]
    source_shape: tuple[int, ...]
    target_shape: tuple[int, ...]

    @cached_property
    def pixels(self) -> np.ndarray:
        """(taps, output pixels): the input pixel, -1 in the padding."""
        lines = []
        for axis in (0, 1):
            taps = np.arange(self.kernel[2 + axis])[:, None] * self.window.dilation[axis]
            places = np.arange(self.target_shape[1 + axis])[None] * self.window.stride[axis]
            read = taps + places - self.window.padding[axis]
            lines.append(np.where((read >= 0) & (read < self.source_shape[1 + axis]), read, -1))
        rows, columns = lines[0][:, None, :, None], lines[1][None, :, None, :]
        pixel = np.where((rows >= 0) & (columns >= 0), rows * self.source_shape[2] + columns, -1)
        return pixel.reshape(self.kernel[2] * self.kernel[3], -1)

    @property
    def row_of_source(self) -> np.ndarray:
        """(source neurons,): channel group x input pixel."""
        area = self.source_shape[1] * self.source_shape[2]
        channel, pixel = np.divmod(np.arange(self.source_shape[0] * area), area)
        return channel // self.kernel[1] * area + pixel

    def reads(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every tap of the target neurons `targets`: (place in `targets`, row of the sources, tap within the kernels of
        all output channels)."""
        area = self.target_shape[1] * self.target_shape[2]
        channel, place = np.divmod(targets, area)
        pixel = self.pixels[:, place]
        tap, index = np.nonzero(pixel >= 0)
        group = channel[index] // (self.kernel[0] // self.window.groups)
        row = group * (self.source_shape[1] * self.source_shape[2]) + pixel[tap, index]
        return index, row, channel[index] * len(self.pixels) + tap

    def counts(self, group: np.ndarray, groups: int) -> tuple[csr_array, np.ndarray]:
        """As `Fan.counts`."""
        sparse = need("scipy.sparse", "loihi")
        inside = np.flatnonzero(group >= 0)
        index, row, _ = self.reads(inside)
        rows = self.window.groups * self.source_shape[1] * self.source_shape[2]
        entries = (np.ones(len(row), np.int64), (row, group[inside][index]))
        return sparse.csr_array(entries, (rows, groups)), self.row_of_source

    def distinct_lists(self, targets: np.ndarray) -> np.ndarray:
        """Lengths of the lists that a core with the neurons `targets` (sorted) stores, where two lists with the same
        taps at the same distances are stored once. A neuron's place is its rank in `targets`."""
        index, row, tap = self.reads(targets)
        if not len(row):
            return np.zeros(0, np.int64)
        order = np.lexsort((index, row))
        index, row, tap = index[order], row[order], tap[order]
        first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        length = np.diff(np.r_[first, len(row)])
        distance = index - np.repeat(index[first], length)
        content = _mixed(distance.astype(np.uint64) << np.uint64(40) | tap.astype(np.uint64))
        key = np.stack([np.add.reduceat(content, first), length.astype(np.uint64)])
        distinct = np.unique(key, axis=1)[1].astype(np.int64)
        return np.repeat(distinct, self.kernel[1])


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: sums of these tell multisets apart."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def fans_of(program: Program, limits: Limits) -> tuple[Fan, ...]:
    """The connections of a program, in its order, with what a synapse of each takes in this target."""
    ends: dict[str, Source | Population] = {end.name: end for end in (*program.sources, *program.populations)}
    outside = {source.name for source in program.sources}
    return tuple(
        _fan(connection, ends[connection.source].shape, ends[connection.target].shape, connection.source in outside,
             limits)
        for connection in program.connections
    )  # fmt: skip


def _fan(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...], external: bool, limits: Limits
) -> Fan:
    form = limits.synapse
    width = next((bits for bits in form.weight_bits if bits >= connection.weight_bits), connection.weight_bits)
    delay = 0 if connection.delays is None else int(np.max(connection.delays, initial=0)).bit_length()
    listed = connection.window is not None or connection.sparse
    learns = connection.learning is not None
    bits = width + delay + form.index_bits * listed + form.learning_bits * learns
    sign = {"mixed": 0, "excitatory": 1, "inhibitory": 2}[connection.sign]
    shared = connection.window is not None and form.shared_kernels
    config = (width, delay, connection.exponent, sign, listed, learns)
    return Fan(connection, source, target, external, bits, shared, config)


def with_weight_bits(fan: Fan, bits: int) -> Fan:
    """The fan whose weights are stored in that many bits."""
    return replace(fan, bits=fan.bits - fan.config[0] + bits)
