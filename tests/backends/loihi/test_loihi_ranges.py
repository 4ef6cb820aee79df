"""Every register has its range, and what is outside is named with its value and its limit. Lava checks none of this."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.backends.loihi.ranges import faults
from scipy.sparse import csr_array

SOURCE, POPULATION = Source("x", (2,)), Population("p", (3,))
MATRIX = Connection("c", "x", "p", np.zeros((3, 2), int))
IMAGE = Source("x", (2, 5, 6))
KERNEL = Connection("c", "x", "p", np.ones((4, 2, 3, 3), int), window=Window((2, 1), (1, 0)))


def program(source: Source = SOURCE, population: Population = POPULATION, *connections: Connection) -> Program:
    return Program((source,), (population,), connections or (MATRIX,), ("p",))


def messages(given: Program) -> list[str]:
    return [fault.message for fault in faults(given)]


@pytest.mark.parametrize(
    ("register", "low", "high"),
    [
        ("du", 0, 4095),
        ("dv", 0, 4095),
        ("threshold", 0, 131071),
        ("bias", -4096, 4095),
        ("bias_exponent", 0, 7),
        ("initial_v", -8388607, 8388607),
    ],
)
def test_registers_of_a_population(register: str, low: int, high: int):
    for value in (low, high):
        assert messages(program(population=replace(POPULATION, **{register: value}))) == []
    for value in (low - 1, high + 1):
        found = messages(program(population=replace(POPULATION, **{register: value})))
        assert found == [f"population p: {register} {value} is outside {low}..{high}"]


def test_registers_of_single_neurons():
    found = messages(program(population=replace(POPULATION, du=np.array([5, 5000, 4096]), dv=np.zeros(2, int))))
    assert found == [
        "population p: du 5000 is outside 0..4095 (2 of 3 are)",
        "population p: dv is of shape (2,); it takes one number or (3,)",
    ]
    (found,) = messages(program(population=replace(POPULATION, threshold=0.5)))  # pyright: ignore[reportArgumentType]
    assert found == "population p: threshold is of type float64; it takes whole numbers"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_bits": 9}, "connection c: weight_bits 9 is outside 1..8"),
        ({"weight_bits": 0}, "connection c: weight_bits 0 is outside 1..8"),
        ({"exponent": -8}, "connection c: exponent -8 is outside -7..7"),
        ({"exponent": 8}, "connection c: exponent 8 is outside -7..7"),
        ({"sign": "both"}, "connection c: sign 'both'"),
        ({"delays": np.full((3, 2), 64)}, "connection c: delay 64 is outside 0..63 (6 of 6 are)"),
        ({"delays": np.full((3, 2), -1)}, "connection c: delay -1 is outside 0..63 (6 of 6 are)"),
        ({"delays": np.zeros((2, 3), int)}, "connection c: delays are of shape (2, 3); its weights are of (3, 2)"),
        ({"weight": np.full((3, 2), 256)}, "connection c: weight 256 is outside -256..255 (6 of 6 are)"),
        (
            {"weight": np.full((3, 2), -1), "sign": "excitatory"},
            "connection c: weight -1 is outside 0..255 (6 of 6 are)",
        ),
        (
            {"weight": np.full((3, 2), 1), "sign": "inhibitory"},
            "connection c: weight 1 is outside -255..0 (6 of 6 are)",
        ),
        (
            {"weight": csr_array([[0, 300], [0, 1], [0, 0]])},
            "connection c: weight 300 is outside -256..255 (1 of 2 are)",
        ),
        ({"weight": csr_array(([1, 2], [0, 0], [0, 2, 2, 2]), (3, 2))}, "connection c: weight: two lie at one place"),
        ({"weight": np.zeros((3, 2))}, "connection c: weight is of type float64; it takes whole numbers"),
        ({"weight": np.zeros((2, 3), int)}, "connection c: weight is of shape (2, 3); x to p takes (3, 2)"),
        ({"source": "q"}, "connection c: there is no source or population 'q'"),
        ({"target": "x"}, "connection c: there is no population 'x'"),
    ],
)
def test_connections(change: dict, message: str):
    assert messages(program(SOURCE, POPULATION, replace(MATRIX, **change))) == [message]


def test_convolutions():
    right = replace(POPULATION, shape=(4, 3, 4))
    assert messages(program(IMAGE, right, KERNEL)) == []
    (found,) = messages(program(IMAGE, replace(right, shape=(4, 3, 3)), KERNEL))
    assert found == "connection c: the window makes (4, 3, 4) of (2, 5, 6); p is of shape (4, 3, 3)"
    (found,) = messages(program(IMAGE, right, replace(KERNEL, window=Window(groups=2))))
    assert found == "connection c: 4 x 2 kernels in 2 groups do not fit 2 channels of x"
    (found,) = messages(program(IMAGE, right, replace(KERNEL, window=Window(stride=(0, 1)))))
    assert "stride, dilation and groups start at 1" in found
    (found,) = messages(program(SOURCE, right, KERNEL))
    assert "over a source of shape (channels, height, width), not weight of shape (4, 2, 3, 3) over (2,)" in found


def test_sums_of_a_convolution_stay_in_32_bits():
    right, loud = replace(POPULATION, shape=(4, 3, 4)), replace(KERNEL, weight=KERNEL.weight * 254)
    assert messages(program(replace(IMAGE, message_bits=19), right, loud)) == []
    (found,) = messages(program(replace(IMAGE, message_bits=21), right, loud))
    assert found.startswith("connection c: graded spikes of 21 bits can sum up to 4794084900 over its kernels")


def test_names_sources_and_outputs():
    twice = Program((SOURCE,), (POPULATION, Population("x", (0,))), (MATRIX,), ("y",))
    assert messages(twice) == [
        "the name 'x' is given twice",
        "output 'y' is not a population",
        "population x: shape (0,) holds no neuron",
        "connection c: weight is of shape (3, 2); x to p takes (3, 0)",
    ]
    assert messages(program(replace(SOURCE, message_bits=25))) == [
        "source x: message_bits 25; graded spikes have 2..24, binary 0"
    ]
