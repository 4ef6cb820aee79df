"""What spikes bring over one connection, exactly: the sum over synapses, shifted by the exponent, wrapped.

Sums run in float32 where all of them stay below 2^24, in float64 otherwise, which is exact below 2^53; so a product may
be left to BLAS. Of spikes that are rare only the weights of the active neurons are touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...bridges.extras import need
from .arrays import Kit
from .program import Connection, Window

ROW_GATHER = 0.25
"""Share of active neurons below which one step's spikes gather rows of a dense matrix (measured)."""

ROWS_GATHER = 0.04
"""The same for many steps or inputs at once, by a sparse matrix of spikes (measured)."""

SPARSE_GATHER = 0.08
"""The same for a sparse matrix of weights (measured)."""

BLOCK = 2**22
"""Numbers that an unfolded image, or the dense spikes of a sparse product, holds at once."""

DENSE_DELAYS = 4
"""Up to so many delays each has a dense matrix of its own."""

Product = Callable[[Any], Any]
"""Spikes (rows, source neurons) -> sums (rows, target neurons), or None where no spike is among them."""


@dataclass(frozen=True)
class Branch:
    """The synapses of a connection that have one delay.

    step: steps from a spike to its arrival. bound: what the result never exceeds in magnitude.
    """

    step: int
    product: Product
    bound: float


def branches(c: Connection, source: tuple[int, ...], graded: int, kit: Kit) -> list[Branch]:
    """One branch for each delay among the synapses of a connection.

    source: shape of the source. graded: the message bits of its spikes, 0 for binary ones.
    """
    weight = c.effective()
    peak = 2 ** (graded - 1) - 1 if graded else 1
    made = []
    for delay, part in _by_delay(c, weight):
        bound = float(_row_sum(part)) * peak
        product = _sums(c, part, source, graded, bound, kit)
        scaled = bound * 2.0**c.exponent + 1
        made.append(Branch(1 + delay, _shifted(c, product, graded, bound, kit), min(scaled, 2.0**31)))
    return made


def _by_delay(c: Connection, weight: Any) -> Iterator[tuple[int, Any]]:
    """(delay, the weights that have it, 0 elsewhere). Of many delays each has few weights, held without the zeros."""
    if c.delays is None:
        yield 0, weight
        return
    delays = np.unique(c.delays)
    sparse = need("scipy.sparse", "loihi")
    for delay in delays:
        kept = c.delays == delay
        if not isinstance(weight, np.ndarray):
            rows = np.repeat(np.arange(weight.shape[0]), np.diff(weight.indptr))[kept]
            yield int(delay), sparse.csr_array((weight.data[kept], (rows, weight.indices[kept])), shape=weight.shape)
        elif c.window is None and len(delays) > DENSE_DELAYS:
            yield int(delay), sparse.csr_array(np.where(kept, weight, 0))
        else:
            yield int(delay), np.where(kept, weight, 0)


def _row_sum(weight: Any) -> int:
    """The largest sum of magnitudes into one target."""
    if isinstance(weight, np.ndarray):
        return int(np.abs(weight).reshape(len(weight), -1).sum(axis=1, dtype=np.int64).max(initial=0))
    return int(abs(weight).sum(axis=1, dtype=np.int64).max())


def _shifted(c: Connection, product: Product, graded: int, bound: float, kit: Kit) -> Product:
    """The sum as Lava sends it.

    Lava adds graded spikes in 32 bits before the shift, but those with delays in 64 where the matrix is dense
    (lava.proc.dense.models, PyDelayDenseModelBitAcc); what is sent has 32 bits, and 24 after a convolution.
    """
    wide = c.delays is not None and c.window is None and not c.sparse and isinstance(c.weight, np.ndarray)
    before = bool(graded) and not wide and c.window is None and bound >= 2**31
    scale = 2.0**c.exponent
    width = 32 if c.window is None else 24
    after = bound * max(scale, 1.0) >= 2.0 ** (width - 1)

    def run(spikes: Any) -> Any:
        total = product(spikes)
        if total is None:
            return None
        if before:
            total = kit.wrapped(total, 32)
        if c.exponent:
            kit.multiply(total, scale, out=total)
        if c.exponent < 0:
            kit.floor(total, out=total)
        return kit.wrapped(total, width) if after else total

    return run


def _sums(c: Connection, weight: Any, source: tuple[int, ...], graded: int, bound: float, kit: Kit) -> Product:
    # On a GPU float32 products may be set to run in TF32, which is not exact; float64 never is.
    kind = "float32" if bound < 2**24 and not kit.on_gpu else "float64"
    if kit.torch is not None:
        return _torch_sums(c, weight, source, kind, kit)
    if c.window is not None:
        return _convolution(c.window, weight, source, kind)
    if not isinstance(weight, np.ndarray):
        return _sparse(weight, kind)
    return _dense(np.ascontiguousarray(weight.T, dtype=kind), bool(graded))


def _dense(by_source: np.ndarray, graded: bool) -> Product:
    sparse = need("scipy.sparse", "loihi")
    kind = by_source.dtype

    def run(spikes: np.ndarray) -> np.ndarray | None:
        active = np.count_nonzero(spikes)
        if not active:
            return None
        if len(spikes) == 1 and active < ROW_GATHER * spikes.size:
            (at,) = np.nonzero(spikes[0])
            rows = by_source[at]
            return (spikes[0, at].astype(kind) @ rows if graded else rows.sum(axis=0))[None]
        if active < ROWS_GATHER * spikes.size:
            return sparse.csr_array(spikes, dtype=kind) @ by_source
        return spikes.astype(kind) @ by_source

    return run


def _sparse(weight: Any, kind: str) -> Product:
    by_target = weight.astype(kind)
    by_source = by_target.T.tocsr()

    def gathered(row: np.ndarray) -> np.ndarray:
        (at,) = np.nonzero(row)
        rows = by_source[at]
        values = rows.data
        if row.dtype != bool:
            values = values * np.repeat(row[at].astype(kind), np.diff(rows.indptr))
        # Of no indices at all, bincount makes integers.
        return np.bincount(rows.indices, weights=values, minlength=by_source.shape[1]).astype(np.float64)

    def run(spikes: np.ndarray) -> np.ndarray | None:
        active = np.count_nonzero(spikes)
        if not active:
            return None
        if active < SPARSE_GATHER * spikes.size:
            return np.stack([gathered(row) for row in spikes])
        size = max(1, BLOCK // by_source.shape[0])
        parts = [(by_target @ block.T.astype(kind)).T for block in _blocks(spikes, size)]
        return np.concatenate(parts)

    return run


def _blocks(rows: Any, size: int) -> list[Any]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _convolution(window: Window, weight: np.ndarray, source: tuple[int, ...], kind: str) -> Product:
    """Unfolded images times kernels, which is exact in any order, as a fast transform would not be."""
    (up, left), groups = window.padding, window.groups
    outs, _, high, wide = weight.shape
    kernels = weight.reshape(groups, outs // groups, -1).transpose(0, 2, 1).astype(kind)
    places = window.places((high, wide), source[1:])
    field = [window.dilation[0] * (high - 1) + 1, window.dilation[1] * (wide - 1) + 1]
    size = max(1, BLOCK // (source[0] * high * wide * places[0] * places[1]))

    def one(spikes: np.ndarray) -> np.ndarray:
        images = spikes.reshape(-1, *source).astype(kind)
        padded = np.pad(images, ((0, 0), (0, 0), (up, up), (left, left)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, field, axis=(2, 3))
        taps = seen[:, :, :: window.stride[0], :: window.stride[1], :: window.dilation[0], :: window.dilation[1]]
        count = len(images)
        rows = taps.reshape(count, groups, source[0] // groups, *places, high, wide).transpose(1, 0, 3, 4, 2, 5, 6)
        made = rows.reshape(groups, count * places[0] * places[1], -1) @ kernels
        return made.reshape(groups, count, -1, outs // groups).transpose(1, 0, 3, 2).reshape(count, -1)

    def run(spikes: np.ndarray) -> np.ndarray | None:
        if not spikes.any():
            return None
        return np.concatenate([one(block) for block in _blocks(spikes, size)])

    return run


def _torch_sums(c: Connection, weight: Any, source: tuple[int, ...], kind: str, kit: Kit) -> Product:
    torch = kit.torch
    dtype = getattr(torch, kind)
    if c.window is not None:
        return _torch_convolution(c.window, kit.put(weight.astype(kind)), source, kit)
    if isinstance(weight, np.ndarray):
        by_source = kit.put(weight.T.astype(kind))
        return lambda spikes: spikes.to(dtype) @ by_source
    parts = [torch.from_numpy(part.astype(np.int64)) for part in (weight.indptr, weight.indices)]
    data = torch.from_numpy(weight.data.astype(kind))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # says that the API may change
        by_target = torch.sparse_csr_tensor(*parts, data, size=weight.shape, dtype=dtype, device=kit.device)
    return lambda spikes: (by_target @ spikes.to(dtype).T).T.contiguous()


def _torch_convolution(window: Window, weight: Any, source: tuple[int, ...], kit: Kit) -> Product:
    unfold = kit.torch.nn.functional.unfold
    outs, groups = weight.shape[0], window.groups
    kernels = weight.reshape(groups, outs // groups, -1)
    places = window.places(tuple(weight.shape[2:]), source[1:])
    size = max(1, BLOCK * (16 if kit.on_gpu else 1) // (groups * kernels.shape[2] * places[0] * places[1]))

    def one(spikes: Any) -> Any:
        images = spikes.reshape(-1, *source).to(weight.dtype)
        taps = unfold(images, weight.shape[2:], window.dilation, window.padding, window.stride)
        made = kernels @ taps.reshape(len(images), groups, -1, taps.shape[-1])
        return made.reshape(len(images), -1)

    return lambda spikes: kit.torch.cat([one(block) for block in _blocks(spikes, size)])
