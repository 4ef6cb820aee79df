"""A picture of the chips: every core in its tile, how full it is, and the routes with the most traffic."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from .limits import NO_LIMIT
from .result import OUTSIDE, Mapping

_TILE = 72
_GAP = 20
_MARGIN = 40
_ROUTES = 24
"""How many pairs of tiles are drawn."""


def chip_picture(mapping: Mapping) -> str:
    """The mapping as SVG text; the same mapping gives the same text.

    A core's colour is the share of its fullest resource; its tooltip lists all of them. A line is the traffic between
    two tiles of one chip, as wide as its spikes a step.
    """
    columns, rows = mapping.mesh
    width = 2 * _MARGIN + columns * (_TILE + _GAP) - _GAP
    high = _MARGIN + rows * (_TILE + _GAP)
    height = mapping.chips * high + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">'
    ]
    for chip in range(mapping.chips):
        title = (
            f"{mapping.limits.name}, chip {chip}: {int((mapping.chip == chip).sum())} of {mapping.limits.cores} cores"
        )
        title += "" if mapping.limits.mesh else ", on an assumed mesh"
        lines.append(f'<g transform="translate({_MARGIN},{chip * high + _MARGIN})">')
        lines.append(f'<text y="-14">{escape(title)}</text>')
        lines += _tiles(mapping)
        lines += _routes(mapping, chip)
        lines += _cores(mapping, chip)
        lines.append("</g>")
    lines.append(f'<text x="{_MARGIN}" y="{height - 12}">{escape(mapping.summary().splitlines()[0])}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _tiles(mapping: Mapping) -> Iterator[str]:
    columns, rows = mapping.mesh
    for row in range(rows):
        for column in range(columns):
            x, y = column * (_TILE + _GAP), row * (_TILE + _GAP)
            yield f'<rect x="{x}" y="{y}" width="{_TILE}" height="{_TILE}" fill="none" stroke="#bbb"/>'


def _routes(mapping: Mapping, chip: int) -> Iterator[str]:
    routes = mapping.routes
    inside = (routes.source_core != OUTSIDE) & (mapping.chip[routes.source_core] == chip)
    inside &= mapping.chip[routes.target_core] == chip
    ends = [
        np.stack([mapping.tile[core[inside]] @ [1, mapping.mesh[0]]])
        for core in (routes.source_core, routes.target_core)
    ]
    pairs = np.sort(np.concatenate(ends), axis=0)
    found, inverse = np.unique(pairs, axis=1, return_inverse=True)
    rate = np.bincount(inverse.reshape(-1), routes.rate[inside], found.shape[1]) * (found[0] != found[1])
    heaviest = np.argsort(-rate, kind="stable")[:_ROUTES]
    for index in heaviest[rate[heaviest] > 0.0].tolist():
        (x1, y1), (x2, y2) = (_middle(int(tile), mapping.mesh[0]) for tile in found[:, index])
        wide = 1.0 + 7.0 * rate[index] / rate[heaviest[0]]
        yield (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#4a7" stroke-opacity="0.5" '
            f'stroke-width="{wide:.1f}"><title>{rate[index]:.4g} spikes a step</title></line>'
        )


def _middle(tile: int, columns: int) -> tuple[int, int]:
    row, column = divmod(tile, columns)
    return column * (_TILE + _GAP) + _TILE // 2, row * (_TILE + _GAP) + _TILE // 2


def _cores(mapping: Mapping, chip: int) -> Iterator[str]:
    side = int(np.ceil(np.sqrt(mapping.limits.cores_per_tile)))
    size = (_TILE - 8) // side - 4
    limited = [key for key in mapping.used if getattr(mapping.limits, key) < NO_LIMIT]
    taken: dict[tuple[int, int], int] = {}
    for core in np.flatnonzero(mapping.chip == chip).tolist():
        column, row = mapping.tile[core].tolist()
        place = taken.get((column, row), 0)
        taken[column, row] = place + 1
        x = column * (_TILE + _GAP) + 6 + place % side * (size + 4)
        y = row * (_TILE + _GAP) + 6 + place // side * (size + 4)
        shares = {key: float(mapping.shares(key)[core]) for key in limited}
        fullest = max(shares.values())
        light = round(95 - 55 * fullest)
        text = "".join(f"\n{key} {share:.0%}" for key, share in shares.items())
        names = ", ".join(name for name, row_ in mapping.core_of.items() if (row_ == core).any())
        yield (
            f'<g><rect x="{x}" y="{y}" width="{size}" height="{size}" fill="hsl(22,80%,{light}%)" stroke="#555">'
            f"<title>core {core}: {escape(names + text)}</title></rect>"
            f'<text x="{x + size // 2}" y="{y + size // 2 + 4}" text-anchor="middle">{core}</text></g>'
        )
