"""Which parameters of a foreign circuit are data and which are trainable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ir import AngleInput, InputError
from ..ir.diagnostics import did_you_mean


@dataclass(frozen=True)
class Group:
    """The parameters that are one input, in order; `shape` is () for a scalar."""

    members: Sequence[object]
    shape: tuple[int, ...] = ()


def angle_inputs(
    groups: Mapping[str, Group], inputs: Sequence[str] | None, weights: Sequence[str] | None
) -> tuple[tuple[AngleInput, ...], dict[object, int]]:
    """The angle inputs of the groups, and the number of every parameter's variable.

    Data come before trainable ones; of each kind first those that `inputs` and `weights` name, in that order, then the
    rest by name. The rest is data, or trainable where only `inputs` is given. Raises InputError P0002 for a name that
    is no group's, P0003 for one that is listed twice.
    """
    roles: dict[str, str] = {}
    for role, names in (("input", inputs), ("weight", weights)):
        for name in names or ():
            if name not in groups:
                raise InputError.of("P0002", f"the circuit has no parameter {name!r}", help=did_you_mean(name, groups))
            if name in roles:
                raise InputError.of("P0003", f"the parameter {name!r} is listed twice as an input or a weight")
            roles[name] = role
    rest = "weight" if inputs is not None and weights is None else "input"
    roles |= {name: rest for name in sorted(groups) if name not in roles}
    roles = dict(sorted(roles.items(), key=lambda item: item[1] != "input"))
    arrays = tuple(AngleInput(name, groups[name].shape, role) for name, role in roles.items())
    members = [member for name in roles for member in groups[name].members]
    return arrays, {member: number for number, member in enumerate(members)}
