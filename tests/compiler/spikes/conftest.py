"""A network whose input is a sequence in time."""

from __future__ import annotations

from pathlib import Path

import pytest
import qsc
from qsc.frontends.text import read

WEIGHTS = ", ".join("2" if i == j else "0" for i in range(12) for j in range(12))
TEXT = f"""weight @w: f32[12,12] = [{WEIGHTS}];

main(x: f32[8,?,12]) {{
  v0 = constant(x, value=0, shape=[?,12]);
  last, spikes = scan(v0, x, steps=8, carried=1, sequences=1) {{
    body(v: f32[?,12], now: f32[?,12]) {{
      spike, u = leaky(linear(now, @w), v, constant(value=0.9), constant(value=1), reset="zero");
      return u, spike;
    }}
  }}
  return spikes;
}}
"""


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 12 inputs over 8 steps and 12 neurons, each with one input: it fires where its input does."""
    return qsc.compile(read(TEXT, "net"), target="nir").save(tmp_path_factory.mktemp("net") / "bundle")
