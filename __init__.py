"""qsc compiles trained models to quantum processors, neuromorphic chips and superconducting pulse logic."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "compile": "qsc.compiler.api:compile",
    "load": "qsc.compiler.bundle:load",
    "Bundle": "qsc.compiler.bundle:Bundle",
    "Circuit": "qsc.frontends.builder:Circuit",
    "FeatureMap": "qsc.frontends.feature_maps:FeatureMap",
    "QuantumKernel": "qsc.compiler.kernels:QuantumKernel",
    "dense_angle_map": "qsc.frontends.feature_maps:dense_angle_map",
    "zz_feature_map": "qsc.frontends.feature_maps:zz_feature_map",
    "Module": "qsc.ir:Module",
    "Target": "qsc.ir.target:Target",
    "QscError": "qsc.ir:QscError",
    "X": "qsc.ir:X",
    "Y": "qsc.ir:Y",
    "Z": "qsc.ir:Z",
    "PauliSum": "qsc.ir:PauliSum",
    "nn": "qsc.frontends.torch.nn:",
    "pi": "qsc.frontends.builder:pi",
}
"""Public name -> where it lives; looked up on first use, so that `import qsc` loads nothing else."""

if TYPE_CHECKING:
    from .compiler.api import compile
    from .compiler.bundle import Bundle, load
    from .compiler.kernels import QuantumKernel
    from .frontends.builder import Circuit, pi
    from .frontends.feature_maps import FeatureMap, dense_angle_map, zz_feature_map
    from .frontends.torch import nn
    from .ir import Module, PauliSum, QscError, X, Y, Z
    from .ir.target import Target

__all__ = [
    "Bundle",
    "Circuit",
    "FeatureMap",
    "Module",
    "PauliSum",
    "QscError",
    "QuantumKernel",
    "Target",
    "X",
    "Y",
    "Z",
    "__version__",
    "compile",
    "dense_angle_map",
    "load",
    "nn",
    "pi",
    "zz_feature_map",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'qsc' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    found = import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
