"""Every quantum pass on random modules, alone and in random order: contracts hold, and every pass finds work to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from qsc.compiler.contracts import check
from qsc.compiler.passes.base import Contract, Pass
from qsc.frontends.text import read
from qsc.ir import CheckError, Module, TargetError, print_module, verify

ALONE, ORDERS, BATCH = 100, 200, 3
AFTER_CUT = 40
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class AllOutputs(Pass):
    """Stands for any chain of exact passes: every output stays within 1e-9."""

    name: ClassVar[str] = "all-outputs"
    contract: ClassVar[Contract] = Contract.DISTRIBUTION


FOUND = {
    "a multiple of pi that is not written as one": (
        "fuse-blocks",
        "u3(2*pi - 1.5707963267948966, pi, pi) q[1]; cx q[0], q[1]; ry(x[0]) q[0]; cx q[1], q[0]",
    ),
}
"""Programs on which a pass once was wrong."""


def inputs_of(seed: int) -> list[list[np.ndarray]]:
    return [[np.random.default_rng(seed).uniform(-4, 4, (BATCH, 2))]]


def held(pass_: Pass, before: Module, after: Module, seed: int) -> None:
    """The pass's own contract, and the outputs of the module where that is about circuits only."""
    verify(after)
    check(pass_, before, after, inputs_of(seed), seed)
    if pass_.contract in (Contract.UNITARY, Contract.STATE):
        check(AllOutputs(), before, after, inputs_of(seed), seed)


def test_alone(fuzz, pass_name: str):
    pass_, styles = fuzz.make(pass_name), fuzz.bias.get(pass_name, fuzz.styles)
    fired = 0
    for seed in range(ALONE):
        before = fuzz.module(seed, styles[seed % len(styles)])
        text = print_module(before)
        try:
            after = pass_.run(before, fuzz.context())
        except TargetError:
            continue  # as a cut does for what must stay together
        assert print_module(before) == text, "the given module was changed"
        if print_module(after) == text:
            continue
        fired += 1
        try:
            held(pass_, before, after, seed)
        except CheckError as fault:
            pytest.fail(f"seed {seed}, {styles[seed % len(styles)]}: {fault}\n{text}\n{print_module(after)}")
    assert fired >= LEAST_SHARE * ALONE


@pytest.mark.parametrize("name", FOUND)
def test_found_before(fuzz, name: str):
    pass_name, gates = FOUND[name]
    before = read(
        f"circuit c(x[2]) on 2 qubits {{ {gates}; }}\n"
        'main(x: f64[?,2]) { y = probabilities(x, circuit="c", qubits=[0, 1]); return y; }'
    )
    pass_ = fuzz.make(pass_name)
    held(pass_, before, pass_.run(before, fuzz.context()), 0)


@pytest.mark.parametrize("part", range(4))
def test_in_random_order(fuzz, part: int):
    for seed in range(part, ORDERS, 4):
        rng = np.random.default_rng(seed)
        order = [str(n) for n in rng.permutation([n for n in fuzz.passes if n not in ("prune-angles", "cut")])]
        module = before = fuzz.module(10_000 + seed, fuzz.styles[seed % len(fuzz.styles)])
        for name in order:
            module = fuzz.make(name).run(module, fuzz.context())
        verify(module)
        try:
            check(AllOutputs(), before, module, inputs_of(seed), seed)
        except CheckError as fault:
            pytest.fail(f"seed {seed}, {', '.join(order)}: {fault}\n{print_module(before)}\n{print_module(module)}")


def test_after_a_cut(fuzz):
    """Fragments go through all other passes like any circuit."""
    cut = 0
    for seed in range(AFTER_CUT):
        rng = np.random.default_rng(seed)
        order = [str(n) for n in rng.permutation([n for n in fuzz.passes if n not in ("prune-angles", "cut")])]
        before = fuzz.module(20_000 + seed, fuzz.bias["cut"][seed % 2])
        try:
            module = fuzz.make("cut").run(before, fuzz.context())
        except TargetError:
            continue
        cut += module is not before
        for name in order:
            module = fuzz.make(name).run(module, fuzz.context())
        verify(module)
        try:
            check(AllOutputs(), before, module, inputs_of(seed), seed)
        except CheckError as fault:
            pytest.fail(f"seed {seed}, {', '.join(order)}: {fault}\n{print_module(before)}\n{print_module(module)}")
    assert cut >= 0.3 * AFTER_CUT
