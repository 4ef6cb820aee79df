"""What every backend offers. Only a backend imports its SDK, and only when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from ..ir import Module, Node
from ..ir.ops import Launch
from ..ir.target import Target

Costs = dict[str, float]


@dataclass(frozen=True)
class Emission:
    """What a backend made of one launch.

    files: path below `artifacts/` -> content. costs: the keys of the cost table (`qubits`, `junctions`, ...).
    notes: sentences for the report.
    """

    files: dict[str, bytes]
    costs: Costs
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOptions:
    """How to execute. shots: None for exact values. noise: the device's own noise model."""

    shots: int | None = None
    noise: bool = False
    seed: int = 0


@dataclass(frozen=True)
class RunReport:
    """What executing cost, for the report: executions, shots, seconds, or whatever the backend counts."""

    counts: dict[str, float] = field(default_factory=dict)


class Backend(Protocol):
    """One family of devices."""

    name: ClassVar[str]
    whole_region: ClassVar[bool]
    """Whether a launch may hold a connected region of nodes (True) or exactly one node (False)."""

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """None where `target` can run `node`, else the reason in one sentence."""
        ...

    def emit(self, launch: Launch, module: Module, target: Target, seed: int) -> Emission:
        """The artifacts of one launch. Raises TargetError where the target cannot hold it."""
        ...

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """Execute one launch from its artifacts alone: inputs and outputs in the order of the launch's body."""
        ...
