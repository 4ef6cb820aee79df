"""Energy of events on a chip: by hand, and beside SANA-FE (sanafe.json, or live where its environment is)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qsc.backends.loihi.energy import PER_CORE, PER_STEP, ChipCounts, chip_cost, count_events
from qsc.backends.loihi.mapping.limits import load_limits
from qsc.backends.loihi.mapping.mapper import map_program
from qsc.backends.loihi.mapping.result import Mapping, routes_of
from qsc.backends.loihi.mapping.synapses import fans_of
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.bridges.environments import find
from qsc.ir import InputError

HERE = Path(__file__).parent
LIMITS = load_limits("loihi1")
# SANA-FE's arch/loihi.yaml has it, the target file need not.
LATENCY = {"message_in": 16e-9} | dict(LIMITS.latency)


@pytest.fixture(scope="module", params=["golden", "live"])
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What SANA-FE says: from the file, and now."""
    golden = json.loads((HERE / "sanafe.json").read_text())
    if request.param == "golden":
        return golden
    python = find("sanafe")
    if python is None:
        pytest.skip("qsc env create sanafe makes the environment of this check")
    out = tmp_path_factory.mktemp("sanafe") / "now.json"
    subprocess.run([str(python), str(HERE / "make_sanafe.py"), str(out)], check=True, capture_output=True)
    now = json.loads(out.read_text())
    assert now == golden
    return now


def mapped_as(facts: dict[str, Any]) -> tuple[Mapping, dict[str, np.ndarray]]:
    """The golden's net on the golden's cores, and its spikes."""
    shapes = {"a": (6, 1, 2), "b": (20,), "c": (1, 2, 3)}
    populations = tuple(Population(name, shapes[name]) for name in facts["groups"])
    connections = []
    for k, row in enumerate(facts["connections"]):
        weight, window = np.array(row["weight"]), None
        if row["kind"] == "conv":
            weight, window = weight.reshape(6, 1, 2, 1, 2, 3)[:, 0, :1, :, :, :2].reshape(6, 1, 2, 2), Window()
        kind = {"sparse": row["kind"] == "sparse", "window": window}
        connections.append(Connection(f"c{k}", row["source"], row["target"], weight, **kind))
    program = Program((), populations, tuple(connections), ("c",))
    homes = sorted({tuple(home) for row in facts["homes"].values() for home in row})
    core_of = {name: np.array([homes.index(tuple(home)) for home in row]) for name, row in facts["homes"].items()}
    rates = {name: np.ones(count) for name, count in facts["groups"].items()}
    routes = routes_of(program, fans_of(program, LIMITS), core_of, len(homes), rates)
    tile = np.array([divmod(number, 4) for number, _ in homes])
    chip = np.zeros(len(homes), np.int64)
    spikes = {name: np.zeros((facts["steps"], 1, *shapes[name]), bool) for name in shapes}
    for name, fired in facts["spikes"].items():
        steps, neurons = np.array(fired).T
        spikes[name].reshape(facts["steps"], -1)[steps, neurons] = True
    return Mapping(program, LIMITS, core_of, chip, tile, (8, 4), routes, {}, rates), spikes


def test_energy_and_time_are_those_of_sanafe(theirs: dict[str, Any]):
    mapped, spikes = mapped_as(theirs)
    cost = chip_cost(count_events(mapped, spikes), LIMITS.energy, LATENCY)
    parts = {
        "synapse": sum(cost.energy_j[name] for name in PER_CORE if name.startswith("synapse")),
        "soma": sum(cost.energy_j[name] for name in ("neuron_access", "neuron_update", "spike_out")),
        "network": sum(cost.energy_j[name] for name in ("message_out", "message_in", *PER_STEP)),
        "total": cost.total_j,
    }
    wanted = theirs["energy"]
    assert parts == pytest.approx({name: wanted[name] for name in parts}, rel=1e-9)
    assert cost.work_s == pytest.approx(theirs["sim_time"], rel=1e-9)


def counts(inputs: int = 1, steps: int = 2, **per_core: list[list[float]]) -> ChipCounts:
    zero = np.zeros((inputs * steps, 2))
    hops = {name: np.arange(inputs * steps, dtype=float) for name in PER_STEP}
    return ChipCounts(inputs, steps, {name: np.array(per_core.get(name, zero)) for name in PER_CORE}, hops)


def test_a_step_takes_as_long_as_its_longest_core():
    given = counts(neuron_update=[[1, 5], [2, 0]], synapse_dense=[[0, 0], [9, 1]])
    energy = dict.fromkeys((*PER_CORE, *PER_STEP), 0.0) | {"hop_east_west": 3.0, "neuron_update": 0.5}
    latency = dict.fromkeys(PER_CORE, 0.0) | {"neuron_update": 10.0, "synapse_dense": 3.0}
    cost = chip_cost(given, energy, latency | {"barrier_least": 1.0, "barrier_most": 2.0})
    assert cost.work_s == 50.0 + 27.0
    assert cost.latency_s == (79.0, 81.0)
    assert cost.total_j == 3.0 + 0.5 * 8


def test_several_inputs_cost_their_mean():
    one = counts(neuron_update=[[1, 5], [2, 0]])
    both = ChipCounts(
        2,
        2,
        {name: np.concatenate([row, row]) for name, row in one.per_core.items()},
        {name: np.concatenate([row, row]) for name, row in one.per_step.items()},
    )
    first, mean = (chip_cost(c, LIMITS.energy, LATENCY) for c in (one, both))
    assert mean.total_j == pytest.approx(first.total_j)
    assert mean.latency_s == pytest.approx(first.latency_s)


def test_a_mapped_program_counts_messages_as_its_routes_do():
    rng = np.random.default_rng(3)
    weight, back = rng.integers(1, 9, (1500, 40)), rng.integers(1, 9, (40, 1500))
    program = Program(
        (Source("in", (40,)),),
        (Population("h", (1500,)), Population("out", (40,))),
        (Connection("w", "in", "h", weight), Connection("v", "h", "out", back)),
        ("out",),
    )
    mapped = map_program(program, LIMITS)
    spikes = {name: rng.random((6, 3, n)) < 0.2 for name, n in (("in", 40), ("h", 1500), ("out", 40))}
    found = count_events(mapped, spikes)
    routes, total = mapped.routes, {name: s.sum(axis=(0, 1)) for name, s in spikes.items()}
    sent = np.array(
        [total[program.connections[c].source][s] for c, s in zip(routes.connection, routes.source, strict=True)]
    )
    assert (found.inputs, found.steps) == (3, 6)
    assert found.per_core["message_in"].sum() == sent.sum()
    assert found.per_core["message_out"].sum() == sent[routes.source_core >= 0].sum()
    assert found.per_core["synapse_dense"].sum() == (sent * routes.synapses).sum()
    assert found.per_core["synapse_dense"].sum() == total["in"].sum() * 1500 + total["h"].sum() * 40
    assert found.per_core["spike_out"].sum() == total["h"].sum() + total["out"].sum()
    assert found.per_step["hop_east_west"].sum() == (sent * mapped.hops[0]).sum()
    cost = chip_cost(found, LIMITS.energy, LIMITS.latency)
    assert 0 < cost.work_s < cost.latency_s[0] < cost.latency_s[1]


def test_prices_that_are_missing_are_named():
    with pytest.raises(InputError, match=r"\[energy\] has no neuron_access, .*hop_north_south") as caught:
        chip_cost(counts(), {}, LATENCY)
    assert "message_in" not in str(caught.value)
    with pytest.raises(InputError, match=r"\[latency\] has no barrier_least, barrier_most"):
        chip_cost(counts(), LIMITS.energy, dict.fromkeys(PER_CORE, 0.0))


@pytest.mark.parametrize("shape", [None, (6, 1, 41), (5, 1, 40)])
def test_spikes_that_do_not_fit_are_named(shape: tuple[int, ...] | None):
    program = Program((Source("in", (40,)),), (Population("h", (10,)),), (), ())
    mapped = Mapping(
        program, LIMITS, {}, np.zeros(0), np.zeros((0, 2)), (8, 4), routes_of(program, (), {}, 0, {}), {}, {}
    )
    spikes = {"h": np.zeros((6, 1, 10))} | ({} if shape is None else {"in": np.zeros(shape)})
    with pytest.raises(InputError, match="the spikes of in are"):
        count_events(mapped, spikes)
