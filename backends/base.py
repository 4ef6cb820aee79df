"""What every backend offers. Only a backend imports its SDK, and only when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from ..bridges.services import Services
from ..ir import Module, Node
from ..ir.ops import Launch
from ..ir.target import Target
from .legality import DeviceRules, EmittedCircuit

Costs = dict[str, float]

Inputs = Callable[[], list[np.ndarray]]
"""What comes into a launch on the calibration data, computed when it is asked for."""


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
    """How to execute.

    shots: None for exact values. noise: the device's own noise model. importer: run the artifact by another framework
    that the backend knows by this name, instead of by its own simulator. device: something of the user's own to run
    on, in place of the backend's own simulator. target_error: the standard error that an estimator is asked for.
    observables: read only these of an `expectation`, by number; None for all. record: count what spiking neurons and
    their synapses do, into the backend's `last_activity`.
    """

    shots: int | None = None
    noise: bool = False
    seed: int = 0
    importer: str | None = None
    device: Any = None
    target_error: float | None = None
    observables: tuple[int, ...] | None = None
    record: bool = False


@dataclass(frozen=True)
class SelfCheck:
    """A check that only this kind of device has, for example every order in which pulses may arrive."""

    cases: int
    failures: int
    detail: str


MODEL = "model:"
"""What stands before the name of an importer for a model of what is known of it."""


class Backend(Protocol):
    """One family of devices."""

    name: ClassVar[str]
    whole_region: ClassVar[bool]
    """Whether a launch may hold a connected region of nodes (True) or exactly one node (False)."""

    importers: ClassVar[tuple[str, ...]]
    """Other frameworks that this backend can have its artifacts run by; `model:NAME` is a model of what NAME does."""

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """None where `target` can run `node`, else the reason in one sentence."""
        ...

    def services(self, target: Target) -> Services | None:
        """What the SDKs behind `target` can do for passes; None where they can do nothing."""
        ...

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """The artifacts of one launch. effort: "fast", "default" or "max", for backends that search. inputs: what the
        launch gets on calibration data, for backends that measure.

        Raises TargetError where the target cannot hold it.
        """
        ...

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """The target that a user's TOML file describes. Raises InputError T0005 that says what is wrong in it."""
        ...

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """Checks of one launch beyond comparing its values; an empty list where there are none."""
        ...

    def emitted(self, files: Mapping[str, bytes]) -> list[EmittedCircuit]:
        """The circuits among the artifacts of one launch; an empty list where there are none."""
        ...

    def rules(self, target: Target) -> DeviceRules | None:
        """What the target takes of circuits; None where it runs none."""
        ...

    def faults(self, files: Mapping[str, bytes], target: Target) -> list[str]:
        """Why `target`, one of this backend's, cannot hold the artifacts of one launch as they are, circuits apart."""
        ...

    def importer_notes(self, files: Mapping[str, bytes], importer: str) -> list[str]:
        """What another framework is known to do with the artifacts that they do not say, a sentence each."""
        ...

    last_counts: dict[str, float]
    """What the last `run` counted (executions, shots, spikes, ...); empty before."""

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


class Plain:
    """What backends share that hold no circuits, have no checks of their own and no SDK that passes could ask."""

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """None: the values say everything."""
        return []

    def emitted(self, files: Mapping[str, bytes]) -> list[EmittedCircuit]:
        """None: no artifact is a circuit."""
        return []

    def rules(self, target: Target) -> DeviceRules | None:
        """None: no circuit runs here."""
        return None

    def faults(self, files: Mapping[str, bytes], target: Target) -> list[str]:
        """None: what runs on one target of the backend runs on all, but for ops and limits."""
        return []

    def services(self, target: Target) -> Services | None:
        """None: no SDK optimises these."""
        return None

    def importer_notes(self, files: Mapping[str, bytes], importer: str) -> list[str]:
        """None: nothing is known of any."""
        return []
