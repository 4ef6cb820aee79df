"""Encoders: snntorch's where nothing is drawn, statistics where something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from qsc.compiler.spikes.encoders import ENCODERS, Delta, Encoder, Frame, Latency, Poisson, Rate, parse_encoder
from qsc.ir import InputError
from snntorch import spikegen

STEPS = 25
THEIRS: Any = spikegen  # its annotations say less than it takes


def values(seed: int, shape: tuple[int, ...] = (6, 7)) -> np.ndarray:
    """Numbers in 0..1 with both ends and a value below the threshold of 0.01."""
    x = np.random.default_rng(seed).random(shape).astype(np.float32)
    x.flat[:3] = 0.0, 1.0, 0.005
    return x


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("tau", [0.0, 1.0, 5.0])
def test_latency_is_that_of_snntorch(seed: int, linear: bool, clip: bool, first: int, tau: float):
    x = values(seed)
    ours = Latency(tau=tau, linear=linear, clip=clip, first=first).encode(x, Frame(STEPS))
    theirs = THEIRS.latency(
        torch.from_numpy(x),
        num_steps=STEPS,
        tau=tau or 1,
        normalize=not tau,
        linear=linear,
        clip=clip,
        first_spike_time=first,
        bypass=True,
    ).numpy()
    assert np.array_equal(ours, theirs)
    assert ours.sum(axis=0).max() == 1


def test_latency_of_a_row_does_not_depend_on_its_batch():
    x = values(1)
    whole = Latency().encode(x, Frame(STEPS))
    assert all(np.array_equal(Latency().encode(x[k : k + 1], Frame(STEPS)), whole[:, k : k + 1]) for k in range(len(x)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("padding", [False, True])
def test_delta_is_that_of_snntorch(seed: int, off: bool, padding: bool):
    x = np.random.default_rng(seed).normal(0, 0.2, (STEPS, 4, 5)).cumsum(axis=0).astype(np.float32)
    x[::3] = x[1:2]
    ours = Delta(off=off, padding=padding, threshold=0.25).encode(x, Frame(STEPS))
    theirs = THEIRS.delta(torch.from_numpy(x), threshold=0.25, padding=padding, off_spike=off)
    assert np.array_equal(ours, theirs.numpy())


def test_direct_shows_the_value_in_every_step():
    x = values(2)
    assert (ENCODERS["direct"]().encode(x, Frame(4)) == x).all()


@pytest.mark.parametrize(
    ("encoder", "chance"),
    [
        (Rate(), lambda x: x),
        (Rate(gain=0.5, offset=0.25), lambda x: 0.5 * x + 0.25),
        (Poisson(rate=300.0), lambda x: 1 - np.exp(-300.0 * x * 1e-3)),
    ],
)
def test_drawn_spikes_have_their_probabilities_and_are_independent(encoder: Encoder, chance):
    steps = 40_000
    x = values(3, (3, 4))
    spikes = encoder.encode(x, Frame(steps, dt=1e-3, seed=5)).astype(np.float64)
    assert set(np.unique(spikes)) <= {0.0, 1.0}
    wanted = chance(x.astype(np.float64))
    deviation = np.sqrt(wanted * (1 - wanted) / steps)
    assert (np.abs(spikes.mean(axis=0) - wanted) <= 5 * deviation + 1e-12).all()
    centred = (spikes - wanted).reshape(steps, -1)[:, deviation.ravel() > 0]
    scaled = centred / centred.std(axis=0)
    between = scaled.T @ scaled / steps - np.eye(scaled.shape[1])
    later = (scaled[1:] * scaled[:-1]).mean(axis=0)
    assert max(np.abs(between).max(), np.abs(later).max()) < 5 / np.sqrt(steps)


@given(st.integers(0, 2**32), st.permutations(range(6)), st.integers(1, 5))
def test_order_and_parts_of_a_batch_do_not_change_a_row(seed: int, order: list[int], cut: int):
    x = values(4)
    whole = Rate().encode(x, Frame(STEPS, seed=seed))
    assert np.array_equal(Rate().encode(x[order], Frame(STEPS, seed=seed, rows=order)), whole[:, order])
    rest = Rate().encode(x[cut:], Frame(STEPS, seed=seed, rows=range(cut, 6)))
    assert np.array_equal(rest, whole[:, cut:])
    assert np.array_equal(Rate().encode(x, Frame(STEPS + 9, seed=seed))[:STEPS], whole)


def test_rows_and_seeds_differ():
    x = np.full((2, 500), 0.5)
    spikes = Rate().encode(x, Frame(1))
    assert (spikes[0, 0] != spikes[0, 1]).any()
    assert (spikes != Rate().encode(x, Frame(1, seed=1))).any()


def test_an_encoder_is_written_as_a_pass():
    assert parse_encoder("latency{tau=5, linear=true, clip}") == Latency(tau=5.0, linear=True, clip=True)
    assert parse_encoder(" rate ") == Rate()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latncy", "latency"),
        ("latency{", "write it as"),
        ("latency{thau=5}", "tau"),
        ("latency{tau=soon}", "a number"),
        ("direct{x=1}", "it has none"),
        ("rate{gain}", "a number"),
    ],
)
def test_an_encoder_that_cannot_be_read(text: str, words: str):
    with pytest.raises(InputError, match=words) as caught:
        parse_encoder(text)
    assert caught.value.diagnostics[0].code == "O0002"


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("rate", 1.5, r"1.5 at index \[0, 1\]"),
        ("rate{gain=nan}", 0.5, "nan at index"),
        ("poisson", -1.0, "the rate is -100"),
        ("latency", 1.01, "0..1"),
        ("latency", -0.5, "0..1"),
        ("latency{tau=-1}", 0.5, "latency.tau is -1"),
        ("latency{tau=nan}", 0.5, "latency.tau is nan"),
        ("latency{threshold=1}", 0.5, "latency.threshold is 1"),
        ("latency{first=25}", 0.5, "0 to 24"),
        ("delta{threshold=0}", 0.5, "delta.threshold"),
    ],
)
def test_what_an_encoder_cannot_take(text: str, value: float, words: str):
    x = np.zeros((2, 3))
    x[0, 1] = value
    with pytest.raises(InputError, match=words):
        parse_encoder(text).encode(x, Frame(STEPS, dt=1e-3))


def test_poisson_needs_the_length_of_a_step():
    with pytest.raises(InputError, match="--dt SECONDS"):
        Poisson().encode(np.zeros((1, 1)), Frame(STEPS))
