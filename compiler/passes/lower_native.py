"""lower-native: every gate in a target's own gates.

A gate on two or more qubits that the target does not have is replaced by the template with the fewest entangling gates
(`compiler/synthesis/native_rules.py`), and every run of one-qubit gates between entangling ones by the fewest gates of
the target's set, as `fuse-single-qubit` does. Which way round a gate runs is left to routing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...ir import Circuit, Module
from ..synthesis.native import OneQubitBasis, one_qubit_basis
from ..synthesis.native_rules import Entanglers, entanglers
from .base import Context, Contract, Pass
from .fuse_single_qubit import Fusion, fuse_all, late_note


@dataclass(frozen=True)
class LowerNative(Pass):
    """Write every gate in the target's own gates, as few as runs of one-qubit gates need."""

    name: ClassVar[str] = "lower-native"
    contract: ClassVar[Contract] = Contract.EXPECTATION
    late: bool = True
    """whether runs without an affine form get angles that the host computes from the inputs"""

    def run(self, module: Module, context: Context) -> Module:
        """Every circuit that is read in native gates; the same object where all are, or where the target says none.

        Gates on several qubits stay where our table has no entangling gate of the target.
        """
        target = context.target
        if target is None or not target.native_ops:
            return module
        found, basis = entanglers(target.native_ops), one_qubit_basis(target.native_ops)
        fused = fuse_all(module, lambda circuit, late: Fusion(circuit, basis, self.late and late, found))
        for before, after, late in fused.changes:
            pairs = [int((np.diff(c.wire_ptr) >= 2).sum()) for c in (before, after)]
            message = f"circuit {before.name}: {len(before)} gates are {len(after)} of {target.name}{late_note(late)}"
            context.remark(self, message, before.place, two_qubit_gates=pairs[0] - pairs[1])
        return fused.module


def lower(circuit: Circuit, target: Entanglers, basis: OneQubitBasis) -> Circuit:
    """The circuit in the gates of `target` and `basis`; the same object where it is already."""
    return Fusion(circuit, basis, target=target).run()
