"""The function behind `qsc.compile`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ..frontends.readouts import Reading
from ..ir import InputError
from ..ir.diagnostics import user_line
from .bundle import Bundle
from .driver import Options, compile_model


def compile(
    model: Any,
    target: str | Path | Sequence[str | Path],
    *,
    example_input: Any = None,
    entry: str | None = None,
    input_shape: Sequence[int] | None = None,
    dt: float | None = None,
    readout: Reading | None = None,
    calibration: Path | str | np.ndarray | Sequence[np.ndarray] | None = None,
    weights: str = "bake",
    passes: str | None = None,
    strict: bool = False,
    verify: bool = True,
    verify_each: bool = False,
    keep_stages: bool = False,
    max_error: float = 0.0,
    effort: str = "default",
    seed: int = 0,
    **settings: Any,
) -> Bundle:
    """Compile a model for a target and check the result.

    model: a torch module, a path (.py, .pt2, .qsc, .qasm, .qpy, .json of pytket, .nir), a circuit of Qiskit or pytket,
    a qsc.Circuit with readout=, or a loaded Module. target: a name of `qsc targets`, a .toml file, or several, one of
    each kind. example_input: a tensor or a tuple of tensors, batch first, for a torch module. dt: seconds of a step,
    for a .nir file. calibration: a file, an array for every input, or the array of a single one. readout: of a circuit
    or a circuit file, "probs", "samples" or observables such as "Z0, Z1*Z2"; None for what it measures. effort: "fast",
    "default" or "max", how much is tried for a better circuit. max_error: largest error that verification accepts; 0
    for 1e-9 (float64) or 1e-5. Further keywords are options of passes, named as on the command line: `bits=4` is
    `--bits 4`, `weight_bits=6` is `--weight-bits 6`, and `zne=[1, 3]` is `--zne 1,3`.

    Example::

        bundle = qsc.compile(model, target="fake_torino", example_input=x)
        y = bundle.run(x)

    Raises qsc.QscError, whose `exit_code` and `diagnostics` say what is wrong.
    """
    options = Options(
        targets=_targets(target),
        entry=entry,
        input_shape=None if input_shape is None else _shape(input_shape),
        readout=readout,
        calibration=_calibration(calibration),
        weights=weights,
        passes=passes,
        settings={key.replace("_", "-"): _text(value) for key, value in settings.items() if value is not None},
        strict=strict,
        verify=verify,
        verify_each=verify_each,
        keep_stages=keep_stages,
        max_error=max_error,
        effort=effort,
        seed=int(seed) if isinstance(seed, Integral) else seed,
        dt=dt,
    )
    return compile_model(model, options, example_input=example_input)


def _targets(given: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    several = [given] if isinstance(given, str | Path) or not isinstance(given, Iterable) else list(given)
    for target in several:
        if not isinstance(target, str | Path):
            raise _wrong("T0001", "target", target, 'a name, as in target="fake_torino", or a .toml file')
    return tuple(map(str, several))


def _shape(given: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(size, Integral) for size in sizes):
        raise _wrong("O0002", "input_shape", given, "whole numbers, as in (1, 8, 8)")
    return tuple(map(int, sizes))


def _wrong(code: str, option: str, value: Any, known: str) -> InputError:
    return InputError.of(code, f"option {option} is {value!r}", user_line(), help=f"it takes {known}")


def _text(value: Any) -> str:
    """The value of a pass's option as it stands on the command line; a list has commas between."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple | np.ndarray) else str(value)


def _calibration(given: Path | str | np.ndarray | Sequence[np.ndarray] | None) -> Path | Sequence[np.ndarray] | None:
    if given is None or isinstance(given, str | Path):
        return None if given is None else Path(given)
    return [np.asarray(given)] if hasattr(given, "__array__") else list(given)
