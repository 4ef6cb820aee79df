"""Does a pass keep its contract? The check behind `--verify-each`, on concrete inputs, with the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..ir import CheckError, Circuit, Module
from ..ir.circuit import GateRow
from ..ir.gates import OPCODES
from ..ir.types import DYNAMIC
from .passes.base import Contract, Pass
from .pipelines import describe
from .sampled_parities import parities_as_gates

TOLERANCE = 1e-9
"""Largest error in float64 that counts as equal: relative to the largest number, absolute below 1."""

SAMPLES = 16
"""How many samples of every input are looked at."""

WIDEST = 20
"""Circuits on more qubits are not simulated; the outcome says so."""

WIDEST_MIXTURE = 10
"""Circuits with measurements are compared where they have at most this many qubits and classical bits together."""

WIDEST_MATRIX = 8
"""Circuits on at most this many qubits are compared as whole matrices, wider ones by their action on random states."""

MATRIX_WORK = 1 << 24
"""Most gates times matrix entries for which the whole matrix is compared."""

STATE_WORK = 1 << 30
"""Most gates times amplitudes that are simulated, for one set of angles."""

ANGLE_SETS = 3


@dataclass(frozen=True)
class Outcome:
    """What a check found: the largest error, its limit, the number of the worst input, and how it was measured."""

    contract: Contract
    error: float
    tolerance: float
    worst_input: int = -1
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def check(
    pass_: Pass, before: Module, after: Module, inputs: Sequence[Sequence[np.ndarray]] = (), seed: int = 0
) -> Outcome:
    """Compare a module before and after a pass, by the pass's contract.

    inputs: sets of inputs of the module, one array an input; drawn at random where there is none. seed: of whatever is
    drawn. Raises CheckError O0003 with the pass, the contract, the error and the worst input.

    values, expectation, distribution: every output in float64; samples are drawn with one seed and have to be equal.
    spikes: every output in the declared types, bit for bit. unitary, state: every circuit with its global phase, for
    random angles, from random product states or from |0>; and every output where the graph changed. approximate: what
    the pass measures, against its bound.
    """
    if pass_.contract is Contract.APPROXIMATE:
        outcome = _approximate(pass_, before, after, inputs, seed)
    elif pass_.contract in (Contract.UNITARY, Contract.STATE):
        outcome = _circuits(pass_, before, after, seed)
        if outcome.passed and before.graph != after.graph:
            outcome = max(outcome, _outputs(pass_, before, after, inputs, seed), key=lambda o: o.error / o.tolerance)
    else:
        outcome = _outputs(pass_, before, after, inputs, seed)
    if not outcome.passed:
        raise CheckError.of(
            "O0003",
            f"pass {describe(pass_)} broke its contract {pass_.contract.value!r}: error {outcome.error:.3g}, "
            f"allowed {outcome.tolerance:.3g}" + (f"; {outcome.detail}" if outcome.detail else ""),
            help=f"leave the pass out with --passes, or report it with the module before it (--dump-dir): {pass_.name}",
        )
    return outcome


def _approximate(
    pass_: Pass, before: Module, after: Module, inputs: Sequence[Sequence[np.ndarray]], seed: int
) -> Outcome:
    found = pass_.measured(before, after)
    value = found.value if found.value == found.value else np.inf
    effect = _outputs(pass_, before, after, inputs, seed)
    detail = f"{found.metric}; outputs change by {effect.error:.3g} at most"
    return Outcome(pass_.contract, value, found.bound, effect.worst_input, detail)


# Outputs


def _outputs(pass_: Pass, before: Module, after: Module, inputs: Sequence[Sequence[np.ndarray]], seed: int) -> Outcome:
    from ..ir.interpreter import evaluate, random_inputs

    for circuit in (c for m in (before, after) for c in _read_circuits(m)):
        if refusal := _too_large(circuit, circuit.num_qubits, WIDEST):
            return Outcome(pass_.contract, 0.0, TOLERANCE, detail=f"circuit {circuit.name}: {refusal}")
    exact = pass_.contract is Contract.SPIKES
    precision = None if exact else "f64"
    relative = 0.0 if exact else TOLERANCE + getattr(pass_, "tolerance", 0.0)
    worst = Outcome(pass_.contract, 0.0, relative)
    sets = [_first(given, before) for given in inputs] or [random_inputs(before, SAMPLES, seed)]
    before, after = parities_as_gates(before), parities_as_gates(after)
    samples = 0
    for given in sets:
        old = [_numbers(t) for t in evaluate(before, given, precision=precision, seed=seed)]
        new = [_numbers(t) for t in evaluate(after, given, precision=precision, seed=seed)]
        for value, a, b in zip(before.graph.outputs, old, new, strict=True):
            allowed = relative * max(1.0, float(np.abs(a).max(initial=0.0)))
            error, index = _difference(a, b)
            if error - allowed > worst.error - worst.tolerance or worst.worst_input < 0:
                sample = samples + (int(index[0]) if value.type.shape[:1] == (DYNAMIC,) and index else 0)
                detail = f"output {value.name}, worst at input {sample}"
                detail += "".join(f"; {v.name} = {_show(x, v.type.shape, index)}" for v, x in _named(before, given))
                worst = Outcome(pass_.contract, error, allowed, sample, detail)
        samples += _batch(given, before)
    return worst


def _numbers(tensor: object) -> np.ndarray:
    return np.asarray(tensor).astype(np.float64)


def _difference(a: np.ndarray, b: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """(largest difference, its index); infinite for other shapes and where only one is not a number."""
    if a.shape != b.shape:
        return np.inf, ()
    if not a.size:
        return 0.0, ()
    with np.errstate(invalid="ignore"):
        off = np.where(a == b, 0.0, np.abs(a - b))
    off = np.where(np.isnan(a) & np.isnan(b), 0.0, np.where(np.isnan(off), np.inf, off))
    index = np.unravel_index(int(off.argmax()), off.shape)
    return float(off[index]), tuple(int(i) for i in index)


def _read_circuits(module: Module) -> Iterator[Circuit]:
    for node in module.nodes():
        name = getattr(node.op, "circuit", None)
        if name is not None:
            yield module.circuits[name]


def _named(module: Module, given: Sequence[np.ndarray]) -> Iterator[tuple]:
    return zip(module.graph.inputs, given, strict=True)


def _first(given: Sequence[np.ndarray], module: Module) -> list[np.ndarray]:
    """The first samples of a batch."""
    return [_take(x, v.type.shape, slice(SAMPLES)) for v, x in _named(module, given)]


def _take(array: np.ndarray, shape: tuple[int, ...], which: slice | int) -> np.ndarray:
    if DYNAMIC not in shape:
        return array
    return array[(slice(None),) * shape.index(DYNAMIC) + (which,)]


def _batch(given: Sequence[np.ndarray], module: Module) -> int:
    sizes = [x.shape[v.type.shape.index(DYNAMIC)] for v, x in _named(module, given) if v.type.batched]
    return sizes[0] if sizes else 1


def _show(array: np.ndarray, shape: tuple[int, ...], index: tuple[int, ...]) -> str:
    """The numbers of the worst sample, the first few of them."""
    one = _take(array, shape, index[0]) if index else array
    text = np.array2string(np.asarray(one).ravel()[:8], precision=6, separator=", ", max_line_width=1000)
    return text if np.asarray(one).size <= 8 else text.replace("]", ", ...]")


# Circuits


def _circuits(pass_: Pass, before: Module, after: Module, seed: int) -> Outcome:
    """Every circuit against its counterpart of the same name."""
    worst = Outcome(pass_.contract, 0.0, TOLERANCE)
    for name, old in before.circuits.items():
        new = after.circuits.get(name)
        if new is None:
            return replace(worst, error=np.inf, detail=f"circuit {name} is gone")
        allowed = TOLERANCE + getattr(pass_, "tolerance", 0.0) * len(old)
        error, worst_set, detail = _circuit_error(old, new, pass_.contract, np.random.default_rng(seed))
        if error - allowed > worst.error - worst.tolerance or not worst.detail:
            worst = Outcome(pass_.contract, error, allowed, worst_set, f"circuit {name}, {detail}")
    return worst


def _circuit_error(old: Circuit, new: Circuit, contract: Contract, rng: np.random.Generator) -> tuple[float, int, str]:
    """(error, number of the worst set of angles, how it was measured)."""
    if (old.num_qubits, old.num_clbits, old.inputs) != (new.num_qubits, new.num_clbits, new.inputs):
        return np.inf, -1, "it has other qubits, bits or inputs"
    measured = old.has_measurement or new.has_measurement
    width, limit = old.num_qubits + old.num_clbits * measured, WIDEST_MIXTURE if measured else WIDEST
    if refusal := _too_large(old, width, limit):
        return 0.0, -1, refusal
    values = rng.uniform(-2 * np.pi, 2 * np.pi, (ANGLE_SETS, old.num_variables))
    whole = contract is Contract.UNITARY
    if measured:
        start = _random_start(old.num_qubits, rng) if whole else []
        errors, how = _mixture_errors(_recorded(old, start), _recorded(new, start), values, rng)
    elif whole and width <= WIDEST_MATRIX and len(old) << 2 * width <= MATRIX_WORK:
        errors, how = _matrix_errors(old, new, values), "the whole matrix"
    else:
        start = _random_start(old.num_qubits, rng) if whole else []
        errors = _state_errors(_started(old, start), _started(new, start), values)
        how = "a random product state" if whole else "the state from |0>"
    worst = int(errors.argmax())
    angles = np.array2string(values[worst][:8], precision=6, separator=", ", max_line_width=1000)
    return float(errors[worst]), worst, f"{how}, worst for angles {angles}"


def _too_large(circuit: Circuit, width: int, limit: int) -> str:
    """Why a circuit is not simulated; empty where it is."""
    if width > limit:
        return f"not checked: {width} qubits and bits, more than {limit}"
    work = len(circuit) << width
    return f"not checked: {len(circuit)} gates on {width} qubits and bits" if work > STATE_WORK else ""


def _matrix_errors(old: Circuit, new: Circuit, values: np.ndarray) -> np.ndarray:
    from ..ir.interpreter import unitary

    return np.array([np.abs(unitary(old, v) - unitary(new, v)).max() for v in values])


def _state_errors(old: Circuit, new: Circuit, values: np.ndarray) -> np.ndarray:
    import torch

    from ..ir.interpreter.statevector import simulate

    with torch.no_grad():
        a, b = (simulate(c, torch.from_numpy(values)) for c in (old, new))
    return np.linalg.norm(np.asarray(a) - np.asarray(b), axis=1)


def _mixture_errors(old: Circuit, new: Circuit, values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Final mixtures of measured circuits: the whole density matrix, or random Pauli products where it is large."""
    import torch

    from ..ir.interpreter import branches
    from ..ir.observables import PauliSum

    n, given = old.num_qubits, torch.from_numpy(values)
    with torch.no_grad():
        if n <= WIDEST_MATRIX:
            a, b = (branches.simulate(c, range(n), given) for c in (old, new))
            if not (a.blurred or b.blurred):
                pairs = ((np.asarray(a.entries(k)), np.asarray(b.entries(k))) for k in range(1 << n))
                return np.max([np.abs(x - y).max(axis=1) for x, y in pairs], axis=0), "the final density matrix"
        letters = [rng.choice(list("IIXYZ"), n) for _ in range(64)]
        products = [
            PauliSum.of([(tuple((p, q) for q, p in enumerate(row.tolist()) if p != "I"), 1.0)]) for row in letters
        ]
        a, b = (np.asarray(branches.expectations(c, products, given)) for c in (old, new))
    return np.abs(a - b).max(axis=1), "64 random Pauli products on the final mixture"


def _random_start(qubits: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Three angles a qubit, of a random pure state each."""
    return [tuple(row) for row in rng.uniform(0, 2 * np.pi, (qubits, 3)).tolist()]


def _started(circuit: Circuit, start: Sequence[tuple[float, ...]]) -> Circuit:
    """The circuit after a layer of one-qubit gates."""
    if not start:
        return circuit
    from ..ir.angles import AngleTable, make_row

    rows = circuit.angles.rows()
    first = len(rows)
    table = AngleTable.from_rows(rows + [make_row(0, angle) for angles in start for angle in angles])
    u3 = OPCODES["u3"]
    layer = [GateRow(u3, (q,), tuple(range(first + 3 * q, first + 3 * q + 3))) for q in range(len(start))]
    return circuit.with_rows(layer + circuit.rows(), table)


def _recorded(circuit: Circuit, start: Sequence[tuple[float, ...]]) -> Circuit:
    """The circuit with one more qubit a classical bit, turned to the bit's final value."""
    wider = replace(_started(circuit, start), num_qubits=circuit.num_qubits + circuit.num_clbits)
    first = len(wider.conditions)
    bits = range(circuit.num_clbits)
    wider = replace(wider, conditions=wider.conditions + tuple(("bit", b) for b in bits))
    record = [GateRow(OPCODES["x"], (circuit.num_qubits + b,), condition=first + b) for b in bits]
    return wider.with_rows(wider.rows() + record)
