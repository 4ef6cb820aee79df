"""Files for netx: read back by lava-dl 0.6 itself, in golden/netx.npz and live where its environment is there.

`pytest --update` rewrites golden/netx.npz where there is one (`qsc env create netx`).
"""

from __future__ import annotations

import importlib.util
import io
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
from qsc.backends.loihi.netx import NETX_FILE, dump, read_weight
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.backends.loihi.simulator import run
from qsc.bridges import environments
from qsc.ir import QscError, TargetError
from scipy.sparse import csr_array

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "netx.npz"
SEEDS = 60

live = pytest.mark.skipif(environments.find("netx") is None, reason="needs `qsc env create netx`")


@pytest.fixture(scope="module")
def chains() -> ModuleType:
    spec = importlib.util.spec_from_file_location("random_chains", HERE / "chains.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["random_chains"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example() -> Program:
    """Images, a convolution, and a matrix with delays behind it."""
    rng = np.random.default_rng(1)
    return Program(
        (Source("x", (2, 4, 5)),),
        (
            Population(
                "images", (3, 2, 5), du=999, dv=100, threshold=60, bias=np.ones((3, 2, 5), int), bias_exponent=7
            ),
            Population("out", (4,), threshold=np.array([90, 100, 110, 120])),
        ),
        (
            Connection(
                "kernels", "x", "images", rng.integers(-40, 41, (3, 2, 3, 3)), 8, 1, window=Window((2, 1), (1, 1))
            ),
            Connection("late", "images", "out", rng.integers(-60, 61, (4, 30)), delays=rng.integers(0, 9, (4, 30))),
        ),
        ("out",),
    )


def tree(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_the_layout_is_that_of_lava_dl():
    """Names, shapes and order of axes as in lava.lib.dl.slayer.block.base, export_hdf5."""
    program = example()
    files = dump(program)
    assert files == dump(program)
    found = tree(files[NETX_FILE])
    kinds = {name.split("/")[1]: value[0] for name, value in found.items() if name.count("/") == 2 and "type" in name}
    assert kinds == {"0": b"input", "1": b"conv", "2": b"flatten", "3": b"dense"}
    assert found["layer/0/shape"].tolist() == [2, 4, 5]
    conv = {name.removeprefix("layer/1/"): value for name, value in found.items() if name.startswith("layer/1/")}
    assert conv["shape"].tolist() == [3, 2, 5]
    assert (conv["inChannels"], conv["outChannels"], conv["groups"]) == (2, 3, 1)
    assert [conv[name].tolist() for name in ("kernelSize", "stride", "padding", "dilation")] == [
        [3, 3],
        [2, 1],
        [1, 1],
        [1, 1],
    ]
    np.testing.assert_array_equal(conv["weight"], program.connections[0].effective() * 2)
    neuron = {name.removeprefix("neuron/"): value for name, value in conv.items() if name.startswith("neuron/")}
    assert neuron == {
        "type": b"CUBA",
        "iDecay": 1000,
        "vDecay": 100,
        "vThMant": 60,
        "refDelay": 1,
        "gradedSpike": False,
    }
    assert conv["bias"].tolist() == [2, 2, 2]
    assert (found["layer/3/inFeatures"], found["layer/3/outFeatures"]) == (30, 4)
    np.testing.assert_array_equal(found["layer/3/delay"], program.connections[1].delays)
    assert found["layer/3/neuron/vThMant"].tolist() == [90, 100, 110, 120]
    assert found["layer/3/neuron/iDecay"] == 4096
    assert "layer/3/bias" not in found


def changed(connection: int = 0, population: int = 0, **fields: Any) -> Program:
    """The example with other fields of one of its parts: those that a connection has, else a population."""
    program = example()
    parts = {"connections": list(program.connections), "populations": list(program.populations)}
    for name, value in fields.items():
        kind, place = (
            ("connections", connection) if hasattr(parts["connections"][0], name) else ("populations", population)
        )
        parts[kind][place] = replace(parts[kind][place], **{name: value})
    return replace(program, **{kind: tuple(part) for kind, part in parts.items()})


def added(*connections: Connection, **fields: Any) -> Program:
    return replace(example(), connections=(*example().connections, *connections), **fields)


EYE = np.eye(4, dtype=int) * 20
REFUSED = {
    "recurrence": (added(Connection("back", "out", "out", EYE)), "connection back feeds back"),
    "a way back": (
        added(Connection("back", "out", "images", np.ones((30, 4), int))),
        "connection late feeds back, and its reader runs no recurrent layers",
    ),
    "a skip": (
        added(Connection("skip", "x", "out", np.ones((4, 40), int))),
        "population out gets late from images, skip from x; a layer has one matrix",
    ),
    "a branch": (
        added(
            Connection("side", "x", "other", np.ones((1, 40), int)),
            populations=(*example().populations, Population("other", (1,))),
        ),
        "x leads to images, other; a layer leads to one other",
    ),
    "two exponents": (
        added(Connection("more", "images", "out", np.ones((4, 30), int), sign="excitatory", exponent=-3)),
        "population out gets late from images, more from images",
    ),
    "two sources": (
        added(Connection("y_out", "y", "out", EYE), sources=(*example().sources, Source("y", (4,)))),
        "there is one input, and the program's sources are: x, y",
    ),
    "graded": (replace(example(), sources=(Source("x", (2, 4, 5), 8),)), "source x has graded spikes"),
    "an early output": (replace(example(), outputs=("images",)), "output images is not the last layer"),
    "no input": (
        replace(example(), populations=(*example().populations, Population("alone", (1,)))),
        "population alone gets no spikes",
    ),
    "initial v": (changed(population=1, initial_v=np.array([0, 1, 0, 0])), "population out starts at a potential"),
    "a fine bias": (
        changed(bias=3, bias_exponent=5),
        "population images has the bias 96; netx gives all the exponent 6",
    ),
    "a large bias": (changed(bias=4095, bias_exponent=7), "has the bias 524160"),
    "delayed images": (
        changed(delays=np.ones((3, 2, 3, 3), int)),
        "connection kernels is a convolution with delays, which its reader drops",
    ),
    "a long delay": (changed(1, delays=np.full((4, 30), 63)), "a delay of 63, which its reader clips to 62"),
    "lost bits": (changed(1, exponent=-3), "connection late shifts its sums right by 3, which loses bits"),
    "an exponent": (changed(1, exponent=4), "with its exponent 4; netx has none, and -256..255"),
    "no weights": (changed(1, weight=np.zeros((4, 30), int)), "has weights, all 0; its reader finds no bits that hold"),
    "a power of two": (
        changed(1, weight=np.full((4, 30), -32), sign="inhibitory"),
        "its reader makes 0 of the weight -32",
    ),
    "a convolution of a row": (
        Program(
            (Source("x", (9,)),),
            (Population("grid", (1, 3, 3)), Population("p", (1, 2, 2))),
            (
                Connection("rows", "x", "grid", np.eye(9, dtype=int) * 20),
                Connection("c", "grid", "p", np.full((1, 1, 2, 2), 20), window=Window()),
            ),
            ("p",),
        ),
        "connection c is a convolution of neurons behind a matrix",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_netx_cannot_hold_is_refused_with_the_reason(name: str):
    program, reason = REFUSED[name]
    with pytest.raises(TargetError) as caught:
        dump(program)
    assert reason in str(caught.value)
    assert caught.value.exit_code == 3


def test_all_reasons_are_told_at_once():
    program = replace(changed(initial_v=7, exponent=5), outputs=("images", "out"))
    with pytest.raises(TargetError) as caught:
        dump(program)
    assert [d.code for d in caught.value.diagnostics] == ["T0003"] * 2
    with pytest.raises(TargetError, match="T0006"):
        dump(changed(threshold=-1))


def test_sparse_weights_are_written_whole():
    program = example()
    weight = program.connections[1].weight * (np.arange(30) % 3 > 0)
    delays = program.connections[1].delays
    assert delays is not None
    thin = changed(1, weight=csr_array(weight), delays=delays[weight != 0])
    whole = changed(1, weight=weight, delays=np.where(weight != 0, delays, 0))
    assert dump(thin) == dump(whole)


def matrices() -> list[np.ndarray]:
    """Matrices of every sign, with and without zeros, of powers of two and of any size."""
    rng = np.random.default_rng(8)
    found = [np.zeros((2, 2), int), *(np.full((1, 2), sign * 2**k) for sign in (-1, 1) for k in range(8))]
    for _ in range(300):
        low, high = sorted(rng.integers(-256, 256, 2))
        step = 2 ** int(rng.integers(0, 4))
        found.append(rng.integers(low, high + 1, (3, 4)) // step * step)
    return found


def ran(jobs: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    np.savez(folder / "jobs.npz", **jobs)  # pyright: ignore[reportArgumentType]
    given, taken = str(folder / "jobs.npz"), str(folder / "results.npz")
    environments.run_script("netx", HERE / "netx_reader.py", [given, taken], 400)
    with np.load(taken) as file:
        return dict(file)


def held(chains: ModuleType, seeds: range) -> dict[int, tuple[Program, np.ndarray, bytes]]:
    found = {}
    for seed in seeds:
        program, spikes = chains.make(seed)
        try:
            found[seed] = program, spikes, dump(program)[NETX_FILE]
        except QscError:
            continue
    return found


def jobs(chains: ModuleType, seeds: range) -> dict[str, np.ndarray]:
    """What netx_reader.py takes."""
    found: dict[str, np.ndarray] = {}
    for seed, (_, spikes, data) in held(chains, seeds).items():
        found |= {f"{seed}/net": np.frombuffer(data, np.uint8), f"{seed}/input": spikes}
    return found


def test_netx_did_what_the_programs_mean(chains: ModuleType):
    with np.load(GOLDEN) as file:
        golden = dict(file)
    assert_same(chains, golden)
    for number, weight in enumerate(matrices()):
        assert_read(weight, golden[f"m{number:03}/read"])


@live
def test_netx_does_what_the_programs_mean(chains: ModuleType, tmp_path: Path, request: pytest.FixtureRequest):
    update = bool(request.config.getoption("--update"))
    count = SEEDS if update else 15
    found = ran(
        jobs(chains, range(count)) | {f"m{number:03}/matrix": weight for number, weight in enumerate(matrices())},
        tmp_path,
    )
    assert_same(chains, found, count)
    for number, weight in enumerate(matrices()):
        assert_read(weight, found[f"m{number:03}/read"])
    if update:
        np.savez_compressed(GOLDEN, **found)  # pyright: ignore[reportArgumentType]


def assert_read(weight: np.ndarray, read: np.ndarray) -> None:
    ours = read_weight(weight)
    np.testing.assert_array_equal(np.zeros(0) if ours is None else ours, read, str(weight))


def assert_same(chains: ModuleType, found: dict[str, np.ndarray], count: int = SEEDS) -> None:
    """Spikes of all layers equal our simulator's; the reader's images are (steps, width, height, channels)."""
    rates = []
    for seed, (program, spikes, _) in held(chains, range(count)).items():
        ours = run(program, {"x": spikes[:, None]}, len(spikes)).spikes
        for number, p in enumerate(program.populations):
            read = found[f"{seed}/{number}"]
            read = read.transpose(0, 3, 2, 1) if read.ndim == 4 else read
            np.testing.assert_array_equal(read.reshape(len(read), *p.shape), ours[p.name][:, 0], f"{seed} {p.name}")
            rates.append(ours[p.name].mean())
    assert sum(0.02 < rate < 0.9 for rate in rates) > count / 3
