"""The tket backend: one readout of one circuit becomes a pytket circuit for a device, and the facts to run it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pytket import Bit
from pytket import Circuit as TketCircuit
from qiskit import qasm3
from qiskit.circuit import QuantumCircuit

from ...bridges.settings import group
from ...ir import InputError, Module, TargetError
from ...ir import Node as GraphNode
from ...ir.circuit import Circuit
from ...ir.ops import Expectation, Launch, Probabilities, Samples
from ...ir.printer import angle_texts
from ...ir.target import Target
from ...ir.types import DTYPES
from ..base import Costs, Emission, Inputs, RunOptions, SelfCheck
from ..legality import DeviceRules, EmittedCircuit
from ..pub import Calibration, Pub, on_device
from ..qiskit.noise import read_calibration
from ..qiskit.simulate import READOUT, Facts
from ..readouts import Read, check_fits, op_of, read_qubits, readout_of
from ..shares import by_shares
from .compile import Compiled, compiled
from .device import SYMMETRIC, TketDevice
from .emitted import emitted_circuit
from .services import TketServices
from .simulate import by_aer, json_bytes, load, on_physical, runs_here, statevectors, with_readout

CIRCUIT_FILE, QASM_FILE, PUB_FILE = "circuit.json", "circuit.qasm", "pub.json"

_SIMULATED = {"r": "u", "zzmax": "rzz"}
"""Native gate -> how the circuit that Aer runs has it."""


class TketBackend:
    """Gate-model devices through pytket. Every readout of qubits is a launch of its own."""

    name: ClassVar[str] = "tket"
    whole_region: ClassVar[bool] = False
    importers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.last_counts: dict[str, float] = {}
        self.last_facts = Facts()
        """What the last `run` cost, with the standard error of every output where shots were drawn."""

    def unsupported(self, node: GraphNode, module: Module, target: Target) -> str | None:
        """None for expectations, probabilities and samples of qubits."""
        if type(node.op) in (Expectation, Probabilities, Samples):
            return None
        return f"{node.op.mnemonic} is not one of expectation, probabilities and samples"

    def target_from(self, table: Mapping[str, Any], path: Path) -> Target:
        """InputError T0005: a device of the user's own is described for the qiskit backend."""
        raise InputError.of("T0005", f"{path}: the tket backend takes no device file", help='write backend = "qiskit"')

    def self_checks(self, files: Mapping[str, bytes], launch: Launch, module: Module) -> list[SelfCheck]:
        """None: values say everything about a circuit."""
        return []

    def emitted(self, files: Mapping[str, bytes]) -> list[EmittedCircuit]:
        """The circuit of `circuit.json`."""
        circuit, pub = load(files, CIRCUIT_FILE, PUB_FILE)
        later = tuple(sorted({q for terms in pub.observables for _, qubits, _ in terms for q in qubits}))
        return [emitted_circuit(circuit, CIRCUIT_FILE, dict(zip(pub.parameters, pub.angles, strict=True)), later)]

    def rules(self, target: Target) -> DeviceRules:
        """What the device takes."""
        return target.device.rules

    def services(self, target: Target) -> TketServices:
        """Candidates by tket's presets; circuits scored on the target."""
        return TketServices(target.device)

    def emit(
        self,
        launch: Launch,
        module: Module,
        target: Target,
        seed: int,
        effort: str = "default",
        inputs: Inputs | None = None,
    ) -> Emission:
        """`circuit.json` (pytket's own form), `circuit.qasm` (OpenQASM 3 on physical qubits) and `pub.json`.

        TargetError T0002 where the circuit is wider than the device, T0003 where the device lacks an operation.
        """
        node = readout_of(launch)
        op, device = op_of(node), target.device
        circuit = module.circuits[op.circuit]
        check_fits(circuit, node, target)
        made = compiled(circuit, device, seed, effort, read_qubits(op))
        if not made:
            raise TargetError.of(
                "T0003", f"circuit {circuit.name} does not fit {target.name}: pytket finds no legal form", circuit.place
            )
        best = made[0]
        final = _measured(best, op)
        pub = _pub(op, circuit, best, target)
        converted = on_physical(final, pub, device.rules.qubits)
        files = {
            CIRCUIT_FILE: json_bytes(final),
            QASM_FILE: _qasm_text(with_readout(converted.circuit, pub.measured), converted.texts, pub).encode(),
            PUB_FILE: pub.to_bytes(),
        }
        return Emission(files, _costs(best, pub), _notes(best, pub, len(made)))

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
        """The readout for a batch, from the emitted circuit: exact values of small unitary circuits by pytket's own
        statevector, all else by Aer. As the qiskit backend in shots, noise and types; a device of the user's own is
        InputError O0002."""
        if options.device is not None:
            raise InputError.of(
                "O0002",
                "a bundle of the tket backend runs on simulators only",
                help=f"hand the artifact {CIRCUIT_FILE} to your backend: pytket.Circuit.from_dict reads it",
            )
        node, op = readout_of(launch), op_of(readout_of(launch))
        circuit, pub = load(files, CIRCUIT_FILE, PUB_FILE)
        known = dict(zip((v.name for v in launch.body.inputs), inputs, strict=True))
        arrays = [module.weights[v.weight_name] if v.is_weight else np.asarray(known[v.name]) for v in node.operands]
        pub = pub.reading(options.observables)
        variables, batched = pub.flatten(arrays)
        out, facts = by_shares(
            lambda rows, chosen: _answer(circuit, pub, op, rows, chosen), variables, launch.shares, options
        )
        if not len(variables):
            out = np.zeros((0, *node.results[0].type.shape[1:]))
        self._report(facts)
        double = any(a.dtype == np.float64 for a in arrays) and not isinstance(op, Samples)
        out = out.astype(np.float64 if double else DTYPES[node.results[0].type.dtype])
        return [out if batched else out[0]]

    def _report(self, facts: Facts) -> None:
        self.last_facts = facts
        self.last_counts = {"executions": facts.executions}
        if facts.shots:
            self.last_counts["shots"] = facts.shots


def _answer(
    circuit: TketCircuit, pub: Pub, op: Read, variables: np.ndarray, options: RunOptions
) -> tuple[np.ndarray, Facts]:
    """The readout of a batch of angle variables, and what it cost."""
    if not len(variables):
        return variables, Facts()
    if runs_here(circuit, pub, options):
        facts = Facts(executions=len(variables), simulated_qubits=len(pub.final), method="pytket statevector")
        return statevectors(circuit, pub, pub.bind(variables)), facts
    width = max([q.index[0] for q in circuit.qubits] + list(pub.final)) + 1
    runner = by_aer(circuit, pub, variables, width, options)
    if isinstance(op, Expectation):
        return runner.expectations(), runner.facts
    out = runner.samples(op.shots) if isinstance(op, Samples) else runner.probabilities()
    return out, runner.facts


# Emitting


def _measured(made: Compiled, op: Read) -> TketCircuit:
    """The compiled circuit with the measurements that probabilities and samples need."""
    if isinstance(op, Expectation):
        return made.circuit
    out, where = made.circuit.copy(), {qubit.index[0]: qubit for qubit in made.circuit.qubits}
    for bit, q in enumerate(read_qubits(op)):
        out.add_bit(Bit(READOUT, bit))
        out.Measure(where[made.final[q]], Bit(READOUT, bit))
    return out


def _pub(op: Read, circuit: Circuit, made: Compiled, target: Target) -> Pub:
    observables = op.observables if isinstance(op, Expectation) else ()
    measured = () if isinstance(op, Expectation) else tuple(made.final[q] for q in read_qubits(op))
    used = {symbol.name for symbol in made.circuit.free_symbols()}
    kept = [k for k, name in enumerate(made.converted.symbols) if name in used]
    source = made.converted.source
    texts = [text for text, row in zip(angle_texts(source), source.angles.rows(), strict=True) if row[3]]
    read = [made.final[q] for q in read_qubits(op)]
    active = sorted({q.index[0] for c in made.circuit.get_commands() for q in c.qubits} | set(read))
    return Pub(
        circuit=circuit.name,
        device=target.name,
        kind=op.mnemonic,
        inputs=tuple((array.name, array.shape, array.role) for array in circuit.inputs),
        variables=circuit.variable_names,
        parameters=tuple(made.converted.symbols[k] for k in kept),
        rows=tuple(made.converted.rows[k] for k in kept),
        angles=tuple(texts[k] for k in kept),
        observables=tuple(on_device(observable, made.final) for observable in observables),
        observable_texts=tuple(map(str, observables)),
        measured=measured,
        shots=op.shots if isinstance(op, Samples) else 0,
        initial=made.initial,
        final=made.final,
        native=tuple(dict.fromkeys(_SIMULATED.get(name, name) for name in target.native_ops)),
        calibration=_calibration(target.device, active),
    )


def _calibration(device: TketDevice, active: Sequence[int]) -> Calibration:
    """The device's figures for the qubits in use, under the names that the simulated circuit has its gates by."""
    if device.source is not None:
        known = read_calibration(device.source.device.target, active)
        return Calibration(known.qubits, tuple((_SIMULATED.get(o[0], o[0]), *o[1:]) for o in known.operations))
    places = {1: [(q,) for q in active], 2: [(a, b) for a in active for b in active if a != b]}
    sizes = {name: 2 if name in SYMMETRIC else 1 for name in device.uniform_errors}
    operations = {
        (_SIMULATED.get(name, name), place): (_SIMULATED.get(name, name), place, None, error)
        for name, error in device.uniform_errors.items()
        for place in places[sizes[name]]
    }
    return Calibration(dict.fromkeys(active, (None, None)), tuple(operations.values()))


def _costs(made: Compiled, pub: Pub) -> Costs:
    """Costs of one launch, with the keys of the qiskit backend."""
    read = len(pub.measured)
    settings = len(group(pub.observables)) if pub.kind == Expectation.mnemonic else 1
    costs = made.costs | {"gates": made.costs["gates"] + read, "depth": made.costs["depth"] + bool(read)}
    costs |= {"circuits": 1, "executions": settings}
    fidelity = made.predicted_fidelity
    return costs if fidelity is None else costs | {"predicted_fidelity": fidelity}


def _notes(made: Compiled, pub: Pub, tried: int) -> tuple[str, ...]:
    places = ", ".join(f"q[{k}] on {p}" for k, p in enumerate(pub.initial))
    return (
        f"placed on {pub.device}: {places}",
        f"one symbol for each of {len(pub.parameters)} distinct angles; {made.origin} is the best of {tried} forms",
    )


def _qasm_text(circuit: QuantumCircuit, texts: Sequence[str], pub: Pub) -> str:
    head = [f"// circuit {json.dumps(pub.circuit)} on {pub.device}, angles in radians"]
    names = sorted(parameter.name for parameter in circuit.parameters)
    head += [f"// {name} = {text}" for name, text in zip(names, texts, strict=True)]
    text = re.sub(r"\bq\[(\d+)\]", r"$\1", qasm3.dumps(circuit))
    lines = [line for line in text.splitlines() if not line.startswith("qubit[")]
    return "\n".join([*head, *lines]) + "\n"
