"""What every node of a flat graph takes and puts out, without batch and time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import prod

from .graph import KINDS, NirGraph, NirNode

Shape = tuple[int, ...]


class ShapeFault(Exception):  # noqa: N818 - a fault of the graph that is looked at
    """A node cannot take what comes in; the message says why."""


def shapes_of(graph: NirGraph) -> tuple[dict[str, Shape], dict[str, str]]:
    """(shape that each node puts out, node -> why it cannot take what comes in), as far as inputs reach.

    A graph that says a shape with leading ones, as if a batch and time were part of it, is taken at its word without
    them where that fits.
    """
    into: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b in graph.edges:
        into.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    waiting = deque(name for name in graph.of_kind("Input") if name not in into)
    found = {name: graph.nodes[name].ints("shape") for name in waiting}
    faults: dict[str, str] = {}
    while waiting:
        source = waiting.popleft()
        for name in after.get(source, ()):
            if name in found or name in faults:
                continue
            try:
                found[name] = through(graph.nodes[name], found[source])
            except ShapeFault as fault:
                faults[name] = str(fault)
            else:
                waiting.append(name)
    for name, sources in into.items():
        given = sorted({found[a] for a in sources if a in found})
        if len(given) > 1 and name not in faults:
            faults[name] = "it gets " + " and ".join(map(show, given)) + ", which cannot be added"
    return found, faults


def show(shape: Shape) -> str:
    """A shape for a message."""
    return "[" + ",".join(map(str, shape)) + "]"


def own_shape(node: NirNode) -> Shape | None:
    """What a node's parameters, one a neuron, say of its output; None where they say nothing."""
    names = KINDS[node.kind].shaped
    return max((node.array(name).shape for name in names), key=len, default=None) or None


def through(node: NirNode, given: Shape) -> Shape:
    """What a node makes of a shape. ShapeFault where it cannot take it."""
    rule = _RULES.get(node.kind)
    if rule is not None:
        return rule(node, given)
    own = own_shape(node) or given
    if own != given and prod(own) != 1 and _bare(own) != _bare(given):
        raise ShapeFault(f"it has parameters of {show(own)} and gets {show(given)}")
    return given


def _bare(shape: Shape) -> Shape:
    """Without leading ones."""
    first = next((k for k, size in enumerate(shape) if size != 1), len(shape) - 1)
    return shape[first:]


def _ends(node: NirNode, given: Shape) -> Shape:
    said = node.ints("shape")
    if said != given and _bare(said) != _bare(given):
        raise ShapeFault(f"it says {show(said)} and gets {show(given)}")
    return given


def _linear(node: NirNode, given: Shape) -> Shape:
    weight = node.array("weight").shape
    if given[-1] != weight[-1]:
        raise ShapeFault(f"its weight is {show(weight)} and it gets {show(given)}")
    return (*given[:-1], weight[-2])


def _conv(node: NirNode, given: Shape) -> Shape:
    weight = node.array("weight").shape
    n = len(weight) - 2
    if len(given) != n + 1:
        raise ShapeFault(f"it is over {n} dimensions with channels before them and gets {show(given)}")
    groups = node.ints("groups")[0]
    if given[0] != weight[1] * groups:
        raise ShapeFault(f"its kernel takes {weight[1] * groups} channels and it gets {show(given)}")
    if "input_shape" in node.fields and node.ints("input_shape") != given[1:]:
        raise ShapeFault(f"its input_shape is {show(node.ints('input_shape'))} and it gets {show(given)}")
    stride, dilation = (_each(node.ints(name), n) for name in ("stride", "dilation"))
    sizes = zip(given[1:], weight[2:], stride, padding_of(node), dilation, strict=True)
    return (weight[0], *(_places(*numbers) for numbers in sizes))


def padding_of(node: NirNode) -> tuple[int, ...]:
    """Zeros on each side of a convolution; "same" needs a stride of 1 and kernels that have a middle."""
    weight, padding = node.array("weight").shape, node.fields["padding"]
    n = len(weight) - 2
    if not isinstance(padding, str):
        return _each(node.ints("padding"), n)
    if padding == "valid":
        return (0,) * n
    spans = [d * (k - 1) for d, k in zip(_each(node.ints("dilation"), n), weight[2:], strict=True)]
    if padding != "same" or set(_each(node.ints("stride"), n)) != {1} or any(span % 2 for span in spans):
        raise ShapeFault(f"padding {padding!r} with its stride and kernel is not the same on both sides")
    return tuple(span // 2 for span in spans)


def _each(numbers: tuple[int, ...], n: int) -> tuple[int, ...]:
    return numbers * n if len(numbers) == 1 else numbers


def _places(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        raise ShapeFault(f"a kernel of {kernel} does not fit {size} with padding {padding}")
    return room // stride + 1


def _pool(node: NirNode, given: Shape) -> Shape:
    if len(given) != 3:
        raise ShapeFault(f"it pools images with channels and gets {show(given)}")
    kernel, stride, padding = (_each(node.ints(name), 2) for name in ("kernel_size", "stride", "padding"))
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ShapeFault(f"its padding {show(padding)} is more than half of its kernel {show(kernel)}")
    sizes = zip(given[1:], kernel, stride, padding, (1, 1), strict=True)
    return (given[0], *(_places(*numbers) for numbers in sizes))


def flatten_range(node: NirNode, given: Shape) -> tuple[int, int]:
    """First and last dimension that become one, both counted from 0."""
    said, n = [node.ints(name)[0] for name in ("start_dim", "end_dim")], len(given)
    if not all(-n <= dim < n for dim in said):
        raise ShapeFault(f"it flattens dimensions {said[0]} to {said[1]} of {show(given)}")
    start, end = (dim % n for dim in said)
    if end < start:
        raise ShapeFault(f"it flattens dimensions {start} to {end}")
    return start, end


def _flatten(node: NirNode, given: Shape) -> Shape:
    if "input_type" in node.fields and _bare(node.ints("input_type")) != _bare(given):
        raise ShapeFault(f"its input_type is {show(node.ints('input_type'))} and it gets {show(given)}")
    start, end = flatten_range(node, given)
    return (*given[:start], prod(given[start : end + 1]), *given[end + 1 :])


_RULES: dict[str, Callable[[NirNode, Shape], Shape]] = {
    "Input": _ends,
    "Output": _ends,
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
}
