"""Rasters and curves as SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from qsc.compiler.spikes.pictures import MARKS, POINTS, raster, traces

NAME = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter(f"{NAME}text")]


def spans(svg: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter(f"{NAME}tspan")]


def test_every_spike_is_a_mark_at_its_place():
    spikes = np.zeros((4, 3))
    spikes[0, 0] = spikes[3, 2] = 1
    svg = raster({"a<b": spikes}, 1e-3)
    marks = re.findall(r"M([\d.]+) ([\d.]+)v(?!4\")", svg)
    assert len(marks) == 2
    (x0, y0), (x1, y1) = ((float(a), float(b)) for a, b in marks)
    assert x0 < x1
    assert y0 < y1
    assert spans(svg) == ["a<b", "3 neurons", "2 spikes"]
    assert words(svg)[-1] == "ms"
    assert svg == raster({"a<b": spikes.copy()}, 1e-3)


def test_many_spikes_are_thinned_and_it_is_said():
    rng = np.random.default_rng(0)
    svg = raster({"a": rng.random((500, 300)) < 0.2, "b": rng.random((500, 50)) < 0.2}, None, {"a": 9000})
    assert len(re.findall(r"v[\d.]+", svg)) <= MARKS + 20
    assert "Spikes (1 of 9 spikes is drawn)" in words(svg)
    assert "300 of 9000" in spans(svg)
    assert words(svg)[-1] == "steps"
    assert len(svg) < 90_000


def test_curves_reach_both_ends_and_show_the_threshold():
    v = np.array([[0.0, 0.1], [2.0, 0.2], [-1.0, 0.3]])
    svg = traces({"lif": v}, 1e-4, {"lif": np.ones(2)}, {"lif": [3, 8]})
    lines = re.findall(r'<polyline points="([^"]*)"', svg)
    heights = [[float(p.split(",")[1]) for p in line.split()] for line in lines]
    assert [len(h) for h in heights] == [3, 3]
    assert (min(heights[0]), max(heights[0])) == (26.0, 136.0)
    assert spans(svg) == ["lif", "neurons 3, 8", "-1 to 2"]
    assert "<title>threshold 1</title>" in svg
    assert words(svg)[-1] == "us"


def test_a_threshold_that_differs_is_left_out():
    assert "threshold" not in traces({"lif": np.ones((3, 2))}, None, {"lif": np.array([1.0, 2.0])})


def test_long_curves_keep_their_peaks():
    v = np.zeros((50_000, 1))
    v[31_234] = 5
    svg = traces({"lif": v}, 1e-3)
    points = re.findall(r'<polyline points="([^"]*)"', svg)[0].split()
    assert len(points) <= POINTS
    assert min(float(p.split(",")[1]) for p in points) == 26.0
    assert "50000 steps drawn as their smallest and largest value" in words(svg)[0]


@pytest.mark.parametrize("picture", [raster, traces])
@pytest.mark.parametrize("shape", [(1, 1), (5, 0), (1, 400)])
def test_small_and_silent_layers(picture, shape: tuple[int, int]):
    assert ElementTree.fromstring(picture({"quiet": np.zeros(shape)}, 1e-3)) is not None
    assert ElementTree.fromstring(picture({}, None)) is not None
