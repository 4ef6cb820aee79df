"""Weights: inline numbers, the arrays that the caller gives, and safetensors files beside the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...ir import Type
from ...ir.diagnostics import did_you_mean
from ...ir.types import DTYPES, dtype_name
from .exact import parse_number
from .faults import Faults, Wrong
from .syntax import Signed, Text, TypeName, WeightLine, WeightName, Word


class Weights:
    """The weights of a file: `arrays` are those that the module will hold, in the order of their declaration."""

    def __init__(self, faults: Faults, given: Mapping[str, np.ndarray]) -> None:
        self.faults = faults
        self.arrays: dict[str, np.ndarray] = {}
        self._given = dict(given)
        self._wrong: set[str] = set()

    def load(self, statements: Sequence[Text]) -> None:
        """Read the files that `weights "file";` names, relative to the text's own folder."""
        for statement in statements:
            try:
                arrays = _load(Path(self.faults.file).parent / statement.value, statement)
            except Wrong as wrong:
                wrong.record(self.faults)
                continue
            for name in arrays.keys() & self._given.keys():
                self.faults.add("P0003", f"weight @{name} is in two files", statement.span)
            self._given.update(arrays)

    def declare(self, lines: Sequence[WeightLine]) -> None:
        """Take the weights that the text declares."""
        for line in lines:
            name = line.name.name
            if name in self.arrays or name in self._wrong:
                self.faults.add("P0003", f"weight @{name} is declared twice", line.name.span)
                continue
            try:
                self.arrays[name] = self._declared(line)
            except Wrong as wrong:
                self._wrong.add(name)
                wrong.record(self.faults)

    def find(self, name: WeightName) -> np.ndarray | None:
        """The array of a weight; None where its declaration is wrong. Raises Wrong where there is no such weight."""
        if name.name in self._wrong:
            return None
        if name.name not in self.arrays:
            if name.name not in self._given:
                known = [*self.arrays, *self._given]
                help = did_you_mean(name.name, known) if known else "declare it: weight @name: f32[2] = [0.5, 1.0];"
                raise Wrong("P0002", f"there is no weight @{name.name}", name.span, help)
            self.arrays[name.name] = _usable(self._given[name.name], name)
        return self.arrays[name.name]

    def _declared(self, line: WeightLine) -> np.ndarray:
        type_ = read_type(line.type)
        if type_.dtype == "spike" or type_.batched:
            what = "a weight holds numbers, not spikes" if type_.dtype == "spike" else "a weight has no batch dimension"
            raise Wrong("P0004", what, line.type.span)
        if line.values is not None:
            return _inline(line.values, type_, line)
        name = line.name.name
        if name not in self._given:
            help = 'give its numbers, = [0.5, 1.0], or a file that has them: weights "name.safetensors";'
            if self._given:
                help = did_you_mean(name, self._given)
            raise Wrong("P0002", f"weight @{name} has no numbers", line.name.span, help)
        array = _usable(self._given[name], line.name)
        actual = Type(dtype_name(array.dtype), array.shape)
        if actual != type_:
            raise Wrong("I0006", f"weight @{name} is declared as {type_}, its numbers are {actual}", line.type.span)
        return array


def read_type(written: TypeName) -> Type:
    """The type that is written. Raises Wrong for an unknown element type."""
    if written.dtype.text not in DTYPES:
        help = "element types: " + ", ".join(DTYPES)
        raise Wrong("P0002", f"there is no element type {written.dtype.text}", written.dtype.span, help)
    sizes: list[int] = []
    for size in written.sizes:
        if isinstance(size, Word):
            sizes.append(-1)
        elif len(size.text) > 15:
            raise Wrong("P0004", f"the size {size.text} is too large", size.span)
        else:
            sizes.append(int(size.text))
    return Type(written.dtype.text, tuple(sizes))


def _usable(array: np.ndarray, name: WeightName) -> np.ndarray:
    try:
        dtype_name(array.dtype)
    except KeyError:
        known = ", ".join(DTYPES)
        raise Wrong("I0006", f"weight @{name.name} has numbers of type {array.dtype}", name.span, known) from None
    return array


def _inline(values: tuple[Signed, ...], type_: Type, line: WeightLine) -> np.ndarray:
    count = 1
    for size in type_.shape:
        count *= size
    if len(values) != count:
        message = f"{type_} needs {count} numbers, got {len(values)}"
        raise Wrong("I0006", message, line.name.span)
    dtype = DTYPES[type_.dtype]
    return np.array([_number(v, type_, dtype) for v in values], dtype).reshape(type_.shape)


def _number(value: Signed, type_: Type, dtype: np.dtype) -> float | int:
    digits = value.text.lstrip("-")
    try:
        known = digits in ("inf", "nan") or parse_number(digits) is not None
    except ValueError as error:
        raise Wrong("P0004", str(error), value.span) from None
    if known and type_.is_float:
        number = float(value.text)
        with np.errstate(over="ignore"):
            too_large = np.isinf(dtype.type(number))
        if too_large and digits != "inf":
            raise Wrong("P0004", f"{value.text} is too large for {type_.dtype}", value.span)
        return number
    low, high = (0, 1) if type_.dtype == "bit" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if not digits.isdigit() or not low <= int(value.text) <= high:
        message = f"{value.text} is not a whole number from {low} to {high}, as {type_.dtype} needs"
        raise Wrong("P0004", message, value.span)
    return int(value.text)


def _load(path: Path, statement: Text) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Wrong("M0001", f"cannot read the weights in {statement.value}: {reason}", statement.span) from None
    except (SafetensorError, KeyError, ValueError) as error:
        message = f"{statement.value} is not a safetensors file of numbers: {error}"
        raise Wrong("M0007", message, statement.span) from None
