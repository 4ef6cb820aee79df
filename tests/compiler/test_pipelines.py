"""Pipelines as text, options of passes, the registry."""

from __future__ import annotations

import pytest
from qsc.compiler import pipelines, registry
from qsc.compiler.manager import Watch, run_passes
from qsc.compiler.options import option_fields, option_type
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.cut import Cut
from qsc.compiler.passes.quantize_weights import QuantizeWeights
from qsc.frontends.text import read
from qsc.ir import InputError


def test_every_registered_name_loads():
    for name in registry.PASSES.entries:
        assert registry.PASSES.load(name).name == name
    for name in registry.TARGETS.entries:
        assert registry.TARGETS.load(name).name == name
    for name in registry.BACKENDS.entries:
        assert registry.BACKENDS.load(name).name == name
    for suffix in registry.FRONTENDS.entries:
        assert callable(registry.FRONTENDS.load(suffix))


def test_every_pipeline_names_known_passes_and_a_kind_that_a_target_has():
    for names in pipelines.PIPELINES.values():
        assert {n.rstrip("?") for n in names} <= set(registry.PASSES.entries)
    kinds = {registry.TARGETS.load(name).kind for name in registry.TARGETS.entries}
    assert kinds <= set(pipelines.PIPELINES)


def test_reading_and_writing_a_pipeline_agree():
    text = "fold-batchnorm, quantize-weights{bits=4, per-channel=false}, light-cone"
    passes = pipelines.parse_pipeline(text, {})
    assert ", ".join(map(pipelines.describe, passes)) == text


@pytest.mark.parametrize("bits", ["4", "{bits=4}", "quantize-weights.bits"])
def test_an_option_switches_its_optional_pass_on(bits: str):
    key = bits if "." in bits else "bits"
    names = [p.name for p in pipelines.default_pipeline("quantum", {key: "4"})]
    assert "quantize-weights" in names
    assert "quantize-weights" not in [p.name for p in pipelines.default_pipeline("quantum", {})]


@pytest.mark.parametrize(
    ("text", "settings", "code", "words"),
    [
        ("lightcone", {}, "O0001", "light-cone"),
        ("light-cone{", {}, "O0002", "character"),
        ("light-cone{dropqubits=true}", {}, "O0002", "drop-qubits"),
        ("quantize-weights{bits=many}", {}, "O0002", "whole number"),
        ("light-cone{drop-qubits=perhaps}", {}, "O0002", "true or false"),
    ],
)
def test_what_is_wrong_in_a_pipeline_is_said(text: str, settings: dict[str, str], code: str, words: str):
    with pytest.raises(InputError) as caught:
        pipelines.parse_pipeline(text, settings)
    assert caught.value.diagnostics[0].code == code
    assert words in str(caught.value)


NUMBERS = [
    (name, option)
    for name in registry.PASSES.entries
    for option, field in option_fields(registry.PASSES.load(name)).items()
    if option_type(registry.PASSES.load(name), field) in (int, float)
]


@pytest.mark.parametrize(("name", "option"), NUMBERS)
def test_no_number_is_negative(name: str, option: str):
    with pytest.raises(InputError, match=f"option {option} of pass {name} is -4(.0)?\n.*it takes") as caught:
        pipelines.parse_pipeline(name, {f"{name}.{option}": "-4"})
    assert caught.value.diagnostics[0].code == "O0002"


def test_numbers_are_finite():
    for value in ("nan", "inf"):
        with pytest.raises(InputError, match=f"option tolerance of pass cancel-gates is {value}"):
            pipelines.parse_pipeline("cancel-gates", {"tolerance": value})


def test_a_setting_that_no_pass_takes():
    with pytest.raises(InputError, match="drop-qubits"):
        pipelines.check_settings({"drop-qbits": "true"}, pipelines.parse_pipeline("light-cone", {}))


def test_lists_are_written_in_quotes():
    text = 'cut{devices="4,3", reuse=false},quantize-weights{layer-bits="fc1=4,fc2=2"}'
    passes = pipelines.parse_pipeline(text, {})
    assert passes == [Cut(devices="4,3", reuse=False), QuantizeWeights(layer_bits="fc1=4,fc2=2")]
    assert ",".join(map(pipelines.describe, passes)) == text
    for wrong in ('cut{devices="4,3}', 'cut{devices="4"3}', "cut{=4}"):
        with pytest.raises(InputError, match="O0002"):
            pipelines.parse_pipeline(wrong, {})


def test_an_option_of_what_might_run_is_named():
    with pytest.raises(InputError, match=r"'weight-bits'[^$]*did you mean layer-bits or bits\?"):
        pipelines.check_settings({"weight-bits": "4"}, pipelines.parse_pipeline("partition", {}), "neuromorphic")


@pytest.mark.parametrize(("name", "near"), [("fake_torin", "fake_torino"), ("ni", "nir"), ("rsqf", "rsfq")])
def test_an_unknown_target_names_the_nearest(name: str, near: str):
    with pytest.raises(InputError) as caught:
        registry.find_target(name)
    assert caught.value.diagnostics[0].code == "T0001"
    assert near in str(caught.value)


TWO_ROTATIONS = """
circuit c(x[2]) on 1 qubits { ry(x[0]) q[0]; ry(x[1]) q[0]; x q[0]; x q[0]; }
main(x: f64[?,2]) { y = expectation(x, circuit="c", observables=["Z0"]); return y; }
"""


@pytest.mark.parametrize(
    ("text", "gates"), [("cancel-gates, cancel-gates", [1, 1]), ("fold-gates, fold-gates", [14, 42])]
)
def test_only_a_pass_that_settles_is_left_out_on_its_own_result(text: str, gates: list[int]):
    watch = Watch()
    run_passes(read(TWO_ROTATIONS), pipelines.parse_pipeline(text, {}), Context(), watch)
    assert [len(stage.module.circuits["c"]) for stage in watch.stages] == gates
    first, second = (stage.module for stage in watch.stages)
    assert (first is second) == text.startswith("cancel")
