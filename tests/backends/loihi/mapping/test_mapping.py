"""Mapping onto cores: legal by the independent checker, few spikes between cores, errors that say what is over."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from qsc.backends.loihi.mapping import chip_picture, load_limits, map_program, violations
from qsc.backends.loihi.mapping.limits import NO_LIMIT, TARGETS, limits_of
from qsc.backends.loihi.program import Connection, Population, Program, Source, Window
from qsc.ir import InputError, TargetError

pytest.importorskip("mtkahypar")
LOIHI1 = load_limits("loihi1")
LOIHI2 = load_limits("loihi2")
TINY = replace(
    LOIHI1, neurons=24, in_axons=60, out_axons=80, synapse_bits=40_000, cores=6, mesh=(3, 1), cores_per_tile=2
)

SMALL = replace(TINY, in_axons=200, out_axons=300)


def dense(source: str, target: str, inputs: int, outputs: int, bits: int = 8) -> Connection:
    weight = np.random.default_rng(0).integers(-100, 101, (outputs, inputs))
    return Connection(f"{source}-{target}", source, target, weight, weight_bits=bits)


def random_program(seed: int) -> tuple[Program, dict[str, np.ndarray]]:
    """A few populations joined densely, sparsely, by kernels and to themselves, with delays and uneven registers."""
    rng = np.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(int(rng.integers(1, 4)), int(rng.integers(3, 7)), int(rng.integers(3, 7)))]
    populations, joins = [], []
    for number in range(int(rng.integers(1, 4))):
        source, name = ("x", f"p{number}") if number == 0 else (f"p{number - 1}", f"p{number}")
        before = shapes[-1]
        if len(before) == 3 and rng.random() < 0.6:
            groups = before[0] if rng.random() < 0.3 else 1
            stride = int(rng.integers(1, 3))
            window = Window((stride, stride), (1, 1), groups=groups)
            channels = groups * int(rng.integers(1, 3))
            kernel = rng.integers(-100, 101, (channels, before[0] // groups, 3, 3))
            size = (channels, (before[1] - 1) // stride + 1, (before[2] - 1) // stride + 1)
            joins.append(Connection(f"k{number}", source, name, kernel, window=window))
        else:
            size = (int(rng.integers(5, 60)),)
            shape = (size[0], int(np.prod(before)))
            weight = rng.integers(-100, 101, shape)
            sparse = bool(rng.random() < 0.5)
            delays = rng.integers(0, 9, shape) if rng.random() < 0.3 else None
            weight = weight * (rng.random(shape) < 0.3) if sparse else weight
            joins.append(Connection(f"d{number}", source, name, weight, delays=delays, sparse=sparse))
        count = int(np.prod(size))
        if rng.random() < 0.3:
            weight = rng.integers(1, 9, (count, count)) * (rng.random((count, count)) < 0.1)
            joins.append(Connection(f"r{number}", name, name, weight, sparse=True, weight_bits=4))
        populations.append(Population(name, size, threshold=rng.integers(1, 4, size)))
        shapes.append(size)
    program = Program((Source("x", shapes[0]),), tuple(populations), tuple(joins), (populations[-1].name,))
    ends = (*program.sources, *populations)
    return program, {end.name: rng.lognormal(-3, 1, int(np.prod(end.shape))) for end in ends}


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_map_legally(seed):
    program, rates = random_program(seed)
    mapping = map_program(program, SMALL if seed % 2 else LOIHI1, rates)
    assert violations(mapping) == []
    for population in program.populations:
        assert mapping.core_of[population.name].shape == (int(np.prod(population.shape)),)


def test_every_limit_counts():
    """Each limit of a core, made scarce alone, is kept."""
    program, rates = random_program(4)
    free = map_program(program, LOIHI1, rates)
    for resource in ("neurons", "in_axons", "synapse_bits", "threshold_configs"):
        most = max(1, int(free.used[resource].max()) * 2 // 3)
        mapping = map_program(program, replace(LOIHI1, **{resource: most}), rates)
        assert violations(mapping) == []
        assert mapping.used[resource].max() <= most
        assert mapping.cores > free.cores


def test_dense_1025_takes_at_most_12_cores_of_loihi_1():
    program = Program((), (Population("a", (1025,)), Population("b", (1025,))), (dense("a", "b", 1025, 1025),), ("b",))
    mapping = map_program(program, LOIHI1)
    assert violations(mapping) == []
    assert mapping.cores <= 12


def test_windows_share_kernels_and_stay_together():
    kernel = np.random.default_rng(1).integers(-9, 10, (8, 4, 3, 3))
    program = Program(
        (Source("x", (4, 24, 24)),),
        (Population("c", (8, 24, 24)),),
        (Connection("k", "x", "c", kernel, window=Window(padding=(1, 1))),),
        ("c",),
    )
    mapping = map_program(program, LOIHI1)
    assert violations(mapping) == []
    apart = map_program(program, replace(LOIHI1, synapse=replace(LOIHI1.synapse, shared_kernels=False)))
    assert violations(apart) == []
    assert mapping.used["synapse_bits"].sum() < 0.2 * apart.used["synapse_bits"].sum()
    # By channels every source would reach every core.
    assert mapping.off_core_spikes < 0.5 * 4 * 24 * 24 * mapping.cores


def test_layers_on_one_core_send_nothing():
    program = Program((), (Population("a", (40,)), Population("b", (40,))), (dense("a", "b", 40, 40),), ("b",))
    mapping = map_program(program, LOIHI1)
    assert (mapping.cores, mapping.off_core_spikes, mapping.hops_per_step) == (1, 0.0, 0.0)


def test_same_input_and_seed_give_the_same_mapping():
    program, rates = random_program(7)
    first, second = (map_program(program, TINY, rates, seed=3) for _ in range(2))
    for name, row in first.core_of.items():
        assert np.array_equal(row, second.core_of[name])
    assert np.array_equal(first.tile, second.tile)
    assert chip_picture(first) == chip_picture(second)


def test_many_cores_take_several_chips():
    program = Program((), (Population("a", (200,)), Population("b", (200,))), (dense("a", "b", 200, 200),), ("b",))
    roomy = replace(TINY, in_axons=400, out_axons=4000)
    mapping = map_program(program, roomy)
    assert mapping.chips > 1
    assert violations(mapping) == []
    across, along, leaves = mapping.hops
    assert leaves.any()
    assert not (across + along)[leaves].any()


def test_a_wrong_mapping_is_found_out():
    program, rates = random_program(5)
    mapping = map_program(program, TINY, rates)
    assert mapping.cores > 1
    name, row = next(iter(mapping.core_of.items()))
    moved = row.copy()
    moved[0] = (moved[0] + 1) % mapping.cores
    assert violations(replace(mapping, core_of={**mapping.core_of, name: moved}))
    assert violations(replace(mapping, core_of={**mapping.core_of, name: row[:-1]}))
    assert violations(replace(mapping, limits=replace(TINY, neurons=3)))
    assert violations(replace(mapping, tile=mapping.tile + 9))
    assert violations(replace(mapping, chip=mapping.chip * 0, limits=replace(TINY, cores=1)))
    routes = mapping.routes
    assert violations(replace(mapping, routes=replace(routes, in_axon=routes.in_axon * 0)))
    assert violations(replace(mapping, routes=replace(routes, synapses=routes.synapses + 1)))


def test_a_neuron_with_too_many_inputs():
    program = Program((Source("x", (5000,)),), (Population("p", (3,)),), (dense("x", "p", 5000, 3),), ("p",))
    with pytest.raises(TargetError, match=r"population p: one neuron takes 5000 axons in.*904 too many") as caught:
        map_program(program, LOIHI1)
    assert caught.value.exit_code == 3
    assert "at least 2 populations" in str(caught.value)


def test_more_cores_than_the_chips_have():
    program = Program(
        (),
        (Population("a", (1000,)), Population("b", (1000,)), Population("c", (1000,))),
        (dense("a", "b", 1000, 1000), dense("b", "c", 1000, 1000)),
        ("c",),
    )
    small = replace(LOIHI1, cores=12, mesh=(3, 1))
    with pytest.raises(TargetError) as caught:
        map_program(program, small, chips=1)
    text = str(caught.value)
    assert "1 chips of loihi1 have 12" in text
    assert "2 chips hold it" in text
    assert "with 4 weight bits it takes about" in text
    assert "b: on" in text
    assert "synapse bits" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exponent": 9}, "exponent 9"),
        ({"delays": np.full((2, 2), 64)}, "a delay of 64 steps"),
    ],
)
def test_numbers_that_the_chip_does_not_store(change, words):
    connection = replace(dense("x", "p", 2, 2), **change)
    program = Program((Source("x", (2,)),), (Population("p", (2,)),), (connection,), ("p",))
    with pytest.raises(TargetError, match=words):
        map_program(program, LOIHI1)


def test_graded_spikes_need_loihi_2():
    program = Program((Source("x", (2,), 8),), (Population("p", (2,)),), (dense("x", "p", 2, 2),), ("p",))
    with pytest.raises(TargetError, match="spikes of 8 bits"):
        map_program(program, LOIHI1)
    assert violations(map_program(program, LOIHI2)) == []


def test_wrong_rates_and_chips():
    program = Program((Source("x", (2,)),), (Population("p", (2,)),), (dense("x", "p", 2, 2),), ("p",))
    for rates in ({"q": np.ones(2)}, {"p": np.ones(3)}, {"p": -np.ones(2)}):
        with pytest.raises(InputError, match="O0002"):
            map_program(program, LOIHI1, rates)
    with pytest.raises(InputError, match="chips is 0"):
        map_program(program, LOIHI1, chips=0)


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_every_number_of_a_target_file_has_a_source(name):
    import tomllib

    table = tomllib.loads((TARGETS / f"{name}.toml").read_text(encoding="utf-8"))
    sources = table["sources"]
    tables = ("core", "chip", "system", "synapse", "energy", "latency")
    numbers = {f"{part}.{key}" for part in tables for key in table.get(part, {})} | {"graded_spikes"}
    assert numbers == set(sources)
    assert all(text.split(":")[0] in ("high", "medium", "low") for text in sources.values())


def test_limits_that_are_not_known_are_left_out():
    assert LOIHI2.in_axons == NO_LIMIT
    assert LOIHI2.mesh is None


def test_a_wrong_target_file_says_all_that_is_wrong():
    table = {
        "name": "",
        "core": {"neurons": -1, "synapse_bit": 3},
        "chip": {"cores": 9, "mesh": [2, 2]},
        "synapse": {"weight_bits": []},
        "engery": {},
    }
    with pytest.raises(InputError) as caught:
        limits_of(table, Path("mine.toml"))
    text = str(caught.value)
    for words in ("has no name", "core.neurons is -1", "synapse_bit", "no room for 9", "weight_bits is []", "engery"):
        assert words in text


def test_the_picture_shows_every_core():
    program, rates = random_program(5)
    mapping = map_program(program, TINY, rates)
    picture = ElementTree.fromstring(chip_picture(mapping))
    titles = [node.text or "" for node in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert sum(title.startswith("core ") for title in titles) == mapping.cores


def test_list_bits_are_those_of_nengo_loihi():
    """Values of SynapseConfig.bits_per_axon of nengo-loihi 1.1.0: 64 synapses of 8 bits take 522 bits, so 9 words."""
    assert LOIHI1.synapse.list_bits(np.array([0, 1, 64, 65, 114]), 8).tolist() == [0, 64, 576, 640, 1024]
