"""The contract checker: right passes go through, passes that were broken on purpose are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from qsc.compiler import contracts
from qsc.compiler.passes.base import Context, Contract, Pass
from qsc.compiler.passes.cancel_gates import CancelGates
from qsc.compiler.passes.light_cone import LightCone
from qsc.ir import CheckError, Circuit, GraphBuilder, Module, Type, Z, ops
from qsc.ir.angles import AngleTable, make_row


@dataclass(frozen=True)
class Broken(Pass):
    """Does whatever `change` does."""

    name: ClassVar[str] = "broken"
    change: Callable[[Module], Module] = lambda m: m

    def run(self, module: Module, context: Context) -> Module:
        return self.change(module)


def broken(contract: Contract) -> type[Broken]:
    return type("BrokenHere", (Broken,), {"contract": contract})


def check(contract: Contract, before: Module, change: Callable[[Module], Module], inputs=()) -> contracts.Outcome:
    pass_ = broken(contract)(change)
    return contracts.check(pass_, before, pass_.run(before, Context()), inputs, seed=1)


def on_circuit(change: Callable[[Circuit], Circuit]) -> Callable[[Module], Module]:
    return lambda m: m.with_(circuits={k: change(c) for k, c in m.circuits.items()})


def without_row(k: int) -> Callable[[Circuit], Circuit]:
    return lambda c: c.select(np.arange(len(c)) != k)


def with_phase(circuit: Circuit) -> Circuit:
    rows = circuit.angles.rows()
    return replace(circuit, angles=AngleTable.from_rows([*rows, make_row(1)]), phase=len(rows))


@pytest.mark.parametrize("contract", [Contract.UNITARY, Contract.STATE])
@pytest.mark.parametrize("qubits", [3, 10])
def test_circuits(contract: Contract, qubits: int, make_circuit):
    before = Module("m", circuits={"c": make_circuit(1, qubits, 40, ["h", "cx", "ry", "rz", "rxx", "cswap"])})
    assert check(contract, before, lambda m: CancelGates().run(m, Context())).error < 1e-12
    wrong = {
        "a gate less": without_row(5),
        "a phase": with_phase,
        "other qubits": lambda c: replace(c, num_qubits=c.num_qubits + 1),
        "the order": lambda c: c.with_rows(c.rows()[::-1]),
    }
    for change in wrong.values():
        with pytest.raises(CheckError, match=rf"O0003.*pass broken.*{contract.value}.*circuit"):
            check(contract, before, on_circuit(change))
    with pytest.raises(CheckError, match="circuit c is gone"):
        check(contract, before, lambda m: m.with_(circuits={}))


def test_a_state_contract_allows_what_only_changes_other_states(write_circuit):
    before = Module("m", circuits={"c": write_circuit("p(x0) 0; cx 0 1; h 0", 2)})
    assert check(Contract.STATE, before, on_circuit(without_row(0))).passed
    with pytest.raises(CheckError):
        check(Contract.UNITARY, before, on_circuit(without_row(0)))


def test_measured_circuits_down_to_their_classical_bits(write_circuit):
    text = "h 0; measure 0 -> 0; x 1 if c0; ry(0.7) 1; reset 0; measure 1 -> 1; h 0; h 0"
    before = Module("m", circuits={"c": write_circuit(text, 2, 2)})
    assert check(Contract.UNITARY, before, lambda m: CancelGates().run(m, Context())).error < 1e-12
    for k in range(7):
        with pytest.raises(CheckError, match="circuit c"):
            check(Contract.UNITARY, before, on_circuit(without_row(k)))


def test_wide_circuits_are_said_not_to_be_checked(make_circuit):
    before = Module("m", circuits={"c": make_circuit(1, 30, 40, ["h", "cx"])})
    assert "not checked: 30 qubits" in check(Contract.UNITARY, before, on_circuit(with_phase)).detail


def expectation_module(circuit: Circuit) -> Module:
    module = Module("m", circuits={"c": replace(circuit, name="c")})
    builder = GraphBuilder(module)
    inputs = [builder.input(a.name, Type("f64", (-1, *a.shape))) for a in circuit.inputs]
    read = builder.add(ops.Expectation("c", (Z(0),)), *inputs)[0]
    drawn = builder.add(ops.Samples("c", (0, 1), 50), *inputs)[0]
    return module.with_(graph=builder.graph(read, drawn))


@pytest.mark.parametrize("contract", [Contract.VALUES, Contract.EXPECTATION, Contract.DISTRIBUTION])
def test_outputs(contract: Contract, write_circuit):
    before = expectation_module(write_circuit("ry(x0) 0; ry(x1) 1; cx 1 0; rz(x0) 0", 3))
    rng = np.random.default_rng(0)
    inputs = [[rng.normal(size=(40, 2)), rng.normal(size=(40, 2))]]
    assert check(contract, before, lambda m: LightCone().run(m, Context()), inputs).error < 1e-12
    assert check(contract, before, lambda m: LightCone().run(m, Context())).error < 1e-12
    with pytest.raises(CheckError, match=r"output .*, worst at input \d+; x = \["):
        check(contract, before, on_circuit(without_row(1)), inputs)
    with pytest.raises(CheckError, match="samples"):
        check(contract, before, on_circuit(lambda c: c.with_rows([*c.rows(), c.rows()[1]])), inputs)


def test_the_worst_input_is_named():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", Type("f32", (-1, 2)))
    before = builder.module.with_(graph=builder.graph(builder.add(ops.Relu(), x)[0]))
    broken_graph = replace(before.graph, nodes=(replace(before.graph.nodes[0], op=ops.Clamp(0.0, 1.0)),))
    inputs = [[np.array([[0.1, 0.2], [0.5, -1.0]], np.float32)], [np.array([[0.1, 3.5], [1.5, 0.0]], np.float32)]]
    with pytest.raises(CheckError, match=r"error 2\.5.*worst at input 2; x = \[0\.1, *3\.5\]"):
        check(Contract.VALUES, before, lambda m: m.with_(graph=broken_graph), inputs)


def test_spikes_are_compared_bit_for_bit():
    module = Module("m", weights={"w": np.float32(1.0) * np.eye(2, dtype=np.float32)})
    builder = GraphBuilder(module)
    x = builder.input("x", Type("f32", (-1, 2)))
    current = builder.add(ops.Linear(), x, builder.weight("w"))[0]
    numbers = [builder.add(ops.Constant(v))[0] for v in (0.5, 1.0)]
    spikes, _ = builder.add(ops.Leaky(), current, x, *numbers)
    before = module.with_(graph=builder.graph(spikes, current))
    inputs = [[np.array([[0.7, 0.6], [0.1, 0.9]], np.float32)]]
    assert check(Contract.SPIKES, before, lambda m: m, inputs).error == 0
    nudged = before.with_(weights={"w": np.nextafter(before.weights["w"], np.float32(2))})
    with pytest.raises(CheckError, match="spikes"):
        check(Contract.SPIKES, before, lambda m: nudged, inputs)


def test_numbers_that_are_not_numbers_fail():
    builder = GraphBuilder(Module("m"))
    x = builder.input("x", Type("f64", (-1,)))
    before = builder.module.with_(graph=builder.graph(builder.add(ops.Neg(), x)[0]))
    wrong = replace(before.graph, nodes=(replace(before.graph.nodes[0], op=ops.Log()),))
    with pytest.raises(CheckError, match="error inf"):
        check(Contract.VALUES, before, lambda m: m.with_(graph=wrong), [[np.array([-1.0])]])


def test_a_pass_that_keeps_its_tolerance_passes():
    class Rounding(Broken):
        contract: ClassVar[Contract] = Contract.VALUES
        tolerance: ClassVar[float] = 1e-3

    builder = GraphBuilder(Module("m"))
    x = builder.input("x", Type("f64", (-1,)))
    before = builder.module.with_(graph=builder.graph(builder.add(ops.Mul(2.0), x)[0]))
    after = before.with_(graph=replace(before.graph, nodes=(replace(before.graph.nodes[0], op=ops.Mul(2.001)),)))
    assert contracts.check(Rounding(), before, after, [[np.array([5.0])]]).error == pytest.approx(0.005)
    with pytest.raises(CheckError):
        check(Contract.VALUES, before, lambda m: after, [[np.array([5.0])]])
