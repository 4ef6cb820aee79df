"""Meanings of readouts: of unitary circuits by the statevector simulator, of others by exact branching."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .. import ops
from ..circuit import Circuit
from . import branches, late, statevector
from .walk import Environment, meaning

WIDE = 24
"""A circuit on more qubits is simulated on those that its readout depends on."""

_EMPTY = torch.zeros(1, 0, dtype=torch.float64)


@meaning(ops.Expectation)
def _expectation(op: ops.Expectation, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (read_batched(op, args, env, lambda circuit, arrays: expectations(circuit, op, arrays)),)


@meaning(ops.Probabilities)
def _probabilities(op: ops.Probabilities, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    return (read_batched(op, args, env, lambda circuit, arrays: probabilities(circuit, op, arrays)),)


@meaning(ops.Samples)
def _samples(op: ops.Samples, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        return drawn(probabilities(circuit, op, arrays), op.shots, len(op.qubits), env)

    return (read_batched(op, args, env, read),)


@meaning(ops.BitSamples)
def _bit_samples(op: ops.BitSamples, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        weights = branches.bit_probabilities(circuit, op.bits, join(circuit, arrays))
        return drawn(weights, op.shots, len(op.bits), env)

    return (read_batched(op, args, env, read),)


def drawn(probabilities: Tensor, shots: int, bits: int, env: Environment) -> Tensor:
    """Bits of random outcomes, (batch, shots, bits)."""
    weights = probabilities.detach().cpu().double().clamp(min=0)
    outcomes = torch.multinomial(weights, shots, replacement=True, generator=env.generator)
    return (outcomes[..., None] >> torch.arange(bits)).bitwise_and(1).bool().to(env.device)


@meaning(ops.BitExpectation)
def _bit_expectation(op: ops.BitExpectation, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        return branches.bit_expectations(circuit, op.observables, join(circuit, arrays))

    return (read_batched(op, args, env, read),)


@meaning(ops.BitProbabilities)
def _bit_probabilities(op: ops.BitProbabilities, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        return branches.bit_probabilities(circuit, op.bits, join(circuit, arrays))

    return (read_batched(op, args, env, read),)


@meaning(ops.LateAngles)
def _late_angles(op: ops.LateAngles, args: Sequence[Tensor], env: Environment) -> tuple[Tensor, ...]:
    kind = env.floats(*args)[0].dtype if args else torch.float64

    def read(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
        return late.angles(circuit, join(circuit, arrays).double()).to(kind)

    return (read_batched(op, args, env, read),)


def expectations(circuit: Circuit, op: ops.Expectation, arrays: Sequence[Tensor]) -> Tensor:
    """<O> of every observable, (batch, observables); one array an angle input, batched or not."""
    if circuit.has_measurement or circuit.num_qubits > WIDE:
        return branches.expectations(circuit, op.observables, join(circuit, arrays))
    return statevector.expectations(circuit, op.observables, arrays or _EMPTY)


def probabilities(circuit: Circuit, op: ops.Probabilities | ops.Samples, arrays: Sequence[Tensor]) -> Tensor:
    """Probability of every outcome, (batch, 2^k); bit i of the index is op.qubits[i]."""
    if circuit.has_measurement or circuit.num_qubits > WIDE:
        return branches.probabilities(circuit, op.qubits, join(circuit, arrays))
    return statevector.probabilities(circuit, op.qubits, arrays or _EMPTY)


def join(circuit: Circuit, arrays: Sequence[Tensor]) -> Tensor:
    """The angle variables (batch, variables) of one array an angle input; batch 1 where none has a batch."""
    if not arrays:
        return _EMPTY
    batched = [x.dim() > len(a.shape) for x, a in zip(arrays, circuit.inputs, strict=True)]
    batch = next((len(x) for x, own in zip(arrays, batched, strict=True) if own), 1)
    return torch.cat(
        [
            x.reshape(batch if own else 1, a.size).expand(batch, a.size)
            for x, own, a in zip(arrays, batched, circuit.inputs, strict=True)
        ],
        dim=1,
    )


def read_batched(
    op: ops.CircuitOp, args: Sequence[Tensor], env: Environment, read: Callable[[Circuit, Sequence[Tensor]], Tensor]
) -> Tensor:
    """The readout with a batch dimension where an operand has one."""
    circuit = env.module.circuits[op.circuit]
    own = [x.dim() > len(array.shape) for x, array in zip(args, circuit.inputs, strict=True)]
    if any(batched and not len(x) for x, batched in zip(args, own, strict=True)):
        # An empty batch has the shape of a batch of one, without the one.
        one = [x.new_zeros(1, *x.shape[1:]) if batched else x for x, batched in zip(args, own, strict=True)]
        return read_batched(op, one, env, read)[:0]
    result = read(circuit, env.floats(*args)).to(env.device)
    return result if any(own) else result[0]
