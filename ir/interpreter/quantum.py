"""Meanings of readouts: of unitary circuits by the statevector simulator, of others by exact branching."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .. import ops
from ..circuit import Circuit
from . import branches
from .walk import Environment, meaning


@meaning(ops.Expectation)
def _expectation(op: ops.Expectation, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, values: Tensor) -> Tensor:
        return branches.expectations(circuit, op.observables, values)

    return (_read(op, args, env, read),)


@meaning(ops.Probabilities)
def _probabilities(op: ops.Probabilities, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (_read(op, args, env, lambda circuit, values: probabilities(circuit, op.qubits, values)),)


@meaning(ops.Samples)
def _samples(op: ops.Samples, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, values: Tensor) -> Tensor:
        weights = probabilities(circuit, op.qubits, values).detach().cpu().double().clamp(min=0)
        outcomes = torch.multinomial(weights, op.shots, replacement=True, generator=env.generator)
        return (outcomes[..., None] >> torch.arange(len(op.qubits))).bitwise_and(1).bool().to(env.device)

    return (_read(op, args, env, read),)


def probabilities(circuit: Circuit, qubits: Sequence[int], values: Tensor) -> Tensor:
    """Probability of every outcome of `qubits`, (batch, variables) -> (batch, 2^k); bit i of the index is qubits[i]."""
    return branches.probabilities(circuit, qubits, values)


def _read(
    op: ops.Readout, args: Sequence[Tensor], env: Environment, read: Callable[[Circuit, Tensor], Tensor]
) -> Tensor:
    """Join the operands to angle variables (batch, variables), and give the readout the batch of its operands."""
    circuit = env.module.circuits[op.circuit]
    if not args:
        return read(circuit, torch.zeros(1, 0, dtype=torch.float64, device=env.device))[0]
    batched = [x.dim() > len(array.shape) for x, array in zip(args, circuit.inputs, strict=True)]
    batch = args[batched.index(True)].shape[0] if any(batched) else 1
    columns = [
        x.reshape(batch if own else 1, array.size).expand(batch, array.size)
        for x, own, array in zip(args, batched, circuit.inputs, strict=True)
    ]
    result = read(circuit, torch.cat(env.floats(*columns), dim=1))
    return result if any(batched) else result[0]
