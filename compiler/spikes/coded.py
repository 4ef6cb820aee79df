"""What inputs lose where a chip takes whole numbers of a range, or spikes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...ir import Module, Node, Value
from ...ir.ops import Clamp, Div, Launch, Round


def lost_in_coding(program: Module, inputs: Sequence[np.ndarray]) -> list[str]:
    """A sentence for every input of the program of which values are clamped, or rounded to a spike, before a device.

    A range is chosen on the calibration data; rounding to the steps of a graded input is no loss worth a remark.
    """
    made = {result: node for node in program.graph.nodes for result in node.results}
    given = dict(zip(program.graph.inputs, inputs, strict=True))
    coded = [v for n in program.graph.nodes if isinstance(n.op, Launch) for v in n.operands]
    return [text for v in dict.fromkeys(coded) for text in _lost(v, made, given)]


def _lost(value: Value, made: Mapping[Value, Node], given: Mapping[Value, np.ndarray]) -> Iterator[str]:
    clamp = made.get(value)
    rounded = None if clamp is None else made.get(clamp.operands[0])
    if clamp is None or rounded is None or not (isinstance(clamp.op, Clamp) and isinstance(rounded.op, Round)):
        return
    source, unit = rounded.operands[0], 1.0
    scaled = made.get(source)
    if scaled is not None and isinstance(scaled.op, Div) and scaled.op.scalar is not None:
        source, unit = scaled.operands[0], scaled.op.scalar
    if source not in given:
        return
    x = np.asarray(given[source], np.float64)
    low = -np.inf if clamp.op.low is None else clamp.op.low
    high = np.inf if clamp.op.high is None else clamp.op.high
    binary = (low, high) == (0.0, 1.0) and unit == 1.0
    whole = x if binary else np.rint(x / unit)
    wrong = (x != np.clip(np.rint(x), 0, 1)) if binary else (whole < low) | (whole > high)
    if not wrong.any():
        return
    worst = x[wrong][np.abs(x[wrong]).argmax()]
    count = f"{source.name}: {wrong.sum()} of {x.size} values"
    if binary:
        yield (
            f"{count} are no spikes ({worst:g}) and are rounded to 0 or 1, as the chip's input had none on the "
            "calibration data: compile with calibration data like these for graded spikes, or encode them"
        )
    else:
        yield (
            f"{count} lie outside {low * unit:g} to {high * unit:g} ({worst:g}) and are clamped to that, the range of "
            "the calibration data: compile with calibration data like these"
        )
