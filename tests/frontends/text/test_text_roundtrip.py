"""read(print(m)) == m for generated modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qsc.frontends.text import read, read_file
from qsc.ir import (
    AngleInput,
    Circuit,
    CircuitEditor,
    Graph,
    Location,
    Module,
    Netlist,
    NetlistEditor,
    Node,
    Op,
    PauliSum,
    Type,
    Value,
    ops,
    print_module,
    verify,
)
from qsc.ir.angles import make_row
from qsc.ir.cells import CELLS
from qsc.ir.circuit import GateRow
from qsc.ir.gates import GATES, Gate
from qsc.ir.neurons import FORMS, SYNAPSES
from qsc.ir.ops.neurons import EULER_RESETS, EulerNeuron
from qsc.ir.ops.spiking import SteppedNeuron
from qsc.ir.types import DTYPES
from safetensors.numpy import save_file

Draw = Callable[[st.SearchStrategy[Any]], Any]

RESERVED = ["weight", "clock", "for", "if", "pi", "return", "main", "module", "in", "at", "on", "q", "c", "true", "inf"]
PLAIN = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}(\.[a-z0-9]{1,3}){0,2}", fullmatch=True)
NAMES = st.one_of(
    PLAIN, st.text(max_size=6), st.sampled_from([*RESERVED, "0.weight", "", "a b", 'say "x"', "ü", "\\", "\n"])
)
VALUE_NAMES = NAMES.filter(lambda name: not name.startswith("@"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SIZES = st.integers(1, 4)
SHAPES = st.lists(SIZES, max_size=2).map(tuple)
BATCHED = st.tuples(st.booleans(), SHAPES).map(lambda t: ((-1,) if t[0] else ()) + t[1])
KINDS = st.sampled_from(["f32", "f64", "spike"])

OpCase = tuple[Op, list[Type]]


# Ops: for every mnemonic an op, and operand types that fit it


def _unary(make: Callable[[Draw], Op]) -> Callable[[Draw, Module], OpCase]:
    return lambda draw, module: (make(draw), [Type(draw(KINDS), draw(BATCHED))])


def _binary(kind: type[ops.Binary]) -> Callable[[Draw, Module], OpCase]:
    def case(draw: Draw, module: Module) -> OpCase:
        t = Type(draw(KINDS), draw(BATCHED))
        scalar = draw(st.none() | FLOATS)
        return kind(scalar), [t] if scalar is not None else [t, t]

    return case


def _linear(draw: Draw, module: Module) -> OpCase:
    n, m = draw(SIZES), draw(SIZES)
    bias = [Type("f32", (m,))] if draw(st.booleans()) else []
    return ops.Linear(), [Type("f32", (-1, n)), Type("f32", (m, n)), *bias]


def _conv(draw: Draw, module: Module) -> OpCase:
    dims, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    numbers = st.tuples(*[SIZES] * dims)
    op = ops.Conv(draw(numbers), draw(st.tuples(*[st.integers(0, 2)] * dims)), draw(numbers), groups)
    return op, [Type("f64", (-1, 2 * groups, *(20,) * dims)), Type("f64", (groups, 2, *(3,) * dims))]


def _pool(kind: type[ops.MaxPool] | type[ops.AvgPool]) -> Callable[[Draw, Module], OpCase]:
    def case(draw: Draw, module: Module) -> OpCase:
        dims = draw(st.integers(1, 2))
        extra = draw(st.booleans()) if kind is ops.AvgPool else draw(st.tuples(*[SIZES] * dims))
        sizes = st.tuples(*[st.integers(2, 3)] * dims)
        op = kind(draw(sizes), draw(sizes), (draw(st.integers(0, 1)),) * dims, draw(st.booleans()), extra)
        return op, [Type("f32", (-1, 3, *(30,) * dims))]

    return case


def _reduction(kind: type[ops.Sum] | type[ops.Mean] | type[ops.Min]) -> Callable[[Draw, Module], OpCase]:
    def case(draw: Draw, module: Module) -> OpCase:
        dims = draw(st.sampled_from([(), (1,), (-1,), (1, 2), (-2, -1)]))
        return kind(dims, draw(st.booleans())), [Type("f32", (-1, 2, 3))]

    return case


def _neuron(kind: type[SteppedNeuron]) -> Callable[[Draw, Module], OpCase]:
    def case(draw: Draw, module: Module) -> OpCase:
        t = Type("f32", draw(BATCHED))
        op = kind(draw(st.sampled_from(["zero", "subtract", "none"])), draw(st.booleans()))
        count = op.inputs + op.states
        return op, [*[t] * count, *[Type("f32")] * (kind.operands[0] - count)]

    return case


def _euler(kind: type[EulerNeuron]) -> Callable[[Draw, Module], OpCase]:
    def case(draw: Draw, module: Module) -> OpCase:
        t = Type("f32", draw(BATCHED))
        given: dict[str, Any] = {"form": draw(st.sampled_from(sorted(FORMS))), "dt": _one_of(draw, 1e-4, 2.5e-3)}
        if kind.fires:
            given |= {"reset": draw(st.sampled_from(EULER_RESETS)), "inclusive": draw(st.booleans())}
            given |= {"delayed": draw(st.booleans())}
        if kind.synapse:
            given |= {"current": draw(st.sampled_from(sorted(SYNAPSES)))}
            given |= {"recurrent": given["current"] != "leak" and draw(st.booleans())}
        op = kind(**given)
        return op, [*[t] * (op.inputs + kind.states), *[Type("f32")] * len(op.parameters())]

    return case


def _readout(make: Callable[[Draw, str, int], Op], name: str | None = None) -> Callable[[Draw, Module], OpCase]:
    """A readout of the circuit `name`, or of any. What makes it gets the circuit's name and its number of qubits."""
    wanted = name

    def case(draw: Draw, module: Module) -> OpCase:
        name = wanted or draw(st.sampled_from(sorted(module.circuits)))
        circuit = module.circuits[name]
        operands = [Type("f64", ((-1,) if draw(st.booleans()) else ()) + a.shape) for a in circuit.inputs]
        return make(draw, name, circuit.num_qubits), operands

    return case


def _outcomes(make: Callable[..., tuple[Op, Type]]) -> Callable[[Draw, Module], OpCase]:
    """Parities that begin with a bit of their own, so that they are independent."""

    def case(draw: Draw, module: Module) -> OpCase:
        order = draw(st.permutations(range(draw(SIZES))))
        rows = tuple((k, *draw(st.permutations(order[i + 1 :]))[: draw(SIZES)]) for i, k in enumerate(order))
        op, t = make(draw, rows, tuple(i for i in range(len(rows)) if draw(st.booleans())))
        return op, [t]

    return case


def _qubits(draw: Draw, count: int) -> tuple[int, ...]:
    return tuple(draw(st.permutations(range(count)))[: draw(st.integers(0, count))])


def _observables(draw: Draw, count: int, letters: str = "XYZ") -> tuple[PauliSum, ...]:
    product = st.lists(
        st.tuples(st.sampled_from(letters), st.integers(0, count - 1)), max_size=3, unique_by=lambda f: f[1]
    )
    terms = st.lists(st.tuples(product.map(tuple), FLOATS), max_size=3)
    return tuple(PauliSum.of(t) for t in draw(st.lists(terms, max_size=3)))


def _mitigated(draw: Draw, name: str, count: int) -> Op:
    scales = draw(st.sampled_from([(1,), (1, 3), (5, 1, 3)]))
    folding, decoupling = draw(st.sampled_from(["global", "local"])), draw(st.sampled_from(["", "XX", "XY4"]))
    rest = (draw(st.integers(0, 3)), draw(st.booleans()), decoupling, draw(SIZES))
    return ops.MitigatedExpectation(name, _observables(draw, count), scales, folding, *rest)


def _logic(draw: Draw, module: Module) -> OpCase:
    name = draw(st.sampled_from(sorted(module.netlists)))
    return ops.Logic(name), [Type("bit", (-1, len(module.netlists[name].inputs)))]


def _constant(draw: Draw, module: Module) -> OpCase:
    value = draw(st.floats(allow_nan=False))
    shape = draw(BATCHED)
    return ops.Constant(value, shape, draw(st.sampled_from(sorted(DTYPES)))), [Type("f32", (-1,))]


def _stack(draw: Draw, module: Module) -> OpCase:
    return ops.Stack(draw(st.integers(-2, 1))), [Type("f32", (2, 3))] * draw(SIZES)


def _scan(draw: Draw, module: Module) -> OpCase:
    body = draw(graphs(module, 1))
    steps, carried = draw(SIZES), 0
    for a, b in zip(body.inputs, body.outputs, strict=False):
        if a.type != b.type:
            break
        carried += 1
    sequences = draw(st.integers(0, len(body.inputs) - carried))
    types = [v.type for v in body.inputs]
    inner = types[carried : carried + sequences]
    types[carried : carried + sequences] = [t.with_shape((steps, *t.shape)) for t in inner]
    return ops.Scan(steps, body, carried, sequences), types


def _launch(draw: Draw, module: Module) -> OpCase:
    body = draw(graphs(module, 1))
    return ops.Launch(draw(NAMES), draw(NAMES), body), [v.type for v in body.inputs]


def _plain(make: Callable[[Draw], Op], *types: Type) -> Callable[[Draw, Module], OpCase]:
    return lambda draw, module: (make(draw), list(types))


def _one_of(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


BITS = 3
UNITARY, TURNS = "_unitary", "_turns"
"""Circuits that every module has: one of unitary gates, and one of gates on one qubit each."""
MATRIX = Type("f32", (-1, 2, 3))
ROWS = Type("f32", (-1, 3))
THREE = Type("f32", (3,))
BATCH = Type("f32", (-1,))
IMAGE = Type("f32", (-1, 2, 5, 5))

CASES: dict[str, Callable[[Draw, Module], OpCase]] = {
    "constant": _constant,
    "leaky_relu": _unary(lambda draw: ops.LeakyRelu(draw(FLOATS))),
    "gelu": _unary(lambda draw: ops.Gelu(_one_of(draw, "none", "tanh"))),
    "clamp": _unary(lambda draw: ops.Clamp(draw(st.none() | FLOATS), draw(st.none() | st.floats(allow_nan=False)))),
    "pow": _unary(lambda draw: ops.Pow(draw(FLOATS))),
    "cast": _unary(lambda draw: ops.Cast(_one_of(draw, *DTYPES))),
    "dequantize": _plain(lambda draw: ops.Dequantize(_one_of(draw, 0, 1, -1)), Type("i8", (3, 3)), THREE),
    "reshape": _plain(lambda draw: ops.Reshape(_one_of(draw, (-1, 6), (-1, 1, 6), (-1, 3, 2))), MATRIX),
    "permute": _plain(lambda draw: ops.Permute(tuple(draw(st.permutations(range(3))))), MATRIX),
    "expand": _plain(lambda draw: ops.Expand((-1, 2, 3)), Type("f32", (2, 1)), BATCH),
    "cat": _plain(lambda draw: ops.Cat(_one_of(draw, 1, -1)), ROWS, ROWS),
    "stack": _stack,
    "slice": _plain(lambda draw: ops.Slice(_one_of(draw, 1, -1), 1, 2, 1, draw(st.booleans())), ROWS),
    "sum": _reduction(ops.Sum),
    "mean": _reduction(ops.Mean),
    "min": _reduction(ops.Min),
    "where": _plain(lambda draw: ops.Where(), Type("spike", (-1, 3)), ROWS, THREE),
    "matmul": _plain(lambda draw: ops.Matmul(), MATRIX, Type("f32", (3, 4))),
    "linear": _linear,
    "conv": _conv,
    "batch_norm": _plain(lambda draw: ops.BatchNorm(draw(FLOATS)), ROWS, *[THREE] * 4),
    "layer_norm": _plain(lambda draw: ops.LayerNorm(draw(st.integers(1, 2)), draw(FLOATS)), MATRIX),
    "softmax": _plain(lambda draw: ops.Softmax(_one_of(draw, 1, 2, -1)), MATRIX),
    "max_pool": _pool(ops.MaxPool),
    "avg_pool": _pool(ops.AvgPool),
    "sum_pool": _plain(lambda draw: ops.SumPool((2, 2), (draw(SIZES), 1), (0, 1), draw(st.booleans())), IMAGE),
    "adaptive_avg_pool": _plain(lambda draw: ops.AdaptiveAvgPool(draw(st.tuples(SIZES, SIZES))), IMAGE),
    "leaky": _neuron(ops.Leaky),
    "synaptic": _neuron(ops.Synaptic),
    "rleaky": _neuron(ops.RLeaky),
    "rsynaptic": _neuron(ops.RSynaptic),
    "lif": _euler(ops.Lif),
    "cuba_lif": _euler(ops.CubaLif),
    "integrate": _euler(ops.Integrate),
    "cuba_integrate": _euler(ops.CubaIntegrate),
    "round": _plain(lambda draw: ops.Round(), MATRIX),
    "shift": _plain(lambda draw: ops.Shift(draw(st.integers(-7, 7))), MATRIX),
    "loihi_lif": _plain(
        lambda draw: ops.LoihiLif(), *[Type("f64", (-1, 3))] * 3, *[Type("f64")] * 2, *[Type("f64", (3,))] * 2
    ),
    "fire": _plain(lambda draw: ops.Fire(draw(st.booleans())), MATRIX, THREE),
    "push": _plain(lambda draw: ops.Push(), ROWS, Type("f32", (4, -1, 3))),
    "tap": _plain(lambda draw: ops.Tap(), Type("f32", (4, -1, 3)), Type("i64", (3,))),
    "delayed_linear": _plain(
        lambda draw: ops.DelayedLinear(), Type("f32", (4, -1, 3)), Type("f32", (2, 3)), Type("i64", (2, 3))
    ),
    "plasticity": _plain(
        lambda draw: ops.Plasticity(
            "2^-5*u2*y0*x1 - 0.5*x0*(y3 - 2)", x1=(float(draw(SIZES)), 0.5), third=("y3",), low=-1.5
        ),
        *[Type("spike", (-1, 3)), Type("spike", (-1, 2))],
        *[Type("f32", (-1, 2, 3)), ROWS, Type("f32", (-1, 2)), Type("i64")],
    ),
    "loihi_plasticity": _plain(
        lambda draw: ops.LoihiPlasticity(
            "3*2^-5*x0*y1 - 1*2^-2*x1*y0",
            x1=(float(draw(SIZES)), 16.0),
            y1=(4.0, 7.0),
            sign=_one_of(draw, "mixed", "excitatory", "inhibitory"),
            seed=draw(SIZES),
        ),
        *[Type("f64", (-1, 3)), Type("f64", (-1, 2)), Type("f64", (-1, 2, 3))],
        *[Type("f64", (-1, 3)), Type("f64", (-1, 2)), Type("i64")],
    ),
    "expectation": _readout(lambda draw, name, count: ops.Expectation(name, _observables(draw, count))),
    "probabilities": _readout(lambda draw, name, count: ops.Probabilities(name, _qubits(draw, count))),
    "samples": _readout(lambda draw, name, count: ops.Samples(name, _qubits(draw, count), draw(SIZES))),
    "bit_expectation": _readout(lambda draw, name, _: ops.BitExpectation(name, _observables(draw, BITS, "Z"))),
    "bit_probabilities": _readout(lambda draw, name, _: ops.BitProbabilities(name, _qubits(draw, BITS))),
    "bit_samples": _readout(lambda draw, name, _: ops.BitSamples(name, _qubits(draw, BITS), draw(SIZES))),
    "mitigated_expectation": _readout(_mitigated, UNITARY),
    "extrapolate": _plain(
        lambda draw: ops.Extrapolate((1.0, 3.0), _one_of(draw, "linear", "richardson", "exponential"), 0.01), MATRIX
    ),
    "late_angles": _readout(lambda draw, name, _: ops.LateAngles(name), TURNS),
    "hermitian_evolution": _plain(lambda draw: ops.HermitianEvolution(), Type("f32", (-1, 4, 4)), THREE),
    "unitary_angles": _plain(lambda draw: ops.UnitaryAngles(), Type("f64", (-1, 2, 4, 4))),
    "linear_bits": _outcomes(lambda draw, rows, flips: (ops.LinearBits(rows, flips), Type("bit", (-1, 7, len(rows))))),
    "permute_outcomes": _outcomes(
        lambda draw, rows, flips: (ops.PermuteOutcomes(rows, flips), Type("f64", (-1, 1 << len(rows))))
    ),
    "repeat_rows": _plain(lambda draw: ops.RepeatRows(draw(SIZES)), ROWS),
    "tile_rows": _plain(lambda draw: ops.TileRows(), THREE, BATCH),
    "split_rows": _plain(lambda draw: ops.SplitRows(draw(st.tuples(SIZES, SIZES)), draw(st.booleans())), ROWS),
    "contract": _plain(lambda draw: ops.Contract(_one_of(draw, "abc,c->ab", "abc,c->cab")), MATRIX, THREE),
    "take": _plain(lambda draw: ops.Take((2, 0, 2), _one_of(draw, 1, -1)), ROWS),
    "gate_angles": _readout(lambda draw, name, _: ops.GateAngles(name)),
    "sample_outcomes": _plain(lambda draw: ops.SampleOutcomes(draw(SIZES)), Type("f64", (-1, 4))),
    "logic": _logic,
    "scan": _scan,
    "launch": _launch,
}
for _name, _kind in Op.registry.items():
    if issubclass(_kind, ops.Binary):
        CASES.setdefault(_name, _binary(_kind))
    elif issubclass(_kind, ops.Unary):
        CASES.setdefault(_name, _unary(lambda draw, kind=_kind: kind()))

FLAT = sorted(set(CASES) - {"scan", "launch"})
LOCATIONS = (
    st.builds(
        Location, st.sampled_from(["", "model.py", 'odd "name"\n.py']), st.integers(0, 3), st.integers(0, 3), NAMES
    )
    .map(lambda at: at if at.file else Location(path=at.path))
    .map(lambda at: at if at.line else Location(at.file, path=at.path))
)


@st.composite
def graphs(draw: Draw, module: Module, depth: int, wanted: str | None = None) -> Graph:
    """A graph of a few ops; every operand is a value of the type that it needs, if need be a new input or a weight."""
    inputs: list[Value] = []
    nodes: list[Node] = []
    names = {str(v) for v in module.weights}
    known = [module.weight_value(name) for name in module.weights]

    def fresh() -> str:
        name = draw(VALUE_NAMES)
        while name in names:
            name += "_"
        names.add(name)
        return name

    for k in range(draw(st.integers(0, 3))):
        name = wanted if wanted and k == 0 else draw(st.sampled_from(FLAT if depth else sorted(CASES)))
        op, types = CASES[name](draw, module)
        operands = []
        for t in types:
            fitting = [v for v in known if v.type == t]
            if fitting and draw(st.booleans()):
                operands.append(draw(st.sampled_from(fitting)))
            else:
                inputs.append(Value(fresh(), t))
                operands.append(inputs[-1])
                known.append(inputs[-1])
        results = tuple(Value(fresh(), t) for t in op.result_types(tuple(v.type for v in operands), module))
        nodes.append(Node(op, tuple(operands), results, draw(LOCATIONS)))
        known += results
    outputs = draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
    return Graph(tuple(inputs), tuple(nodes), tuple(outputs))


# Circuits, netlists, weights


def circuit(
    name: str, seed: int, inputs: Sequence[AngleInput], gates: int, *, bits: int = BITS, kinds: Sequence[Gate] = GATES
) -> Circuit:
    """Every gate of `kinds`, conditioned where all of them are in it; angles and conditions of every form."""
    rng = np.random.default_rng(seed)
    editor = CircuitEditor(name, qubits := 4, bits, inputs)
    variables = sum(a.size for a in inputs)

    def condition(depth: int) -> tuple:
        kind = rng.integers(4) if depth else 0
        if kind == 0:
            return ("bit", int(rng.integers(bits)))
        if kind == 1:
            return ("not", condition(depth - 1))
        return (str(rng.choice(["and", "or", "xor"])), condition(depth - 1), condition(depth - 1))

    def angle():
        pi = Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 10))) if rng.random() < 0.5 else 0
        offset = float(rng.choice([0.0, 1.0, -2.0, rng.normal(), rng.normal() * 10.0 ** rng.integers(-300, 300)]))
        count = int(rng.integers(0, min(3, variables) + 1))
        chosen = rng.choice(variables, count, replace=False) if count else []
        return make_row(pi, offset, [(int(v), float(rng.choice([1, -1, 2.0, rng.normal()]))) for v in chosen])

    for _ in range(gates):
        gate = kinds[int(rng.integers(len(kinds)))]
        count = gate.qubits if gate.qubits >= 0 else int(rng.integers(0, qubits + 1))
        editor.add(
            gate.name,
            rng.permutation(qubits)[:count].tolist(),
            [angle() for _ in range(gate.angles)],
            clbits=[int(rng.integers(bits))] if gate.name == "measure" else [],
            pauli="".join(rng.choice(list("IXYZ"), count)) if gate.name == "pauli" else None,
            condition=condition(3) if rng.random() < 0.2 and kinds is GATES else None,
        )
    if rng.random() < 0.5:
        editor.phase = angle()
    return editor.circuit()


ANGLE_INPUTS = st.lists(
    st.builds(AngleInput, NAMES, st.sampled_from([(), (3,), (2, 2), (0,)]), st.sampled_from(["input", "weight"])),
    max_size=3,
    unique_by=lambda a: a.name,
)


@st.composite
def circuits(draw: Draw) -> Circuit:
    return circuit(draw(NAMES), draw(st.integers(0, 10**6)), draw(ANGLE_INPUTS), draw(st.integers(0, 12)))


@st.composite
def netlists(draw: Draw) -> Netlist:
    inputs = draw(st.lists(NAMES | st.sampled_from(["n0", "n1", "clk"]), min_size=1, max_size=4, unique=True))
    editor = NetlistEditor(draw(NAMES), inputs, clock=draw(st.booleans()))
    cells = [c for c in CELLS if editor.clock >= 0 or not c.clocked]
    for _ in range(draw(st.integers(0, 12))):
        cell = draw(st.sampled_from([c for c in cells if c.name != "SPLIT"]))
        nets = [draw(st.integers(0, editor.num_nets - 1)) for _ in cell.data_inputs]
        editor.add(cell.name, [*nets, editor.clock] if cell.clocked else nets)
    ports = draw(st.lists(NAMES | st.sampled_from(["n0", "n2", "a"]), max_size=4, unique=True))
    return editor.netlist([(port, draw(st.integers(0, editor.num_nets - 1))) for port in ports])


@st.composite
def weights(draw: Draw) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(st.sampled_from([d for d in DTYPES if d != "spike"]))
        dtype = DTYPES[kind]
        shape = draw(st.sampled_from([(), (2,), (2, 3), (0,), (33,), (3,), (3, 3)]))
        size = int(np.prod(shape))
        if kind == "bit":
            array = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
        else:
            # Random bits: every double is there, infinities and NaNs, too.
            array = np.frombuffer(
                draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize)), dtype
            )
        out[name] = array.reshape(shape)
    return out


@st.composite
def modules(draw: Draw, wanted: str | None = None) -> Module:
    blocks = {
        draw(NAMES) if draw(st.booleans()) else c.name: c for c in draw(st.lists(circuits(), min_size=1, max_size=2))
    }
    nets = {
        draw(NAMES) if draw(st.booleans()) else n.name: n for n in draw(st.lists(netlists(), min_size=1, max_size=2))
    }
    for name, kinds in (
        (UNITARY, [g for g in GATES if g.unitary]),
        (TURNS, [g for g in GATES if g.unitary and g.qubits == 1]),
    ):
        blocks[name] = circuit(name, draw(st.integers(0, 10**6)), draw(ANGLE_INPUTS), 6, kinds=kinds)
    module = Module(draw(NAMES), circuits=blocks, netlists=nets, weights=draw(weights()))
    return module.with_(graph=draw(graphs(module, 0, wanted)))


def check(module: Module) -> None:
    text = print_module(module)
    again = read(text, weights=module.weights)
    assert again == module
    assert print_module(again) == text or any(not node.location for node in module.nodes())
    for node, copy in zip(module.nodes(), again.nodes(), strict=True):
        assert copy.location == node.location or (not node.location and copy.location.file == "<text>")


@settings(max_examples=150, deadline=None)
@given(modules())
def test_every_module_reads_back(module: Module):
    check(module)


def test_there_is_a_case_for_every_op():
    assert set(CASES) == set(Op.registry)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_op_reads_back(name: str):
    @settings(max_examples=6, deadline=None)
    @given(modules(wanted=name))
    def test(module: Module) -> None:
        check(module)

    test()


@pytest.mark.parametrize("seed", range(4))
def test_large_circuits_read_back(seed: int):
    inputs = (AngleInput("x", (3,)), AngleInput("t"), AngleInput("w", (2, 2), "weight"), AngleInput("pi"))
    module = Module("large", circuits={"c": circuit("c", seed, inputs, 2000)})
    check(module)


def test_large_netlists_read_back():
    rng = np.random.default_rng(0)
    editor = NetlistEditor("n", ["a", "b", "c"])
    for _ in range(2000):
        cell = CELLS[int(rng.integers(10))]
        editor.add(cell.name, rng.integers(editor.num_nets, size=len(cell.inputs)).tolist())
    check(Module("large", netlists={"n": editor.netlist([("y", editor.num_nets - 1), ("z", 5)])}))


def test_weights_come_from_a_file(tmp_path):
    big = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    save_file({"layer.weight": big}, tmp_path / "m.safetensors")
    path = tmp_path / "net.qsc"
    path.write_text('weights "m.safetensors";\nmain(x: f32[?,8]) { return linear(x, @layer.weight); }\n')
    imported = read_file(path)
    assert imported.module.name == "net"
    assert np.array_equal(imported.module.weights["layer.weight"], big)
    assert imported.reference is None
    verify(imported.module)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    text = "circuit c() on 2 qubits {\n" + "  cx q[0], q[1];  # again\n" * 5 + "}\n"
    path = tmp_path / "c.qsc"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_file(path).module == read(text, "c.qsc")


def test_angles_are_not_changed_by_a_round_trip():
    c = CircuitEditor("c", 1, 0, [AngleInput("x")])
    rows = [
        make_row(Fraction(2**40 + 1, 2**31 - 1), 5e-324, [(0, 1.7976931348623157e308)]),
        make_row(0, 0.1, [(0, 1e-300)]),
    ]
    for row in rows:
        c.add("rx", [0], [row])
    module = Module("m", circuits={"c": c.circuit()})
    again = read(print_module(module)).circuits["c"]
    assert [again.angles.row(k) for k in range(2)] == rows
    assert isinstance(again.rows()[0], GateRow)


def test_names_that_need_quotes_are_json():
    module = Module("a b", weights={"0.weight": np.zeros(1, np.float32), "for": np.zeros(1, np.float32)})
    text = print_module(module)
    assert f"module {json.dumps('a b')};" in text
    assert '@"0.weight"' in text
    assert '@"for"' in text
    assert read(text) == module
