"""What every frontend gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ir import Module

Reference = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
"""Runs the original framework's own model: inputs -> outputs, in the order of the module's graph."""


@dataclass(frozen=True)
class Imported:
    """A module, and what else the source said.

    example_inputs: inputs that the source came with, one array an input of the module, or empty.
    reference: the original framework's own execution; None where the source has none (the interpreter is the meaning).
    """

    module: Module
    example_inputs: list[np.ndarray] = field(default_factory=list)
    reference: Reference | None = None
