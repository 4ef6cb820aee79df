"""`pauli_rot("Z3 X16", angle);` written out as `pauli("ZX", angle) q[3], q[16];`."""

from __future__ import annotations

from dataclasses import replace

from ...ir.observables import pauli_product
from .faults import Wrong
from .syntax import GateCall, Name, Number, Reference

NAME = "pauli_rot"
_HELP = 'pauli_rot("Z3 X16", angle);'


def written_out(call: GateCall) -> GateCall:
    """The `pauli` call that a `pauli_rot` call stands for."""
    first = call.arguments[0] if call.arguments else None
    if not isinstance(first, Reference) or not first.name.quoted or first.indices:
        span = call.name.span if first is None else first.span
        raise Wrong("P0005", f"{NAME} needs its Pauli product in quotes first", span, _HELP)
    if call.operands:
        raise Wrong("P0005", f"{NAME} names its qubits in its product", call.operands[0].span, _HELP)
    try:
        letters, qubits = pauli_product(first.name.text)
    except ValueError as fault:
        raise Wrong("P0005", str(fault), first.span, _HELP) from fault
    span = first.span
    return replace(
        call,
        name=call.name._replace(text="pauli"),
        arguments=(replace(first, name=Name(letters, span, quoted=True)), *call.arguments[1:]),
        operands=tuple(Reference(Name("q", span), (Number(str(k), span),), span) for k in qubits),
    )
