"""Pytket's circuits as circuits of the IR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import pi
from typing import Any, NamedTuple, Protocol, TypeAlias

from pytket import Circuit as TketCircuit
from pytket import OpType
from pytket.circuit import Conditional
from pytket.passes import AutoRebase, DecomposeMultiQubitsCX, SequencePass

from ..ir import Circuit, Location
from ..ir.angles import Row, add_rows, make_row
from ..ir.diagnostics import UNKNOWN
from ..ir.gates import OPCODES
from . import bits
from .faults import unconvertible
from .roles import Group, angle_inputs
from .tket_angles import HalfTurns
from .tket_bits import assigned
from .writer import BitChanged, Writer

OpOf: TypeAlias = Any
"""A pytket Op of some class."""

OPTYPES: dict[str, OpType] = {
    "id": OpType.noop,
    "x": OpType.X,
    "y": OpType.Y,
    "z": OpType.Z,
    "h": OpType.H,
    "s": OpType.S,
    "sdg": OpType.Sdg,
    "t": OpType.T,
    "tdg": OpType.Tdg,
    "sx": OpType.SX,
    "sxdg": OpType.SXdg,
    "rx": OpType.Rx,
    "ry": OpType.Ry,
    "rz": OpType.Rz,
    "p": OpType.U1,
    "u3": OpType.U3,
    "cx": OpType.CX,
    "cy": OpType.CY,
    "cz": OpType.CZ,
    "ch": OpType.CH,
    "swap": OpType.SWAP,
    "iswap": OpType.ISWAPMax,
    "ecr": OpType.ECR,
    "rxx": OpType.XXPhase,
    "ryy": OpType.YYPhase,
    "rzz": OpType.ZZPhase,
    "crx": OpType.CRx,
    "cry": OpType.CRy,
    "crz": OpType.CRz,
    "cp": OpType.CU1,
    "ccx": OpType.CCX,
    "cswap": OpType.CSWAP,
    "measure": OpType.Measure,
    "reset": OpType.Reset,
}
"""Gate of `ir/gates.py` -> pytket's op with the same matrix, qubit order and angle order, its angles in half-turns."""

_SAME = {kind: OPCODES[name] for name, kind in OPTYPES.items() if name not in ("id", "measure", "reset")}

_HALF = make_row(Fraction(1, 2))
_QUARTER = make_row(Fraction(1, 4))


def _sum(*parts: tuple[Fraction | int, Row]) -> Row:
    """sum_k factor_k * row_k."""
    out = make_row()
    for factor, row in parts:
        out = add_rows(out, row, factor)
    return out


Step: TypeAlias = tuple[str, tuple[int, ...], tuple[Row, ...]]
"""A gate, the positions of its wires, its angles. The gate `phase` has no wires."""

_ONE: tuple[int, ...] = (0,)
_TWO: tuple[int, ...] = (0, 1)


def _u3_and_phase(theta: Row, phi: Row, lam: Row, phase: Row) -> list[Step]:
    return [("u3", _ONE, (theta, phi, lam)), ("phase", (), (phase,))]


def _tk1(a: Row, b: Row, c: Row) -> list[Step]:
    """Rz(a) Rx(b) Rz(c), the last applied first."""
    shifted = (add_rows(a, _HALF, -1), add_rows(c, _HALF))
    return _u3_and_phase(b, *shifted, _sum((Fraction(-1, 2), a), (Fraction(-1, 2), c)))


def _phased_x(a: Row, b: Row) -> list[Step]:
    """Rz(b) Rx(a) Rz(-b)."""
    return [("u3", _ONE, (a, add_rows(b, _HALF, -1), add_rows(_HALF, b, -1)))]


def _cu3(theta: Row, phi: Row, lam: Row) -> list[Step]:
    half = Fraction(1, 2)
    return [
        ("p", (0,), (_sum((half, lam), (half, phi)),)),
        ("p", (1,), (_sum((half, lam), (-half, phi)),)),
        ("cx", _TWO, ()),
        ("u3", (1,), (_sum((-half, theta)), make_row(), _sum((-half, phi), (-half, lam)))),
        ("cx", _TWO, ()),
        ("u3", (1,), (_sum((half, theta)), phi, make_row())),
    ]


def _iswap(a: Row) -> list[Step]:
    turn = _sum((Fraction(-1, 2), a))
    return [("rxx", _TWO, (turn,)), ("ryy", _TWO, (turn,))]


def _eswap(a: Row) -> list[Step]:
    """exp(-i a/2 SWAP), SWAP = (1 + XX + YY + ZZ) / 2."""
    turn = _sum((Fraction(1, 2), a))
    rotations: list[Step] = [(name, _TWO, (turn,)) for name in ("rxx", "ryy", "rzz")]
    return [*rotations, ("phase", (), (_sum((Fraction(-1, 4), a)),))]


def _fsim(a: Row, b: Row) -> list[Step]:
    return [("rxx", _TWO, (a,)), ("ryy", _TWO, (a,)), ("cp", _TWO, (_sum((-1, b)),))]


def _aams(theta: Row, phi0: Row, phi1: Row) -> list[Step]:
    """exp(-i theta/2 A(phi0) A(phi1)), A(phi) = cos(phi) X + sin(phi) Y."""
    turned: list[Step] = [("rz", (k,), (_sum((-1, phi)),)) for k, phi in enumerate((phi0, phi1))]
    back: list[Step] = [("rz", (k,), (phi,)) for k, phi in enumerate((phi0, phi1))]
    return [*turned, ("rxx", _TWO, (theta,)), *back]


def _controlled_sx(sign: int) -> Callable[[], list[Step]]:
    return lambda: [("crx", _TWO, (_sum((sign, _HALF)),)), ("p", (0,), (_sum((sign, _QUARTER)),))]


def _rotation(name: str, sign: int = 1, wires: tuple[int, ...] = _ONE) -> Callable[[], list[Step]]:
    return lambda: [(name, wires, (_sum((sign, _HALF)),))]


_WRITTEN: dict[OpType, Callable[..., list[Step]]] = {
    OpType.noop: list,
    OpType.Phase: lambda a: [("phase", (), (a,))],
    OpType.V: _rotation("rx"),
    OpType.Vdg: _rotation("rx", -1),
    OpType.U2: lambda phi, lam: [("u3", _ONE, (_HALF, phi, lam))],
    OpType.TK1: _tk1,
    OpType.PhasedX: _phased_x,
    OpType.GPI: lambda phi: [("u3", _ONE, (make_row(1), phi, add_rows(make_row(1), phi, -1)))],
    OpType.GPI2: lambda phi: _phased_x(_HALF, phi),
    OpType.AAMS: _aams,
    OpType.TK2: lambda a, b, c: [("rxx", _TWO, (a,)), ("ryy", _TWO, (b,)), ("rzz", _TWO, (c,))],
    OpType.ZZMax: _rotation("rzz", 1, _TWO),
    OpType.CV: _rotation("crx", 1, _TWO),
    OpType.CVdg: _rotation("crx", -1, _TWO),
    OpType.CSX: _controlled_sx(1),
    OpType.CSXdg: _controlled_sx(-1),
    OpType.CS: _rotation("cp", 1, _TWO),
    OpType.CSdg: _rotation("cp", -1, _TWO),
    OpType.CU3: _cu3,
    OpType.ISWAP: _iswap,
    OpType.ESWAP: _eswap,
    OpType.FSim: _fsim,
    OpType.Sycamore: lambda: _fsim(_HALF, make_row(Fraction(1, 6))),
    OpType.BRIDGE: lambda: [("cx", (0, 2), ())],
    OpType.XXPhase3: lambda a: [("rxx", pair, (a,)) for pair in ((0, 1), (1, 2), (0, 2))],
}
"""Op of pytket -> the gates that it is, phase included, for its angles as rows."""

_EXPAND = SequencePass([DecomposeMultiQubitsCX(), AutoRebase({OpType.CX, OpType.Rz, OpType.Rx, OpType.H})])
_CLASSICAL = (
    OpType.SetBits,
    OpType.CopyBits,
    OpType.RangePredicate,
    OpType.ExplicitPredicate,
    OpType.ExplicitModifier,
    OpType.ClExpr,
    OpType.ClassicalTransform,
    OpType.MultiBit,
    OpType.WASM,
)


class Rows(Protocol):
    """What `to_tket` said of a circuit: the circuit, its symbols, and the angle row of each."""

    @property
    def source(self) -> Circuit: ...
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...


class FromTket(NamedTuple):
    """A circuit, and where it leaves each qubit of pytket's: what is qubit q in the end is on `final[q]`."""

    circuit: Circuit
    final: tuple[int, ...]


class ReadTket(NamedTuple):
    """As `FromTket`, with the value of each of pytket's bits at the end over the bits of the circuit."""

    circuit: Circuit
    final: tuple[int, ...]
    bits: tuple[bits.Bit, ...]


def from_tket(
    tk: TketCircuit,
    like: Rows | None = None,
    *,
    inputs: Iterable[Any] | None = None,
    weights: Iterable[Any] | None = None,
    name: str | None = None,
) -> FromTket:
    """The same circuit in the IR, its qubits and bits in pytket's order; global phase and classical logic are kept.

    Every symbol becomes a scalar angle input with the symbol's own value (`Rz(a)` is the angle `pi*a`). inputs,
    weights: symbols or their names that are data or trainable; without either all are data, with only one of them the
    rest is of the other role. like: what `to_tket` gave, for a circuit that pytket has made of that one: symbols become
    the rows they stand for, and the result has the same angle inputs. Boxes and gates that the IR lacks are taken as
    pytket decomposes them. The implicit permutation of the wires is not undone but given as `final`.

    Raises NotAffineError where an angle is not affine in the symbols, UnconvertibleError (M0005) for other parts that
    the IR lacks, InputError P0002 and P0003 for wrong `inputs` and `weights`.
    """
    read = read_tket(tk, like, inputs=inputs, weights=weights, name=name)
    return FromTket(read.circuit, read.final)


def read_tket(
    tk: TketCircuit,
    like: Rows | None = None,
    *,
    inputs: Iterable[Any] | None = None,
    weights: Iterable[Any] | None = None,
    name: str | None = None,
    place: Location = UNKNOWN,
) -> ReadTket:
    """As `from_tket`, with the values of the bits. place: the source of the circuit."""
    if like is None:
        found = sorted(symbol.name for symbol in tk.free_symbols())
        groups = {symbol: Group((symbol,)) for symbol in found}
        arrays, numbers = angle_inputs(groups, _names(inputs), _names(weights))
        rows = {str(symbol): make_row(0, 0.0, [(number, pi)]) for symbol, number in numbers.items()}
    else:
        arrays, rows = like.source.inputs, dict(zip(like.symbols, like.rows, strict=True))
    try:
        writer = _written(tk, rows, fresh=False)
    except BitChanged:
        writer = _written(tk, rows, fresh=True)
    label = name or (like.source.name if like is not None else tk.name) or "circuit"
    numbered = {qubit: k for k, qubit in enumerate(tk.qubits)}
    # The wire that starts as qubit `start` carries what is qubit `end` in the end.
    wires = {numbered[end]: numbered[start] for start, end in tk.implicit_qubit_permutation().items()}
    final = tuple(wires[q] for q in range(tk.n_qubits))
    return ReadTket(writer.circuit(label, arrays, place), final, tuple(writer.bits))


def _names(named: Iterable[Any] | None) -> list[str] | None:
    return None if named is None else [str(symbol) for symbol in named]


def _written(tk: TketCircuit, rows: Mapping[str, Row], fresh: bool) -> Writer:
    writer = Writer(tk.n_qubits, tk.n_bits, fresh)
    units = {qubit: k for k, qubit in enumerate(tk.qubits)} | {bit: k for k, bit in enumerate(tk.bits)}
    _Reader(writer, HalfTurns(writer.angles, rows)).circuit(tk, units)
    return writer


class _Level:
    """One circuit that is being read: the numbers of its qubits and bits, and its JSON for what ops do not tell."""

    def __init__(self, tk: TketCircuit, units: Mapping[Any, int]) -> None:
        self.tk = tk
        self.units = units

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        return [command["op"] for command in self.tk.to_dict()["commands"]]


class _Reader:
    """Appends pytket's commands to a writer."""

    def __init__(self, writer: Writer, angles: HalfTurns) -> None:
        self.writer = writer
        self.angles = angles

    def circuit(self, tk: TketCircuit, units: Mapping[Any, int]) -> None:
        level = _Level(tk, units)
        if tk.phase != 0:
            self.writer.turn(self.angles.of(tk.phase, "phase"))
        for number, command in enumerate(tk.get_commands()):
            op = command.op
            if op.type is OpType.Barrier:
                self._barrier(tuple([units[unit] for unit in command.qubits]))
            else:
                self._op(op, tuple([units[unit] for unit in command.args]), level, number)

    def _op(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        kind = op.type
        opcode = _SAME.get(kind)
        if opcode is not None:
            self.writer.add(opcode, args, self._angles(op))
        elif kind in _WRITTEN:
            self._steps(_WRITTEN[kind](*self.angles.of_op(op)), args)
        elif kind in _HANDLERS:
            _HANDLERS[kind](self, op, args, level, number)
        elif kind in _CLASSICAL:
            before = [self.writer.bits[a] for a in args]
            self.writer.assign(*assigned(op, args, before, lambda: _innermost(level.entries[number])))
        else:
            self._expanded(op, args)

    def _angles(self, op: OpOf) -> tuple[int, ...]:
        return tuple([self.angles.index(row) for row in self.angles.of_op(op)])

    def _steps(self, steps: Sequence[Step], wires: tuple[int, ...]) -> None:
        for gate, places, rows in steps:
            if gate == "phase":
                self.writer.turn(rows[0])
            else:
                given = tuple([self.angles.index(row) for row in rows])
                self.writer.add(OPCODES[gate], tuple([wires[k] for k in places]), given)

    def _expanded(self, op: OpOf, args: tuple[int, ...]) -> None:
        """The op as pytket decomposes it."""
        if hasattr(op, "get_circuit"):
            inner = op.get_circuit()
        elif op.is_gate():
            inner = TketCircuit(op.n_qubits)
            inner.add_gate(op, list(range(op.n_qubits)))
            _EXPAND.apply(inner)
        else:
            raise unconvertible(f"the operation {op.type.name} is not taken")
        units = [*inner.qubits, *inner.bits]
        inner.replace_implicit_wire_swaps()
        self.circuit(inner, dict(zip(units, args, strict=True)))

    # Ops of their own

    def _conditional(self, op: Conditional, args: tuple[int, ...], level: _Level, number: int) -> None:
        held = [self.writer.bits[bit] for bit in args[: op.width]]
        with self.writer.under(bits.equal(held, bits.word(op.value, op.width))) as possible:
            if possible:
                self._op(op.op, args[op.width :], level, number)

    def _measure(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        self.writer.measure(*args)

    def _reset(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        self.writer.add(OPCODES["reset"], args)

    def _barrier(self, wires: tuple[int, ...]) -> None:
        if wires:
            with self.writer.always():
                self.writer.add(OPCODES["barrier"], wires)

    def _phased_xs(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        steps = _phased_x(*self.angles.of_op(op))
        for wire in args:
            self._steps(steps, (wire,))

    def _gadget(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        (angle,) = self._angles(op)
        self.writer.pauli("Z" * len(args), args, angle)

    def _rotation(self, op: OpOf, args: tuple[int, ...], level: _Level, number: int) -> None:
        letters = "".join(pauli.name for pauli in op.get_paulis())
        angle = self.angles.index(self.angles.of(op.get_phase(), "PauliExpBox"))
        self.writer.pauli(letters, args, angle)


_HANDLERS: dict[OpType, Callable[[_Reader, Any, tuple[int, ...], _Level, int], None]] = {
    OpType.Conditional: _Reader._conditional,
    OpType.Measure: _Reader._measure,
    OpType.Reset: _Reader._reset,
    OpType.NPhasedX: _Reader._phased_xs,
    OpType.PhaseGadget: _Reader._gadget,
    OpType.PauliExpBox: _Reader._rotation,
}


def _innermost(entry: dict[str, Any]) -> dict[str, Any]:
    while "conditional" in entry:
        entry = entry["conditional"]["op"]
    return entry
