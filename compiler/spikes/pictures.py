"""Pictures of spikes and potentials as SVG: the same data gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import floor, log10

import numpy as np

from ...ir.diagnostics import counted

WIDTH, LEFT, RIGHT = 720, 120, 12
TOP, GAP, BOTTOM = 26, 14, 34
MARKS = 4000
"""Most spikes of a picture that are drawn."""
POINTS = 600
"""Most points of a curve: more steps are drawn as their smallest and largest potential."""
COLOURS = ("#1f5fa8", "#c2571a", "#2f8f4e", "#8a4fa3")
PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def raster(spikes: Mapping[str, np.ndarray], dt: float | None, totals: Mapping[str, int] | None = None) -> str:
    """Spikes as marks, time to the right, a panel a layer.

    spikes: layer -> (steps, neurons), not zero where a neuron fires. dt: seconds of a step, None for an axis in steps.
    totals: layer -> how many neurons it has, where only some are given.
    """
    heights = [min(140, max(24, 4 * array.shape[1])) for array in spikes.values()]
    count = sum(int(np.count_nonzero(array)) for array in spikes.values())
    thin = -(-count // MARKS) if count > MARKS else 1
    steps = max((len(array) for array in spikes.values()), default=1)
    parts, at = [], TOP
    for (name, array), height in zip(spikes.items(), heights, strict=True):
        neurons = array.shape[1]
        label = _neurons(neurons, totals[name] if totals is not None and name in totals else neurons)
        parts += [_frame(at, height), _label(at, name, label, f"{int(np.count_nonzero(array))} spikes")]
        parts.append(_marks(array, steps, at, height, thin))
        at += height + GAP
    note = f"1 of {thin} spikes is drawn" if thin > 1 else ""
    return _svg("Spikes", note, parts, steps, dt, at)


def traces(
    potentials: Mapping[str, np.ndarray],
    dt: float | None,
    thresholds: Mapping[str, np.ndarray] | None = None,
    neurons: Mapping[str, Sequence[int]] | None = None,
) -> str:
    """Potentials as curves, a panel a layer, a threshold that all its neurons share as a dashed line.

    potentials: layer -> (steps, neurons). thresholds: layer -> (neurons,). neurons: layer -> their numbers.
    """
    steps = max((len(array) for array in potentials.values()), default=1)
    parts, at, height = [], TOP, 110
    for name, array in potentials.items():
        limits = np.unique((thresholds or {}).get(name, np.zeros(0)))
        level = float(limits[0]) if len(limits) == 1 else None
        ends = [float(array.min(initial=0.0)), float(array.max(initial=0.0)), *([] if level is None else [level])]
        low, high = min(ends), max(ends)
        span = high - low or 1.0
        shown = (neurons or {}).get(name, range(array.shape[1]))
        numbers = f"neuron{'s' if len(shown) != 1 else ''} " + ", ".join(map(str, shown))
        parts += [_frame(at, height), _label(at, name, numbers, f"{low:.3g} to {high:.3g}")]
        if level is not None:
            y = at + height * (high - level) / span
            parts.append(
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#888" stroke-dasharray="5 4"><title>threshold '
                f"{level:.3g}</title></path>"
            )
        for k in range(array.shape[1]):
            parts.append(_curve(array[:, k], steps, (at, height), (low, span), COLOURS[k % len(COLOURS)]))
        at += height + GAP
    note = f"{steps} steps drawn as their smallest and largest value" if steps > POINTS else ""
    return _svg("Potentials", note, parts, steps, dt, at)


def _marks(array: np.ndarray, steps: int, at: float, height: float, thin: int) -> str:
    when, which = np.nonzero(array)
    when, which = when[::thin], which[::thin]
    row = height / max(1, array.shape[1])
    tall = max(1.0, min(0.8 * row, 6.0))
    x = LEFT + (WIDTH - LEFT - RIGHT) * (when + 0.5) / steps
    y = at + row * (which + 0.5) - tall / 2
    marks = "".join(f"M{a:.1f} {b:.1f}v{tall:.1f}" for a, b in zip(x, y, strict=True))
    wide = max(1.0, min(0.5 * (WIDTH - LEFT - RIGHT) / steps, 4.0))
    return f'<path d="{marks}" stroke="{COLOURS[0]}" stroke-width="{wide:.1f}"/>' if marks else ""


def _curve(values: np.ndarray, steps: int, place: tuple[float, float], scale: tuple[float, float], colour: str) -> str:
    at, height = place
    low, span = scale
    when = np.arange(len(values)) if len(values) <= POINTS else _extremes(values)
    x = LEFT + (WIDTH - LEFT - RIGHT) * (when + 0.5) / steps
    y = at + height * (low + span - values[when]) / span
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}"/>'


def _extremes(values: np.ndarray) -> np.ndarray:
    """The steps of the smallest and the largest value of every piece, in order."""
    cuts = np.linspace(0, len(values), POINTS // 2 + 1).astype(int)
    found = [np.sort([a + values[a:b].argmin(), a + values[a:b].argmax()]) for a, b in pairwise(cuts)]
    return np.concatenate(found)


def _frame(at: float, height: float) -> str:
    return (
        f'<path d="M{LEFT} {at}h{WIDTH - LEFT - RIGHT}v{height}h-{WIDTH - LEFT - RIGHT}z" fill="none" stroke="#ccc"/>'
    )


def _label(at: float, *lines: str) -> str:
    rows = (
        f'<tspan x="{LEFT - 8}" dy="{14 if k else 0}">{escape(_short(line))}</tspan>' for k, line in enumerate(lines)
    )
    whole = "" if all(_short(line) == line for line in lines) else f"<title>{escape(', '.join(lines))}</title>"
    return f'<text y="{at + 11}" text-anchor="end">{whole}{"".join(rows)}</text>'


def _short(text: str) -> str:
    return text if len(text) <= 18 else text[:17] + "…"


def _neurons(shown: int, total: int) -> str:
    return f"{shown} of {total}" if shown < total else counted(total, "neuron")


def _svg(title: str, note: str, parts: Sequence[str], steps: int, dt: float | None, bottom: float) -> str:
    low = bottom - GAP
    size, unit = (1.0, "steps") if dt is None else _unit(steps * dt)
    length = steps if dt is None else steps * dt / size
    ticks = []
    for value in _ticks(length):
        x = LEFT + (WIDTH - LEFT - RIGHT) * value / length
        ticks.append(f'<path d="M{x:.1f} {low}v4" stroke="#888"/>')
        ticks.append(f'<text x="{x:.1f}" y="{low + 16}" text-anchor="middle">{value:g}</text>')
    head = title + (f" ({note})" if note else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {low + BOTTOM}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{LEFT}" y="16" font-size="13">{escape(head)}</text>\n'
        + "\n".join(part for part in (*parts, *ticks) if part)
        + f'\n<text x="{WIDTH - RIGHT}" y="{low + 30}" text-anchor="end">{unit}</text>\n</svg>\n'
    )


def _unit(seconds: float) -> tuple[float, str]:
    return next(((size, unit) for size, unit in PREFIXES if seconds >= size), PREFIXES[-1])


def _ticks(length: float) -> list[float]:
    """About five round numbers from 0 to length."""
    rough = length / 5
    power = 10.0 ** floor(log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
    return [round(k * step, 12) for k in range(int(length / step + 1e-9) + 1)]
