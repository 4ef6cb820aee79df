"""Our own layers for torch models: `Quantum`, a circuit with its trained angles and its readout, and special ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ... import ir
from ...bridges.extras import need
from ...ir import Diagnostic, InputError, PauliSum, ops
from ...ir.diagnostics import did_you_mean, user_line
from ...ir.interpreter import quantum, unitaries
from ...ir.unitaries import MOST_QUBITS
from ...ir.verifier import circuit_faults
from .. import builder
from ..readouts import observable_of

if TYPE_CHECKING:
    from .nn_backend import Executions, Runner

Observable = PauliSum | str

SHOTS = 1024
"""How many rows samples have where nothing is said."""


class Quantum(nn.Module):
    """A circuit as a layer: angles in, expectation values, probabilities or samples out.

    circuit: a `qsc.Circuit`, an IR circuit, or `.qsc` text (or the path of a `.qsc` file) that holds one circuit. Its
        angle inputs of role "input" are the layer's input, joined in order; those of role "weight" become parameters.
    readout: observables (`[qsc.Z(0), "0.5*X0*Y1 - Z2"]`; one output each), "probs" (2^k outputs, bit i of the index is
        qubits[i]) or "samples" (bits of shape (shots, k), drawn with torch's own generator, without gradient).
    qubits: what "probs" and "samples" read; all qubits in order where it is left out.
    shots: how many rows "samples" draws (1024 where left out); on a backend also how often every circuit is measured.
    name: the circuit's name in a compiled module, its own where left out.
    dtype: of the weights, torch's default where left out. The simulation runs in the wider of it and the input's.
    backend: where the layer runs in place of the exact simulation: "aer", a V2 estimator or sampler, a Qiskit
        BackendV2, or a session of qiskit-ibm-runtime. A batch is one PUB, its gradient one more of shifted circuits.
    precision: the standard error that an estimator is asked for, 1/sqrt(shots) where left out.

    Weights start uniform in [-pi, pi). `state_dict` holds them as `weights.<name>`. The simulation is exact and
    differentiable (see `qsc.ir.interpreter.statevector`); circuits that measure or have conditions are averaged over
    every outcome, weighted by its probability.

    Raises InputError for a wrong circuit or readout.
    """

    def __init__(
        self,
        circuit: builder.Circuit | ir.Circuit | str | Path,
        readout: Sequence[Observable] | Observable,
        *,
        qubits: Sequence[int] | None = None,
        shots: int | None = None,
        name: str | None = None,
        dtype: torch.dtype | None = None,
        backend: Any = None,
        precision: float | None = None,
    ) -> None:
        super().__init__()
        taken = _take_circuit(circuit, name)
        faults = [*circuit_faults(taken)]
        if faults:
            raise InputError(faults)
        self.circuit = taken if name is None else replace(taken, name=name)
        self.readout = _take_readout(self.circuit, readout, qubits, SHOTS if shots is None else shots)
        self.weights = nn.ParameterDict()
        for array in self.circuit.inputs:
            if array.role == "weight":
                if hasattr(self.weights, array.name):
                    raise InputError.of("P0005", f"a weight of a layer cannot be named {array.name!r}", taken.place)
                self.weights[array.name] = nn.Parameter(torch.empty(array.shape, dtype=dtype))
        self.num_inputs = sum(array.size for array in self.circuit.inputs if array.role != "weight")
        self.reset_parameters()
        self.run_on(backend, shots=shots, precision=precision)

    def run_on(self, backend: Any, *, shots: int | None = None, precision: float | None = None) -> None:
        """Run on another backend from now on; None for the exact simulation. Arguments as for the layer.

        Gradients on a backend are parameter shifts on the circuit's own angles: two circuits for a rotation, four for
        a controlled one, for every gate that depends on something that needs a gradient.
        Raises InputError R0001 where the backend cannot give the readout, MissingError E0001 without Qiskit.
        """
        self._runner: Runner | None = None
        if backend is None:
            return
        need("qiskit", "qiskit")
        from .nn_backend import Runner

        self._runner = Runner(self.circuit, self.readout, backend, shots, precision)

    @property
    def counted(self) -> Executions | None:
        """PUBs and executions on the backend so far; None for the exact simulation."""
        return None if self._runner is None else self._runner.counted

    def reset_parameters(self) -> None:
        """Draw every weight uniformly from [-pi, pi)."""
        for weight in self.weights.values():
            nn.init.uniform_(weight, -math.pi, math.pi)

    @property
    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """Weight input of the circuit -> parameter."""
        return dict(self.weights.items())

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), or (..., shots, qubits) for samples. Raises InputError for another width."""
        if x.dim() == 0 or x.shape[-1] != self.num_inputs:
            raise InputError.of(
                "M0004",
                f"circuit {self.circuit.name} takes {self.num_inputs} angles, got a tensor of shape {tuple(x.shape)}",
                self.circuit.place,
                help=f"the last dimension holds the angles: (batch, {self.num_inputs})",
            )
        lead = x.shape[:-1]
        rows = x.reshape(math.prod(lead), self.num_inputs)
        arrays, start = [], 0
        for array in self.circuit.inputs:
            if array.role == "weight":
                arrays.append(self.weights[array.name])
            else:
                arrays.append(rows[:, start : start + array.size].reshape(-1, *array.shape))
                start += array.size
        out = self._read(arrays)
        if len(out) != len(rows):
            out = out.expand(len(rows), *out.shape[1:])
        return out.reshape(*lead, *out.shape[1:])

    def _read(self, arrays: list[Tensor]) -> Tensor:
        readout = self.readout
        if self._runner is not None:
            return self._run(self._runner, arrays)
        if isinstance(readout, ops.Expectation):
            return quantum.expectations(self.circuit, readout, arrays)
        weights = quantum.probabilities(self.circuit, readout, arrays)
        if isinstance(readout, ops.Probabilities):
            return weights
        drawn = torch.multinomial(weights.detach().clamp(min=0), readout.shots, replacement=True)
        places = torch.arange(len(readout.qubits), device=drawn.device)
        return (drawn[..., None] >> places).bitwise_and(1).bool()

    def _run(self, runner: Runner, arrays: list[Tensor]) -> Tensor:
        from .nn_backend import run

        sized = zip(self.circuit.inputs, arrays, strict=True)
        wanted = [np.full(array.size, given.requires_grad) for array, given in sized]
        return run(runner, quantum.join(self.circuit, arrays), np.concatenate([np.zeros(0, np.bool_), *wanted]))

    def extra_repr(self) -> str:
        """What the layer is, for `print(model)`."""
        c, readout = self.circuit, self.readout
        if isinstance(readout, ops.Expectation):
            read = ", ".join(map(str, readout.observables))
        elif isinstance(readout, ops.Probabilities):
            read = f"probabilities of qubits {', '.join(map(str, readout.qubits))}"
        else:
            read = f"{readout.shots} samples of qubits {', '.join(map(str, readout.qubits))}"
        inputs = ", ".join(f"{a.name}{list(a.shape)}" for a in c.inputs if a.role != "weight")
        return f"{c.name}: {c.num_qubits} qubits, {len(c)} gates, inputs=({inputs}), readout=({read})"


class PauliRotLayer(Quantum):
    """exp(-i w_k/2 P_k) for k = 0, 1, ... on a basis state: bits in, expectation values out.

    num_qubits: of the circuit. products: the P_k in the order in which they act, as "Z3 X16"; one trained angle each,
        the parameter `weights.w`. readout: observables, or "probs" with `qubits`.
    inputs: how many bits the layer takes; bit j turns qubit j to |1> (RX(pi x_j), so that numbers in between are
        superpositions). ones: qubits that start in |1>. Further keywords as for `Quantum`, whose errors it raises.
    """

    def __init__(
        self,
        num_qubits: int,
        products: Sequence[str | PauliSum],
        readout: Sequence[Observable] | Observable,
        *,
        inputs: int,
        ones: Sequence[int] = (),
        qubits: Sequence[int] | None = None,
        name: str = "pauli_rotations",
        dtype: torch.dtype | None = None,
    ) -> None:
        circuit = builder.Circuit(num_qubits)
        bits, angles = circuit.inputs("x", (inputs,)), circuit.weights("w", (len(products),))
        for j, bit in enumerate(bits):
            circuit.rx(math.pi * bit, j)
        for qubit in ones:
            circuit.x(qubit)
        for product, angle in zip(products, angles, strict=True):
            circuit.pauli_rot(product, angle)
        super().__init__(circuit, readout, qubits=qubits, name=name, dtype=dtype)


class Evolution(nn.Module):
    """Evolution by data: angles of circuits for exp(-i t_l H / 2), H = (M + M^T) / 2, with trained times t_l.

    qubits: n, from 1 to 4. times: how many. forward: real matrices M (..., 2^n, 2^n) -> (..., times, angles), the input
    of a `Quantum` layer whose circuit has `Circuit.dense(angles, qubits)` for each time. The parameter `t` starts
    uniform in [0, 1). Its own gradient stops here: train with the matrices of `qsc.ir.interpreter.unitaries.evolution`.
    """

    def __init__(self, qubits: int, times: int, *, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        if not 1 <= qubits <= MOST_QUBITS or times < 1:
            raise InputError.of(
                "P0004", f"no evolution on {qubits} qubits for {times} times: 1 to {MOST_QUBITS} qubits"
            )
        self.qubits = qubits
        self.t = nn.Parameter(torch.rand(times, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(..., 2^n, 2^n) -> (..., times, angles). Raises InputError for another size."""
        if x.dim() < 2 or x.shape[-2:] != (1 << self.qubits,) * 2:
            raise InputError.of("M0004", f"an evolution on {self.qubits} qubits got a tensor of shape {tuple(x.shape)}")
        return unitaries.angles(unitaries.evolution(x, self.t)).to(x.dtype)


def _take_circuit(circuit: builder.Circuit | ir.Circuit | str | Path, name: str | None) -> ir.Circuit:
    if isinstance(circuit, ir.Circuit):
        return circuit
    if isinstance(circuit, builder.Circuit):
        return circuit.build(name or "circuit")
    if not isinstance(circuit, (str, Path)):
        raise InputError.of(
            "P0005",
            f"a circuit is a qsc.Circuit, an IR circuit or .qsc text, not a {type(circuit).__name__}",
            user_line(),
            help="qsc.Circuit.from_qiskit and qsc.Circuit.from_tket take a circuit of Qiskit or pytket",
        )
    from .. import text

    is_path = isinstance(circuit, Path) or ("\n" not in circuit and circuit.endswith(".qsc"))
    if is_path and not Path(circuit).is_file():
        raise InputError.of("M0001", f"there is no file {circuit}")
    source = Path(circuit).read_text(encoding="utf-8") if is_path else str(circuit)
    circuits = text.read(source, str(circuit) if is_path else "<text>").circuits
    if name is not None and name in circuits:
        return circuits[name]
    if len(circuits) != 1:
        raise InputError.of(
            "P0005",
            f"the text holds {len(circuits)} circuits ({', '.join(circuits) or 'none'}), a layer takes one",
            help="say which with name=" if circuits else "a circuit begins with `circuit name(inputs) on n qubits {`",
        )
    return next(iter(circuits.values()))


def _take_readout(
    circuit: ir.Circuit, readout: Sequence[Observable] | Observable, qubits: Sequence[int] | None, shots: int
) -> ops.Expectation | ops.Probabilities | ops.Samples:
    everything = tuple(range(circuit.num_qubits))
    if readout in ("probs", "samples"):
        chosen = everything if qubits is None else tuple(int(q) for q in qubits)
        if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(everything):
            named = ", ".join(map(str, chosen)) or "none"
            raise InputError.of(
                "C0005",
                f"{readout} of qubits {named}: not distinct qubits of a {circuit.num_qubits}-qubit circuit",
                circuit.place,
            )
        if readout == "probs":
            return ops.Probabilities(circuit.name, chosen)
        if shots < 1:
            raise InputError.of("P0004", f"samples need at least one shot, got {shots}", circuit.place)
        return ops.Samples(circuit.name, chosen, shots)
    if isinstance(readout, PauliSum) or not isinstance(readout, Sequence) or isinstance(readout, str):
        known = ["probs", "samples"]
        raise InputError.of(
            "P0005",
            f"{readout!s} is not a readout: give a list of observables",
            circuit.place,
            help=did_you_mean(str(readout), known),
        )
    if qubits is not None:
        raise InputError.of("P0005", "qubits= belongs to probs and samples; observables name theirs", circuit.place)
    observables = tuple(observable_of(o, circuit) for o in readout)
    faults = [
        Diagnostic(
            "C0005",
            f"the observable {o} uses a qubit beyond the {circuit.num_qubits} of circuit {circuit.name}",
            circuit.place,
        )
        for o in observables
        if not set(o.qubits) <= set(everything)
    ]
    if faults or not observables:
        raise InputError(faults or Diagnostic("P0005", "a readout needs at least one observable", circuit.place))
    return ops.Expectation(circuit.name, observables)
