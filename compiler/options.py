"""Options that the fields of a dataclass declare, and their values as text."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..ir import InputError
from ..ir.diagnostics import did_you_mean


def option_fields(declared: type[Any]) -> dict[str, Field[Any]]:
    """Option name as written (`per-channel`) -> the field of the dataclass."""
    return {f.name.replace("_", "-"): f for f in fields(declared)}


def option_type(declared: type[Any], field: Field[Any]) -> type:
    """The plain type of an option: int, float, bool or str."""
    hint = get_type_hints(declared)[field.name]
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    return hint


def default_of(field: Field[Any]) -> Any:
    """The default of an option, None where it has to be given."""
    return None if field.default is MISSING else field.default


def read_option(owner: str, declared: type[Any], option: str, value: str) -> dict[str, Any]:
    """{field name: value} of one option given as text.

    owner: who has it, for messages, as in "pass light-cone". InputError O0002 for an unknown option or a wrong value.
    """
    known = option_fields(declared)
    if option not in known:
        help = did_you_mean(option, known) if known else "it has none"
        raise InputError.of("O0002", f"{owner} has no option {option!r}", help=help)
    wanted = option_type(declared, known[option])
    try:
        return {known[option].name: _read(value, wanted)}
    except ValueError:
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(wanted, "text")
        raise InputError.of("O0002", f"option {option} of {owner} is {value!r}", help=f"it takes {kind}") from None


def _read(value: str, wanted: type) -> Any:
    if wanted is bool:
        if value.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
            raise ValueError(value)
        return value.lower() in ("true", "yes", "1", "on")
    return wanted(value)
