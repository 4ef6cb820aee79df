"""The inputs of a compiled model: arrays from what a user gives, checked against the declared types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..ir import InputError, Value
from ..ir.types import DTYPES, DYNAMIC, Type


def read_arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of a .npy file, or those of a .npz file in the order of `names`, which its arrays have to bear.

    A .npz with a single array serves a model with a single input under any name. InputError if it cannot be read.
    """
    return choose_arrays(path, open_arrays(path), names)


def choose_arrays(path: Path, found: np.ndarray | Mapping[str, np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
    """What `open_arrays` found as the inputs of these names. InputError where the names differ."""
    return [found] if isinstance(found, np.ndarray) else _by_name(path, found, names)


def open_arrays(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """The array of a .npy file, or the arrays of a .npz file by name. InputError R0004 if it cannot be read."""
    try:
        found = np.load(path, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except FileNotFoundError:
        raise InputError.of("R0004", f"there is no file {path}") from None
    except OSError as fault:
        raise InputError.of("R0004", f"cannot read {path}: {fault.strerror or fault}") from None
    except (ValueError, EOFError):
        raise InputError.of(
            "R0004",
            f"{path} is not a whole .npy or .npz file of numbers",
            help="write it with numpy.save or numpy.savez",
        ) from None


def _by_name(path: Path, arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
    if set(arrays) == set(names):
        return [arrays[name] for name in names]
    if len(arrays) == len(names) == 1:
        return list(arrays.values())
    raise InputError.of(
        "R0004",
        f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}; the model's inputs are {', '.join(names)}",
        help="name the arrays as the inputs: numpy.savez(file, " + ", ".join(f"{n}=..." for n in names) + ")",
    )


def check_arrays(inputs: Sequence[Any], declared: Sequence[Value]) -> list[np.ndarray]:
    """The inputs as arrays of the declared types. InputError R0001 with what is given and what is wanted."""
    if len(inputs) != len(declared):
        wanted = ", ".join(map(str, declared))
        raise InputError.of("R0001", f"{len(inputs)} inputs are given, the model takes {len(declared)}: {wanted}")
    arrays = [as_array(x, value) for x, value in zip(inputs, declared, strict=True)]
    for array, value in zip(arrays, declared, strict=True):
        if not fits(array.shape, value.type.shape):
            raise InputError.of(
                "R0001",
                f"input {value.name} has shape {tuple(array.shape)}, the model takes {value.type}",
                help=_shape_help(array.shape, value.type),
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise InputError.of("R0001", f"input {value.name} holds {array[tuple(where)]} at index {where}")
    sizes = {a.shape[v.type.shape.index(DYNAMIC)] for a, v in zip(arrays, declared, strict=True) if v.type.batched}
    if len(sizes) > 1:
        raise InputError.of("R0001", f"the inputs have different batch sizes: {sorted(sizes)}")
    return arrays


def fits(given: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether an array of the shape `given` is of the declared shape `wanted`."""
    return len(given) == len(wanted) and all(w in (DYNAMIC, g) for g, w in zip(given, wanted, strict=True))


def _shape_help(given: tuple[int, ...], wanted: Type) -> str:
    """What is probably wrong with an input's shape."""
    if not wanted.batched:
        return ""
    batch = wanted.shape.index(DYNAMIC)
    if fits(given, wanted.shape[:batch] + wanted.shape[batch + 1 :]):
        return f"it has no batch axis, written ?: numpy.expand_dims(x, {batch})"
    if batch == 0:
        return "the first axis, written ?, is the batch"
    if fits(given[1::-1] + given[2:], wanted.shape):
        return "time is the first axis, and the batch, written ?, the second: numpy.swapaxes(x, 0, 1)"
    if fits(given, wanted.shape[batch:]):
        return "it has no time axis, which is the first: --encode makes spikes of numbers"
    return "the first axis is time; the second, written ?, is the batch"


def as_array(given: Any, value: Value) -> np.ndarray:
    """A numpy array of the declared element type from an array, a tensor or a nested list of real numbers."""
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    try:
        array = np.asarray(given)
    except ValueError:
        raise InputError.of("R0001", f"input {value.name} is not an array: its rows have different lengths") from None
    if array.dtype.kind not in "bifu":
        raise InputError.of("R0001", f"input {value.name} holds {array.dtype}, the model takes {value.type}")
    if value.type.dtype == "bit" and not ((array == 0) | (array == 1)).all():
        where = np.argwhere((array != 0) & (array != 1))[0].tolist()
        raise InputError.of(
            "R0001", f"input {value.name} holds {array[tuple(where)]} at index {where}; bits are 0 or 1"
        )
    if value.type.is_float and array.dtype == np.float64:
        return array
    return array.astype(DTYPES[value.type.dtype], copy=False)
