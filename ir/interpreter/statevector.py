"""Fast, batched, differentiable statevector simulation of circuits' columns.

Every function takes `values`, the circuit's angle variables, in one of two forms:

- a tensor (batch, num_variables), or
- one tensor an angle input, of the input's shape (one value for the whole batch, such as weights) or with a batch
  dimension before it (data). Gates whose angles the whole batch shares are joined to a few matrices for the batch, so
  this form is the faster one to train with.

float32 values compute in complex64, float64 in complex128, on the device of the values. Results are differentiable by
autograd with respect to `values`, with memory that does not grow with the number of gates; the second derivative works
and keeps every intermediate state. Qubit 0 is the least significant bit everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from ..circuit import Circuit
from ..observables import PauliSum
from .statevector_observables import expectation_values, outcome_probabilities
from .statevector_plan import Bound, Plan, States, plan_of

Values = Tensor | Sequence[Tensor]

CHUNK = 1 << 25
"""Most amplitudes that are held at once where no gradient is wanted; larger batches run in parts."""


def simulate(circuit: Circuit, values: Values) -> Tensor:
    """Final states, complex (batch, 2^n), the circuit's global phase included.

    Raises ValueError for a circuit with measurements, resets or conditions, and for values of a wrong shape.
    """

    def read(plan: Plan, bound: Bound) -> Tensor:
        states = plan.states(bound)
        rows = _sorted_rows(states)
        phase = plan.phase(bound)
        rows = rows.to(rows.dtype.to_complex())
        return (rows if phase is None else rows * phase).T.contiguous()

    return _run(circuit, values, read)


def expectations(circuit: Circuit, observables: Sequence[PauliSum], values: Values) -> Tensor:
    """<O_k> in the final state, real (batch, number of observables). Errors as `simulate`."""
    return _run(circuit, values, lambda plan, bound: expectation_values(plan.states(bound), observables))


def probabilities(circuit: Circuit, qubits: Sequence[int], values: Values) -> Tensor:
    """Probability of every outcome of `qubits`, real (batch, 2^k); bit i of the index is qubits[i]. Errors as
    `simulate`."""
    return _run(circuit, values, lambda plan, bound: outcome_probabilities(plan.states(bound), qubits))


def _run(circuit: Circuit, values: Values, read: Callable[[Plan, Bound], Tensor]) -> Tensor:
    batched, bound, batch = _bind(circuit, values)
    plan = plan_of(circuit, batched, batch)
    part = max(1, CHUNK >> circuit.num_qubits)
    if batched.any() and batch > part and not (torch.is_grad_enabled() and bound.data.requires_grad):
        return torch.cat([read(plan, Bound(bound.shared, piece)) for piece in bound.data.split(part, dim=1)])
    if batch == 0:
        # Reshaping needs a column: one at zero, that the result then leaves out.
        return read(plan, Bound(bound.shared, bound.data.new_zeros(len(bound.data), 1)))[:0]
    out = read(plan, bound)
    return out if out.shape[0] == batch else out.expand(batch, -1)


def _bind(circuit: Circuit, values: Values) -> tuple[np.ndarray, Bound, int]:
    """Which variables are data, their values, and the batch size."""
    arrays = _split(circuit, values) if isinstance(values, Tensor) else list(values)
    if len(arrays) != len(circuit.inputs):
        raise ValueError(f"circuit {circuit.name} has {len(circuit.inputs)} angle inputs, got values for {len(arrays)}")
    batch, shared, data, batched = None, [], [], []
    for array, given in zip(circuit.inputs, arrays, strict=True):
        if tuple(given.shape) == array.shape:
            shared.append(given.reshape(array.size, 1))
        elif tuple(given.shape[1:]) == array.shape and batch in (None, len(given)):
            batch = len(given)
            data.append(given.reshape(batch, array.size).T)
        else:
            raise ValueError(
                f"angle input {array.name} of circuit {circuit.name} has shape {array.shape}, with or without a batch "
                f"of {'any size' if batch is None else batch} before it; got {tuple(given.shape)}"
            )
        batched += [tuple(given.shape) != array.shape] * array.size
    device = arrays[0].device if arrays else torch.device("cpu")
    kind = reduce(torch.promote_types, (given.dtype for given in arrays)) if arrays else torch.float64
    if not arrays and isinstance(values, Tensor):
        kind, device = values.dtype, values.device
    if kind not in (torch.float32, torch.float64):
        raise ValueError(f"angle values are float32 or float64, not {kind}")
    size = len(values) if isinstance(values, Tensor) else 1 if batch is None else batch

    def joined(parts: list[Tensor], columns: int) -> Tensor:
        return torch.cat([p.to(kind) for p in parts]) if parts else torch.zeros(0, columns, dtype=kind, device=device)

    return np.array(batched, bool), Bound(joined(shared, 1), joined(data, size)), size


def _split(circuit: Circuit, values: Tensor) -> list[Tensor]:
    """The columns of a table, one array an input; an array that is the same in all rows becomes a shared one.

    Where a gradient is wanted the rows stay apart, since each has a gradient of its own.
    """
    if values.dim() != 2 or values.shape[1] != circuit.num_variables:
        raise ValueError(
            f"circuit {circuit.name} has {circuit.num_variables} angle variables: values are (batch, "
            f"{circuit.num_variables}), not {tuple(values.shape)}"
        )
    apart = torch.is_grad_enabled() and values.requires_grad
    arrays: list[Tensor] = []
    start = 0
    for array in circuit.inputs:
        columns = values[:, start : start + array.size]
        start += array.size
        same = len(values) == 1 or (len(values) > 0 and not apart and bool((columns == columns[:1]).all()))
        arrays.append(columns[0].reshape(array.shape) if same else columns.reshape(-1, *array.shape))
    return arrays


def _sorted_rows(states: States) -> Tensor:
    """The rows with the last qubit as the most significant bit."""
    n, columns = len(states.layout), states.rows.shape[1]
    if states.layout == tuple(reversed(range(n))):
        return states.rows
    order = [states.layout.index(q) for q in reversed(range(n))]
    return states.rows.reshape(*(2,) * n, columns).permute(*order, n).reshape(-1, columns)
