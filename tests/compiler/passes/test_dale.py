"""The signs of weights: a neuron excites or inhibits, whatever its weights go through."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.dale import MOST, Dale
from qsc.frontends.text import read

NET = """
weight @ee: f32[3,4] = [0.5, 0, 0.25, 1,  0.5, 0.5, 0, 0.125,  0, 1, 0.5, 0];
weight @ie: f32[2,4] = [0.5, 0.25, 0, 0.5,  0.125, 0.5, 1, 0];
weight @ei: f32[3,2] = [0.5, 0,  0.25, 0.5,  0, 1];
weight @gain: f32[3] = [1, 0.5, 2];

main(x: f32[5,?,4]) {
  v0 = constant(x, value=0, shape=[?,3]);
  v1, spikes = scan(v0, x, steps=5, carried=1, sequences=1) {
    body(v: f32[?,3], now: f32[?,4]) {
      z = linear(now, @ie);
      drive = DRIVE;
      fired, after = leaky(drive, v, constant(value=0.9), constant(value=1), reset="zero");
      return after, fired;
    }
  }
  return spikes;
}
"""


def checked(drive: str, text: str = NET) -> list[str]:
    """The remarks; errors come through."""
    context = Context()
    Dale().run(read(text.replace("DRIVE", drive)), context)
    return [r.message for r in context.remarks]


@pytest.mark.parametrize(
    "drive",
    [
        "sub(linear(now, @ee), linear(z, @ei))",
        "add(linear(now, @ee), neg(linear(z, @ei)))",
        "div(mul(sub(linear(now, @ee), linear(z, @ei)), @gain), linear(z, @ei))",
        "add(linear(now, @ee), mul(linear(z, @ei), scalar=-0.5))",
    ],
)
def test_inhibition_by_neurons_of_its_own_holds(drive: str):
    first, second = checked(drive)
    assert first == "x: 4 neurons excite and 0 inhibit what they reach"
    assert second == "z: 0 neurons excite and 2 inhibit what they reach"


@pytest.mark.parametrize(
    ("drive", "text", "said"),
    [
        (
            "sub(linear(now, @ee), linear(z, @ei))",
            NET.replace("0.5, 0, 0.25, 1,", "0.5, 0, -0.25, 1,"),
            "neuron 2 of x",
        ),
        (
            "sub(linear(now, @ee), linear(z, @ei))",
            NET.replace("0.25, 0.5,  0, 1", "0.25, 0.5,  0, -1"),
            "neuron 1 of z",
        ),
        ("sub(linear(now, @ee), mul(linear(now, @ee), @gain))", NET, "neuron 0 of x"),
        ("mul(linear(now, @ee), @gain)", NET.replace("[1, 0.5, 2]", "[1, -0.5, 2]"), "neuron 0 of x"),
    ],
)
def test_a_neuron_that_does_both_is_refused_with_its_place(drive: str, text: str, said: str):
    with pytest.raises(qsc.QscError, match=said) as caught:
        checked(drive, text)
    fault = caught.value.diagnostics[0]
    assert fault.code == "M0009"
    assert fault.location.line > 0
    assert "@e" in fault.message


def test_many_neurons_are_counted():
    rows = ",".join(str(x) for x in np.tile([1, -1], (20, 1)).T.ravel())
    text = f"weight @w: f32[2,20] = [{rows}];\nmain(x: f32[?,20]) {{ return linear(x, @w); }}"
    with pytest.raises(qsc.QscError) as caught:
        checked("", text)
    assert len(caught.value.diagnostics) == MOST
    assert caught.value.diagnostics[-1].notes == (f"so do {20 - MOST} more neurons of x",)


def test_recurrent_synapses_count_with_those_that_leave():
    text = """
    weight @out: f32[2,2] = [1, 1, 0, 1];
    weight @back: f32[2,2] = [SIGNS];
    main(x: f32[5,?,2]) {
      v0 = constant(x, value=0, shape=[?,2]);
      s0 = constant(x, value=0, shape=[?,2]);
      v1, s1, y = scan(v0, s0, x, steps=5, carried=2, sequences=1) {
        body(v: f32[?,2], s: f32[?,2], now: f32[?,2]) {
          fired, after = leaky(add(now, linear(s, @back)), v, constant(value=0.9), constant(value=1), reset="zero");
          return after, cast(fired, dtype="f32"), linear(fired, @out);
        }
      }
      return y;
    }
    """
    assert checked("", text.replace("SIGNS", "0, 1, 1, 0")) == ["fired: 2 neurons excite and 0 inhibit what they reach"]
    with pytest.raises(qsc.QscError, match="neuron 1 of fired excites by 2 and inhibits by 1"):
        checked("", text.replace("SIGNS", "0, -1, 0, 0"))


def test_kernels_count_by_channel():
    text = "weight @k: f32[1,2,1,2] = [1, 1, VALUE, -1];\nmain(x: f32[?,2,3,3]) { return conv(x, @k); }"
    assert checked("", text.replace("VALUE", "-2")) == ["x: 1 neurons excite and 1 inhibit what they reach"]
    with pytest.raises(qsc.QscError, match="neuron 1 of x"):
        checked("", text.replace("VALUE", "2"))


def test_it_runs_where_it_is_asked_for():
    module = read(NET.replace("DRIVE", "sub(linear(now, @ee), linear(now, @ee))"))
    given = (np.random.default_rng(0).random((5, 8, 4)) * 2).astype(np.float32)
    assert qsc.compile(module, target="nir", calibration=[given], verify=False)
    with pytest.raises(qsc.QscError, match="of x"):
        qsc.compile(module, target="nir", calibration=[given], dale=True)
