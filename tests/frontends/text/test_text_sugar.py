"""What people write, against the plain form that it stands for."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qsc.frontends.text import read, read_file
from qsc.ir import Module, PauliSum, Z, ops, verify
from qsc.ir.angles import make_row
from qsc.ir.cells import CELLS

HEAD = "circuit c(x[4], w[2,2], t) on 4 qubits, 2 bits"


def gates(body: str, before: str = "") -> Module:
    module = read(f"{before}\n{HEAD} {{ {body} }}")
    verify(module)
    return module


SAME = {
    "loop": ("for i in 0..3 { h q[i]; }", "h q[0]; h q[1]; h q[2];"),
    "inclusive loop": ("for i in 1..=3 { h q[i]; }", "h q[1]; h q[2]; h q[3];"),
    "empty loop": ("for i in 3..3 { h q[i]; } for i in 3..0 { h q[i]; }", ""),
    "nested loop": (
        "for i in 0..2 { for j in i+1..3 { cz q[i], q[j]; } }",
        "cz q[0], q[1]; cz q[0], q[2]; cz q[1], q[2];",
    ),
    "index arithmetic": ("for i in 0..2 { cx q[(i+3)%4], q[2*i+1]; }", "cx q[3], q[1]; cx q[0], q[3];"),
    "negative modulus": ("h q[(0-1)%4];", "h q[3];"),
    "division": ("h q[6/2];", "h q[3];"),
    "power": ("for k in 0..3 { rz(pi/2**k) q[k]; }", "rz(pi) q[0]; rz(pi/2) q[1]; rz(pi/4) q[2];"),
    "loop variable in an angle": ("for i in 0..2 { ry(i*x[i] + i) q[0]; }", "ry(0) q[0]; ry(x[1] + 1.0) q[0];"),
    "matrix index": (
        "for i in 0..2 { for j in 0..2 { rz(w[i,j]) q[2*i+j]; } }",
        "rz(w[0,0]) q[0]; rz(w[0,1]) q[1]; rz(w[1,0]) q[2]; rz(w[1,1]) q[3];",
    ),
    "register": ("h q;", "h q[0]; h q[1]; h q[2]; h q[3];"),
    "part of the register": ("h q[1..3]; x q[2..=3];", "h q[1]; h q[2]; x q[2]; x q[3];"),
    "chain": ("cx q[0..3], q[1..4];", "cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3];"),
    "one control": ("cx q[0], q[1..4];", "cx q[0], q[1]; cx q[0], q[2]; cx q[0], q[3];"),
    "empty part": ("h q[2..2]; barrier q[1..1];", "barrier;"),
    "barrier": ("barrier q; barrier q[0], q[2..4];", "barrier q[0], q[1], q[2], q[3]; barrier q[0], q[2], q[3];"),
    "pauli": ('pauli("XYZZ", t) q;', 'pauli("XYZZ", t) q[0], q[1], q[2], q[3];'),
    "measure": ("measure q[2..4] -> c;", "measure q[2] -> c[0]; measure q[3] -> c[1];"),
    "if": ("if c[0] { x q[0]; if !c[1] { h q[1]; } }", "x q[0] if c[0]; h q[1] if c[0] & !c[1];"),
    "if and if": ("if c[0] | c[1] { x q[0] if c[1]; }", "x q[0] if (c[0] | c[1]) & c[1];"),
    "precedence": ("x q[0] if c[0] | c[1] & !c[0] ^ c[1];", "x q[0] if c[0] | ((c[1] & (!c[0])) ^ c[1]);"),
    "tilde": ("x q[0] if ~c[0];", "x q[0] if !c[0];"),
    "phase": ("phase(pi/4); phase(pi/4 + t);", "phase(pi/2 + t);"),
    "quoted name": ('ry("t" + "x"[1]) "q"[0];', "ry(t + x[1]) q[0];"),
    "parentheses": ("rz((x[0] + x[1])/2 - (t - 1)*3) q[0];", "rz(0.5*x[0] + 0.5*x[1] - 3.0*t + 3.0) q[0];"),
    "signs": ("rz(--pi) q[0]; rz(-(x[0] - t)) q[0]; rz(2*-t) q[0];", "rz(pi) q[0]; rz(t - x[0]) q[0]; rz(-2*t) q[0];"),
    "cancelled": ("rz(x[0] - x[0]) q[0]; rz(t*0 + 1) q[0];", "rz(0) q[0]; rz(1.0) q[0];"),
    "decimals": (
        "rz(0.1 + 0.2) q[0]; rz(0.1*pi) q[0]; rz(.5) q[0]; rz(2.) q[0];",
        "rz(0.3) q[0]; rz(pi/10) q[0]; rz(0.5) q[0]; rz(2.0) q[0];",
    ),
    "one line many gates": ("h q[0]; # comment } ; \n x q[1];", "h q[0]; x q[1];"),
}


@pytest.mark.parametrize("name", SAME)
def test_sugar_is_the_plain_form(name: str):
    sugar, plain = SAME[name]
    assert gates(sugar).circuits == gates(plain).circuits


DEFINED = {
    "definition": ("gate ent(a, b)(s) { ry(s) a; cx a, b; }", "ent(t) q[1], q[0];", "ry(t) q[1]; cx q[1], q[0];"),
    "no angles": ("gate bell(a, b) { h a; cx a, b; }", "bell q[0], q[1];", "h q[0]; cx q[0], q[1];"),
    "no angles, brackets": ("gate flip(a)() { x a; }", "flip() q[0];", "x q[0];"),
    "exact angles": (
        "gate third(a)(s) { rz(s/3) a; }",
        "third(pi) q[0]; third(3*t) q[0];",
        "rz(pi/3) q[0]; rz(t) q[0];",
    ),
    "definition in definition": (
        "gate f(a)(s) { rx(2*s) a; }\ngate g(a, b)(u, v) { f(u + v) b; f(u) a; }",
        "g(t, pi/4) q[0], q[1];",
        "rx(2*t + pi/2) q[1]; rx(2*t) q[0];",
    ),
    "loop in a definition": (
        "gate g(a)(s) { for i in 1..3 { rz(i*s) a; } }",
        "g(t) q[2];",
        "rz(t) q[2]; rz(2*t) q[2];",
    ),
    "groups": ("gate g(a, b) { cx a, b; }", "g q[0..2], q[2..4];", "cx q[0], q[2]; cx q[1], q[3];"),
    "condition": ("gate g(a) { h a; x a; }", "g q[0] if c[1];", "h q[0] if c[1]; x q[0] if c[1];"),
    "phase": ("gate g(a)(s) { phase(s/2); x a; }", "g(pi) q[0..2];", "x q[0]; x q[1]; phase(pi);"),
    "pauli": (
        'gate g(a, b)(s) { pauli("XZ", s) b, a; barrier a, b; }',
        "g(t) q[0], q[1];",
        'pauli("XZ", t) q[1], q[0]; barrier q[0], q[1];',
    ),
    "coefficient with pi": (
        "gate g(a)(s) { rz(pi*s) a; }",
        "g(1/2) q[0]; g(t) q[0];",
        "rz(pi/2) q[0]; rz(3.141592653589793*t) q[0];",
    ),
}


@pytest.mark.parametrize("name", DEFINED)
def test_definitions_are_written_out(name: str):
    before, sugar, plain = DEFINED[name]
    assert gates(sugar, before).circuits == gates(plain).circuits


NUMBERS = st.one_of(
    st.integers(-20, 20).map(lambda n: (str(n), Fraction(n), Fraction(0))),
    st.integers(0, 999).map(lambda n: (f"{n / 10:.1f}", Fraction(n, 10), Fraction(0))),
    st.just(("pi", Fraction(0), Fraction(1))),
)


@st.composite
def constants(draw: st.DrawFn) -> tuple[str, Fraction, Fraction]:
    """An expression without variables, its rational part and its multiple of pi."""
    text, rational, pi = draw(NUMBERS)
    for _ in range(draw(st.integers(0, 5))):
        other, r, p = draw(NUMBERS)
        kind = draw(st.sampled_from("+-*/"))
        if kind in "+-":
            sign = 1 if kind == "+" else -1
            text, rational, pi = f"({text}) {kind} ({other})", rational + sign * r, pi + sign * p
        elif kind == "*" and not p:
            text, rational, pi = f"({text})*({other})", rational * r, pi * r
        elif kind == "/" and r and not p:
            text, rational, pi = f"({text})/({other})", rational / r, pi / r
    return text, rational, pi


@given(constants())
def test_constants_are_exact(case: tuple[str, Fraction, Fraction]):
    text, rational, pi = case
    circuit = read(f"circuit c() on 1 qubits {{ rz({text}) q[0]; }}").circuits["c"]
    assert circuit.angles.row(0) == make_row(pi, float(rational))


def truth(netlist_text: str) -> list[tuple[int, ...]]:
    """The outputs of the only netlist of a text for every input, the first input changing slowest."""
    module = read(netlist_text)
    verify(module)
    (netlist,) = module.netlists.values()
    out: list[tuple[int, ...]] = []
    for bits in itertools.product([False, True], repeat=len(netlist.inputs)):
        nets = {net: np.array(bit) for (_, net), bit in zip(netlist.inputs, bits, strict=True)}
        for row in netlist.rows():
            values = CELLS[row.opcode].function(*(nets[n] for n in row.inputs))
            nets.update(zip(row.outputs, values, strict=True))
        out.append(tuple(int(nets[n]) for _, n in netlist.outputs))
    return out


LOGIC = {
    "(a & ~b) | (~a & b)": lambda a, b: a ^ b,
    "a ^ b": lambda a, b: a ^ b,
    "a | b & ~a": lambda a, b: a | b & (1 - a),
    "a ^ b & a | 0": lambda a, b: a ^ (b & a),
    "!(a | b)": lambda a, b: 1 - (a | b),
    "~a & ~b ^ 1": lambda a, b: ((1 - a) & (1 - b)) ^ 1,
    "1": lambda a, b: 1,
    "a": lambda a, b: a,
}


@pytest.mark.parametrize("expression", LOGIC)
def test_logic(expression: str):
    wanted = [(LOGIC[expression](a, b),) for a, b in itertools.product([0, 1], repeat=2)]
    assert truth(f"logic f(a, b) -> (y) {{ y = {expression}; }}") == wanted


def test_logic_in_steps():
    adder = "logic add(a, b, c) -> (s, carry) { t = a ^ b; s = t ^ c; carry = (a & b) | (t & c); }"
    assert truth(adder) == [((a + b + c) % 2, (a + b + c) // 2) for a, b, c in itertools.product([0, 1], repeat=3)]


def test_logic_has_places():
    module = read("logic f(a, b) -> (y) {\n  t = a & b;\n  y = t | ~a;\n}\n", "f.qsc")
    netlist = module.netlists["f"]
    assert [str(netlist.place_of(k)) for k in range(3)] == ["f.qsc:2:7", "f.qsc:3:11", "f.qsc:3:7"]


# The graph


def test_types_are_inferred_and_calls_nest():
    text = """
    weight @w: f32[2,3] = [1, 2, 3, 4, 5, 6];
    weight @b: f32[2] = [0.5, -0.5];
    main(x: f32[?,3]) {{
      {body}
    }}
    """
    short = read(
        text.format(body="relu = sigmoid(x); y = relu(linear(x, @w, @b)); return add(y, relu(y), scalar=none);")
    )
    long = read(
        text.format(
            body="""
            relu: f32[?,3] = sigmoid(x);
            linear: f32[?,2] = linear(x, @w, @b);
            y: f32[?,2] = relu(linear);
            relu_1: f32[?,2] = relu(y);
            add: f32[?,2] = add(y, relu_1);
            return add;
            """
        )
    )
    assert short == long


def test_spiking_layers():
    module = read(
        """
    weight @w: f32[2,3] = 0;
    main(x: f32[25,?,3], v: f32[?,2]) {
      last, spikes = scan(v, x, steps=25, carried=1, sequences=1) {
        body(v: f32[?,2], x: f32[?,3]) {
          s, u = leaky(linear(x, @w), v, constant(value=0.9), constant(value=1), reset="zero");
          return u, s;
        }
      }
      return sum(spikes, dims=[0]);
    }
    """.replace("= 0;", "= [0, 0, 0, 0, 0, 0];")
    )
    verify(module)
    scan = module.graph.nodes[0].op
    assert isinstance(scan, ops.Scan)
    assert str(module.graph.nodes[0].results[1].type) == "spike[25,?,2]"
    assert scan.body.nodes[1].op == ops.Constant(0.9)


def test_whole_numbers_stand_for_doubles():
    module = read("main(x: f32[?]) { return mul(x, scalar=2); }")
    assert isinstance(module.graph.nodes[0].op, ops.Mul)
    assert isinstance(module.graph.nodes[0].op.scalar, float)


def test_a_weight_of_one_number():
    assert read("weight @t: f32[] = 0.5;\nmain() { return @t; }").weights["t"].shape == ()


# Files without a main


def test_a_circuit_alone_reads_out_every_qubit():
    module = read("circuit c(x[2], weight w) on 3 qubits { ry(x[0]) q[0]; rz(w) q[1]; }")
    verify(module)
    assert [str(v) for v in module.graph.inputs] == ["x: f64[?,2]", "w: f64[?]"]
    (node,) = module.graph.nodes
    assert node.op == ops.Expectation("c", (Z(0), Z(1), Z(2)))
    assert str(node.results[0].type) == "f64[?,3]"
    assert str(node.location) == "<text>:1:9"


def test_a_circuit_alone_without_inputs():
    module = read("circuit c() on 1 qubits { h q; }")
    assert [str(v) for v in module.graph.outputs] == ["z: f64[1]"]


@pytest.mark.parametrize("block", ["logic f(a, b) -> (y) { y = a & b; }", "netlist f(a, b) -> (y) { y = and(a, b); }"])
def test_logic_alone_is_run(block: str):
    module = read(block)
    verify(module)
    assert [str(v) for v in module.graph.inputs] == ["bits: bit[?,2]"]
    assert [str(v) for v in module.graph.outputs] == ["out: bit[?,1]"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "gate g(a) { h a; }",
        "circuit c() on 1 qubits { } circuit d() on 1 qubits { }",
        "circuit c() on 1 qubits { } logic f(a) -> (y) { y = a; }",
        "circuit c() on 1 qubits { } main() { return; }",
    ],
)
def test_nothing_is_run_otherwise(text: str):
    module = read(text)
    assert module.graph.nodes == ()
    assert module.graph.inputs == ()


def test_the_name_of_a_module(tmp_path):
    path = tmp_path / "my net.qsc"
    path.write_text("main() { return; }")
    assert read_file(path).module.name == "my net"
    assert read("main() { return; }").name == "main"
    assert read('module "a b";').name == "a b"


def test_places():
    text = "circuit c(x) on 2 qubits {\n  h q[0];\n\n  for i in 0..2 { ry(x) q[i]; }\n  barrier q;\n}\n"
    circuit = read(text, "c.qsc").circuits["c"]
    assert [str(circuit.place_of(k)) for k in range(4)] == ["c.qsc:2:3", "c.qsc:4:19", "c.qsc:4:19", "c.qsc:5:3"]
    assert str(circuit.place) == "c.qsc:1:9"


def test_observables_are_parsed():
    module = read(
        "circuit c(x) on 2 qubits { ry(x) q[0]; }\n"
        'main(x: f64[?]) { return expectation(x, circuit="c", observables=["0.5*Z0*X1 - 1"]); }'
    )
    op = module.graph.nodes[0].op
    assert isinstance(op, ops.Expectation)
    assert op.observables == (PauliSum.parse("0.5*Z0*X1 - 1"),)
