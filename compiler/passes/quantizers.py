"""Weights as whole numbers times a scale, by four kinds of levels.

uniform: every whole number of so many bits, symmetric about zero. power-of-two: zero and plus or minus 2^k (Miyashita,
Lee and Murmann, arXiv 1603.01025), which a shift multiplies by. ternary: -1, 0, 1 (Li, Zhang and Liu, Ternary Weight
Networks, arXiv 1605.04711), here with the scale and zeros of the least squared error, which sorting finds exactly.
binary: -1 and 1 with the mean magnitude as scale, which has the least squared error (Rastegari et al., XNOR-Net, ECCV
2016, eq. 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

FRACTIONS = np.linspace(0.25, 1.0, 76)
"""Of the largest magnitude, where clipping by error may end the range."""


def levels_of(kind: str, bits: int) -> np.ndarray:
    """The whole numbers that a weight may be, rising, int64. bits: of uniform and power-of-two levels."""
    if kind == "uniform":
        most = (1 << (bits - 1)) - 1
        return np.arange(-most, most + 1)
    if kind == "power-of-two":
        powers = 1 << np.arange((1 << (bits - 1)) - 1)
        return np.r_[-powers[::-1], 0, powers]
    return np.array([-1, 0, 1] if kind == "ternary" else [-1, 1])


def stored_bits(kind: str, bits: int) -> int:
    """Bits that a stored weight takes."""
    return {"ternary": 2, "binary": 1}.get(kind, bits)


def quantize(
    weight: np.ndarray, bits: int, per_channel: bool = True, kind: str = "uniform", clip: str = "max"
) -> tuple[np.ndarray, np.ndarray]:
    """(integers, scale): the weight is about scale * integers, every weight at its nearest level.

    weight: float (out, ...). scale: (out,) or scalar, of the weight's type. clip: where uniform and power-of-two levels
    end, "max" at the largest magnitude of a channel, "error" at that of `FRACTIONS` of it that has the least squared
    error. A channel of zeros has the scale 1, a binary one 0. Integers are int8 where the levels allow, else int16.
    """
    levels = levels_of(kind, bits)
    rows = weight.astype(np.float64).reshape(len(weight) if per_channel and weight.ndim else 1, -1)
    scale = _SCALES[kind](rows, levels, clip).astype(weight.dtype)
    # A scale that underflows to zero in the weight's own type counts as a channel of zeros.
    scale = np.where(scale > 0, scale, kind != "binary").astype(weight.dtype)
    integers = nearest(rows, scale.astype(np.float64), levels).reshape(weight.shape)
    narrow = np.int8 if levels[-1] <= 127 else np.int16
    return integers.astype(narrow), scale if per_channel else scale[0]


def nearest(rows: np.ndarray, scale: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The level that, times the scale of its row, is nearest to each number; of two as near the even one where the
    levels are neighbours, else the lower."""
    given = rows / np.where(scale > 0, scale, 1.0)[:, None]
    if len(levels) == levels[-1] - levels[0] + 1:
        return np.clip(np.rint(given), levels[0], levels[-1]).astype(np.int64)
    middles = (levels[1:] + levels[:-1]) / 2
    return levels[np.searchsorted(middles, given)]


_DAMPING = 0.01
"""Of the mean square of the inputs, added to each: with few samples their products are singular."""


def compensated(
    weight: np.ndarray, integers: np.ndarray, scale: np.ndarray, levels: np.ndarray, grams: np.ndarray
) -> np.ndarray:
    """Other integers for the same scales, whose layer is nearer to the unquantised one on the inputs of `grams`.

    Column by column, those of the largest inputs first, the error of each rounding is taken out of the columns that
    follow (Frantar, Ashkboos, Hoefler and Alistarh, GPTQ, arXiv 2210.17323, eqs. 2 and 3); a row for which that turns
    out no better keeps its integers. grams: (groups, k, k), sums of x x^T; rows are in as many equal groups.
    """
    rows = weight.astype(np.float64).reshape(len(weight), -1)
    wide = np.broadcast_to(scale.astype(np.float64), len(rows))
    found = integers.reshape(rows.shape).astype(np.int64)
    for part, gram in zip(np.array_split(np.arange(len(rows)), len(grams)), grams, strict=True):
        before = found[part] * wide[part, None] - rows[part]
        other = _swept(rows[part], wide[part], levels, gram)
        after = other * wide[part, None] - rows[part]
        better = ((after @ gram) * after).sum(axis=1) < ((before @ gram) * before).sum(axis=1)
        found[part[better]] = other[better]
    return found.reshape(weight.shape).astype(integers.dtype)


def _swept(rows: np.ndarray, scale: np.ndarray, levels: np.ndarray, gram: np.ndarray) -> np.ndarray:
    squares = np.diag(gram).copy()
    order = np.argsort(-squares, kind="stable")
    damped = gram + np.diag(np.full(len(gram), max(_DAMPING * squares.mean(), 1e-12)))
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    left, found = rows[:, order].copy(), np.zeros(rows.shape, np.int64)
    for j in range(rows.shape[1]):
        found[:, j] = nearest(left[:, j : j + 1], scale, levels)[:, 0]
        error = (left[:, j] - found[:, j] * scale) / upper[j, j]
        left[:, j + 1 :] -= error[:, None] * upper[j, j + 1 :]
    return found[:, np.argsort(order)]


def _by_range(rows: np.ndarray, levels: np.ndarray, clip: str) -> np.ndarray:
    """The scales with which the largest level is the end of the range."""
    largest = np.abs(rows).max(axis=1, initial=0.0) / levels[-1]
    if clip == "max":
        return largest
    return _least(rows, levels, [fraction * largest for fraction in FRACTIONS])


def _least(rows: np.ndarray, levels: np.ndarray, candidates: Sequence[np.ndarray]) -> np.ndarray:
    """For every row the scale with the least squared error."""
    errors = [np.square(rows - nearest(rows, s, levels) * s[:, None]).sum(axis=1) for s in candidates]
    return np.take_along_axis(np.array(candidates), np.argmin(errors, axis=0)[None], axis=0)[0]


def _ternary(rows: np.ndarray, levels: np.ndarray, clip: str) -> np.ndarray:
    """With the k largest magnitudes at one level and zeros below, the squared error falls by (their sum)^2 / k."""
    sums = np.cumsum(-np.sort(-np.abs(rows), axis=1), axis=1)
    count = np.arange(1, rows.shape[1] + 1)
    best = np.argmax(np.square(sums) / count, axis=1)
    return np.take_along_axis(sums / count, best[:, None], axis=1)[:, 0]


def _binary(rows: np.ndarray, levels: np.ndarray, clip: str) -> np.ndarray:
    return np.abs(rows).mean(axis=1)


_SCALES: dict[str, Callable[[np.ndarray, np.ndarray, str], np.ndarray]] = {
    "uniform": _by_range,
    "power-of-two": _by_range,
    "ternary": _ternary,
    "binary": _binary,
}

KINDS = tuple(_SCALES)
CLIPS = ("max", "error")
ROUNDINGS = ("nearest", "compensated")
