"""The cut at wire 3 by hand, in numpy: the first four qubits, the last five for each state of wire 3, and their sum.

The first part is simulated with what is measured on wire 3, its Bloch vector n. The second part starts wire 3 in one of
six states. Its outcomes are linear in the state of wire 3, which is (1 + n_x X + n_y Y + n_z Z) / 2.
"""

import numpy as np

CUT, QUBITS = 3, 8
ROOT = 0.5**0.5
STATES = {
    "0": np.array([1, 0], complex),
    "1": np.array([0, 1], complex),
    "+": np.array([ROOT, ROOT], complex),
    "-": np.array([ROOT, -ROOT], complex),
    "+i": np.array([ROOT, 1j * ROOT]),
    "-i": np.array([ROOT, -1j * ROOT]),
}
PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
HADAMARD = ROOT * np.array([[1, 1], [1, -1]], complex)


def rotation(axis: int, angle: np.ndarray | float) -> np.ndarray:
    """exp(-i angle/2 P) for P = X, Y, Z by axis 0, 1, 2: (2, 2), or (batch, 2, 2) for angles (batch,)."""
    half = np.asarray(angle)[..., None, None] / 2
    return np.cos(half) * np.eye(2) - 1j * np.sin(half) * PAULIS[axis]


def turn(states: np.ndarray, matrix: np.ndarray, wire: int, control: int | None = None) -> np.ndarray:
    """A one-qubit gate on states (batch, 2, ..., 2), of which axis 1 + q is qubit q; where `control` is 1 if given."""
    moved = np.moveaxis(states, 1 + wire, -1)
    turned = np.einsum("...ij,b...j->b...i" if matrix.ndim == 2 else "bij,b...j->b...i", matrix, moved)
    turned = np.moveaxis(turned, -1, 1 + wire)
    if control is None:
        return turned
    is_one = np.arange(2).reshape([2 if axis == 1 + control else 1 for axis in range(states.ndim)])
    return np.where(is_one == 1, turned, states)


def encode(angles: np.ndarray) -> np.ndarray:
    """H and RY(x) on every qubit of |0>: angles (batch, n) -> (batch, 2, ..., 2)."""
    states = np.ones((len(angles),), complex)
    for x in angles.T:
        qubit = rotation(1, x) @ HADAMARD @ STATES["0"]
        states = np.einsum("b...,bi->b...i", states, qubit)
    return states


def convolve(states: np.ndarray, weights: np.ndarray, kernel: str) -> np.ndarray:
    """The kernel on each pair (i, i + 1), with weights (pairs, 5)."""
    for i, w in enumerate(weights):
        axis, control, target = {"published": (2, i, i + 1), "entangling": (0, i + 1, i), "second": (2, i + 1, i)}[
            kernel
        ]
        states = turn(states, rotation(2, w[0]), i + 1)
        states = turn(states, rotation(axis, w[1]), target, control)
        states = turn(states, rotation(1, w[2]), i + 1)
        states = turn(states, PAULIS[0], i + 1, i)
        states = turn(states, rotation(1, w[3]), i + 1)
        states = turn(states, rotation(axis, w[4]), target, control)
    return states


def last_five(states: np.ndarray) -> np.ndarray:
    """Probabilities (batch, 32) of the last five qubits, the first of them the least significant bit."""
    squares = np.abs(states) ** 2
    squares = squares.sum(tuple(range(1, squares.ndim - 5)))
    return squares.transpose(0, 5, 4, 3, 2, 1).reshape(len(states), 32)


def uncut(angles: np.ndarray, weights: np.ndarray, kernel: str) -> np.ndarray:
    """What the eight qubits give: angles (batch, 8), weights (7, 5) -> (batch, 32)."""
    return last_five(convolve(encode(angles), weights, kernel))


def bloch(angles: np.ndarray, weights: np.ndarray, kernel: str) -> np.ndarray:
    """<X>, <Y> and <Z> of wire 3 after the first part, four qubits: (batch, 3)."""
    states = convolve(encode(angles[:, : CUT + 1]), weights[:CUT], kernel).reshape(len(angles), -1, 2)
    return np.einsum("bki,pij,bkj->bp", states.conj(), PAULIS, states).real


def second_part(angles: np.ndarray, weights: np.ndarray, kernel: str, state: str, *, again: bool = False) -> np.ndarray:
    """Outcomes (batch, 32) of the five qubits with wire 3 prepared; `again`: H and RY(x_3) act on it once more."""
    wire = np.tile(STATES[state], (len(angles), 1))
    states = np.einsum("bi,b...->bi...", wire, encode(angles[:, CUT + 1 :]))
    if again:
        states = turn(turn(states, HADAMARD, 0), rotation(1, angles[:, CUT]), 0)
    return last_five(convolve(states, weights[CUT:], kernel))


def terms(n: np.ndarray) -> dict[str, np.ndarray]:
    """The coefficient (batch, 1) of each prepared state."""
    x, y, z = n.T[:, :, None] / 2
    return {"0": 0.5 + z, "1": 0.5 - z, "+": x, "-": -x, "+i": y, "-i": -y}


def reconstructed(
    angles: np.ndarray,
    weights: np.ndarray,
    kernel: str,
    states: tuple[str, ...] = tuple(STATES),
    *,
    swapped: bool = False,
    again: bool = False,
) -> np.ndarray:
    """The sum over prepared states, (batch, 32). Two faults of a public implementation can be put in: `swapped`, in
    which +i and -i stand in each other's place, and `again`, in which H and RY(x_3) act on the cut wire twice."""
    coefficient = terms(bloch(angles, weights, kernel))
    other = {"+i": "-i", "-i": "+i"} if swapped else {}
    parts = (coefficient[s] * second_part(angles, weights, kernel, other.get(s, s), again=again) for s in states)
    return sum(parts, np.zeros((len(angles), 32)))
