"""What `qsc run` reads and writes where the inputs or outputs of a program are sequences of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...ir import InputError, Module, Value
from ...ir.ops.neurons import EulerNeuron
from ...ir.types import DYNAMIC, Type
from ..inputs import choose_arrays, fits, open_arrays
from . import nir_data
from .encoders import Encoder, Frame
from .event_files import from_arrays, from_records, is_event_list, read_csv, write_events
from .events import Events, Grid, binned, merged_polarities


@dataclass(frozen=True)
class Reading:
    """How inputs become spikes. encoder: None where the file holds what the program takes. dt: seconds of a step, None
    for what the program's neurons state. same_bin: one of `events.SAME_BIN`. seed: of what is drawn."""

    encoder: Encoder | None = None
    dt: float | None = None
    same_bin: str = "count"
    seed: int = 0


def read_inputs(path: Path, program: Module, how: Reading) -> tuple[list[np.ndarray], list[str]]:
    """(an array for every input of the program, remarks) from a file of arrays or of events.

    InputError where the file cannot be read, or holds what the program does not take.
    """
    declared = program.graph.inputs
    events = _events(path, declared)
    if events is None:
        arrays = choose_arrays(path, open_arrays(path), [v.name for v in declared])
        return (arrays if how.encoder is None else encoded(arrays, declared, _frame(program, how), how.encoder)), []
    if how.encoder is not None:
        raise InputError.of("O0002", f"{path} holds events, which are not encoded", help="leave --encode out")
    value = _single_sequence(path, declared)
    grid = Grid(value.type.shape[0], value.type.shape[2:], _step_seconds(program, how))
    array, remarks = binned(events, grid, how.same_bin)
    return [array], merged_polarities(events, grid) + remarks


def _events(path: Path, declared: Sequence[Value]) -> Events | None:
    """The events of the file, None where it holds arrays."""
    if path.suffix == ".csv":
        return read_csv(path)
    if path.suffix in nir_data.SUFFIXES:
        return nir_data.read_nir_data(path)
    arrays = open_arrays(path)
    if isinstance(arrays, np.ndarray):
        return from_records(path, arrays) if arrays.dtype.names else None
    names = list(arrays)
    if is_event_list(names) and set(names) != {v.name for v in declared}:
        return from_arrays(path, arrays)
    return None


def is_sequence(t: Type) -> bool:
    """Whether a value has time as its first axis and the batch as its second."""
    return len(t.shape) > 1 and t.shape[0] != DYNAMIC and t.shape[1] == DYNAMIC


def _single_sequence(path: Path, declared: Sequence[Value]) -> Value:
    if len(declared) == 1 and is_sequence(declared[0].type):
        return declared[0]
    wanted = "; ".join(map(str, declared))
    raise InputError.of(
        "R0001",
        f"{path} holds events, and the program takes {wanted}",
        help="events are for a program with one input, a sequence in time such as f32[20,?,64]",
    )


def encoded(
    arrays: Sequence[np.ndarray], declared: Sequence[Value], frame: Frame, encoder: Encoder
) -> list[np.ndarray]:
    """The arrays, those for inputs that are sequences in time encoded; frame: its `steps` are the input's.

    InputError R0001 where no input is a sequence, or an array is not what the encoder takes.
    """
    if len(arrays) != len(declared) or not any(is_sequence(v.type) for v in declared):
        wanted = "; ".join(map(str, declared))
        raise InputError.of(
            "R0001",
            f"nothing to encode: {len(arrays)} arrays for a program that takes {wanted}",
            help="an input that is encoded has time first and the batch second, such as f32[20,?,64]",
        )
    return [
        _encoded(array, value, frame, encoder) if is_sequence(value.type) else array
        for array, value in zip(arrays, declared, strict=True)
    ]


def _encoded(array: np.ndarray, value: Value, frame: Frame, encoder: Encoder) -> np.ndarray:
    steps, _, *shape = value.type.shape
    wanted = (steps, DYNAMIC, *shape) if encoder.timed else (DYNAMIC, *shape)
    if not fits(array.shape, wanted):
        timed = array.ndim == len(value.type.shape)
        raise InputError.of(
            "R0001",
            f"input {value.name} has shape {tuple(array.shape)}, the encoder {encoder.name} takes "
            + str(Type("f32", wanted)),
            help="it has a time axis already: leave --encode out" if timed and not encoder.timed else "",
        )
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError.of("R0001", f"input {value.name} holds what is not a finite number", help="encode numbers")
    return encoder.encode(array, Frame(steps, frame.dt, frame.seed, frame.rows))


def _frame(program: Module, how: Reading) -> Frame:
    return Frame(0, _step_seconds(program, how), how.seed)


def _step_seconds(program: Module, how: Reading) -> float | None:
    if how.dt is not None:
        return how.dt
    stated = {node.op.dt for node in program.nodes() if isinstance(node.op, EulerNeuron)}
    return stated.pop() if len(stated) == 1 else None


def write_spikes(path: Path, outputs: Sequence[np.ndarray], program: Module, how: Reading) -> None:
    """Write the program's single output as events. InputError O0002 as `check_events`."""
    check_events(program)
    write_events(path, outputs[0], _step_seconds(program, how))


def check_events(program: Module) -> None:
    """InputError O0002 where the program does not have a single output that is a sequence in time."""
    values = program.graph.outputs
    if len(values) != 1 or not is_sequence(values[0].type):
        shown = "; ".join(map(str, values))
        raise InputError.of(
            "O0002", f"the program gives {shown}, which is not written as events", help="name a .npy or .npz file"
        )
