"""Gates on two and more qubits in a target's own, as templates: the fewest entangling gates that one gate takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np

from ...ir.angles import Row, add_rows, make_row
from ...ir.gates import GATES, OPCODES
from . import weyl
from .euler import angles_of, matrix_template, snapped
from .frames import matrix_of, resynthesise
from .templates import Step, Template, slot, substitute

_CX, _CZ, _RZZ, _RXX, _RZ, _PAULI = (OPCODES[n] for n in ("cx", "cz", "rzz", "rxx", "rz", "pauli"))
_RYY, _ISWAP, _ECR = (OPCODES[n] for n in ("ryy", "iswap", "ecr"))
_ROTATION_NAMES = {"rzz": _RZZ, "zzphase": _RZZ, "zz": _RZZ, "rxx": _RXX, "ms": _RXX, "xxphase": _RXX, "ryy": _RYY}
_FIXED_NAMES = {"cz": _CZ, "cx": _CX, "ecr": _ECR, "iswap": _ISWAP}
_HALF = Fraction(1, 2)
_MOST = 8
_TO_Z = {"X": ("ry", -_HALF), "Y": ("rx", _HALF)}
"""Letter -> the turn (in units of pi) that brings it to Z."""


@dataclass(frozen=True)
class Entanglers:
    """A target's two-qubit gates as opcodes. fixed: a gate without an angle, -1 where it has none. rotation: one by any
    angle about a pair of letters, -1 likewise. native: all gates of our table that it has."""

    fixed: int
    rotation: int
    native: frozenset[int]


def entanglers(native_ops: Iterable[str]) -> Entanglers | None:
    """What a target entangles with; None where our table has none of it."""
    names = [name.lower() for name in native_ops]
    rotation = next((code for name, code in _ROTATION_NAMES.items() if name in names), -1)
    fixed = next((code for name, code in _FIXED_NAMES.items() if name in names), -1)
    if rotation < 0 and fixed < 0:
        return _only_half_turns(names)
    native = {OPCODES[n] for n in names if n in OPCODES} | ({rotation} if rotation >= 0 else set())
    return Entanglers(fixed, rotation, frozenset(native))


def _only_half_turns(names: Sequence[str]) -> Entanglers | None:
    """A target whose only entangler is rzz(pi/2)."""
    return Entanglers(-1, _RZZ, frozenset({_RZZ})) if "zzmax" in names else None


@cache
def rule(opcode: int, payload: str, target: Entanglers) -> Template | None:
    """The template of a gate in the target's entangling gates and any one-qubit gates; None where it has the gate."""
    gate = GATES[opcode]
    if opcode in target.native or (gate.qubits == 1 and opcode != _PAULI):
        return None
    if gate.qubits == 3:
        return _lowered(_three(gate.name), target)
    letters = payload if opcode == _PAULI else gate.axes
    weight = len(letters) - letters.count("I")
    if opcode == _PAULI and (weight != 2 or len(payload) != 2):
        return _lowered(_ladder(payload, target.rotation >= 0), target)
    forms = tuple(slot(k) for k in range(gate.angles))
    cost = 1 if target.rotation >= 0 else 2
    found = resynthesise([Step(opcode, (0, 1), forms, payload)], gate.angles, _MOST, rotation_cost=cost)
    assert found is not None
    return _lowered(found.template, target)


def _three(name: str) -> Template:
    if name == "cswap":
        inner = _three("ccx")
        around = Step(_CX, (2, 1))
        return Template((around, *inner.steps, around), inner.phase)
    gates = "h 2,cx 1 2,tdg 2,cx 0 2,t 2,cx 1 2,tdg 2,cx 0 2,t 1,t 2,h 2,cx 0 1,t 0,tdg 1,cx 0 1"
    words = [g.split() for g in gates.split(",")]
    return Template(tuple(Step(OPCODES[n], tuple(map(int, wires))) for n, *wires in words))


def _ladder(payload: str, rotation: bool) -> Template:
    """exp(-i slot/2 P): a chain of CX gathers the parity on the last qubit, where one turn about Z is made."""
    used = [k for k, letter in enumerate(payload) if letter != "I"]
    if not used:
        return Template((), make_row(0, 0.0, [(0, -0.5)]))
    turns = [(k, *_TO_Z[payload[k]]) for k in used if payload[k] != "Z"]
    before = [Step(OPCODES[name], (k,), (make_row(angle),)) for k, name, angle in turns]
    after = [Step(OPCODES[name], (k,), (make_row(-angle),)) for k, name, angle in turns]
    both = rotation and len(used) > 1
    chain = [Step(_CX, pair) for pair in pairwise(used)][: -1 if both else None]
    middle = Step(_RZZ, (used[-2], used[-1]), (slot(0),)) if both else Step(_RZ, (used[-1],), (slot(0),))
    return Template((*before, *chain, middle, *reversed(chain), *after))


def _lowered(template: Template, target: Entanglers) -> Template:
    """The template with its CX and rotations about pairs in the target's gates."""
    steps: list[Step] = []
    phase = template.phase
    for step in template.steps:
        inner = _entangler(step.opcode, target) if len(step.wires) == 2 else None
        if inner is None:
            steps.append(step)
            continue
        phase = add_rows(phase, substitute(inner.phase, step.angles))
        for part in inner.steps:
            wires = tuple(step.wires[w] for w in part.wires)
            steps.append(Step(part.opcode, wires, tuple(substitute(a, step.angles) for a in part.angles)))
    return Template(tuple(steps), phase)


@cache
def _entangler(opcode: int, target: Entanglers) -> Template | None:
    """cx, rxx, ryy or rzz in the target's entangling gate; None where that is the gate itself."""
    if opcode in target.native:
        return None
    if opcode != _CX:
        return _turned(opcode, target)
    if target.fixed < 0:
        return _same_class(_CX, (Step(target.rotation, (0, 1), (make_row(_HALF),)),))
    middle = (Step(target.fixed, (0, 1)),)
    if target.fixed == _ISWAP:
        middle = (*middle, Step(OPCODES["rx"], (0,), (make_row(_HALF),)), *middle)
    return _same_class(_CX, middle)


def _turned(opcode: int, target: Entanglers) -> Template:
    """A rotation about a pair of letters by the native one, or between two CX."""
    letter = GATES[opcode].axes[0]
    if target.rotation >= 0:
        wanted = GATES[target.rotation].axes[0]
        if letter == wanted:
            return Template((Step(target.rotation, (0, 1), (slot(0),)),))
        third = ({"X", "Y", "Z"} - {letter, wanted}).pop()
        sign = 1 if (letter + wanted) in ("XY", "YZ", "ZX") else -1
        name = OPCODES[f"r{third.lower()}"]
        before = tuple(Step(name, (w,), (make_row(sign * _HALF),)) for w in (0, 1))
        after = tuple(Step(name, (w,), (make_row(-sign * _HALF),)) for w in (0, 1))
        return Template((*before, Step(target.rotation, (0, 1), (slot(0),)), *after))
    found = resynthesise([Step(opcode, (0, 1), (slot(0),))], 1, 2, rotation_cost=_MOST)
    assert found is not None
    return _lowered(found.template, target)


def _same_class(opcode: int, middle: tuple[Step, ...]) -> Template:
    """A fixed gate as one-qubit gates around others that are the same up to those."""
    make = GATES[opcode].matrix
    assert make is not None
    wanted = make()
    pair = weyl.canonical(np.array([wanted, matrix_of(middle, ())], np.complex128))
    if np.abs(pair.coordinates[0] - pair.coordinates[1]).max() > 1e-9:
        raise ArithmeticError(f"{GATES[opcode].name} is not made of {middle}")
    undo_before, undo_after = (np.swapaxes(m[1].conj(), 1, 2) for m in (pair.before, pair.after))
    before, after = undo_before @ pair.before[0], pair.after[0] @ undo_after
    phase: Row = snapped(float(pair.phase[0] - pair.phase[1]))
    steps: list[Step] = []
    for matrices, behind in ((before, middle), (after, ())):
        for wire in (0, 1):
            made = matrix_template(angles_of(matrices[wire]).tolist(), "u3")
            phase = add_rows(phase, made.phase)
            steps += [step._replace(wires=(wire,)) for step in made.steps]
        steps += behind
    return Template(tuple(steps), phase)
