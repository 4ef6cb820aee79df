"""Which passes run for which kind of target, and how a pipeline is written as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..ir import InputError
from ..ir.diagnostics import did_you_mean
from . import registry
from .options import default_of, option_fields, read_option
from .passes.base import Pass

REMOVING: tuple[str, ...] = ("trim-ends", "relabel-swaps", "cancel-gates", "absorb-clifford", "light-cone")
"""Passes that drop gates and leave the others as they are, so that a cut still sees which are diagonal."""

LOGICAL: tuple[str, ...] = (*REMOVING, "schedule-commuting", "fuse-blocks", "cancel-gates", "schedule-commuting")
"""Passes over circuits that know start state and readouts, and no device."""

NATIVE: tuple[str, ...] = ("lower-native",)
"""Passes that bring circuits into a target's own gates."""

PIPELINES: dict[str, tuple[str, ...]] = {
    "quantum": (
        "quantize-weights?",
        "bake-weights",
        "prune-angles?",
        *REMOVING,
        "measure-controls?",
        "cut?",
        *LOGICAL[len(REMOVING) :],
        "portfolio",
        "split-readouts",
        "reuse-qubits",
        *NATIVE,
        "mitigate?",
        "partition",
        "share-shots",
    ),
    "neuromorphic": ("fold-batchnorm", "dale?", "quantize-weights?", "partition", "quantize-neurons"),
    "sfq": ("simplify-logic", "map-rsfq", "balance-paths", "insert-splitters", "partition"),
    "host": ("quantize-weights?",),
}
"""Target kind -> pass names in order. A name with `?` runs only where one of its options is set.

fold-batchnorm rounds the folded weights to the model's float32, so it runs only where the device has no batch norm.
"""

_ITEM = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\{([^{}]*)\})?\s*(?:,|$)")
_OPTION = re.compile(r'[\s,]*([^\s,="]+)(?:=(?:"([^"]*)"|([^\s,"]*)))?(?=[\s,]|$)')
"""An option in braces; a value with commas, spaces or equals signs is in quotes."""


def default_pipeline(kind: str, settings: Mapping[str, str], weights: str = "bake") -> list[Pass]:
    """The passes for a kind of target, with the settings `option` or `pass.option` applied."""
    return list(_pipeline(kind, tuple(settings.items()), weights))


@lru_cache(maxsize=16)
def _pipeline(kind: str, given: tuple[tuple[str, str], ...], weights: str) -> tuple[Pass, ...]:
    settings, out = dict(given), list[Pass]()
    for entry in PIPELINES[kind]:
        name = entry.rstrip("?")
        options = _settings_for(name, settings)
        skipped = (entry.endswith("?") and not options) or (name == "bake-weights" and weights == "keep")
        if not skipped:
            out.append(registry.make_pass(name, options))
    return tuple(out)


def parse_pipeline(text: str, settings: Mapping[str, str]) -> list[Pass]:
    """Passes written as `light-cone,quantize-weights{bits=4, per-channel=false}`."""
    out: list[Pass] = []
    at = 0
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:
            raise InputError.of(
                "O0002",
                f"cannot read the pass list {text!r} at character {at + 1}",
                help="write names with commas between them, options in braces: light-cone,quantize-weights{bits=4}",
            )
        name, braces = match[1], match[2] or ""
        given = _settings_for(name, settings)
        for key, value in _options(braces.strip()):
            given |= _convert(name, key, value)
        out.append(registry.make_pass(name, given))
        at = match.end()
    return out


def _options(text: str) -> Iterator[tuple[str, str]]:
    """The options between braces; one without a value is true."""
    at = 0
    while text[at:].strip(", "):
        match = _OPTION.match(text, at)
        if match is None:
            message = f"cannot read the options {text!r} at character {at + 1}"
            raise InputError.of(
                "O0002", message, help='write bits=4, per-channel=false; lists in quotes: devices="5,4"'
            )
        yield match[1], match[2] or match[3] or "true"
        at = match.end()


def _settings_for(name: str, settings: Mapping[str, str]) -> dict[str, Any]:
    if not settings:
        return {}
    known = option_fields(registry.PASSES.load(name))
    out: dict[str, Any] = {}
    for key, value in settings.items():
        owner, _, option = key.rpartition(".")
        if owner in ("", name) and option in known:
            out |= _convert(name, option, value)
    return out


def check_settings(settings: Mapping[str, str], passes: Sequence[Pass], kind: str = "") -> None:
    """Raises InputError where a setting is no option of a pass, or no pass that runs has it.

    kind: of the target whose own pipeline it is, of which the help names what would run with an option too.
    """
    if not settings:
        return
    running = {f"{p.name}.{option}" for p in passes for option in option_fields(type(p))}
    plain = {key.rpartition(".")[2] for key in running}
    for key in settings:
        if key not in running and key not in plain:
            known = plain | running | set(_optional(kind))
            help = did_you_mean(key, known) if known else "none of its passes has options"
            if owners := _owners(key):
                help = f"it is an option of {', '.join(owners)}, which this pipeline has not; {help}"
            raise InputError.of("O0002", f"no pass of this pipeline has the option {key!r}", help=help)


def _owners(key: str) -> list[str]:
    """The passes that have an option."""
    pass_, _, option = key.rpartition(".")
    return [n for n in registry.PASSES.entries if pass_ in ("", n) and option in option_fields(registry.PASSES.load(n))]


def _optional(kind: str) -> Iterator[str]:
    """The options of passes that run where one of their options is set."""
    for entry in PIPELINES.get(kind, ()):
        if entry.endswith("?"):
            yield from option_fields(registry.PASSES.load(entry.rstrip("?")))


def _convert(name: str, option: str, value: str) -> dict[str, Any]:
    return read_option(f"pass {name}", registry.PASSES.load(name), option, value)


def describe(pass_: Pass) -> str:
    """The pass as it would be written in a pipeline, with the options that differ from their defaults."""
    given = [
        f"{option}={_show(value)}"
        for option, field in option_fields(type(pass_)).items()
        if (value := getattr(pass_, field.name)) != default_of(field)
    ]
    return pass_.name + ("{" + ", ".join(given) + "}" if given else "")


def _show(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"{text}"' if re.search(r"[\s,=]", text) else text
