"""The function behind `qsc.compile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..frontends.readouts import Reading
from .bundle import Bundle
from .driver import Options, compile_model


def compile(
    model: Any,
    target: str | Sequence[str],
    *,
    example_input: Any = None,
    entry: str | None = None,
    input_shape: Sequence[int] | None = None,
    readout: Reading | None = None,
    calibration: Path | str | Sequence[np.ndarray] | None = None,
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

    model: a torch module, a path (.py, .pt2, .qsc, .qasm, .qpy, .json of pytket), a loaded Module, or a qsc.Circuit
    with readout=. target: a name of `qsc targets`, a .toml file, or several, one of each kind. example_input: a
    tensor or a tuple of tensors, batch first, for a torch module. readout: of a circuit or a circuit file, "probs",
    "samples" or observables such as "Z0, Z1*Z2"; None for what the file measures. effort: "fast", "default" or
    "max", how much is tried for a better circuit. max_error: largest error that verification accepts; 0 for 1e-9
    (float64) or 1e-5. Further keywords are options of passes, named as on the command line: `bits=4` is `--bits 4`.

    Example::

        bundle = qsc.compile(model, target="fake_torino", example_input=x)
        y = bundle.run(x)

    Raises qsc.QscError, whose `exit_code` and `diagnostics` say what is wrong.
    """
    options = Options(
        targets=(target,) if isinstance(target, str) else tuple(target),
        entry=entry,
        input_shape=tuple(input_shape) if input_shape is not None else None,
        readout=readout,
        calibration=Path(calibration) if isinstance(calibration, str) else calibration,
        weights=weights,
        passes=passes,
        settings={key.replace("_", "-"): str(value) for key, value in settings.items()},
        strict=strict,
        verify=verify,
        verify_each=verify_each,
        keep_stages=keep_stages,
        max_error=max_error,
        effort=effort,
        seed=seed,
    )
    return compile_model(model, options, example_input=example_input)
