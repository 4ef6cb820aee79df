"""A picture of the chips: every core in its tile, how full it is, and the routes with the most traffic."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from ....ir.diagnostics import counted
from .limits import NO_LIMIT
from .result import OUTSIDE, Mapping

_TILE = 72
_GAP = 20
_MARGIN = 40
_LINE = 18
_LEAST_WIDTH = 560
_ROUTES = 24
"""How many pairs of tiles are drawn."""
_NAMED = 24
"""How many populations the legend names."""


def chip_picture(mapping: Mapping) -> str:
    """The mapping as SVG text; the same mapping gives the same text.

    A core has the colour of the population of which it holds most, the darker the fuller its fullest resource is; its
    tooltip lists all of them. A line is the traffic between two tiles of one chip, as wide as its spikes a step.
    """
    columns, rows = mapping.mesh
    width = max(2 * _MARGIN + columns * (_TILE + _GAP) - _GAP, _LEAST_WIDTH)
    high = _MARGIN + rows * (_TILE + _GAP)
    legend = list(_legend(mapping))
    height = mapping.chips * high + len(legend) * _LINE + _MARGIN
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
    lines += (
        f'<g transform="translate({_MARGIN},{mapping.chips * high + _LINE * (k + 1)})">{line}</g>'
        for k, line in enumerate(legend)
    )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _legend(mapping: Mapping) -> Iterator[str]:
    first, _, rest = mapping.summary().splitlines()[0].partition(", ")
    yield f"<text>{escape(first)}</text>"
    yield f"<text>{escape(rest)}</text>"
    yield "<text>a core: the darker the fuller; a line: spikes between two tiles, the wider the more</text>"
    for k, (name, cores) in enumerate(mapping.core_of.items()):
        if k == _NAMED:
            yield f"<text>and {counted(len(mapping.core_of) - _NAMED, 'population')} more</text>"
            return
        held = f"{name}: {counted(cores.size, 'neuron')} on {counted(len(np.unique(cores)), 'core')}"
        swatch = f'<rect y="-10" width="12" height="12" fill="{_colour(k, 0.5)}" stroke="#555"/>'
        yield f'{swatch}<text x="20">{escape(held)}</text>'


def _colour(population: int, full: float) -> str:
    """Hues a golden angle apart, so that neighbours in the program differ most."""
    return f"hsl({(22 + population * 137.5) % 360:g},70%,{round(92 - 50 * full)}%)"


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
        held = [int((row_ == core).sum()) for row_ in mapping.core_of.values()]
        colour = _colour(int(np.argmax(held)), max(shares.values()))
        text = "".join(f"\n{key} {share:.0%}" for key, share in shares.items())
        names = ", ".join(f"{name} {count}" for name, count in zip(mapping.core_of, held, strict=True) if count)
        yield (
            f'<g><rect x="{x}" y="{y}" width="{size}" height="{size}" fill="{colour}" stroke="#555">'
            f"<title>core {core}: {escape(names + text)}</title></rect>"
            f'<text x="{x + size // 2}" y="{y + size // 2 + 4}" text-anchor="middle">{core}</text></g>'
        )
