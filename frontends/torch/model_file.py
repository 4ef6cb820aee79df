"""MODEL files: a Python file that defines a model, or a program that torch.export saved."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...ir import CheckError, InputError, Location, MissingError, QscError, TargetError
from ...ir.diagnostics import did_you_mean
from ..base import Imported
from .export import quietly
from .failures import first_lines, place_in_user_code
from .importer import read, read_program

KINDS = (".py", ".pt2")


def read_file(path: str | Path, entry: str | None = None, input_shape: tuple[int, ...] | None = None) -> Imported:
    """The module of a model file.

    A `.py` file is executed; its folder is importable meanwhile. `entry` (default `model`) names a torch module in it,
    or a class or function without arguments that makes one; `example_input` is a tensor or a tuple of tensors, or
    `input_shape` gives the shape of one sample or of a batch. A `.pt2` file comes from `torch.export.save`.
    Raises InputError: M0001 to M0008.
    """
    file = Path(path)
    if not file.is_file():
        raise _missing(file)
    if file.suffix not in KINDS:
        raise InputError.of(
            "M0007",
            f"{file} is of an unknown kind",
            Location(str(file)),
            help="give a Python file with `model` and `example_input`, or a .pt2 file of torch.export.save"
            + (
                "; a file of weights alone has no model in it" if file.suffix in (".pt", ".pth", ".safetensors") else ""
            ),
        )
    if file.suffix == ".pt2":
        return _read_saved(file)
    with importable(file.parent):
        source = Source(file, execute(file))
        model = source.model(entry or "model")
        return _read_with_example(source, model, input_shape)


def _missing(file: Path) -> InputError:
    there = [p.name for p in file.parent.iterdir() if p.suffix in KINDS] if file.parent.is_dir() else []
    help = did_you_mean(file.name, there) if there else f"there is no folder {file.parent}" * (not file.parent.is_dir())
    return _error("M0001", f"{file} does not exist" if not file.is_dir() else f"{file} is a folder", Location(), help)


def _error(code: str, message: str, place: Location, help: str = "") -> InputError:
    error = InputError.of(code, message, place, help=help)
    assert isinstance(error, InputError)
    return error


def _read_saved(file: Path) -> Imported:
    try:
        with quietly():
            program = torch.export.load(str(file))
    except Exception as error:
        raise _error(
            "M0007", f"{file} is not a program of torch.export.save: {first_lines(error)}", Location(str(file))
        ) from error
    return read_program(program, file.stem)


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """`folder` is first on the import path; modules that come from it are forgotten afterwards, so that two model
    folders may each have a `net.py`."""
    place = str(folder.resolve())
    before = set(sys.modules)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and str(Path(origin).resolve()).startswith(place):
                del sys.modules[name]


def execute(file: Path) -> dict[str, Any]:
    """The names that a Python file defines. Raises InputError M0003 where it fails."""
    name = f"qsc_model_{file.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    except SyntaxError as error:
        where = Location(error.filename or str(file), error.lineno or 0, error.offset or 0)
        raise _error("M0003", f"the model file is not valid Python: {error.msg}", where) from error
    except (Exception, SystemExit) as error:
        raise raised(error, file) from error
    return module.__dict__


def raised(error: BaseException, file: Path) -> QscError:
    """M0003 for an error of the user's own code; what qsc refused there as it is, with a place."""
    place = place_in_user_code(error.__traceback__, "") or Location(str(file))
    if isinstance(error, QscError):
        kind = next((kind for kind in (TargetError, MissingError, CheckError) if isinstance(error, kind)), InputError)
        return kind([replace(d, location=d.location or place) for d in error.diagnostics])
    return _error("M0003", f"the model file raised {type(error).__name__}: {first_lines(error)}", place)


@dataclass(frozen=True)
class Source:
    """An executed model file."""

    file: Path
    names: dict[str, Any]

    def model(self, entry: str) -> nn.Module:
        """The model that `entry` names or makes."""
        found = self._find(entry)
        if not isinstance(found, nn.Module) and callable(found):
            try:
                found = found()
            except Exception as error:
                raise raised(error, self.file) from error
        if not isinstance(found, nn.Module):
            kind = type(found).__name__
            message = f"`{entry}` of {self.file} is of type {kind}, not a torch.nn.Module"
            raise _error(
                "M0002", message, Location(str(self.file)), "name a torch module, or a function that makes one"
            )
        return found

    def _find(self, entry: str) -> Any:
        head, *rest = entry.split(".")
        found: Any = self.names.get(head, self)
        for part in rest:
            found = getattr(found, part, self)
        if found is self:
            names = [k for k, v in self.names.items() if not k.startswith("_") and not isinstance(v, types.ModuleType)]
            models = [k for k in names if isinstance(self.names[k], nn.Module)]
            help = did_you_mean(entry, names) if names else "the file defines no names"
            if models:
                help = f"it defines the model{'s' * (len(models) > 1)} {', '.join(models)}: rename it, or give --entry"
            raise _error("M0002", f"{self.file} does not define `{entry}`", Location(str(self.file)), help)
        return found


def _read_with_example(source: Source, model: nn.Module, input_shape: tuple[int, ...] | None) -> Imported:
    name = source.file.stem
    example = source.names.get("example_input")
    if input_shape is None:
        if example is None:
            help = "add `example_input = torch.randn(...)` to it, or give --input-shape"
            message = f"{source.file} does not define `example_input`"
            raise _error("M0002", message, Location(str(source.file)), help)
        return read(model, example, name=name)
    if isinstance(example, torch.Tensor) and example.ndim == len(input_shape):
        return read(model, sample(input_shape), name=name)
    try:
        return read(model, sample((2, *input_shape)), name=name)
    except InputError as error:
        if error.diagnostics[0].code != "M0004":
            raise
    return read(model, sample(input_shape), name=name)


def sample(shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers of a normal distribution, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
