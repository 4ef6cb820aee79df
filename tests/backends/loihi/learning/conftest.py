"""Random learning rules and spikes as Lava's script takes them, what they are here, and what Lava makes of them."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qsc.backends.loihi.learning import ChipRule
from qsc.bridges.environments import find
from qsc.ir.plasticity import POST_TRACES, PRE_TRACES, TRACES
from qsc.ir.whole_learning import LIMITS, ChipProduct, ChipTrace

SCRIPT = Path(__file__).with_name("lava_learning.py")
GOLDEN = Path(__file__).parent / "golden" / "lava.json.gz"
STEPS, IN, OUT = 40, 4, 3
Case = dict[str, Any]


def random_case(seed: int, *, floating: bool = False) -> Case:
    """A rule of one to four products, with spikes, weights and what a neuron delivers."""
    rng = np.random.default_rng(seed)
    three = bool(rng.random() < 0.3)
    sign = str(rng.choice(["mixed", "excitatory", "inhibitory"]))
    decimation = int(rng.integers(0, 4))
    products = [_product(rng, decimation, floating) for _ in range(rng.integers(1, 5))]
    traces = {name: [_impulse(rng, floating), float(rng.choice([2, 5.5, 20, 100]))] for name in TRACES}
    rule = ChipRule(tuple(products), {}, sign, three, fixed=not floating)
    return {
        "dw": rule.text,
        "floating": floating,
        "three": three,
        "traces": {name: t for name, t in traces.items() if name in PRE_TRACES or not three},
        "seed": seed,
        "sign": sign,
        "weights": rng.integers(LIMITS[sign][0], LIMITS[sign][1] + 1, (OUT, IN)).tolist(),
        "pre": (rng.random((STEPS, IN)) < 0.25).astype(int).tolist(),
        "post": (rng.random((STEPS, OUT)) < 0.25).astype(int).tolist(),
        "y": rng.integers(-20 if floating else 0, 100, (STEPS, 3, OUT)).tolist(),
        "products": [vars(p) for p in products],
    }


def _impulse(rng: np.random.Generator, floating: bool) -> float:
    if floating:
        return float(rng.uniform(0, 2))
    return float(rng.integers(1, 60)) if rng.random() < 0.6 else round(float(rng.uniform(0.1, 40)), 2)


def _product(rng: np.random.Generator, decimation: int, floating: bool) -> ChipProduct:
    gates = [g for g in ("u", "x0", "y0") if rng.random() < 0.4] or ["x0"]
    # Lava's model in floating point takes one gate only.
    gates = gates[:1] if floating else gates
    names = rng.choice([*TRACES, "w"], int(rng.integers(0, 3 if "w" not in gates else 2)), replace=False).tolist()
    factors = tuple((name, int(rng.choice([0, 0, 3, -7, 40]))) for name in names)
    exponent = int(rng.integers(-7, -2 if floating else 2))
    sign = int(rng.choice([-1, 1]))
    return ChipProduct(
        sign * int(rng.integers(1, 8)), exponent, gates[0], tuple(gates[1:]), factors, decimation * (gates[0] == "u")
    )


def rule_of(case: Case) -> ChipRule:
    """The case's rule."""
    products = tuple(
        ChipProduct(**{**p, "spikes": tuple(p["spikes"]), "factors": tuple(map(tuple, p["factors"]))})
        for p in case["products"]
    )
    traces = {name: ChipTrace(impulse, tau, 1.0) for name, (impulse, tau) in case["traces"].items()}
    return ChipRule(products, traces, case["sign"], case["three"], fixed=not case["floating"])


def delivered(case: Case, step: int) -> dict[str, np.ndarray]:
    """What the neuron says in a step."""
    return {name: np.array(case["y"][step][k]) for k, name in enumerate(POST_TRACES)}


def in_lava(python: str, cases: list[Case], folder: Path) -> list[dict[str, Any]]:
    """The results of `lava_learning.py`, run by that interpreter; files in `folder`."""
    given, found = folder / "cases.json", folder / "results.json"
    given.write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run([python, str(SCRIPT), str(given), str(found)], capture_output=True, text=True, timeout=500)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(found.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def cases() -> Callable[..., list[tuple[Case, dict[str, Any]]]]:
    """cases(floating=) -> the golden cases with what Lava made of them."""
    known = [(c["case"], c["result"]) for c in json.loads(gzip.decompress(GOLDEN.read_bytes()))]
    return lambda floating: [(case, result) for case, result in known if case["floating"] == floating]


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """random_case(seed, floating=)."""
    return random_case


@pytest.fixture(scope="session")
def chip_of() -> Callable[[Case], ChipRule]:
    """A case's rule."""
    return rule_of


@pytest.fixture(scope="session")
def given_by_neuron() -> Callable[[Case, int], dict[str, np.ndarray]]:
    """(case, step) -> what the neuron delivers."""
    return delivered


@pytest.fixture(scope="session")
def lava_python() -> str:
    """The interpreter that has Lava; the test is skipped where there is none."""
    python = find("lava")
    if python is None:
        pytest.skip("Lava is not here: qsc env create lava")
    return str(python)


@pytest.fixture(scope="session")
def run_lava(lava_python: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Case]], list[Case]]:
    """Cases -> what Lava makes of them now."""
    return lambda cases: in_lava(lava_python, cases, tmp_path_factory.mktemp("lava"))
