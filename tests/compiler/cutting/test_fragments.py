"""Fragments joined by their contraction against the uncut circuit, for any choice of cuts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from qsc.compiler.cutting.cuttable import cuttable
from qsc.compiler.cutting.expand import expand
from qsc.compiler.cutting.fragments import cut
from qsc.compiler.cutting.problem import cost_of
from qsc.compiler.cutting.settings import COUPLING_CONSTANT, bases, basis_angles, coupling, states, turns
from qsc.compiler.cutting.wires import Wires, wires_of
from qsc.frontends.text import read
from qsc.ir import GraphBuilder, Module, PauliSum, Type, ops, print_module, verify
from qsc.ir.angles import ZERO_ROW, Row, make_row
from qsc.ir.circuit import AngleInput, Circuit, CircuitEditor
from qsc.ir.gates import PAULI, rotation_matrix
from qsc.ir.interpreter import evaluate

INPUTS = (AngleInput("x", (4,)), AngleInput("w", (3,), "weight"))
ONE = ("h", "x", "s", "t", "sx", "rx", "ry", "rz", "u3")
TWO = ("cx", "cz", "cy", "rzz", "rxx", "ryy", "crx", "cry", "crz", "cp")
HARD = ("swap", "iswap", "ecr", "ch", "ccx", "cswap")
REAL = (("h", "ry", "x"), ("cx", "cz", "cry"))
ANGLES = {"u3": 3} | dict.fromkeys(("rx", "ry", "rz", "rzz", "rxx", "ryy", "crx", "cry", "crz", "cp"), 1)
WIDE = {"ccx": 3, "cswap": 3}


def random_angle(rng: np.random.Generator) -> Row:
    turn, offset = Fraction(int(rng.integers(-4, 5)), 4), float(rng.normal()) if rng.random() < 0.5 else 0.0
    return make_row(
        turn, offset, [(int(v), float(rng.choice([1.0, -0.5]))) for v in rng.integers(7, size=rng.integers(3))]
    )


def random_circuit(rng: np.random.Generator, kind: str) -> Circuit:
    qubits = int(rng.integers(3, 6))
    one, two = REAL if kind == "real" else (ONE, TWO)
    editor = CircuitEditor("c", qubits, 2 if kind == "measured" else 0, INPUTS)
    for _ in range(int(rng.integers(5, 13))):
        wires = rng.permutation(qubits).tolist()
        if kind == "measured" and rng.random() < 0.25:
            measured = rng.random() < 0.6
            gate = "measure" if measured else str(rng.choice(["reset", "barrier"]))
            editor.add(gate, wires[: 1 + (gate == "barrier")], clbits=[int(rng.integers(2))] if measured else [])
            continue
        names = HARD if kind == "hard" and rng.random() < 0.2 else one if rng.random() < 0.45 else two
        gate = str(rng.choice(names))
        wide = WIDE.get(gate, 1 if gate in ONE else 2)
        condition = ("bit", int(rng.integers(2))) if kind == "measured" and rng.random() < 0.2 else None
        angles = [random_angle(rng) for _ in range(ANGLES.get(gate, 0))]
        editor.add(gate, wires[:wide], angles, condition=condition)
    return editor.circuit()


def random_readout(rng: np.random.Generator, circuit: Circuit, kind: str) -> ops.Readout:
    in_bits = kind == "measured" and rng.random() < 0.5
    count = circuit.num_clbits if in_bits else circuit.num_qubits
    if rng.random() < 0.4:
        chosen = tuple(rng.permutation(count)[: int(rng.integers(1, count + 1))].tolist())
        return ops.BitProbabilities("c", chosen) if in_bits else ops.Probabilities("c", chosen)
    letters = "Z" if in_bits else "XZ" if kind == "real" else "XYZ"
    sums = []
    for _ in range(int(rng.integers(1, 4))):
        places = [rng.permutation(count)[: int(rng.integers(count + 1))].tolist() for _ in range(2)]
        sums.append(
            PauliSum.of([(tuple((str(rng.choice(list(letters))), q) for q in p), float(rng.normal())) for p in places])
        )
    return (ops.BitExpectation if in_bits else ops.Expectation)("c", tuple(sums))


def module_of(circuit: Circuit, readout: ops.Readout, rng: np.random.Generator, batched: bool) -> Module:
    module = Module("m", circuits={"c": circuit}, weights={"w": rng.standard_normal(3)})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f64", (-1, 4) if batched else (4,)))
    (y,) = builder.add(readout, x, builder.weight("w"))
    return module.with_(graph=builder.graph(y))


def random_choice(rng: np.random.Generator, wires: Wires) -> list[int] | None:
    """Fragments of few and cheap cuts: random ones, smoothed along wires and gates."""
    problem = wires.problem
    for _ in range(60):
        chosen = rng.integers(int(rng.integers(2, 4)), size=len(wires.ends))
        for _ in range(60):
            end = int(rng.integers(len(chosen)))
            for own, share in [*((j.ends, 0.8) for j in problem.joints), *((w, 0.6) for w in problem.wires)]:
                if end in own and rng.random() < share:
                    chosen[list(own)] = chosen[end]
        for joint in problem.joints * 2:
            if joint.cut is None:
                chosen[list(joint.ends)] = chosen[joint.ends[0]]
        number: dict[int, int] = {}
        chosen = [number.setdefault(c, len(number)) for c in chosen.tolist()]
        cost = cost_of(problem, chosen)
        gates = sum(len({chosen[e] for e in joint.ends}) > 1 for joint in problem.joints)
        if cost.gamma < np.inf and len(cost.widths) > 1 and cost.executions < 300 and gates < 4:
            return chosen
    return None


def expanded(module: Module, choose) -> tuple[Module, Wires] | None:
    (node,) = module.graph.nodes
    circuit = cuttable(module.circuits["c"])
    wires = wires_of(circuit, node)
    chosen = choose(wires)
    if chosen is None:
        return None
    made = expand(node, module, cut(wires, chosen), module.graph.names())
    after = module.with_(
        graph=replace(module.graph, nodes=tuple(made.nodes)),
        circuits=dict(module.circuits) | made.circuits,
        weights=dict(module.weights) | made.weights,
    )
    verify(after, module)
    return after, wires


@pytest.mark.parametrize("kind", ["any", "real", "hard", "measured"])
def test_fragments_give_what_the_circuit_gives(kind: str):
    done = 0
    for seed in range(45):
        rng = np.random.default_rng([seed, len(kind)])
        circuit = random_circuit(rng, kind)
        batched = seed % 4 > 0
        module = module_of(circuit, random_readout(rng, circuit, kind), rng, batched)
        found = expanded(module, lambda wires, rng=rng: random_choice(rng, wires))
        if found is None:
            continue
        x = rng.standard_normal((3, 4) if batched else 4)
        before, after = (evaluate(m, [x], precision="f64")[0] for m in (module, found[0]))
        assert before.shape == after.shape
        assert float((before - after).abs().max()) < 1e-12, seed
        done += 1
    assert done >= 25


def test_the_gradient_passes_through_the_cut():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        circuit = random_circuit(rng, "any")
        module = module_of(circuit, ops.Expectation("c", (PauliSum.parse("Z0 - 0.5*X1*Z2 + 0.3*Y1"),)), rng, True)
        found = expanded(module, lambda wires, rng=rng: random_choice(rng, wires))
        if found is None:
            continue
        gradients = []
        for m in (module, found[0]):
            x = torch.tensor(np.random.default_rng(seed).standard_normal((3, 4)), requires_grad=True)
            w = torch.tensor(module.weights["w"], requires_grad=True)
            evaluate(m, [x], precision="f64", weights={"w": w})[0].pow(2).sum().backward()
            gradients.append([torch.zeros_like(t) if t.grad is None else t.grad for t in (x, w)])
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(*gradients, strict=True))


def test_the_text_form_of_a_cut_reads_back():
    rng = np.random.default_rng(3)
    circuit = random_circuit(rng, "any")
    module = module_of(circuit, ops.Expectation("c", (PauliSum.parse("Z0*Z1"),)), rng, True)
    found = expanded(module, lambda wires: random_choice(rng, wires))
    assert found is not None
    assert read(print_module(found[0]), weights=found[0].weights) == found[0]


# Settings and bonds, as matrices


def rho(angles: np.ndarray) -> np.ndarray:
    """The state that Ry (and Rz) make from |0>."""
    matrix = rotation_matrix("Y", angles[0])
    if len(angles) > 1:
        matrix = rotation_matrix("Z", angles[1]) @ matrix
    return np.outer(matrix[:, 0], matrix[:, 0].conj())


@pytest.mark.parametrize("letters", ["IX", "IY", "IZ", "IXZ", "IXYZ"])
def test_states_add_up_to_half_of_every_letter(letters: str):
    found = states(letters)
    for k, letter in enumerate(letters):
        total = sum(w * rho(a) for w, a in zip(found.weights[:, k], found.angles, strict=True))
        assert np.allclose(total, PAULI[letter] / 2, atol=1e-15)


@pytest.mark.parametrize("letter", "XYZ")
def test_bases_turn_letters_to_z(letter: str):
    rz, ry = basis_angles(letter)
    turn = rotation_matrix("Y", ry) @ rotation_matrix("Z", rz)
    assert np.allclose(turn.conj().T @ PAULI["Z"] @ turn, PAULI[letter], atol=1e-15)
    weights = bases("IXYZ").weights
    assert np.allclose(weights.sum(axis=(0, 1))[0], 2.0)


@pytest.mark.parametrize("letters", ["ZX", "XX", "YZ"])
@pytest.mark.parametrize("own", [0.0, 0.8])
def test_the_maps_of_a_cut_gate_add_up_to_the_gate(letters: str, own: float):
    """Both ends from turns and a measurement, with a turn of the gate's own at the first end."""
    rng = np.random.default_rng(0)
    angle = 0.7
    p, q = np.kron(PAULI[letters[0]], np.eye(2)), np.kron(np.eye(2), PAULI[letters[1]])
    state = rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))

    def turned(axis: np.ndarray, by: float, x: np.ndarray) -> np.ndarray:
        matrix = np.cos(by / 2) * np.eye(4) - 1j * np.sin(by / 2) * axis
        return matrix @ x @ matrix.conj().T

    def maps(axis: np.ndarray, turn: float) -> list:
        made = turns(make_row(0, turn) if turn else ZERO_ROW)
        thirds = [lambda x, a=a: turned(axis, a, x) for a in made.angles[:, 0].tolist()]
        spun = [lambda x, k=k: sum(w * f(x) for w, f in zip(made.weights[:, k], thirds, strict=True)) for k in range(3)]
        return [*spun, lambda x: (axis @ x + x @ axis) / 2]

    matrix = coupling(angle)
    got = sum(
        matrix[i, j] * f(g(state))
        for i, f in enumerate(maps(p, own))
        for j, g in enumerate(maps(q, 0.0))
        if matrix[i, j]
    )
    assert np.allclose(got, turned(p, own, turned(p @ q, angle, state)), atol=1e-12)
    assert COUPLING_CONSTANT.trace() == 1.0
