"""The qiskit backend: one readout of one circuit becomes a routed circuit with parameters and the facts to run it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from qiskit import qpy
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.transpiler.exceptions import TranspilerError

from ...bridges.qiskit import CLBITS, Converted, to_qiskit
from ...bridges.settings import group
from ...ir import Module, Node, TargetError
from ...ir.circuit import Circuit
from ...ir.ops import (
    BitExpectation,
    BitProbabilities,
    BitReadout,
    BitSamples,
    Expectation,
    Launch,
    MitigatedExpectation,
    Probabilities,
    Readout,
    Samples,
)
from ...ir.target import Target
from ...ir.types import DTYPES
from ..base import Costs, Emission, Inputs, RunOptions, SelfCheck
from ..legality import DeviceRules, EmittedCircuit
from ..pub import Pub, on_device
from ..readouts import Read, check_fits, misfit, op_of, read_bits, read_qubits, readout_of, unmeasured
from ..shares import by_shares
from . import primitives, routing
from .described import target_from_table
from .emitted import device_rules, emitted_circuit
from .mitigation import simulated, variants
from .noise import read_calibration
from .primitives import VARIANTS_FILE, load
from .qasm_text import qasm_text
from .services import QiskitServices
from .simulate import READOUT, Facts, Runner

_KINDS = {
    BitProbabilities.mnemonic: Probabilities.mnemonic,
    BitSamples.mnemonic: Samples.mnemonic,
    MitigatedExpectation.mnemonic: Expectation.mnemonic,
}
"""Readouts that an emitted circuit does not tell from others."""

QPY_FILE, QASM_FILE, PUB_FILE = "circuit.qpy", "circuit.qasm", "pub.json"


class QiskitBackend:
    """Gate-model devices known to Qiskit. Every readout is a launch of its own."""

    name: ClassVar[str] = "qiskit"
    whole_region: ClassVar[bool] = False
    importers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}
        self.last_facts = Facts()
        """What the last `run` cost, with the standard error of every output where shots were drawn."""

    def unsupported(self, node: Node, module: Module, target: Target) -> str | None:
        """None for readouts of circuits; everything else is classical."""
        if isinstance(node.op, BitReadout):
            return unmeasured(module.circuits[node.op.circuit], node.op)
        if isinstance(node.op, Readout):
            return None
        return f"{node.op.mnemonic} is a classical op and runs on the host"

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """A device from a TOML table: see `described.target_from_table`."""
        return target_from_table(table, path)

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """None: values say everything about a circuit."""
        return []

    def services(self, target: Target) -> QiskitServices:
        """Candidates by Qiskit, and by tket where it is installed; circuits scored on the target."""
        return QiskitServices(target)

    def emitted(self, files: Mapping[str, bytes]) -> list[EmittedCircuit]:
        """The circuit, and those that a mitigated expectation runs in its place."""
        circuit, pub = load(files)
        meanings = dict(zip(pub.parameters, pub.angles, strict=True))
        read = pub.observables if pub.kind == Expectation.mnemonic else ()
        later = tuple(sorted({q for terms in read for _, qubits, _ in terms for q in qubits}))
        found = [emitted_circuit(circuit, QASM_FILE, files[QASM_FILE].decode(), meanings, later)]
        if VARIANTS_FILE in files:
            others = primitives.load_variants(files)
            found += [emitted_circuit(other, VARIANTS_FILE, "", meanings, later) for other in others]
        return found

    def rules(self, target: Target) -> DeviceRules:
        """What the device takes."""
        return device_rules(target)

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """`circuit.qpy`, `circuit.qasm` (OpenQASM 3 on physical qubits) and `pub.json` for the launch's readout.

        TargetError T0002 where the circuit is wider than the device, T0003 where the device lacks an operation.
        """
        node = readout_of(launch)
        converted, routed, device = self.routed(launch, module, target, seed, effort)
        files, pub = artifacts(op_of(node), module.circuits[op_of(node).circuit], converted, routed, target)
        if isinstance(node.op, MitigatedExpectation):
            files[VARIANTS_FILE] = _qpy_bytes(variants(routed.circuit, node.op, device))
        unused = [name for name in target.native_ops if name not in device.operation_names]
        return Emission(files, _costs(routed, pub), _notes(routed, pub, unused, effort))

    def routed(
        self, launch: Launch, module: Module, target: Target, seed: int, effort: str = "default"
    ) -> tuple[Converted, routing.Routed, routing.SdkTarget]:
        """The launch's circuit in Qiskit's form, on the device, and the device as the circuit may use it. As `emit`."""
        node = readout_of(launch)
        circuit = module.circuits[op_of(node).circuit]
        check_fits(circuit, node, target)
        converted = to_qiskit(circuit)
        logical, read = measured(converted.circuit, op_of(node))
        device = routing.fitted(target, logical)
        try:
            return converted, routing.route(logical, device, seed, read, effort), device
        except TranspilerError as fault:
            reason = misfit(circuit, target, fault.message)
            raise TargetError.of(
                "T0003", f"circuit {circuit.name} does not fit {target.name}: {reason}", circuit.place
            ) from fault

    def faults(self, files: Mapping[str, bytes], target: Target) -> list[str]:
        """None beside those that `rules` tells of circuits."""
        return []

    def importer_notes(self, files: Mapping[str, bytes], importer: str) -> list[str]:
        """Nothing is known of any."""
        return []

    def run(
        self,
        files: Mapping[str, bytes],
        launch: Launch,
        module: Module,
        inputs: Sequence[np.ndarray],
        options: RunOptions,
    ) -> list[np.ndarray]:
        """The readout for a batch, simulated by Aer from the emitted circuit, idle qubits dropped.

        Exact by default (statevector, double precision); `shots` draws from the outcomes of every measurement setting;
        `noise` adds the device's calibrated errors. With `device` it runs there instead: see `primitives.run`.
        The result is float64 where any input is, else of declared type.
        """
        node, op = readout_of(launch), op_of(readout_of(launch))
        circuit, pub = load(files)
        known = dict(zip((v.name for v in launch.body.inputs), inputs, strict=True))
        arrays = [module.weights[v.weight_name] if v.is_weight else np.asarray(known[v.name]) for v in node.operands]
        pub = pub.reading(options.observables)
        variables, batched = pub.flatten(arrays)
        if not len(variables):
            out, facts = np.zeros((0, *node.results[0].type.shape[1:])), Facts()
        else:
            out, facts = by_shares(
                lambda rows, chosen: _ran(files, circuit, pub, op, rows, chosen), variables, launch.shares, options
            )
        self._report(facts)
        double = any(a.dtype == np.float64 for a in arrays) and not isinstance(op, Samples | BitSamples)
        out = out.astype(np.float64 if double else DTYPES[node.results[0].type.dtype])
        return [out if batched else out[0]]

    def _report(self, facts: Facts) -> None:
        self.last_facts = facts
        self.last_counts = {"executions": facts.executions}
        if facts.shots:
            self.last_counts["shots"] = facts.shots


def _ran(
    files: Mapping[str, bytes], circuit: QuantumCircuit, pub: Pub, op: Read, variables: np.ndarray, options: RunOptions
) -> tuple[np.ndarray, Facts]:
    """The readout for a batch of angle variables, on the user's own device or simulated, and what it cost."""
    if options.device is None:
        return _simulated(files, circuit, pub, op, pub.bind(variables), options)
    answer = primitives.run(
        files,
        variables,
        options.device,
        precision=options.target_error,
        shots=options.shots,
        seed=options.seed,
    )
    return answer.values, answer.facts


def _simulated(
    files: Mapping[str, bytes], circuit: QuantumCircuit, pub: Pub, op: Read, values: np.ndarray, options: RunOptions
) -> tuple[np.ndarray, Facts]:
    """The readout by the simulator, and what it cost."""
    if isinstance(op, MitigatedExpectation):
        return simulated(primitives.load_variants(files), pub, values, options)
    runner = Runner(circuit, pub, values, options)
    if isinstance(op, Expectation | BitExpectation):
        return runner.expectations(), runner.facts
    out = runner.samples(op.shots) if isinstance(op, Samples | BitSamples) else runner.probabilities()
    return out, runner.facts


def measured(circuit: QuantumCircuit, op: Read) -> tuple[QuantumCircuit, tuple[int, ...]]:
    """The circuit with the measurements that probabilities and samples need, and the qubits that are read later.

    Classical bits that are read move into the readout register, in the order in which they are read.
    """
    read = read_qubits(op)
    if isinstance(op, BitReadout):
        return _with_bits_apart(circuit, read_bits(op)), ()
    if isinstance(op, Expectation):
        return circuit, read
    logical, register = circuit.copy(), ClassicalRegister(len(read), READOUT)
    logical.add_register(register)
    logical.measure(list(read), register)
    return logical, ()


def _with_bits_apart(circuit: QuantumCircuit, read: Sequence[int]) -> QuantumCircuit:
    """The circuit with the bits `read` in the readout register and all others in the first one."""
    rest = [b for b in range(circuit.num_clbits) if b not in read]
    registers = [ClassicalRegister(len(rest), CLBITS)] if rest else []
    out = QuantumCircuit(*circuit.qregs, *registers, ClassicalRegister(len(read), READOUT), name=circuit.name)
    where = {bit: out.clbits[k] for k, bit in enumerate([*rest, *read])}
    out.compose(circuit, out.qubits, [where[b] for b in range(circuit.num_clbits)], inplace=True)
    return out


def artifacts(
    op: Read, circuit: Circuit, converted: Converted, routed: routing.Routed, target: Target
) -> tuple[dict[str, bytes], Pub]:
    """The files of one emission, and the facts to run it."""
    pub = _pub(op, circuit, converted, routed, target)
    files = {
        QPY_FILE: _qpy_bytes(routed.circuit),
        QASM_FILE: _qasm_text(routed, pub).encode(),
        PUB_FILE: pub.to_bytes(),
    }
    return files, pub


def _pub(
    op: Read,
    circuit: Circuit,
    converted: Converted,
    routed: routing.Routed,
    target: Target,
) -> Pub:
    used = {parameter.name for parameter in routed.circuit.parameters}
    kept = [k for k, parameter in enumerate(converted.parameters) if parameter.name in used]
    observables = op.observables if isinstance(op, Expectation | BitExpectation) else ()
    places = {bit: k for k, bit in enumerate(read_bits(op))} if isinstance(op, BitReadout) else routed.final
    read = [routed.final[q] for q in read_qubits(op)]
    active = sorted({*routed.census.active_qubits, *read})
    return Pub(
        circuit=circuit.name,
        device=target.name,
        kind=_KINDS.get(op.mnemonic, op.mnemonic),
        inputs=tuple((array.name, array.shape, array.role) for array in circuit.inputs),
        variables=circuit.variable_names,
        parameters=tuple(converted.parameters[k].name for k in kept),
        rows=tuple(converted.rows[k] for k in kept),
        angles=tuple(converted.texts[k] for k in kept),
        observables=tuple(on_device(observable, places) for observable in observables),
        observable_texts=tuple(map(str, observables)),
        measured=() if isinstance(op, Expectation) else _measured(routed.circuit),
        shots=op.shots if isinstance(op, Samples | BitSamples) else 0,
        initial=routed.initial,
        final=routed.final,
        native=target.native_ops,
        calibration=read_calibration(target.device.target, active),
        scales=op.scales if isinstance(op, MitigatedExpectation) else (),
        twirls=op.twirls if isinstance(op, MitigatedExpectation) else 0,
        correct_readout=isinstance(op, MitigatedExpectation) and op.correct_readout,
    )


def _measured(circuit: QuantumCircuit) -> tuple[int, ...]:
    """The physical qubit of every bit of the readout register."""
    register = next(r for r in circuit.cregs if r.name == READOUT)
    where = {step.clbits[0]: step.qubits[0] for step in circuit.data if step.name == "measure"}
    return tuple(circuit.find_bit(where[bit]).index for bit in register)


def _costs(routed: routing.Routed, pub: Pub) -> Costs:
    """Costs of one launch. `executions`: circuits that one input sample takes, one a measurement setting."""
    settings = len(group(pub.observables)) if pub.kind == Expectation.mnemonic else 1
    costs: Costs = dict(routed.census.costs)
    circuits = max(1, len(pub.scales)) * max(1, pub.twirls)
    costs |= {"circuits": circuits, "executions": settings * circuits}
    fidelity = routing.predicted_fidelity(routed)
    return costs if fidelity is None else costs | {"predicted_fidelity": fidelity}


def _notes(routed: routing.Routed, pub: Pub, unused: Sequence[str], effort: str) -> tuple[str, ...]:
    places = ", ".join(f"q[{k}] on {p}" for k, p in enumerate(routed.initial))
    notes = [
        f"placed on {pub.device}: {places}; simulation keeps the {len(routed.census.active_qubits)} qubits in use",
        f"one parameter for each of {len(pub.parameters)} distinct angles; at most {routing.SEEDS[effort]} placements "
        "tried",
    ]
    broken = sorted({name for name, _, _, error in pub.calibration.operations if error is not None and error >= 1.0})
    if broken:
        notes.append(f"the calibration of {pub.device} gives {' and '.join(broken)} an error 1 on some of these qubits")
    if unused:
        names = " and ".join(unused)
        notes.append(f"{names} of {pub.device} is not used: it takes a range of angles that bound angles may exceed")
    return tuple(notes)


def _qpy_bytes(circuits: QuantumCircuit | list[QuantumCircuit]) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuits, buffer)
    return buffer.getvalue()


def _qasm_text(routed: routing.Routed, pub: Pub) -> str:
    head = [f"// circuit {json.dumps(pub.circuit)} on {pub.device}, angles in radians"]
    head += [f"// {name} = {text}" for name, text in zip(pub.parameters, pub.angles, strict=True)]
    return "\n".join([*head, qasm_text(routed.circuit)])
