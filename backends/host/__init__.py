"""The host: the classical rest of a model, run by the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...ir import Module, Node, TargetError
from ...ir.diagnostics import InputError
from ...ir.ops import Launch
from ...ir.target import Target
from ..base import Emission, Inputs, Plain, RunOptions

TARGET = Target("host", "host", "host", "no device: the whole model runs in the interpreter, exactly")


class HostBackend(Plain):
    """Takes nothing as a launch, so that everything stays in the host program."""

    name: ClassVar[str] = "host"
    whole_region: ClassVar[bool] = False
    importers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """Always a reason: the host program runs every op itself."""
        return "the host runs it"

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """The host has no artifacts: TargetError."""
        raise TargetError.of("T0003", "the host takes no launches")

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """The host has no artifacts: TargetError."""
        raise TargetError.of("T0003", "the host takes no launches")

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """A host target has nothing to describe: InputError."""
        raise InputError.of("T0005", f"{path}: the host needs no target file", help="use --target host")
