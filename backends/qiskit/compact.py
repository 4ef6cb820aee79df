"""The emitted circuit made small enough to simulate: idle qubits dropped, angles as plain parameters, and mid-circuit
measurements deferred onto extra qubits where exact values are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from qiskit import transpile
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Gate,
    IfElseOp,
    Instruction,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import CXGate, SwapGate, UnitaryGate, XGate
from qiskit_aer import AerSimulator

from ...bridges.qiskit import Symbol
from .census import SILENT, steps
from .routing import active_qubits

KNOWN = frozenset(AerSimulator(method="density_matrix").operation_names)
"""What every method of the simulator that is used here runs itself."""


class Expressions:
    """The distinct parameter expressions of a circuit, each replaced by a plain parameter.

    A transpiled gate holds expressions such as `a0/2 + pi`; bound one by one they would cost more than the simulation.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.parameters: list[Symbol] = []
        self._index: dict[tuple[float, ...], int] = {}
        self._others: dict[int, Symbol] = {}

    def replace(self, value: Symbol) -> Symbol:
        """The plain parameter that stands for `value`."""
        row, fresh = self._affine(value), len(self.parameters)
        index = self._index.setdefault(row, fresh) if row else fresh
        if index == fresh:
            self.parameters.append(Parameter(f"e{index}"))
            if not row:
                self._others[index] = value
        return self.parameters[index]

    def _affine(self, value: Symbol) -> tuple[float, ...]:
        """(constant, coefficient of every name), or () where the expression is not affine."""
        coefficients = dict.fromkeys(self.names, 0.0)
        for parameter in value.parameters:
            slope = value.gradient(parameter)
            if isinstance(slope, ParameterExpression) and slope.parameters:
                return ()
            coefficients[parameter.name] = float(slope)
        return (float(value.bind(dict.fromkeys(value.parameters, 0.0))), *coefficients.values())

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Values of the replacements: (batch, names) -> (batch, expressions)."""
        out = np.zeros((len(values), len(self.parameters)))
        if self._index:
            rows = np.array(list(self._index))
            out[:, list(self._index.values())] = rows[:, 0] + values @ rows[:, 1:].T
        for index, value in self._others.items():
            places = [(p, self.names.index(p.name)) for p in value.parameters]
            out[:, index] = [float(value.bind({p: row[k] for p, k in places})) for row in values]
        return out


@dataclass(frozen=True)
class Compact:
    """A circuit on the qubits in use. qubits[i] is the physical qubit behind qubit i."""

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    expressions: Expressions

    @property
    def position(self) -> dict[int, int]:
        """Physical qubit -> qubit of this circuit."""
        return {physical: k for k, physical in enumerate(self.qubits)}

    @property
    def names(self) -> set[str]:
        """Names of the operations, those inside control flow included."""
        return {step.operation.name for step, _ in steps(self.circuit)}


def compact(circuit: QuantumCircuit, names: Sequence[str], also: Sequence[int] = ()) -> Compact:
    """The circuit on its active qubits and the physical qubits `also`, with expressions of `names` replaced."""
    qubits = tuple(sorted({*active_qubits(circuit), *also})) or (0,)
    expressions = Expressions(names)
    place = {physical: k for k, physical in enumerate(qubits)}
    out = QuantumCircuit(QuantumRegister(len(qubits), "q"), *circuit.cregs)
    for step in circuit.data:
        if step.operation.name not in SILENT:
            wires = [out.qubits[place[circuit.find_bit(q).index]] for q in step.qubits]
            out.append(_with_plain_angles(step.operation, expressions), wires, step.clbits)
    return Compact(out, qubits, expressions)


def _with_plain_angles(operation: Instruction, expressions: Expressions) -> Instruction:
    if isinstance(operation, IfElseOp):
        blocks = [block.copy_empty_like() for block in operation.blocks]
        for block, source in zip(blocks, operation.blocks, strict=True):
            for step in source.data:
                if step.operation.name in SILENT:
                    continue
                block.append(_with_plain_angles(step.operation, expressions), step.qubits, step.clbits)
        return operation.replace_blocks(blocks)
    if not any(isinstance(value, ParameterExpression) for value in operation.params):
        return _known(operation)
    plain = operation.to_mutable()
    plain.params = [expressions.replace(v) if isinstance(v, ParameterExpression) else v for v in operation.params]
    return plain


def _known(operation: Instruction) -> Instruction:
    """A gate without angles that the simulator lacks, such as iswap, as a matrix of that name."""
    if operation.params or not isinstance(operation, Gate) or operation.name in KNOWN:
        return operation
    return UnitaryGate(operation.to_matrix(), label=operation.name)


def native_basis_change(letters: str, native: Sequence[str]) -> QuantumCircuit:
    """Native gates that turn a measurement of the Pauli letters into one of Z, letter i on qubit i."""
    change = QuantumCircuit(len(letters))
    for qubit, letter in enumerate(letters):
        if letter == "Y":
            change.sdg(qubit)
        if letter != "Z":
            change.h(qubit)
    gates = [name for name in native if name in {"id", "rz", "sx", "x", "rx", "u", "u1", "u2", "u3", "r", "h", "sdg"}]
    return transpile(change, basis_gates=gates, optimization_level=1) if gates else change


# Deferred measurement


SIMULATED = ["rz", "rx", "ry", "rzz", "sx", "x", "y", "z", "h", "id", "p", "u", "cx", "cz", "ecr", "swap"]
"""Gates that the simulator runs as they are."""


@dataclass(frozen=True)
class Deferred:
    """A circuit without measurement, reset and control flow. bits: classical bit -> the qubit that holds it in the end
    (bits that were never measured are not in it)."""

    circuit: QuantumCircuit
    bits: dict[Clbit, int]


def defer(circuit: QuantumCircuit, dephase: bool) -> Deferred:
    """Every measured value kept on a qubit: a copy on an extra qubit where the measured one is used again.

    All outcome distributions stay what they were. `dephase`: copy every measured value, so that observables other than
    Z on a measured qubit see its collapse as well.
    """
    return _Deferral(circuit, dephase).run()


def is_dynamic(circuit: QuantumCircuit, measured_later: bool) -> bool:
    """Whether measurement happens inside the circuit: a condition, or a measured qubit that is used again.

    `measured_later`: some qubits are read after the circuit, so that any measurement in it counts.
    """
    measured: set[int] = set()
    for step, qubits in steps(circuit):
        if step.operation.name == "if_else" or measured.intersection(qubits):
            return True
        if step.operation.name == "measure":
            measured.update(qubits)
    return measured_later and bool(measured)


def without_measurement(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its measurements left out."""
    out = circuit.copy_empty_like()
    for step in circuit.data:
        if step.operation.name != "measure":
            out.append(step)
    return out


class _Deferral:
    def __init__(self, circuit: QuantumCircuit, dephase: bool) -> None:
        self.source = circuit
        self.dephase = dephase
        self.out = QuantumCircuit(circuit.num_qubits)
        self.bits: dict[Clbit, int] = {}
        self.flag = -1

    def run(self) -> Deferred:
        later = [0] * self.source.num_qubits
        uses = [[self.source.find_bit(q).index for q in step.qubits] for step in self.source.data]
        for qubits in uses:
            for q in qubits:
                later[q] += 1
        reset_next = self._reset_next(uses)
        for k, (step, qubits) in enumerate(zip(self.source.data, uses, strict=True)):
            for q in qubits:
                later[q] -= 1
            last = not self.dephase and not any(later[q] for q in qubits)
            self._step(step.operation, qubits, list(step.clbits), last or k in reset_next)
        return Deferred(transpile(self.out, basis_gates=SIMULATED, optimization_level=0), self.bits)

    def _reset_next(self, uses: Sequence[Sequence[int]]) -> set[int]:
        """Numbers of the measurements behind which nothing happens to the qubit before it is reset: then what the
        reset puts aside is the value."""
        found: set[int] = set()
        reset: dict[int, bool] = {}
        for k in range(len(uses) - 1, -1, -1):
            name = self.source.data[k].operation.name
            if name == "measure" and reset.get(uses[k][0], False):
                found.add(k)
            reset |= dict.fromkeys(uses[k], name == "reset")
        return found

    def _step(self, operation: Instruction, qubits: list[int], clbits: list[Clbit], last: bool) -> None:
        if operation.name == "measure":
            self.bits[clbits[0]] = qubits[0] if last else self._copy(qubits[0])
        elif operation.name == "reset":
            aside = self._fresh()
            self.out.append(SwapGate(), [qubits[0], aside])
            self.bits |= {bit: aside for bit, holder in self.bits.items() if holder == qubits[0]}
        elif isinstance(operation, IfElseOp):
            self._conditional(operation, qubits, clbits)
        else:
            self.out.append(operation, qubits)

    def _fresh(self) -> int:
        self.out.add_bits([Qubit()])
        return self.out.num_qubits - 1

    def _copy(self, qubit: int) -> int:
        extra = self._fresh()
        self.out.append(CXGate(), [qubit, extra])
        return extra

    def _conditional(self, operation: IfElseOp, qubits: list[int], clbits: list[Clbit]) -> None:
        """The block under the control of a flag qubit, which is computed before and undone after it."""
        if self.flag < 0:
            self.flag = self._fresh()
        before = dict(self.bits)
        self._compute_flag(operation.condition, before)
        block = operation.blocks[0]
        for step in block.data:
            inner = [qubits[block.find_bit(q).index] for q in step.qubits]
            if step.operation.name == "measure":
                self._controlled_measure(inner[0], clbits[block.find_bit(step.clbits[0]).index])
            elif step.operation.name == "reset":
                extra = self._fresh()
                self.out.append(SwapGate().control(1), [self.flag, inner[0], extra])
            else:
                self.out.append(step.operation.control(1), [self.flag, *inner])
        self._compute_flag(operation.condition, before)

    def _controlled_measure(self, qubit: int, bit: Clbit) -> None:
        """bit = flag ? qubit : bit."""
        extra = self._fresh()
        self.out.append(CXGate().control(1), [self.flag, qubit, extra])
        if bit in self.bits:
            self.out.append(CXGate().control(1, ctrl_state=0), [self.flag, self.bits[bit], extra])
        self.bits[bit] = extra

    def _compute_flag(self, condition: tuple[Clbit, bool] | expr.Expr, bits: Mapping[Clbit, int]) -> None:
        read = _bits_read(condition)
        known = [bit for bit in read if bit in bits]
        for values in product((False, True), repeat=len(known)):
            env = dict.fromkeys(read, False) | dict(zip(known, values, strict=True))
            if not _holds(condition, env):
                continue
            if not known:
                self.out.x(self.flag)
                continue
            pattern = sum(1 << k for k, value in enumerate(values) if value)
            gate = XGate().control(len(known), ctrl_state=pattern)
            self.out.append(gate, [*(bits[bit] for bit in known), self.flag])


def _bits_read(condition: tuple[Clbit, bool] | expr.Expr) -> list[Clbit]:
    if isinstance(condition, tuple):
        return [condition[0]]
    return list(dict.fromkeys(v.var for v in expr.iter_vars(condition) if isinstance(v.var, Clbit)))


def _holds(condition: tuple[Clbit, bool] | expr.Expr, env: Mapping[Clbit, bool]) -> bool:
    if isinstance(condition, tuple):
        return env[condition[0]] == condition[1]
    if isinstance(condition, expr.Var):
        return env[condition.var]
    if isinstance(condition, expr.Unary):
        return not _holds(condition.operand, env)
    if not isinstance(condition, expr.Binary):
        raise TypeError(f"no meaning for the condition {condition}")
    left, right = _holds(condition.left, env), _holds(condition.right, env)
    if condition.op == expr.Binary.Op.LOGIC_AND:
        return left and right
    return left or right if condition.op == expr.Binary.Op.LOGIC_OR else left != right


def with_measurement(circuit: QuantumCircuit, qubits: Sequence[int], register: str) -> QuantumCircuit:
    """The circuit followed by a measurement of `qubits` into a new register, qubit i into bit i."""
    out = circuit.copy()
    bits = ClassicalRegister(len(qubits), register)
    out.add_register(bits)
    out.measure(list(qubits), bits)
    return out
