"""What is wrong with the fields of a single node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .graph import KINDS, LEAST, NirNode
from .shapes import show

Fault = tuple[str, str]
"""What is wrong, and what would be right."""


def node_faults(node: NirNode) -> list[Fault]:
    """The faults of a node's fields: types and numbers, and where these are right, what must fit together."""
    kind = KINDS[node.kind]
    held = [name for name in (*kind.required, *kind.optional) if name in node.fields]
    faults = [fault for name in held for fault in _field(node.kind, name, node.fields[name])]
    faults = faults or list(_sizes(node))
    return faults or list(_resets(node))


def steps_faults(facts: Any) -> Iterator[Fault]:
    """Faults of what qsc's own metadata says of time steps."""
    if not isinstance(facts, dict):
        yield f"it is {_text(facts)}", "a table with dt and time_steps"
        return
    for name, right, kinds in (("dt", "seconds above 0", "iuf"), ("time_steps", "a whole number above 0", "iu")):
        if name in facts:
            value = np.asarray(facts[name])
            if value.shape != () or value.dtype.kind not in kinds or not 0 < value < np.inf:
                yield f"{name} is {_text(facts[name])}", right


def _text(value: Any) -> str:
    """A value for a message."""
    array = np.asarray(value)
    return f"of {array.dtype} {show(array.shape)}" if array.size != 1 else repr(array.ravel().tolist()[0])


def _field(kind: str, name: str, value: Any) -> Iterator[Fault]:
    whole = name in LEAST
    if name == "padding" and kind.startswith("Conv") and isinstance(value, str):
        if value not in ("same", "valid"):
            yield f"padding is {value!r}", "same, valid, or a number of zeros on each side"
        return
    array = np.asarray(value)
    if array.dtype.kind not in ("iuf" if whole else "biuf"):
        yield f"{name} is {_text(value)}", "whole numbers" if whole else "real numbers"
    elif array.size == 0:
        yield f"{name} is empty", "the sizes of one sample, without batch and time" if name == "shape" else "numbers"
    elif not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))[0].tolist()
        yield f"{name} is {array[tuple(at)]} at index {at}", "a finite number"
    elif whole:
        yield from _whole(name, array)
    elif name in KINDS[kind].positive and (array <= 0).any():
        yield f"{name} is {array[array <= 0].ravel()[0]:g}", "a time constant in seconds above 0"
    elif name == "delay" and (array < 0).any():
        yield f"a delay of {array.min():g} s", "0 or more"


def _whole(name: str, array: np.ndarray) -> Iterator[Fault]:
    least = LEAST[name]
    right = "whole numbers" if least is None else f"whole numbers from {least}"
    wrong = (array != np.rint(array)) | (False if least is None else array < least)
    if wrong.any():
        yield f"{name} is {array[wrong].ravel()[0]:g}", right
    elif array.ndim > 1:
        yield f"{name} is a table {show(array.shape)}", "one number a dimension"


def _sizes(node: NirNode) -> Iterator[Fault]:
    shapes = {name: node.array(name).shape for name in KINDS[node.kind].shaped if name in node.fields}
    if len({shape for shape in shapes.values() if shape != ()}) > 1:
        text = ", ".join(f"{name} {show(shape)}" for name, shape in shapes.items())
        yield f"its parameters have several shapes: {text}", "one number a neuron"
    for name, counts in _counts(node.kind).items():
        if name in node.fields and not isinstance(node.fields[name], str):
            count = len(node.ints(name))
            if count not in counts:
                yield f"{name} has {count} numbers", " or ".join(map(str, counts))
    if "weight" in node.fields:
        yield from _weights(node)


def _counts(kind: str) -> dict[str, tuple[int, ...]]:
    """How many numbers the fields of a window may have."""
    if kind == "Flatten":
        return {"start_dim": (1,), "end_dim": (1,)}
    if not kind.endswith(("1d", "2d")):
        return {}
    n = int(kind[-2])
    each = dict.fromkeys(("kernel_size", "stride", "padding", "dilation"), tuple(sorted({1, n})))
    return {**each, "input_shape": (n,), "groups": (1,)}


def _weights(node: NirNode) -> Iterator[Fault]:
    weight = node.array("weight").shape
    conv = node.kind.startswith("Conv")
    if len(weight) != (int(node.kind[4]) + 2 if conv else 2):
        yield f"its weight is {show(weight)}", "a kernel [out,in / groups,...]" if conv else "a matrix [out,in]"
        return
    if "bias" in node.fields and node.array("bias").shape != weight[:1]:
        yield f"its bias is {show(node.array('bias').shape)}, its weight {show(weight)}", f"a bias of {weight[0]}"
    groups = node.ints("groups")[0] if conv else 1
    if weight[0] % groups:
        yield f"{weight[0]} channels come out of {groups} groups", "as many out of each"


def _resets(node: NirNode) -> Iterator[Fault]:
    if "v_threshold" not in node.fields:
        return
    high, low = np.broadcast_arrays(node.array("v_threshold"), node.array("v_reset"))
    wrong = high <= low
    if wrong.any():
        pair = high[wrong].ravel()[0], low[wrong].ravel()[0]
        yield f"v_threshold is {pair[0]:g}, v_reset {pair[1]:g}", "a threshold above what the potential is reset to"
