"""Verdicts by published rules: nets that are known to run on the chips fit, and each rule refuses what breaks it."""

import tomllib
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from qsc.backends.feasibility import CHIPS, INPUT, TARGETS, Layer, NetOutline, core_memory, reasons_against
from qsc.ir import InputError


def dense(name: str, source: str, inputs: int, outputs: int, **more) -> Layer:
    return Layer(name, "dense", "CubaLIF", (outputs, inputs), (outputs,), (source,), **more)


def conv(name: str, source: str, kernel: tuple[int, ...], shape: tuple[int, ...], **more) -> Layer:
    return Layer(name, "conv", "IF", kernel, shape, (source,), **more)


BRAILLE = NetOutline((12,), (dense("hidden", INPUT, 12, 38, recurrent=True), dense("out", "hidden", 38, 7)), ("out",))
"""The Braille reader of the NIR paper, which ran on Xylo."""
NMNIST = NetOutline(
    (2, 34, 34),
    (
        conv("c1", INPUT, (16, 2, 5, 5), (16, 16, 16)),
        conv("c2", "c1", (16, 16, 3, 3), (16, 16, 16), pool="sum"),
        conv("c3", "c2", (8, 16, 3, 3), (8, 8, 8), pool="sum"),
        Layer("d1", "dense", "IF", (256, 128), (256,), ("c3",)),
        Layer("d2", "dense", "IF", (10, 256), (10,), ("d1",)),
    ),
    ("d2",),
)
"""The N-MNIST net of the NIR paper, which ran on Speck."""


def changed(net: NetOutline, name: str, **more) -> NetOutline:
    return replace(net, layers=tuple(replace(layer, **more) if layer.name == name else layer for layer in net.layers))


def rules(net: NetOutline, chip: str) -> set[str]:
    return {reason.rule for reason in reasons_against(net, chip)}


def test_nets_of_the_nir_paper_run_where_they_ran():
    assert reasons_against(BRAILLE, "xylo") == []
    assert reasons_against(NMNIST, "speck") == []
    assert reasons_against(NMNIST, "spinnaker2") == []
    assert reasons_against(BRAILLE, "spinnaker2") == []
    assert {"inputs", "outputs", "hidden_neurons", "layer_kinds"} <= rules(NMNIST, "xylo")
    assert {"neuron_kinds", "recurrent_layers"} <= rules(BRAILLE, "speck")


@pytest.mark.parametrize(
    ("net", "chip", "rule", "value", "limit"),
    [
        (replace(BRAILLE, input_shape=(17,)), "xylo", "inputs", 17, 16),
        (changed(BRAILLE, "out", shape=(9,)), "xylo", "outputs", 9, 8),
        (changed(BRAILLE, "hidden", shape=(1001,)), "xylo", "hidden_neurons", 1001, 1000),
        (changed(BRAILLE, "hidden", weight_bits=9), "xylo", "weight_bits", 9, 8),
        (changed(BRAILLE, "hidden", synaptic_inputs=3), "xylo", "synaptic_inputs", 3, 2),
        (changed(BRAILLE, "out", recurrent=True), "xylo", "recurrent_outputs", True, False),
        (changed(BRAILLE, "out", weight_bias=True), "xylo", "weight_biases", True, False),
        (changed(changed(BRAILLE, "out", step=1e-3), "hidden", step=1e-4), "xylo", "one_step", 2, 1),
        (NetOutline((3,), (dense("out", INPUT, 3, 4),), ("out",)), "xylo", "layers_least", 1, 2),
        (changed(BRAILLE, "hidden", reset="zero"), "xylo", "resets", "zero", ["subtract"]),
        (changed(NMNIST, "c1", reset="value"), "speck", "resets", "value", ["zero", "subtract"]),
        (changed(NMNIST, "c2", pool="max"), "speck", "pools", "max", ["sum", "average"]),
        (changed(NMNIST, "c1", sources=(INPUT, "c3")), "speck", "cycles", 3, 0),
        (changed(BRAILLE, "hidden", weight=(40000, 600)), "spinnaker2", "memory", 40000 * 600 + 38 * 7, 152 * 131072),
    ],
)
def test_each_rule(net, chip, rule, value, limit):
    found = [reason for reason in reasons_against(net, chip) if reason.rule == rule]
    assert [(reason.value, reason.limit) for reason in found] == [(value, limit)]
    assert str(found[0])


def test_a_layer_with_three_destinations():
    net = changed(changed(NMNIST, "d1", sources=("c1", "c3")), "d2", sources=("d1", "c1"))
    assert [reason.value for reason in reasons_against(net, "speck") if reason.rule == "destinations"] == [3]


def test_core_memory_is_that_of_sinabs():
    """Values of DynapcnnLayer.memory_summary of sinabs 3.1: powers of two above the taps, filters and sides."""
    layer = conv("c", INPUT, (20, 3, 3, 3), (20, 10, 17), weight_bias=True)
    assert core_memory(layer, (3, 10, 17)) == {"kernel": 3 * 2 ** (4 + 5), "neuron": 20 * 2 ** (4 + 5), "bias": 20}


def test_a_layer_that_no_core_holds():
    net = changed(NMNIST, "c2", weight=(512, 512, 3, 3))
    reason = next(reason for reason in reasons_against(net, "speck") if reason.rule == "cores")
    assert reason.layer == "c2"
    assert "65536 is the most" in str(reason)


def test_too_many_layers_for_the_large_cores():
    """Three layers fit two cores only, and they are named with them."""
    layers = [conv(f"c{k}", INPUT if k == 0 else f"c{k - 1}", (64, 64, 3, 3), (64, 8, 8)) for k in range(3)]
    small = conv("last", "c2", (4, 64, 1, 1), (4, 8, 8))
    found = reasons_against(NetOutline((64, 8, 8), (*layers, small), ("last",)), "speck")
    assert [(reason.value, reason.limit) for reason in found] == [(3, 2)]
    assert "c0, c1, c2" in str(found[0])
    assert "(5, 6)" in str(found[0])


@pytest.mark.parametrize("seed", range(30))
def test_the_assignment_of_cores_against_all_permutations(seed):
    rng = np.random.default_rng(seed)
    table = tomllib.loads((TARGETS / "speck.toml").read_text(encoding="utf-8"))["cores"]
    sides = 2 ** rng.integers(1, 6, 5)
    layers = []
    for k, side in enumerate(sides.tolist()):
        filters, channels = (2 ** rng.integers(1, 7, 2)).tolist()
        layers.append(conv(f"c{k}", INPUT, (filters, channels, 3, 3), (filters, side, side)))
    needs = [core_memory(layer, (1, 1, 1)) for layer in layers]
    legal = any(
        all(need[key] <= table[key][core] for need, core in zip(needs, cores, strict=True) for key in need)
        for cores in permutations(range(9), len(layers))
    )
    found = [r for r in reasons_against(NetOutline((1, 9, 9), tuple(layers), ("c0",)), "speck") if r.rule == "cores"]
    assert (found == []) == legal


@pytest.mark.parametrize("chip", CHIPS)
def test_every_rule_has_a_source(chip):
    table = tomllib.loads((TARGETS / f"{chip}.toml").read_text(encoding="utf-8"))
    assert {*table["rules"], *({"cores", "memory"} & table.keys())} == set(table["sources"])


def test_wrong_files_and_nets(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(InputError, match="no target file"):
        reasons_against(BRAILLE, path)
    path.write_text('[rules]\ninptus = 3\noutputs = "many"\npools = 1\n[cores]\nkernel = [1]\n')
    with pytest.raises(InputError) as caught:
        reasons_against(BRAILLE, path)
    for words in ("inptus", "rules.outputs is 'many'", "rules.pools is 1", "[cores] lacks"):
        assert words in str(caught.value)
    path.write_text("[rules]\noutputs = 3\n")
    assert [reason.value for reason in reasons_against(BRAILLE, path)] == [7]
    with pytest.raises(InputError, match="no layer 'hiden'"):
        reasons_against(changed(BRAILLE, "out", sources=("hiden",)), "xylo")
