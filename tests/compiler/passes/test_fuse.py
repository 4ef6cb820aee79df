"""fuse-blocks, fuse-single-qubit and lower-native: the same meaning, never more entangling gates, native gates only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qsc.compiler.contracts import check
from qsc.compiler.passes.base import Context
from qsc.compiler.passes.fuse_blocks import FuseBlocks, fuse
from qsc.compiler.passes.fuse_single_qubit import FuseSingleQubit, Fusion
from qsc.compiler.passes.lower_native import LowerNative, lower
from qsc.compiler.synthesis.native import one_qubit_basis
from qsc.compiler.synthesis.native_rules import entanglers
from qsc.frontends.text import read
from qsc.ir import Circuit, Module, print_module
from qsc.ir.angles import make_row
from qsc.ir.circuit import AngleInput, CircuitEditor
from qsc.ir.gates import GATES, OPCODES
from qsc.ir.interpreter.compare import unitary
from qsc.ir.target import Target
from qsc.ir.verifier import verify

MakeCircuit = Callable[..., Circuit]
NATIVE = [
    ("rz", "sx", "x", "cz"),
    ("rz", "sx", "x", "cx", "rx", "rzz"),
    ("rz", "sx", "ecr"),
    ("PhasedX", "Rz", "ZZPhase"),
    ("gpi", "gpi2", "ms"),
    ("r", "cz"),
    ("rx", "rz", "iswap"),
    ("u3", "cx"),
]


def heisenberg(qubits: int, steps: int) -> Circuit:
    editor = CircuitEditor("chain", qubits, 0, [AngleInput("j", (3,))])
    for _ in range(steps):
        for a in [*range(0, qubits - 1, 2), *range(1, qubits - 1, 2)]:
            for k, gate in enumerate(("rxx", "ryy", "rzz")):
                editor.add(gate, (a, a + 1), [make_row(0, 0.0, [(k, 1.0)])])
    return editor.circuit()


def test_heisenberg_takes_three_cx_a_bond():
    fused, saved = fuse(heisenberg(8, 4), from_zero=False)
    assert fused.gate_counts()["cx"] == fused.costs()["two_qubit_gates"] == saved == 84
    assert fused.costs()["two_qubit_depth"] == 24
    small = heisenberg(4, 2)
    assert (
        np.abs(unitary(small, [0.3, 0.5, 0.7]) - unitary(fuse(small, from_zero=False)[0], [0.3, 0.5, 0.7])).max()
        < 1e-12
    )


@pytest.mark.parametrize("options", range(8))
def test_blocks_mean_the_same(make_circuit: MakeCircuit, options: int):
    rotations, swaps, from_zero = bool(options & 1), bool(options & 2), bool(options & 4)
    fired = 0
    for seed in range(40):
        circuit = make_circuit(1000 * options + seed, 2 + seed % 3, 8 + seed % 20)
        fused, saved = fuse(circuit, rotations, swaps, from_zero)
        fired += fused is not circuit
        assert saved >= 0
        values = np.random.default_rng(seed).normal(size=circuit.num_variables)
        columns = slice(0, 1) if from_zero else slice(None)
        assert np.abs(unitary(circuit, values) - unitary(fused, values))[:, columns].max() < 1e-9
    assert fired > 20


def test_no_worse_than_qiskit_on_constants(make_circuit: MakeCircuit, in_qiskit: Callable):
    passes = pytest.importorskip("qiskit.transpiler.passes")
    from qiskit import transpile
    from qiskit.transpiler import PassManager

    basis = ["u", "cx"]
    manager = PassManager(
        [passes.Collect2qBlocks(), passes.ConsolidateBlocks(force_consolidate=True), passes.UnitarySynthesis(basis)]
    )
    totals = np.zeros(2, int)
    for seed in range(25):
        circuit = make_circuit(seed, 4, 40, ("cx", "rz", "ry", "h", "cz", "rzz", "u3", "t", "swap"))
        values = np.random.default_rng(seed).normal(size=circuit.num_variables)
        ours = lower(fuse(_bound(circuit, values), from_zero=False)[0], *_native(("u3", "cx")))
        theirs = manager.run(transpile(in_qiskit(circuit, values), basis_gates=basis, optimization_level=0))
        totals += ours.gate_counts().get("cx", 0), theirs.count_ops().get("cx", 0)
    assert totals[0] <= totals[1]


def _bound(circuit: Circuit, values: np.ndarray) -> Circuit:
    from qsc.compiler.passes.bake_weights import bind_inputs

    parts = np.split(values, np.cumsum([a.size for a in circuit.inputs])[:-1])
    return bind_inputs(circuit, dict(enumerate(parts)))


def _native(ops: tuple[str, ...]) -> tuple:
    found = entanglers(ops)
    assert found is not None
    return found, one_qubit_basis(ops)


@pytest.mark.parametrize("bits", [2])
def test_blocks_stop_at_measurements(make_circuit: MakeCircuit, mixture_by_table: Callable, bits: int):
    for seed in range(40):
        circuit = make_circuit(seed, 3, 18, bits=bits)
        fused, _ = fuse(circuit)
        single = Fusion(fused, one_qubit_basis((), "rz-sx")).run()
        native = lower(single, *_native(NATIVE[seed % len(NATIVE)]))
        values = np.random.default_rng(seed).normal(size=circuit.num_variables)
        before, after = (mixture_by_table(c, values) for c in (circuit, native))
        for key in {*before, *after}:
            assert np.abs(before.get(key, np.zeros((8, 8))) - after.get(key, np.zeros((8, 8)))).max() < 1e-9


@pytest.mark.parametrize("basis", ["", "u3", "rz-sx", "rz-rx", "rz-ry", "rz-rx90"])
def test_runs_mean_the_same(make_circuit: MakeCircuit, basis: str):
    names = [g.name for g in GATES if g.qubits == 1 and g.matrix is not None] + ["cx"]
    for seed in range(40):
        circuit = make_circuit(seed, 2, 20, names)
        fused = Fusion(circuit, one_qubit_basis((), basis)).run()
        values = np.random.default_rng(seed).normal(size=circuit.num_variables)
        assert np.abs(unitary(circuit, values) - unitary(fused, values)).max() < 1e-9
        assert basis not in ("", "u3") or len(fused) <= len(circuit)


LATE = """
weight @w: f32[3] = [0.1, 0.2, 0.3];
circuit k(x[2], weight w[3]) on 3 qubits, 1 bits {
  rx(x[0]) q[0]; ry(x[1]) q[0]; rx(x[0]) q[0];
  h q[1]; u3(x[0], x[1], 0.5) q[1]; rx(w[1]) q[1];
  cx q[0], q[1]; ry(w[0]) q[2]; rx(x[0]) q[2]; rz(0.3) q[2]; rx(w[2]) q[2];
  measure q[0] -> c[0];
  x q[1] if c[0];
  cx q[2], q[1];
}
main(x: f32[?,2]) {
  y = expectation(x, @w, circuit="k", observables=["Z1", "X2"]);
  z = probabilities(x, @w, circuit="k", qubits=[2]);
  return y, z;
}
"""


@pytest.mark.parametrize("basis", ["u3", "rz-sx", "rz-rx"])
def test_late_bound_runs(basis: str):
    module = read(LATE)
    context = Context()
    pass_ = FuseSingleQubit(basis=basis)
    after = pass_.run(module, context)
    verify(after)
    assert check(pass_, module, after).passed
    assert after.circuits["k.late"].num_qubits == 3
    assert after.circuits["k"].inputs[-1] == AngleInput("late", (3, 3))
    assert sum(node.op.mnemonic == "late_angles" for node in after.nodes()) == 1
    assert read(print_module(after)) == after
    assert FuseSingleQubit(basis=basis, late=False).run(module, Context()).circuits.keys() == {"k"}


def test_late_bound_in_a_scan():
    module = read("""
circuit k(x[2]) on 1 qubits { rx(x[0]) q[0]; ry(x[1]) q[0]; rx(x[0]) q[0]; }
main(x: f64[3,?,2]) {
  y = scan(x, steps=3, carried=0, sequences=1) {
    body(s: f64[?,2]) {
      z = expectation(s, circuit="k", observables=["Z0"]);
      return z;
    }
  }
  return y;
}
""")
    pass_ = FuseSingleQubit()
    after = pass_.run(module, Context())
    verify(after)
    assert check(pass_, module, after).passed
    assert len(after.circuits["k"]) == 1


@pytest.mark.parametrize("native", NATIVE)
def test_every_gate_becomes_native(native: tuple[str, ...], make_circuit: MakeCircuit):
    target, basis = _native(native)
    allowed = {*target.native, *np.flatnonzero(basis.keeps).tolist(), OPCODES["barrier"]}
    for seed in range(12):
        circuit = make_circuit(seed, 3, 14)
        lowered = lower(circuit, target, basis)
        values = np.random.default_rng(seed).normal(size=circuit.num_variables)
        assert np.abs(unitary(circuit, values) - unitary(lowered, values)).max() < 1e-9
        assert {*lowered.opcode.tolist()} <= allowed
        again = lower(lowered, target, basis)
        assert len(again) <= len(lowered)
        assert again.costs()["two_qubit_gates"] == lowered.costs()["two_qubit_gates"]


def test_one_native_rotation_is_enough(write_circuit: Callable[..., Circuit]):
    target, basis = _native(("PhasedX", "Rz", "ZZPhase"))
    for gate in ("rxx", "ryy", "rzz", "crx", "cry", "crz", "cp", "cx", "cz", "ch", "ecr"):
        angle = "(x0)" if GATES[OPCODES[gate]].angles else ""
        lowered = lower(write_circuit(f"{gate}{angle} 0 1", 2), target, basis)
        assert lowered.costs()["two_qubit_gates"] == 1


def test_without_a_target_nothing_is_lowered(make_circuit: MakeCircuit):
    module = Module("m", circuits={"c": make_circuit(0, 3, 10)})
    assert LowerNative().run(module, Context()) is module
    host = Context(Target("host", "host", "host"))
    assert LowerNative().run(module, host) is module


def test_passes_report(make_circuit: MakeCircuit):
    module = Module("m", circuits={"c": heisenberg(4, 1)})
    context = Context()
    assert FuseBlocks().run(module, context).circuits["c"] != module.circuits["c"]
    assert context.remarks[0].saved["two_qubit_gates"] > 0
    done = FuseBlocks().run(module, Context())
    again = FuseBlocks().run(done, Context()).circuits["c"]
    assert again.costs()["two_qubit_gates"] == done.circuits["c"].costs()["two_qubit_gates"]
