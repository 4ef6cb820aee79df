"""A program as a Lava script that stands alone: plain code that a user of Loihi can read, run and change.

`lava_template.py` is what all scripts have in common; what is written here is the program between its marks.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...bridges.extras import need
from ...ir import InputError, TargetError
from ...ir.diagnostics import Diagnostic
from .lava import REGISTERS, unrolled
from .learning_script import lava_lines
from .program import Connection, Learning, Population, Program, Source
from .ranges import faults

SCRIPT_FILE, ARRAYS_FILE = "lava_program.py", "lava_arrays.npz"
TEMPLATE = Path(__file__).with_name("lava_template.py")
_BEGIN, _END = "# <program>\n", "# </program>\n"
_SKIP = "# pyright: reportMissingImports=false\n"
_SUM_BITS = 24

_MODULES = {
    "= Loihi2FLearningRule(": "lava.magma.core.learning.learning_rule import Loihi2FLearningRule",
    "= Conv(": "lava.proc.conv.process import Conv",
    "= DelayDense(": "lava.proc.dense.process import DelayDense",
    "= Dense(": "lava.proc.dense.process import Dense",
    "= LearningDense(": "lava.proc.dense.process import LearningDense",
    "= RingBuffer(": "lava.proc.io.source import RingBuffer",
    "= LIF(": "lava.proc.lif.process import LIF",
    "= DelaySparse(": "lava.proc.sparse.process import DelaySparse",
    "= Sparse(": "lava.proc.sparse.process import Sparse",
    "=SignMode.": "lava.utils.weightutils import SignMode",
}
"""What a script uses -> where that comes from."""

Arrays = dict[str, np.ndarray]


def dump(program: Program, steps: int) -> dict[str, bytes]:
    """`lava_program.py`, which runs the program for so many steps in Lava 0.10, and its arrays.

    It takes inputs as .npz, source -> (steps, *shape), and writes spikes of all populations, `NAME/spikes` (steps,
    *shape), and u and v where asked. Equal programs give equal bytes. TargetError T0006 for a program that does not fit
    the registers, T0003 where a convolution needs what Lava's has not; InputError R0001 for less than one step.
    """
    if steps < 1:
        raise InputError.of("R0001", f"a run takes at least one step, not {steps}")
    if found := faults(program):
        raise TargetError(found)
    before, rest = TEMPLATE.read_text(encoding="utf-8").removeprefix(_SKIP).split(_BEGIN)
    arrays: Arrays = {}
    body = "\n".join(_program(program, steps, arrays)) + "\n"
    imports = "".join(f"from {module}\n" for used, module in _MODULES.items() if used in body)
    text = before + imports + "\n" + body + rest.split(_END)[1]
    return {SCRIPT_FILE: text.encode(), ARRAYS_FILE: _npz(arrays)}


def _npz(arrays: Arrays) -> bytes:
    """numpy writes one date into every entry, so that equal arrays give equal bytes."""
    held = io.BytesIO()
    np.savez_compressed(held, **{name: arrays[name] for name in sorted(arrays)})  # pyright: ignore[reportArgumentType]
    return held.getvalue()


def _program(program: Program, steps: int, arrays: Arrays) -> Iterator[str]:
    ends: dict[str, Source | Population] = {e.name: e for e in (*program.sources, *program.populations)}
    yield f"STEPS = {steps}"
    sources = [f"{_text(s.name)}: ({_shape(s.shape)}, {s.message_bits})," for s in program.sources]
    yield from _table("SOURCES", "{}", sources)
    yield '"""Source -> (shape, bits of a graded spike with its sign, or 0 for spikes of 0 and 1)."""'
    yield from ("", *_table("POPULATIONS", "{}", [f"{_text(p.name)}: {_shape(p.shape)}," for p in program.populations]))
    yield '"""Population -> shape."""'
    outputs = ", ".join(map(_text, program.outputs))
    yield f"# Outputs: {outputs}; what is put in is seen there {program.latency} steps later."
    nets = [f"[{', '.join(map(_text, net))}]," for net in _nets(program)]
    yield from ("", *_table("NETS", "[]", nets))
    yield '"""Populations that are linked; nets that are not run one after the other."""'
    learning = [f"{_text(c.name)}: {_text(c.target)}," for c in program.connections if c.learning is not None]
    yield from ("", *_table("LEARNING", "{}", learning))
    yield '"""Connection that learns -> the population behind it."""'
    yield ""
    yield ""
    yield "def build(inputs: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> dict[str, Any]:"
    yield '    """All sources and populations, connected. A spike of step t arrives in step t + 1 + delay."""'
    yield "    made: dict[str, Any] = {}"
    for s in program.sources:
        yield f"    made[{_text(s.name)}] = RingBuffer(data=inputs[{_text(s.name)}])"
    for p in program.populations:
        yield from _lines(f"    made[{_text(p.name)}] = LIF", _neurons(p, arrays))
    for c in program.connections:
        yield ""
        if c.learning is None:
            yield from _connection(c, ends, arrays)
        else:
            yield from _plastic(c, c.learning, arrays)
    yield "    return made"
    yield ""


def _text(name: str) -> str:
    """A name as Python writes it."""
    return json.dumps(name, ensure_ascii=False)


def _shape(shape: tuple[int, ...]) -> str:
    return str(tuple(map(int, shape)))


def _table(name: str, brackets: str, rows: list[str]) -> list[str]:
    return [f"{name} = {brackets[0]}", *(f"    {row}" for row in rows), brackets[1]]


def _lines(call: str, arguments: dict[str, str]) -> Iterator[str]:
    yield call + "("
    for name, value in arguments.items():
        yield f"        {name}={value},"
    yield "    )"


def _neurons(p: Population, arrays: Arrays) -> dict[str, str]:
    found = {"shape": _shape((prod(p.shape),))}
    for argument, register in REGISTERS.items():
        value = getattr(p, register)
        found[argument] = (
            str(int(value)) if np.ndim(value) == 0 else _held(f"{p.name}/{argument}", value.ravel(), arrays)
        )
    return found


def _held(key: str, value: np.ndarray, arrays: Arrays) -> str:
    """An array is kept for the script, which reads it by this expression. Lava takes delays of 64 bits alone."""
    arrays[key] = value.astype(np.int64)
    return f"arrays[{_text(key)}]"


def _held_matrix(key: str, value: Any, arrays: Arrays) -> str:
    kept = need("scipy.sparse", "loihi").csr_array(value)
    arrays[f"{key}/data"], arrays[f"{key}/shape"] = kept.data.astype(np.int64), np.array(kept.shape)
    arrays[f"{key}/indices"], arrays[f"{key}/indptr"] = kept.indices, kept.indptr
    return f"matrix(arrays, {_text(key)})"


def _connection(c: Connection, ends: dict[str, Source | Population], arrays: Arrays) -> Iterator[str]:
    source, target = ends[c.source], ends[c.target]
    bits = getattr(source, "message_bits", 0)
    what = f"    # {_text(c.name)}: from {_text(c.source)} to {_text(c.target)}"
    if c.window is not None and c.exponent == 0 and c.delays is None:
        yield f"{what}. Images are (width, height, channels), kernels (out, width, height, in) and mirrored."
        yield from _lines("    synapses = Conv", _convolution(c, source.shape, bits, arrays))
        yield f"    images = made[{_text(c.source)}].s_out.reshape({_shape(source.shape)}).transpose((2, 1, 0))"
        yield "    images.connect(synapses.s_in)"
        flat = _shape((prod(target.shape),))
        yield f"    synapses.a_out.transpose((2, 1, 0)).reshape({flat}).connect(made[{_text(c.target)}].a_in)"
        return
    weight, delays = c.weight, c.delays
    thin = c.sparse or not isinstance(weight, np.ndarray)
    if c.window is not None:
        _check_unrolled(c, bits)
        yield f"{what}. Lava's convolutions have no exponents and no delays: this is one as a matrix."
        (weight, delays), thin = unrolled(c, source.shape, target.shape), True
    else:
        yield f"{what}."
    if delays is not None and not isinstance(weight, np.ndarray) and isinstance(delays, np.ndarray):
        delays = need("scipy.sparse", "loihi").csr_array((delays, weight.indices, weight.indptr), shape=weight.shape)
    keep = _held_matrix if thin else _held
    arguments = {"weights": keep(f"{c.name}/weight", weight, arrays)}
    if delays is not None:
        arguments["delays"] = keep(f"{c.name}/delays", delays, arrays)
    arguments |= {"weight_exp": str(int(c.exponent)), "num_weight_bits": str(int(c.weight_bits))}
    arguments |= {"sign_mode": f"SignMode.{c.sign.upper()}", "num_message_bits": str(bits)}
    kind = ("" if delays is None else "Delay") + ("Sparse" if thin else "Dense")
    yield from _lines(f"    synapses = {kind}", arguments)
    yield f"    made[{_text(c.source)}].s_out.connect(synapses.s_in)"
    yield f"    synapses.a_out.connect(made[{_text(c.target)}].a_in)"


def _plastic(c: Connection, learning: Learning, arrays: Arrays) -> Iterator[str]:
    weights = _held(f"{c.name}/weight", c.weight, arrays)
    source, target = f"made[{_text(c.source)}]", f"made[{_text(c.target)}]"
    yield f"    # {_text(c.name)}: from {_text(c.source)} to {_text(c.target)}, and it learns from the spikes of both."
    lines = lava_lines(
        learning.rule, "synapses", weights, source, target, seed=learning.seed, weight_exponent=c.exponent
    )
    yield from (f"    {line}" for line in lines)
    yield f"    made[{_text(c.name)}] = synapses"


def _convolution(c: Connection, shape: tuple[int, ...], bits: int, arrays: Arrays) -> dict[str, str]:
    window = c.window
    assert window is not None
    kernel = c.effective().transpose(0, 3, 2, 1)[:, ::-1, ::-1]
    found = {"weight": _held(f"{c.name}/weight", np.ascontiguousarray(kernel), arrays)}
    found["input_shape"] = _shape(shape[::-1])
    found |= {name: _shape(getattr(window, name)[::-1]) for name in ("padding", "stride", "dilation")}
    return found | {"groups": str(int(window.groups)), "num_message_bits": str(bits)}


def _check_unrolled(c: Connection, bits: int) -> None:
    """Sums of a convolution wrap at 24 bits, those of a matrix at 32: they have to stay below both."""
    row = int(np.abs(c.effective()).reshape(len(c.weight), -1).sum(axis=1).max(initial=0))
    message = 2 ** (bits - 1) - 1 if bits else 1
    reach = row * message << c.exponent if c.exponent >= 0 else row * message >> -c.exponent
    if reach < 2 ** (_SUM_BITS - 1):
        return
    text = f"connection {c.name}: a convolution with an exponent or delays is a matrix in Lava, and its sums can reach"
    raise TargetError(
        [Diagnostic("T0003", f"{text} {reach}; they agree below {2 ** (_SUM_BITS - 1)}", help="use fewer message bits")]
    )


def _nets(program: Program) -> list[list[str]]:
    """Populations in groups that connections or sources link: one run of Lava reaches only what is linked."""
    names = [e.name for e in (*program.sources, *program.populations)]
    linked = {name: {name} for name in names}
    for c in program.connections:
        joined = linked[c.source] | linked[c.target]
        for name in joined:
            linked[name] = joined
    populations = [p.name for p in program.populations]
    groups = {tuple(n for n in populations if n in linked[name]): None for name in populations}
    return [list(group) for group in groups]
