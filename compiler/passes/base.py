"""What a pass is: a frozen dataclass whose fields are its options, with a contract that can be checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from ...bridges.services import Services
from ...ir import InputError, Location, Module, Node
from ...ir.diagnostics import UNKNOWN
from ...ir.target import Target


class Contract(Enum):
    """What a pass must keep. `--verify-each` checks it with the interpreter on concrete inputs."""

    VALUES = "values"
    """every output, within the pass's `tolerance`"""
    UNITARY = "unitary"
    """the unitary of every circuit, up to the tracked global phase"""
    STATE = "state"
    """the state that every circuit makes from |0>, up to the tracked global phase"""
    EXPECTATION = "expectation"
    """the module's own observables"""
    DISTRIBUTION = "distribution"
    """the outcome distribution of every readout"""
    SPIKES = "spikes"
    """every spike, bin by bin"""
    APPROXIMATE = "approximate"
    """a measured error below the pass's stated bound"""


@dataclass(frozen=True)
class Remark:
    """What a pass did, where, and how much it saved; or why it could not."""

    pass_name: str
    message: str
    location: Location = UNKNOWN
    saved: dict[str, float] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    """More for the bundle's manifest, in plain values."""

    def __str__(self) -> str:
        saved = ", ".join(f"{key} {-value:+g}" for key, value in self.saved.items() if value)
        return f"{self.pass_name}: {self.message}" + (f" ({saved})" if saved else "")


EFFORTS = ("fast", "default", "max")
"""How much a compile may try: a single way, a few, many."""


Supports = Callable[[Node, Module], str | None]
"""None where the device can run the node, else the reason why it cannot. A `launch` node asks about a whole region."""


@dataclass
class Context:
    """What a pass may know beside the module.

    inputs: what the bundle will be checked on, one array an input of the module; empty where there is nothing.
    supports: asks the target's backend about a node. whole_region: whether the backend takes connected regions of
    supported nodes as one launch (True), or every node as a launch of its own. effort: "fast", "default" or "max".
    services: what the backend's SDKs can do for passes; None where it has none.
    """

    target: Target | None = None
    seed: int = 0
    supports: Supports | None = None
    whole_region: bool = False
    effort: str = "default"
    services: Services | None = None
    inputs: Sequence[np.ndarray] = ()
    remarks: list[Remark] = field(default_factory=list)

    def remark(self, source: Pass, message: str, location: Location = UNKNOWN, **saved: float) -> None:
        """Record what `source` did."""
        self.remarks.append(Remark(source.name, message, location, saved))


@dataclass(frozen=True)
class Measured:
    """What an approximate pass did to the model, beside the largest value that it promises."""

    metric: str
    value: float
    bound: float


@dataclass(frozen=True)
class Pass:
    """Module -> Module. The docstring's first line is its summary in `qsc passes`; every field is an option.

    An attribute `tolerance`, where a pass has one, widens its contract: for `values` relative to the largest output,
    for `unitary` and `state` in radians a gate.
    """

    name: ClassVar[str] = ""
    contract: ClassVar[Contract] = Contract.VALUES
    settles: ClassVar[bool] = False
    """Whether a second run on its own result would find nothing more, or next to nothing."""
    serves: ClassVar[str] = ""
    """The native op of the targets that it is for; the pipelines of others leave it out."""
    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {}
    """Option -> its least and greatest number, both taken. Every other number is finite and 0 or more."""

    def __post_init__(self) -> None:
        """InputError O0002 for a number outside its range."""
        for field_ in fields(self):
            value = getattr(self, field_.name)
            if not isinstance(value, int | float):
                continue
            least, most = self.ranges.get(field_.name, (0, math.inf))
            if not (least <= value <= most and math.isfinite(value)):
                option = field_.name.replace("_", "-")
                help = f"it takes {least} to {most}" if field_.name in self.ranges else "it takes a number, 0 or more"
                raise InputError.of("O0002", f"option {option} of pass {self.name} is {value}", help=help)

    def run(self, module: Module, context: Context) -> Module:
        """The changed module; the given one is left as it is."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def measured(self, before: Module, after: Module) -> Measured:
        """The error that a pass with the contract `approximate` made, and its bound."""
        raise TypeError(f"{type(self).__name__} does not say what it measures")
