"""Checks that type rules share."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph import TypeFault
from ..types import DYNAMIC, FLOATS, Type


def need_numeric(*types: Type) -> None:
    """Every type is a float or a spike."""
    for t in types:
        if not t.is_numeric:
            raise TypeFault(f"needs numbers (f32, f64 or spike), got {t}")


def need_fixed(shape: tuple[int, ...]) -> None:
    """No dimension is the batch: samples of a batch must not mix."""
    if DYNAMIC in shape:
        raise TypeFault("the samples of a batch would mix: the result would depend on the batch")


def need_rank(t: Type, *ranks: int) -> None:
    """The number of dimensions is one of `ranks`."""
    if len(t.shape) not in ranks:
        raise TypeFault(f"needs {' or '.join(map(str, ranks))} dimensions, got {t}")


def need_shape(t: Type, shape: tuple[int, ...], what: str) -> None:
    """The shape is exactly `shape`."""
    if t.shape != shape:
        raise TypeFault(f"{what} needs shape {_show(shape)}, got {t}")


def need_size(actual: int, wanted: int, what: str) -> None:
    """A dimension has the wanted size."""
    if actual != wanted:
        raise TypeFault(f"{what} is {_dim(actual)}, needed {_dim(wanted)}")


def common_float(*types: Type) -> str:
    """The float type of an arithmetic result; spikes count as f32. Mixing f32 and f64 is a fault."""
    need_numeric(*types)
    found = {t.dtype for t in types if t.dtype in FLOATS}
    if len(found) > 1:
        raise TypeFault("mixes f32 and f64: " + ", ".join(map(str, types)), "cast one of them")
    return found.pop() if found else "f32"


def broadcast(*types: Type) -> tuple[int, ...]:
    """The shape that numpy's broadcasting gives; `?` fits `?` and 1 only."""
    rank = max(len(t.shape) for t in types)
    padded = [(1,) * (rank - len(t.shape)) + t.shape for t in types]
    out: list[int] = []
    for dims in zip(*padded, strict=True):
        sizes = set(dims) - {1}
        if len(sizes) > 1:
            raise TypeFault("shapes do not broadcast: " + " and ".join(map(str, types)))
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def axis(dim: int, rank: int, what: str = "dim") -> int:
    """A dimension number from 0, negative ones counted from the end."""
    if not -rank <= dim < max(rank, 1):
        raise TypeFault(f"{what} {dim} is outside {rank} dimensions")
    return dim % rank if rank else 0


def window(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False) -> int:
    """Output length of a sliding window, as torch counts it. The batch dimension never slides."""
    if size == DYNAMIC:
        raise TypeFault("a window slides over the batch dimension")
    if min(kernel, stride, dilation) < 1 or padding < 0:
        raise TypeFault(f"kernel {kernel}, stride {stride}, dilation {dilation} or padding {padding} is too small")
    span = dilation * (kernel - 1) + 1
    room = size + 2 * padding - span
    length = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (length - 1) * stride >= size + padding:
        length -= 1
    if length < 1:
        raise TypeFault(f"a window of {span} does not fit {size} with padding {padding}")
    return length


def count(shape: Sequence[int]) -> tuple[int, bool]:
    """(product of the known sizes, whether the batch dimension is among them)."""
    total = 1
    for d in shape:
        total *= 1 if d == DYNAMIC else d
    return total, DYNAMIC in shape


def _dim(d: int) -> str:
    return "?" if d == DYNAMIC else str(d)


def _show(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(_dim, shape)) + "]"
