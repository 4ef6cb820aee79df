"""Learning rules as text: what is read, what is refused and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.frontends.text import read
from qsc.ir import InputError
from qsc.ir.plasticity import FACTORS, Factor, Product, Rule, RuleFault, parse_rule

CONSTANTS = st.integers(-40, 40).map(lambda n: n / 8).filter(bool)
PRODUCTS = st.builds(
    Product,
    CONSTANTS,
    st.permutations(["x0", "y0"]).flatmap(lambda names: st.integers(1, 2).map(lambda n: tuple(names[:n]))),
    st.none() | st.integers(0, 9),
    st.lists(st.builds(Factor, st.sampled_from(FACTORS), CONSTANTS | st.just(0.0)), max_size=4).map(tuple),
)


@given(st.lists(PRODUCTS, min_size=1, max_size=4).map(lambda products: Rule(tuple(products))))
def test_a_rule_reads_what_it_prints(rule: Rule):
    assert parse_rule(str(rule)) == rule


def test_the_parts_of_a_product():
    (first, second) = parse_rule("2^-5*x0*y1 - 3*2^-2 * y0*(2 + x1)*(-1.5)*u2*(w - 8)").products
    assert first == Product(1 / 32, ("x0",), None, (Factor("y1"),))
    assert second == Product(1.125, ("y0",), 2, (Factor("x1", 2.0), Factor("w", -8.0)))


def test_what_a_rule_reads():
    rule = parse_rule("u0*x2*y3 + x0*y1 - u3*w")
    assert rule.traces == ("x2", "y1", "y3")
    assert rule.decimations == (0, 3)
    assert rule.counts_steps
    assert not parse_rule("u0*w").counts_steps


REFUSED = {
    "x1*y1": ("none of x0, y0", 0),
    "x0*y1 + 2*w": ("none of x0, y0", 8),
    "x0*y4": ("'y4' is not a name", 3),
    "x0*y1/2": ("'/' has no meaning", 5),
    "x0 y1": ("'+', '-' or '*' is missing before 'y1'", 3),
    "x0*": ("a number or a name is missing at the end", 3),
    "x0*2^y1": ("a whole exponent is missing", 5),
    "x0*(y1 + 2": ("')' is missing at the end", 10),
    "x0*(y1 + y2)": ("brackets hold one of", 9),
    "x0*(2 - y1)": ("brackets hold one of", 8),
    "x0*(x0 + 1)": ("brackets hold one of", 4),
    "u1*u2*w": ("u1 and u2", 3),
    "": ("a number or a name is missing", 0),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_rule(text: str):
    with pytest.raises(RuleFault) as caught:
        parse_rule(text)
    assert REFUSED[text][0] in caught.value.message
    assert caught.value.place == REFUSED[text][1]


PROGRAM = """main(a: spike[?,3], b: spike[?,2], w: f32[?,2,3], x: f32[?,3], y: f32[?,2]) {{
  v, x1, y1 = plasticity(a, b, w, x, y, {attributes});
  return v, x1, y1;
}}"""
GOOD = {"rule": '"x0*y1 + y0*x1"', "x1": "[20, 1]", "y1": "[20, 1]"}
WRONG = {
    'rule="x0*y1 + y0*z1"': ("I0007", "'z1' is not a name of a learning rule"),
    "y1=[20]": ("I0003", "needs y1=[time constant in steps, impulse]"),
    "y1=[-1, 1]": ("I0003", "time constant -1"),
    "y2=[20, 1]": ("I0003", "the rule does not read y2"),
    'third=["y1"]': ("I0003", "y1 is a third factor"),
    'third=["y2"]': ("I0003", "the rule does not read y2"),
    'third=["x1"]': ("I0003", "'x1' is not a third factor"),
    "low=2, high=1": ("I0003", "no weight lies between 2 and 1"),
    'rule="u1*x0*y1 + y0*x1"': ("I0003", "needs spikes before, spikes after, weights, x1, y1, the step; got 5 values"),
}


def program(changes: str) -> str:
    kept = {k: v for k, v in GOOD.items() if not changes.startswith(f"{k}=")}
    return PROGRAM.format(
        attributes=", ".join([*(f"{k}={v}" for k, v in kept.items()), *([changes] if changes else [])])
    )


def test_a_program_with_a_rule():
    assert [str(v.type) for v in read(program("")).graph.outputs] == ["f32[?,2,3]", "f32[?,3]", "f32[?,2]"]


@pytest.mark.parametrize("changes", WRONG)
def test_what_does_not_fit(changes: str):
    with pytest.raises(InputError) as caught:
        read(program(changes))
    code, message = WRONG[changes]
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert message in found.message
    assert found.location.line == 2
