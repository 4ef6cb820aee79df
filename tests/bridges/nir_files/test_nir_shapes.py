"""Shapes against torch, which computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.bridges.nir import NirGraph, check, shapes_of

from .parts import chain, conv, pool
from .random_graphs import node

torch = pytest.importorskip("torch")

small = st.integers(1, 3)


def made(graph: NirGraph) -> tuple[int, ...] | None:
    """What the node n puts out, None where it takes no such input."""
    shapes, faults = shapes_of(graph)
    return None if "n" in faults else shapes["n"]


def of_torch(function: Any, *arguments: Any) -> tuple[int, ...] | None:
    try:
        return tuple(function(*arguments).shape[1:])
    except RuntimeError:
        return None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_convolutions(data: st.DataObject):
    n = data.draw(st.sampled_from([1, 2]), "dimensions")
    groups, inside, out = (data.draw(small) for _ in range(3))

    def each(least: int, most: int) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(least, most)) for _ in range(n))

    sizes, kernel, stride, dilation = each(1, 9), each(1, 4), each(1, 3), each(1, 2)
    padding = data.draw(st.sampled_from(["same", "valid", each(0, 3)]))
    weight = np.zeros((groups * out, inside, *kernel), np.float32)
    given_shape = (groups * inside, *sizes)
    fields = {
        "stride": np.array(stride),
        "dilation": np.array(dilation),
        "groups": groups,
        "bias": np.zeros(len(weight)),
    }
    whole = {"padding": padding if isinstance(padding, str) else np.array(padding)}
    part = node(f"Conv{n}d", weight=weight, input_shape=np.array(sizes), **fields, **whole)
    function = torch.nn.functional.conv1d if n == 1 else torch.nn.functional.conv2d
    x = torch.zeros(1, *given_shape)
    expected = of_torch(function, x, torch.from_numpy(weight), None, stride, padding, dilation, groups)
    lopsided = padding == "same" and any(d * (k - 1) % 2 for d, k in zip(dilation, kernel, strict=True))
    assert made(chain(given_shape, n=part)) == (None if lopsided else expected)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 2), *[st.tuples(*[small] * 2)] * 2, st.tuples(*[st.integers(0, 2)] * 2))
def test_pools(sizes: Any, kernel: Any, stride: Any, padding: Any):
    part = pool(kernel_size=np.array(kernel), stride=np.array(stride), padding=np.array(padding))
    x = torch.zeros(1, 2, *sizes)
    expected = of_torch(torch.nn.functional.avg_pool2d, x, kernel, stride, padding)
    assert made(chain((2, *sizes), n=part)) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(small, min_size=1, max_size=4), st.integers(-5, 5), st.integers(-5, 5))
def test_flattens(sizes: list[int], start: int, end: int):
    part = node("Flatten", start_dim=start, end_dim=end)
    try:
        expected = tuple(torch.zeros(sizes).flatten(start, end).shape)
    except (RuntimeError, IndexError):
        expected = None
    assert made(chain(sizes, n=part)) == expected


def test_one_number_stands_for_all_dimensions():
    part = conv(stride=np.int64(2), padding=1, dilation=np.array([1]))
    assert check(chain((1, 6, 6), (2, 3, 3), n=part)) == []


def test_kernels_that_are_not_square_are_wrong_in_nir():
    """Why shapes are our own: once nir computes these, its answer can be compared as well."""
    nir = pytest.importorskip("nir")
    wide = nir.Conv2d((8, 8), np.zeros((4, 1, 3, 5)), 1, 0, 1, 1, np.zeros(4))
    grouped = nir.Conv2d((8, 8), np.zeros((4, 1, 3, 3)), 1, 0, 1, 4, np.zeros(4))
    ours = conv(input_shape=np.array([8, 8]), weight=np.zeros((4, 1, 3, 5)), bias=np.zeros(4))
    assert made(chain((1, 8, 8), n=ours)) == (4, 6, 4)
    assert tuple(wide.output_type["output"]) == (4, 6, 6)
    assert tuple(grouped.input_type["input"]) == (1, 8, 8)
