"""The suite of quantum machine-learning circuits: every case is a circuit with symbols, and what is read of it.

Families: the variational circuits of MQT Bench, and encodings joined with the ansatz circuits that people train, each
at several sizes and with several readouts. The list was fixed before anything was measured with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import qsc
from qsc import ir

Reading = list[qsc.PauliSum]
Maker = Callable[[int], qsc.Circuit]


@dataclass(frozen=True, eq=False)
class Case:
    """One circuit and its readout. `family` is the row of the table in which it is averaged."""

    family: str
    name: str
    circuit: ir.Circuit
    reading: Reading


# Readouts


def z_each(n: int) -> Reading:
    """Z on each qubit."""
    return [qsc.Z(q) for q in range(n)]


def z_one(n: int) -> Reading:
    """Z on the middle qubit."""
    return [qsc.Z(n // 2)]


def ising(n: int) -> Reading:
    """The energy of a transverse-field Ising chain, as one observable."""
    bonds = sum((qsc.Z(q) * qsc.Z(q + 1) for q in range(n - 1)), start=0.0 * qsc.Z(0))
    return [sum((0.5 * qsc.X(q) for q in range(n)), start=bonds)]


def heisenberg(n: int) -> Reading:
    """The energy of a Heisenberg chain, as one observable."""
    total = 0.0 * qsc.Z(0)
    for q in range(n - 1):
        total = total + qsc.X(q) * qsc.X(q + 1) + qsc.Y(q) * qsc.Y(q + 1) + qsc.Z(q) * qsc.Z(q + 1)
    return [total]


READINGS: dict[str, Callable[[int], Reading]] = {
    "z-each": z_each,
    "z-one": z_one,
    "ising": ising,
    "heisenberg": heisenberg,
}


# Encodings


def angle_encoding(c: qsc.Circuit, x: Sequence[Any]) -> None:
    """RY(x) on every qubit."""
    for q, value in enumerate(x):
        c.ry(value, q)


def zz_encoding(c: qsc.Circuit, x: Sequence[Any], pairs: Sequence[Any], links: Sequence[tuple[int, int]]) -> None:
    """Two repetitions of the ZZ feature map: H, P(2 x), and CX P CX on linked pairs.

    The products (pi - x_i)(pi - x_j) are an input of their own, `pairs`: they are not affine in x.
    """
    for _ in range(2):
        for q, value in enumerate(x):
            c.h(q)
            c.p(2 * value, q)
        for value, (a, b) in zip(pairs, links, strict=True):
            c.cx(a, b)
            c.p(2 * value, b)
            c.cx(a, b)


# Ansatz circuits. Each takes the circuit and its trainable angles of shape (layers, qubits, angles a qubit).


def ring(n: int, step: int = 1) -> list[tuple[int, int]]:
    """Links (q, q + step) around the circle."""
    return [(q, (q + step) % n) for q in range(n)]


def hardware_efficient(c: qsc.Circuit, w: np.ndarray) -> None:
    """RY and RZ on every qubit and a CX chain, and a last layer of rotations."""
    n = c.num_qubits
    for k, layer in enumerate(w):
        for q in range(n):
            c.ry(layer[q][0], q)
            c.rz(layer[q][1], q)
        for q in range(n - 1 if k < len(w) - 1 else 0):
            c.cx(q, q + 1)


def strongly_entangling(c: qsc.Circuit, w: np.ndarray) -> None:
    """Rot on every qubit and a CX ring whose range grows with the layer, as PennyLane's template."""
    n = c.num_qubits
    for k, layer in enumerate(w):
        for q in range(n):
            c.rz(layer[q][0], q)
            c.ry(layer[q][1], q)
            c.rz(layer[q][2], q)
        for a, b in ring(n, k % (n - 1) + 1):
            c.cx(a, b)


def basic_entangler(c: qsc.Circuit, w: np.ndarray) -> None:
    """RX on every qubit and a CX ring, as PennyLane's template."""
    for layer in w:
        for q in range(c.num_qubits):
            c.rx(layer[q][0], q)
        for a, b in ring(c.num_qubits):
            c.cx(a, b)


def brickwork(c: qsc.Circuit, w: np.ndarray) -> None:
    """RY and RZ on every qubit, then CZ on even and odd bonds in turn."""
    for k, layer in enumerate(w):
        for q in range(c.num_qubits):
            c.ry(layer[q][0], q)
            c.rz(layer[q][1], q)
        for q in range(k % 2, c.num_qubits - 1, 2):
            c.cz(q, q + 1)


def reuploading(n: int, layers: int) -> qsc.Circuit:
    """Every layer: RY(x), RZ RY RZ with weights, and a CZ ring."""
    c = qsc.Circuit(n)
    x, w = c.inputs("x", n), c.inputs("w", (layers, n, 3))
    for layer in w:
        for q in range(n):
            c.ry(x[q], q)
            c.rz(layer[q][0], q)
            c.ry(layer[q][1], q)
            c.rz(layer[q][2], q)
        for a, b in ring(n):
            c.cz(a, b)
    return c


def convolution(c: qsc.Circuit, w: Sequence[Any], a: int, b: int) -> None:
    """The two-qubit convolution of Qiskit's tutorial on quantum convolutional networks, 3 angles and 3 CX."""
    c.rz(Fraction(-1, 2), b)
    c.cx(b, a)
    c.rz(w[0], a)
    c.ry(w[1], b)
    c.cx(a, b)
    c.ry(w[2], b)
    c.cx(b, a)
    c.rz(Fraction(1, 2), a)


def pooling(c: qsc.Circuit, w: Sequence[Any], source: int, sink: int) -> None:
    """The pooling block of the same tutorial: 3 angles and 2 CX."""
    c.rz(Fraction(-1, 2), sink)
    c.cx(sink, source)
    c.rz(w[0], source)
    c.ry(w[1], sink)
    c.cx(source, sink)
    c.ry(w[2], sink)


def qcnn(n: int) -> qsc.Circuit:
    """Convolutions and poolings until one qubit is left, the last one."""
    c = qsc.Circuit(n)
    x = c.inputs("x", n)
    angle_encoding(c, x)
    live, level = list(range(n)), 0
    while len(live) > 1:
        pairs = [*zip(live[::2], live[1::2], strict=False), *zip(live[1::2], live[2::2], strict=False)]
        conv, pool = c.inputs(f"c{level}", (len(pairs), 3)), c.inputs(f"p{level}", (len(live) // 2, 3))
        for (a, b), angles in zip(pairs, conv, strict=True):
            convolution(c, angles, a, b)
        for k, angles in enumerate(pool):
            pooling(c, angles, live[2 * k], live[2 * k + 1])
        live, level = live[1::2], level + 1
    return c


def joined(n: int, ansatz: Callable[[qsc.Circuit, np.ndarray], None], layers: int, angles: int) -> qsc.Circuit:
    """Angle encoding and an ansatz."""
    c = qsc.Circuit(n)
    angle_encoding(c, c.inputs("x", n))
    ansatz(c, c.inputs("w", (layers, n, angles)))
    return c


def zz_joined(n: int, links: Sequence[tuple[int, int]]) -> qsc.Circuit:
    """ZZ encoding and two layers of RY with a CX chain."""
    c = qsc.Circuit(n)
    zz_encoding(c, c.inputs("x", n), c.inputs("pairs", len(links)), links)
    w = c.inputs("w", (3, n))
    for k, layer in enumerate(w):
        for q in range(n):
            c.ry(layer[q], q)
        for q in range(n - 1 if k < 2 else 0):
            c.cx(q, q + 1)
    return c


def zz_kernel(n: int) -> qsc.Circuit:
    """U(x) and then the inverse of U(z), of the ZZ feature map on a chain; read is the overlap with |0...0>."""
    c = qsc.Circuit(n)
    links = [(q, q + 1) for q in range(n - 1)]
    zz_encoding(c, c.inputs("x", n), c.inputs("xx", len(links)), links)
    z, zz = c.inputs("z", n), c.inputs("zz", len(links))
    for _ in range(2):
        for value, (a, b) in reversed(list(zip(zz, links, strict=True))):
            c.cx(a, b)
            c.p(-2 * value, b)
            c.cx(a, b)
        for q, value in enumerate(z):
            c.p(-2 * value, q)
            c.h(q)
    return c


def dense_kernel(n: int) -> qsc.Circuit:
    """A kernel with three angles a qubit and one CX chain in the feature map."""
    c = qsc.Circuit(n)
    x, z = c.inputs("x", (n, 3)), c.inputs("z", (n, 3))
    chain = [(q, q + 1) for q in range(n - 1)]
    for q in range(n):
        c.rz(x[q][0], q)
        c.ry(x[q][1], q)
    for a, b in chain:
        c.cx(a, b)
    for q in range(n):
        c.ry(x[q][2] - z[q][2], q)
    for a, b in reversed(chain):
        c.cx(a, b)
    for q in range(n):
        c.ry(-z[q][1], q)
        c.rz(-z[q][0], q)
    return c


def overlap(n: int) -> Reading:
    """|0...0><0...0| as a Pauli sum: the products (1 + Z)/2 over all qubits."""
    total = 0.5 + 0.5 * qsc.Z(0)
    for q in range(1, n):
        total = total * (0.5 + 0.5 * qsc.Z(q))
    return [total]


def trotter(n: int, steps: int) -> qsc.Circuit:
    """Trotter steps of a Heisenberg chain, one angle for every term and step."""
    c = qsc.Circuit(n)
    w = c.inputs("w", (steps, n - 1, 3))
    for layer in w:
        for q in [*range(0, n - 1, 2), *range(1, n - 1, 2)]:
            c.rxx(layer[q][0], q, q + 1)
            c.ryy(layer[q][1], q, q + 1)
            c.rzz(layer[q][2], q, q + 1)
    return c


def _built(family: str, maker: Maker, sizes: Sequence[int], readings: Sequence[str]) -> Iterator[Case]:
    for n in sizes:
        circuit = maker(n).build(family.replace("-", "_"))
        for reading in readings:
            yield Case(family, f"{family} {n} {reading}", circuit, READINGS[reading](n))


def _mqt(name: str, sizes: Sequence[int], readings: Sequence[str]) -> Iterator[Case]:
    from mqt.bench import BenchmarkLevel, get_benchmark
    from qsc.bridges.qiskit import from_qiskit

    for n in sizes:
        found = get_benchmark(name, BenchmarkLevel.ALG, n, random_parameters=False)
        found = found.remove_final_measurements(inplace=False)
        assert found is not None, "a copy, since inplace is false"
        circuit = replace(from_qiskit(found), name=f"mqt_{name}")
        for reading in readings:
            yield Case(f"mqt-{name}", f"mqt-{name} {n} {reading}", circuit, READINGS[reading](n))


def _example() -> Iterator[Case]:
    from qsc.compiler.driver import Options, load_source
    from qsc.ir.ops import Expectation

    path = Path(__file__).parents[2] / "examples" / "digits_qcnn" / "model.py"
    module = load_source(path, Options(targets=())).module
    for node in module.nodes():
        if isinstance(node.op, Expectation):
            circuit = module.circuits[node.op.circuit]
            yield Case("example-digits", "example digits-qcnn", circuit, list(node.op.observables))


def _full(n: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(n) for b in range(a + 1, n)]


def _chain(n: int) -> list[tuple[int, int]]:
    return [(q, q + 1) for q in range(n - 1)]


def suite() -> Iterator[Case]:
    """Every case of the suite, in order."""
    yield from _mqt("qnn", (4, 8, 12), ("z-each", "z-one"))
    yield from _mqt("vqe_real_amp", (4, 8, 12), ("z-each", "ising"))
    yield from _mqt("vqe_su2", (4, 8, 12), ("z-each", "ising"))
    yield from _mqt("vqe_two_local", (4, 6, 8), ("z-each", "ising"))
    yield from _mqt("qaoa", (4, 8, 12), ("z-each", "ising"))
    yield from _built(
        "angle-hardware", lambda n: joined(n, hardware_efficient, 4, 2), (4, 8, 12, 20), ("z-each", "z-one")
    )
    yield from _built("angle-strongly", lambda n: joined(n, strongly_entangling, 3, 3), (4, 6, 10), ("z-each", "z-one"))
    yield from _built("angle-basic", lambda n: joined(n, basic_entangler, 3, 1), (4, 6, 12), ("z-each", "z-one"))
    yield from _built("angle-brickwork", lambda n: joined(n, brickwork, 4, 2), (6, 12, 20), ("z-each", "ising"))
    yield from _built("zz-linear", lambda n: zz_joined(n, _chain(n)), (4, 8, 12), ("z-each", "z-one"))
    yield from _built("zz-full", lambda n: zz_joined(n, _full(n)), (4, 6, 8), ("z-each",))
    yield from _built("reuploading", lambda n: reuploading(n, 4), (4, 6, 10), ("z-each", "z-one"))
    yield from _built("qcnn", qcnn, (4, 8, 16), ("z-each", "z-one"))
    yield from _built("trotter", lambda n: trotter(n, 3), (4, 8, 12), ("z-each", "heisenberg"))
    for maker, family in ((zz_kernel, "zz-kernel"), (dense_kernel, "dense-kernel")):
        for n in (4, 6, 8):
            yield Case(family, f"{family} {n}", maker(n).build(family.replace("-", "_")), overlap(n))
    yield from _example()


# The cases that the project's table of landmarks names


def neighbour_qcnn(n: int) -> qsc.Circuit:
    """A convolutional network with numbers for angles: a block of two CX on even and odd neighbours, then every second
    qubit goes on: 388 CX on 100 qubits, 32 on 10."""
    c = qsc.Circuit(n)
    rng = np.random.default_rng(0)

    def turn(q: int) -> None:
        c.rx(float(rng.uniform(0.1, math.pi)), q)
        c.rz(float(rng.uniform(0.1, math.pi)), q)

    live = list(range(n))
    while len(live) > 1:
        for start in (0, 1):
            for a, b in zip(live[start::2], live[start + 1 :: 2], strict=False):
                turn(a)
                turn(b)
                c.cx(a, b)
                turn(a)
                turn(b)
                c.cx(a, b)
        live = live[::2]
    return c


def qft(n: int) -> qsc.Circuit:
    """The quantum Fourier transform with its final swaps."""
    c = qsc.Circuit(n)
    for j in reversed(range(n)):
        c.h(j)
        for k in reversed(range(j)):
            c.cp(Fraction(1, 1 << (j - k)), k, j)
    for q in range(n // 2):
        c.swap(q, n - 1 - q)
    return c


def barabasi_albert(n: int) -> list[tuple[int, int]]:
    """The edges of a Barabasi-Albert graph, two new edges a node: 16 of them on 10 nodes."""
    import networkx

    return sorted((min(e), max(e)) for e in networkx.barabasi_albert_graph(n, 2, seed=0).edges)


def qaoa(n: int, links: Sequence[tuple[int, int]], layers: int, seed: int = 0) -> qsc.Circuit:
    """QAOA with numbers for angles."""
    rng = np.random.default_rng(seed)
    c = qsc.Circuit(n)
    for q in range(n):
        c.h(q)
    for _ in range(layers):
        gamma, beta = rng.uniform(0.1, 3.0, 2).tolist()
        for a, b in links:
            c.rzz(gamma, a, b)
        for q in range(n):
            c.rx(beta, q)
    return c
