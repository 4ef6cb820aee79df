"""Cores on chips and tiles, so that spikes travel few hops: spectral order, then exchanges of pairs.

A quadratic assignment: sum over pairs of cores of traffic times distance; every exchange is the best of all pairs
(Koopmans and Beckmann, Econometrica 25, 1957; steepest descent).
"""

from __future__ import annotations

import numpy as np

from .limits import Limits
from .result import OUTSIDE, Routes


def place(limits: Limits, routes: Routes, cores: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """(chip of every core, (cores, 2) column and row of its tile, mesh)."""
    traffic = _traffic(routes, cores)
    mesh = limits.mesh or _near_square(limits.cores)
    chip = _chips(traffic, limits.cores)
    tile = np.zeros((cores, 2), np.int64)
    slots = _slots(mesh, limits.cores_per_tile)[: limits.cores]
    distance = np.abs(slots[:, None] - slots[None]).sum(axis=2).astype(float)
    for number in range(int(chip.max(initial=-1)) + 1):
        own = np.flatnonzero(chip == number)
        tile[own] = slots[_assigned(traffic[np.ix_(own, own)], distance)]
    return chip, tile, mesh


def _traffic(routes: Routes, cores: int) -> np.ndarray:
    """(cores, cores), symmetric: spikes a step between two cores, both ways."""
    between = routes.leaves & (routes.source_core != OUTSIDE)
    traffic = np.zeros((cores, cores))
    np.add.at(traffic, (routes.source_core[between], routes.target_core[between]), routes.rate[between])
    return traffic + traffic.T


def _near_square(cores: int) -> tuple[int, int]:
    columns = int(np.ceil(np.sqrt(cores)))
    return columns, -(-cores // columns)


def _slots(mesh: tuple[int, int], per_tile: int) -> np.ndarray:
    """Column and row of every slot for a core, tile by tile along a line that turns at the edges."""
    columns, rows = mesh
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    column[1::2] = column[1::2, ::-1]
    return np.repeat(np.stack([column.reshape(-1), row.reshape(-1)], axis=1), per_tile, axis=0)


def _chips(traffic: np.ndarray, room: int) -> np.ndarray:
    """Chip of every core, as few chips as hold them all, little traffic between chips."""
    cores = len(traffic)
    chips = -(-cores // room)
    if chips <= 1:
        return np.zeros(cores, np.int64)
    of_slot = np.arange(chips * room) // room
    return of_slot[_assigned(traffic, (of_slot[:, None] != of_slot[None]).astype(float))]


def _assigned(traffic: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """A slot for every core, from the better of two starts: the order of the cores and that of the spectrum."""
    cores = len(traffic)
    starts = [np.arange(cores), np.empty(cores, np.int64)]
    starts[1][_spectral_order(traffic)] = np.arange(cores)
    padded = np.zeros_like(distance)
    padded[:cores, :cores] = traffic
    free = np.arange(cores, len(distance))
    found = [_exchanged(padded, distance, np.r_[start, free]) for start in starts]
    costs = [round(float((padded * distance[np.ix_(slot, slot)]).sum()), 9) for slot in found]
    return found[int(np.argmin(costs))][:cores]


def _spectral_order(traffic: np.ndarray) -> np.ndarray:
    """Cores along the second eigenvector of the Laplacian (Hall, Management Science 17, 1970)."""
    if len(traffic) < 3:
        return np.arange(len(traffic))
    scale = max(float(traffic.max()), 1e-300)
    laplacian = np.diag(traffic.sum(axis=1) / scale) - traffic / scale
    vector = np.linalg.eigh(laplacian)[1][:, 1]
    vector = vector * np.sign(vector[np.argmax(np.abs(vector))])
    return np.argsort(np.round(vector, 9), kind="stable")


def _exchanged(traffic: np.ndarray, distance: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Exchanges of two cores, or a core and a free slot, the best first, until none gains."""
    slot = slot.copy()
    for _ in range(4 * len(slot)):
        apart = distance[np.ix_(slot, slot)]
        cost = traffic @ apart
        own = np.diag(cost)
        gain = cost + cost.T - own[:, None] - own[None] + 2.0 * traffic * apart
        first, second = divmod(int(np.argmin(gain)), len(slot))
        if gain[first, second] >= -1e-9 * max(1.0, float(own.sum())):
            break
        slot[[first, second]] = slot[[second, first]]
    return slot
