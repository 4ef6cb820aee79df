"""split-readouts: which observables get a circuit of their own, and the same values in the same order."""

from __future__ import annotations

import pytest
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.split_readouts import SplitReadouts, grouped
from qsc.ir import Circuit, CircuitEditor, GraphBuilder, Module, Type, X, Z, ops, verify
from qsc.ir.circuit import AngleInput
from qsc.ir.interpreter import evaluate, max_error, random_inputs
from qsc.ir.target import Target


def islands(sizes: tuple[int, ...], layers: int) -> Circuit:
    """Rings of CX that do not meet."""
    editor, first = CircuitEditor("c", sum(sizes), 0, [AngleInput("x", (2,))]), 0
    for size in sizes:
        for layer in range(layers):
            for q in range(first, first + size):
                editor.add("ry", [q], [(0, 1, 0.1 * q + layer, ((q % 2, 1.0),))])
            for q in range(first, first + size):
                editor.add("cx", [q, first + (q - first + 1) % size])
        first += size
    return editor.circuit()


def module_of(circuit: Circuit, *readouts: ops.Readout) -> Module:
    module = Module("m", circuits={"c": circuit})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    return module.with_(graph=builder.graph(*[builder.add(op, *inputs)[0] for op in readouts]))


def same(before: Module, after: Module) -> None:
    verify(after)
    inputs = random_inputs(before, 3)
    for a, b in zip(evaluate(before, inputs, precision="f64"), evaluate(after, inputs, precision="f64"), strict=True):
        assert max_error(a, b) < 1e-12


def test_values_keep_their_order():
    observables = (Z(4), Z(0) * Z(1), Z(3), X(4), Z(1))
    before = module_of(islands((2, 3), 3), ops.Expectation("c", observables))
    context = Context()
    after = SplitReadouts(max_circuits=2).run(before, context)
    same(before, after)
    assert sorted(c.num_qubits for c in after.circuits.values()) == [2, 3]
    assert "read from 2 circuits with 9, 6 two-qubit gates in the place of one with 15" in context.remarks[0].message


def test_a_circuit_that_others_read_stays():
    before = module_of(islands((2, 3), 3), ops.Expectation("c", (Z(0), Z(4))), ops.Probabilities("c", (0, 4)))
    after = SplitReadouts(max_circuits=2).run(before, Context())
    same(before, after)
    assert set(after.circuits) == {"c", "c_part", "c_part_2"}


def test_readouts_in_bodies_are_split_too():
    module = Module("m", circuits={"c": islands((2, 2), 1)})
    body = GraphBuilder(module)
    state = body.input("state", Type("f64", (-1, 2)))
    read = body.add(ops.Expectation("c", (Z(0), Z(3))), state)[0]
    builder = GraphBuilder(module)
    start = builder.input("x", Type("f64", (-1, 2)))
    total = builder.add(ops.Scan(2, body.graph(body.add(ops.Add(), state, read)[0]), 1), start)[0]
    before = module.with_(graph=builder.graph(total))
    after = SplitReadouts(max_circuits=2).run(before, Context())
    assert len(after.circuits) == 2
    same(before, after)


@pytest.mark.parametrize(("effort", "split"), [("fast", False), ("default", False), ("max", True)])
def test_by_default_only_what_pays_and_only_at_effort_max(effort: str, split: bool):
    before = module_of(islands((4, 4), 8), ops.Expectation("c", (Z(0), Z(4))))
    noisy = Target("t", "quantum", "qiskit", data={"median_errors": {"cz": 0.02, "sx": 0.0001}})
    after = SplitReadouts().run(before, Context(effort=effort, target=noisy))
    assert (len(after.circuits) == 2) is split
    quiet = Target("t", "quantum", "qiskit", data={"median_errors": {"cz": 0.0005}})
    assert SplitReadouts().run(before, Context(effort=effort, target=quiet)) is before


def test_groups_are_those_of_an_exhaustive_search():
    """Over all partitions of four observables into at most two groups the greedy one has the smallest error."""
    circuit, error = islands((2, 3, 4), 2), 0.01
    observables = (Z(0), Z(2), Z(5), Z(1))
    gates = {0: 4, 1: 6, 2: 8, 3: 4}

    def mean_error(groups: list[list[int]]) -> float:
        sizes = [sum(gates[k] for k in {3 if k == 0 else k for k in group}) for group in groups]
        return sum(len(group) * (1 - (1 - error) ** size) for group, size in zip(groups, sizes, strict=True))

    every = [
        [[k for k in range(4) if mask >> k & 1], [k for k in range(4) if not mask >> k & 1]] for mask in range(1, 8)
    ]
    best = min(mean_error(groups) for groups in every)
    assert mean_error(grouped(circuit, observables, 2, error)) == pytest.approx(best)


def test_an_observable_with_the_whole_circuit_in_its_cone_is_not_worth_a_split():
    editor = CircuitEditor("c", 3)
    for q in (0, 1):
        editor.add("ry", [q], [0.4])
        editor.add("cx", [q, q + 1])
        editor.add("ry", [q + 1], [0.9])
    assert grouped(editor.circuit(), (Z(2), X(2)), 2, 0.01) == [[0, 1]]
