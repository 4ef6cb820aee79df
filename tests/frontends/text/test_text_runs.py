"""The fast path against the grammar: the same modules, the same places, the same messages."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.frontends.text import read, runs
from qsc.ir import InputError, Module, print_module

GATES = ["h", "x", "rx", "ry", "rz", "cx", "cz", "rzz", "u3", "ccx", "measure", "reset", "barrier", "pauli", "cnot"]
ANGLES = [
    "pi",
    "-pi/2",
    "3*pi/4",
    "0.5",
    "-1.25e-3",
    "7",
    "0",
    "-0.0",
    "x[0]",
    "-x[2]",
    "2*x[1]",
    "0.5*x[0] + 0.25*x[1]",
    "x[0] + x[0]",
    "pi + pi",
    "1 + 2",
    "t1",
    "-t1 - pi/3",
    "pi/0",
    "1e999",
    "x[9]",
    "x",
    "t1[0]",
    "y",
    "w[1,0]",
    "w[0]",
    "inf",
    "0.1 - 5",
    "e5",
    "x[0]*2",
    "(pi)",
    "2.5*pi",
    "pi*2",
    "for",
    "0x1",
    "1_0",
    "x[0",
]
TAILS = [
    "",
    "",
    "",
    " -> c[0]",
    " -> c[5]",
    " if c[0]",
    " if !c[1] & c[0]",
    " if c[0] | c[1] ^ c[0]",
    " if c[7]",
    " if 1",
]
LINES = [
    "",
    "  # a comment",
    "  h q[0]; x q[1];",
    "  for i in 0..2 { ry(x[i]) q[i]; }",
    "  if c[0] {",
    "  }",
    "  h q;",
    "\t",
]


def gate_line(rng: random.Random) -> str:
    gate = rng.choice(GATES)
    if rng.random() < 0.7:
        count = {"cx": 2, "cz": 2, "rzz": 2, "ccx": 3}.get(gate, 1)
        angles = {"rx": 1, "ry": 1, "rz": 1, "rzz": 1, "u3": 3, "pauli": 1}.get(gate, 0)
    else:
        count, angles = rng.randrange(1, 4), rng.randrange(3)
    wires = rng.sample(range(4), count) if rng.random() < 0.9 else [rng.randrange(6) for _ in range(count)]
    given = [rng.choice(ANGLES) for _ in range(angles)]
    if gate == "pauli":
        given = [f'"{"".join(rng.choice("IXYZ") for _ in range(count))}"', *given]
    tail = rng.choice(TAILS) if rng.random() < 0.3 else " -> c[0]" if gate == "measure" else ""
    comma = rng.choice([", ", ","])
    text = f"({', '.join(given)})" if given else ""
    wires_text = comma.join(f"q[{w}]" for w in wires)
    end = rng.choice(["", "", "  # x", " "])
    return f"{' ' * rng.randrange(4)}{gate}{text} {wires_text}{tail};{end}"


def cell_line(rng: random.Random, names: list[str], output: str) -> str:
    cell, inputs = rng.choice([("and", 2), ("or", 2), ("not", 1), ("zero", 0), ("AND2", 3), ("nope", 1)])
    if rng.random() < 0.1:
        inputs = rng.randrange(4)
    return f"  {output} = {cell}({', '.join(rng.choice(names) for _ in range(inputs))});"


def program(rng: random.Random, lines: list[str], cells: list[str]) -> str:
    circuit = ["circuit c(x[3], t1, e5, weight w[2,2]) on 4 qubits, 2 bits {", *lines, "}"]
    netlist = ["netlist n(a, b, clock k) -> (a) {", *cells, "}"]
    return "\n".join(circuit + netlist) + "\n"


def wrong_program(rng: random.Random) -> str:
    """A text of mixed plain and other lines, most with faults."""
    lines = [rng.choice(LINES) if rng.random() < 0.1 else gate_line(rng) for _ in range(rng.randrange(30))]
    names = ["a", "b", *(f"n{k}" for k in range(6)), "pi"]
    cells = [cell_line(rng, names, rng.choice(names)) for _ in range(rng.randrange(8))]
    return program(rng, lines, cells)


def good_program(rng: random.Random) -> str:
    """A text of plain and other lines without faults."""
    lines: list[str] = []
    cells: list[str] = []
    while len(lines) < 15:
        line = rng.choice([*LINES[:4], LINES[6]]) if rng.random() < 0.1 else gate_line(rng)
        if not isinstance(outcome(program(rng, [line], [])), str):
            lines.append(line)
    while len(cells) < 6:
        names = ["a", "b", *(f"n{k}" for k in range(len(cells)))]
        line = cell_line(rng, names, f"n{len(cells)}")
        if not isinstance(outcome(program(rng, [], [*cells, line])), str):
            cells.append(line)
    return program(rng, lines, cells)


Outcome = tuple[Module, list[str]] | str


def outcome(text: str) -> Outcome:
    """The module with the places of its gates and cells, or the message."""
    try:
        module = read(text, "f.qsc")
    except InputError as error:
        return str(error)
    tables = [*module.circuits.values(), *module.netlists.values()]
    return module, [str(t.place_of(k)) for t in tables for k in range(len(t))]


@pytest.fixture
def by_grammar(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Outcome]:
    """The outcome without the fast path."""

    def slow(text: str) -> Outcome:
        with monkeypatch.context() as patch:
            patch.setattr(runs, "SHORTEST_RUN", 10**9)
            return outcome(text)

    return slow


def test_lines_mean_the_same(by_grammar: Callable[[str], Outcome]):
    rng = random.Random(0)
    for _ in range(30):
        text = good_program(rng)
        fast = outcome(text)
        assert not isinstance(fast, str)
        assert fast == by_grammar(text), text


def test_faults_are_told_the_same(by_grammar: Callable[[str], Outcome]):
    rng = random.Random(1)
    for _ in range(200):
        text = wrong_program(rng)
        assert outcome(text) == by_grammar(text), text


@pytest.mark.parametrize("angle", ANGLES)
def test_every_angle_means_the_same(angle: str, by_grammar: Callable[[str], Outcome]):
    lines = "\n".join(f"  r{axis}({angle}) q[{k}];" for k in range(2) for axis in "xyz")
    text = f"circuit c(x[3], t1, e5, weight w[2,2]) on 4 qubits {{\n{lines}\n}}\n"
    assert outcome(text) == by_grammar(text)


def test_changed_characters_mean_the_same(by_grammar: Callable[[str], Outcome]):
    rng = random.Random(1)
    base = "\n".join(
        [
            "circuit c(x[3]) on 4 qubits, 2 bits {",
            *("  rz(0.5) q[0];", "  cx q[0], q[1];", "  ry(x[1]) q[2];", "  h q[3] if c[0];", "  measure q[0] -> c[0];")
            * 2,
            "}",
            "netlist n(a, b) -> (y=n4) {",
            *(f"  n{k} = and(a, b);" for k in range(5)),
            "}",
            "main() {",
            "  return;",
            "}",
        ]
    )
    alphabet = 'abq[](){};,.#"=0x->&|!~ \n\t\r?@i^*/%+:'
    for _ in range(400):
        at = rng.randrange(len(base))
        text = base[:at] + rng.choice(["", rng.choice(alphabet)]) + base[at + rng.randrange(2) :]
        assert outcome(text) == by_grammar(text), text


WORDS = "circuit ,on ,qubits,main,gate ,logic ,netlist ,weight ,module ,for ,in ,if ,return ,pi,relu,f32[?],..,->"
PIECES = st.sampled_from([*WORDS.split(","), "\x010", "\x020", *'abqc[](){};,.#=01-+*/&|!~?@:"\n \x01é'])


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_text_breaks_the_reader(text: str):
    outcome(text)


def test_a_run_in_a_loop_in_a_block_in_a_definition():
    body = "\n".join("  rz(0.5) q[0];" for _ in range(6))
    text = f"circuit c() on 1 qubits, 1 bits {{\n  for i in 0..3 {{\n  if c[0] {{\n{body}\n  }}\n  }}\n{body}\n}}\n"
    circuit = read(text).circuits["c"]
    assert len(circuit) == 24
    assert (circuit.condition >= 0).sum() == 18
    formal = "\n".join("  h q[0];" for _ in range(6))
    with pytest.raises(InputError, match="has no qubit q"):
        read(f"gate g(a) {{\n{formal}\n}}\n")


def test_a_loop_variable_is_not_an_angle_input_of_the_same_line():
    lines = "\n".join("  rx(i) q[0];" for _ in range(5))
    circuit = read(f"circuit c() on 1 qubits {{\n  for i in 0..2 {{\n{lines}\n  }}\n}}\n").circuits["c"]
    assert [circuit.angles.row(r.angles[0])[2] for r in circuit.rows()] == [0.0] * 5 + [1.0] * 5


def test_hundred_thousand_gates_are_read_at_once():
    rng = random.Random(0)
    lines: list[str] = []
    for _ in range(100_000):
        a, b = rng.sample(range(50), 2)
        lines.append(
            rng.choice(
                [
                    f"  rz({rng.uniform(-3, 3)!r}) q[{a}];",
                    f"  ry(x[{a % 8}]) q[{a}];",
                    f"  cx q[{a}], q[{b}];",
                    f"  h q[{a}];",
                ]
            )
        )
    text = "module big;\n\ncircuit big(x[8]) on 50 qubits {\n" + "\n".join(lines) + "\n}\n"
    start = time.process_time()
    module = read(text)
    seconds = time.process_time() - start
    assert len(module.circuits["big"]) == 100_000
    # A fifth of what the grammar would need, so that a busy machine does not fail; it takes about half a second.
    assert seconds < 2.0
    assert print_module(module).count("\n") > 100_000
