"""What a chip is: limits, native ops and calibration. Data only, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Target:
    """One device or device family.

    kind: "quantum", "neuromorphic", "sfq" or "host"; it chooses the pass pipeline.
    backend: the key of the backend in the registry.
    limits: resource -> largest amount, for example {"qubits": 133}.
    native_ops: names of what the device runs itself.
    data: calibration and tables of plain values (coupling map, error rates, cell costs).
    device: an SDK's own device object, where the target came from one.
    """

    name: str
    kind: str
    backend: str
    summary: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    native_ops: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    device: Any = field(default=None, compare=False)
