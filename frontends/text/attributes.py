"""Attributes of ops: what the text holds, checked against the fields of the op's class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ...ir import DYNAMIC, Graph, Op
from ...ir.diagnostics import did_you_mean
from .exact import parse_number
from .faults import Wrong
from .syntax import Attribute, Call, Items, Literal, Name, Signed, Text, Word

_WORDS = {"true": True, "false": False, "none": None, "?": DYNAMIC}
_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string in quotes",
    type(None): "none",
}


def build_op(kind: type[Op], call: Call, bodies: Sequence[tuple[Name, Graph]]) -> Op:
    """The op of a call. Raises Wrong for an attribute that is unknown, missing, given twice or of another type."""
    known = {f.name: f for f in fields(kind)}
    values: dict[str, Any] = {}
    for attribute in call.attributes:
        _check_key(kind, attribute.key, known, values)
        values[attribute.key.text] = _value(kind, attribute)
    for key, graph in bodies:
        _check_key(kind, key, known, values)
        if field_types(kind)[key.text] is not Graph:
            raise Wrong("P0005", f"{key.text} of {kind.mnemonic} is not a graph", key.span)
        values[key.text] = graph
    missing = [f for f in known.values() if f.name not in values and _required(f)]
    if missing:
        names = " and ".join(f.name for f in missing)
        raise Wrong("P0005", f"{kind.mnemonic} needs {names}", call.op.span, _example(kind, missing))
    try:
        return kind.build(values)
    except (TypeError, ValueError) as error:
        raise Wrong("P0005", f"{kind.mnemonic}: {error}", call.span) from None


@cache
def field_types(kind: type[Op]) -> dict[str, Any]:
    """Field name -> its type."""
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def _required(f: Field[Any]) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


def _example(kind: type[Op], missing: list[Field[Any]]) -> str:
    types = field_types(kind)
    graphs = [f.name for f in missing if types[f.name] is Graph]
    plain = ", ".join(f"{f.name}={_kind_words(types[f.name])}" for f in missing if types[f.name] is not Graph)
    body = f" {{ {graphs[0]}(...) {{ ... return ...; }} }}" if graphs else ""
    return f"{kind.mnemonic}(..., {plain}){body}" if plain else f"{kind.mnemonic}(...){body}"


def _check_key(kind: type[Op], key: Name, known: dict[str, Field[Any]], given: dict[str, Any]) -> None:
    if key.text not in known:
        help = did_you_mean(key.text, known) if known else f"{kind.mnemonic} has no attributes"
        raise Wrong("P0005", f"{kind.mnemonic} has no attribute {key.text}", key.span, help)
    if key.text in given:
        raise Wrong("P0003", f"{key.text} is given twice", key.span)


def _value(kind: type[Op], attribute: Attribute) -> Any:
    key, literal = attribute.key.text, attribute.value
    value = _plain(literal)
    if key in kind.coerce:
        try:
            return kind.coerce[key](value)
        except (TypeError, ValueError) as error:
            raise Wrong("P0005", f"{kind.mnemonic} cannot take this {key}: {error}", literal.span) from None
    wanted = field_types(kind)[key]
    if not _fits(value, wanted):
        message = f"{key} of {kind.mnemonic} is {_kind_words(wanted)}"
        raise Wrong("P0005", message, literal.span, _hint(value, wanted))
    return _converted(value, wanted)


def _plain(literal: Literal) -> Any:
    """The value as plain numbers, strings and tuples."""
    if isinstance(literal, Text):
        return literal.value
    if isinstance(literal, Word):
        return _WORDS[literal.text]
    if isinstance(literal, Items):
        return tuple(_plain(v) for v in literal.values)
    return _number(literal)


def _number(literal: Signed) -> int | float:
    digits = literal.text.lstrip("-")
    if digits in ("inf", "nan"):
        return float(literal.text)
    try:
        parse_number(digits)
    except ValueError as error:
        raise Wrong("P0004", str(error), literal.span) from None
    return int(literal.text) if digits.isdigit() else float(literal.text)


def _fits(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(wanted))
    if get_origin(wanted) is tuple:
        item, *rest = get_args(wanted)
        if rest == [...]:
            return isinstance(value, tuple) and all(_fits(v, item) for v in value)
        items = (item, *rest)
        return isinstance(value, tuple) and len(value) == len(items) and all(map(_fits, value, items))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(wanted, type) or isinstance(value, wanted)


def _converted(value: Any, wanted: Any) -> Any:
    """A whole number where the field holds doubles becomes one."""
    if isinstance(value, tuple):
        item = get_args(wanted)
        return tuple(_converted(v, item[0]) for v in value) if item[1:] == (...,) else value
    takes_float = wanted is float or float in get_args(wanted)
    takes_int = wanted is int or int in get_args(wanted)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and takes_float and not takes_int else value


def _kind_words(wanted: Any) -> str:
    if get_origin(wanted) in (Union, UnionType):
        return " or ".join(_kind_words(option) for option in get_args(wanted))
    if get_origin(wanted) is tuple:
        return f"a list, each {_kind_words(get_args(wanted)[0])}"
    return _KINDS.get(wanted, getattr(wanted, "__name__", str(wanted)))


def _hint(value: Any, wanted: Any) -> str:
    if get_origin(wanted) is tuple and not isinstance(value, tuple):
        return f"in brackets: [{value}]" if isinstance(value, int | float) else "a list stands in brackets"
    if wanted is str:
        return "a string stands in quotes"
    return ""
