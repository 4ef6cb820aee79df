"""What went wrong when a model could not be captured, told in the user's own terms."""

from __future__ import annotations

import copy
import re
import traceback
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from torch import nn

from ...ir import InputError, Location
from .faults import is_user_file, short_path
from .layers import Found, held_tensors

_SHAPE_WORDS = re.compile(r"shape|size|dimension|mat1|channels|broadcast", re.IGNORECASE)


def run_to_failure(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], found: Mapping[str, Found], error: Exception
) -> None:
    """Run the model itself on the example. Raises InputError M0003 or M0004 where that fails; returns where it runs."""
    twin = copy.deepcopy(model, {id(t): t for t in _non_leaf(model)}).eval()
    for path, known in found.items():
        known.handler.forget(twin.get_submodule(path), twin)
    watch = _Watch(twin)
    try:
        with torch.no_grad():
            twin(*inputs)
    except Exception as failure:  # noqa: BLE001 - whatever the user's code raises is told
        raise _model_failed(failure, watch) from error
    finally:
        watch.close()


def _non_leaf(model: nn.Module) -> list[torch.Tensor]:
    """Tensors inside an autograd graph, which deepcopy refuses."""
    return [t for t in held_tensors(model) if not t.is_leaf]


class _Watch:
    """Knows which modules are running, outermost first, and what they were given."""

    def __init__(self, model: nn.Module) -> None:
        self.running: list[tuple[str, nn.Module, tuple[Any, ...]]] = []
        self._hooks: list[Any] = []
        for path, module in model.named_modules():
            self._hooks.append(module.register_forward_pre_hook(self._enter(path)))
            self._hooks.append(module.register_forward_hook(self._leave))

    def _enter(self, path: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.running.append((path, module, inputs))

        return hook

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.running.pop()

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


def _model_failed(failure: Exception, watch: _Watch) -> InputError:
    path, module, given = watch.running[-1] if watch.running else ("", None, ())
    place = place_in_user_code(failure.__traceback__, path)
    if isinstance(failure, InputError):
        return InputError([replace(d, location=d.location or place) for d in failure.diagnostics])
    reason = first_lines(failure)
    in_torch = type(module).__module__.startswith("torch.nn")
    if isinstance(failure, RuntimeError | ValueError | IndexError) and (in_torch or _raised_by_torch(failure)):
        shapes = ", ".join(_describe(g) for g in given) or "no input"
        where = f"layer {path} ({_summary(module)})" if path else f"the model ({type(module).__name__})"
        return _input_error("M0004", f"{where} cannot take {shapes}: {reason}", place, _given_help(watch))
    name = type(failure).__name__
    return _input_error("M0003", f"the model raised {name}: {reason}", place, "")


def _input_error(code: str, message: str, place: Location, help: str) -> InputError:
    error = InputError.of(code, message, place, help=help)
    assert isinstance(error, InputError)
    return error


def _given_help(watch: _Watch) -> str:
    _, _, given = watch.running[0]
    shapes = ", ".join(_describe(g) for g in given)
    return f"the example input is {shapes}: check its shape, or give another one"


def _raised_by_torch(failure: Exception) -> bool:
    """Whether torch refused the shapes, rather than the user's own code raising."""
    frames = traceback.extract_tb(failure.__traceback__)
    line = (frames[-1].line or "") if frames else ""
    return not line.lstrip().startswith("raise") and bool(_SHAPE_WORDS.search(str(failure)))


def _describe(item: Any) -> str:
    if not isinstance(item, torch.Tensor):
        return type(item).__name__
    return f"a tensor of shape ({', '.join(map(str, item.shape))})"


def _summary(module: nn.Module | None) -> str:
    text = repr(module)
    return text if "\n" not in text else type(module).__name__


def capture_failed(error: Exception) -> InputError:
    """M0008 with torch's reason."""
    reason = re.sub(r"\s*\((unhinted|Size-like)[^)]*\)+\.?", "", first_lines(error, 1))
    help = "branches and loop counts may depend on shapes, not on values: use tensor arithmetic instead"
    place = place_in_user_code(error.__traceback__, "")
    return _input_error("M0008", f"torch.export cannot capture the model: {reason}", place, help)


def first_lines(error: BaseException, count: int = 2) -> str:
    """The first lines of an error's message that say something, joined."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join([line for line in lines if line][:count]) or type(error).__name__


def place_in_user_code(trace: TracebackType | None, path: str) -> Location:
    """The innermost frame of the user's own code."""
    for frame in reversed(traceback.extract_tb(trace)):
        if is_user_file(frame.filename) and "runpy" not in frame.filename:
            return Location(short_path(frame.filename), frame.lineno or 0, path=path)
    return Location(path=path)
