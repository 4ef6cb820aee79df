"""From a model to a bundle: read, verify, run the passes, emit, check."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backends.base import Backend, Emission
from ..frontends.base import Imported
from ..frontends.builder import Circuit
from ..frontends.openqasm.objects import is_circuit, read_object
from ..frontends.readouts import Reading, module_of
from ..ir import Graph, InputError, Module, TargetError, print_module, verify
from ..ir.diagnostics import Diagnostic
from ..ir.graph import Node
from ..ir.ops import Launch, RepeatRows, TileRows
from ..ir.target import Target
from ..ir.types import DYNAMIC
from . import contracts, pipelines, registry, storage
from .bundle import GOLDEN, PROGRAM, SOURCE, WEIGHTS, Bundle
from .environment import naming_extras, tool_versions
from .inputs import as_array, check_arrays, read_arrays
from .manager import InternalError, Stage, Watch, run_passes
from .passes.base import EFFORTS, Context, Contract, Pass, Remark
from .passes.partition import HOST_NOTE
from .passes.regions import UNCONNECTED
from .spikes.accounting import account
from .verification import verify_bundle

GOLDEN_SAMPLES = 16
"""How many inputs are drawn where the source brings none."""

TRUTH_TABLE_BITS = 10
"""Logic with at most this many input bits is checked on its whole truth table."""


@dataclass(frozen=True)
class Options:
    """What a user may say of one compile; the names are those of the command line.

    readout: what a circuit file reads, for sources that do not say it.
    settings: `option` or `pass.option` -> value as text. calibration: inputs that replace the source's examples.
    """

    targets: tuple[str, ...]
    entry: str | None = None
    input_shape: tuple[int, ...] | None = None
    readout: Reading | None = None
    calibration: Path | Sequence[np.ndarray] | None = None
    weights: str = "bake"
    passes: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    verify: bool = True
    verify_each: bool = False
    keep_stages: bool = False
    max_error: float = 0.0
    effort: str = "default"
    seed: int = 0
    dt: float | None = None

    def __post_init__(self) -> None:
        """InputError O0002 for a value that no option takes."""
        for option, value, good, known in (
            ("max_error", self.max_error, _is_size(self.max_error), "a finite number, 0 or more"),
            ("seed", self.seed, isinstance(self.seed, Integral) and self.seed >= 0, "a whole number, 0 or more"),
            ("effort", self.effort, self.effort in EFFORTS, ", ".join(EFFORTS)),
            ("weights", self.weights, self.weights in ("bake", "keep"), "bake or keep"),
            ("passes", self.passes, isinstance(self.passes, str | None), 'a text, as in "light-cone,partition"'),
            ("dt", self.dt, self.dt is None or (_is_size(self.dt) and self.dt > 0), "seconds above 0"),
            ("entry", self.entry, isinstance(self.entry, str | None), "a name"),
        ):
            if not good:
                raise InputError.of("O0002", f"option {option} is {value!r}", help=f"it takes {known}")


def _is_size(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < float("inf")


def compile_model(source: Any, options: Options, *, example_input: Any = None, watch: Watch | None = None) -> Bundle:
    """Compile a path, a torch module, a circuit with a readout, or a Module.

    Raises InputError, TargetError, MissingError or CheckError (a failed verification) with everything that is wrong.
    """
    with naming_extras():
        return _compile(source, options, example_input, watch or Watch())


def _compile(source: Any, options: Options, example_input: Any, watch: Watch) -> Bundle:
    targets = [registry.find_target(name) for name in options.targets]
    if not targets:
        raise InputError.of("T0001", "no target is given", help="`qsc targets` lists them")
    kinds = [t.kind for t in targets]
    if len(set(kinds)) != len(kinds):
        raise InputError.of("T0001", f"two targets of one kind: {', '.join(options.targets)}", help="give one of each")
    imported = load_source(source, options, example_input)
    verify(imported.module)
    inputs = golden_inputs(imported, options)
    program, passes, remarks = optimise(imported.module, targets, inputs, options, watch)
    if options.strict:
        _refuse_host_parts(remarks, program)
    emissions = emit(program, targets, options.seed, options.effort, watch, inputs)
    bundle = _assemble(source, imported, program, targets, emissions, passes, remarks, inputs, options, watch)
    if options.verify:
        if watch.progress:
            watch.progress("verify")
        outcome = verify_bundle(bundle)
        bundle.manifest["verification"] = outcome.to_json()
        account(bundle, _named_inputs(imported, options, inputs))
        bundle.manifest["costs"] = total_costs(bundle.manifest["costs_by_op"])
        outcome.require(bundle.manifest["source"]["name"])
    return bundle


# Reading


def load_source(source: Any, options: Options, example_input: Any = None) -> Imported:
    """What a frontend makes of the source; the suffix of a path chooses the frontend."""
    readout = options.readout
    if isinstance(source, str | Path):
        return _load_file(Path(source), options)
    if isinstance(source, Circuit):
        if readout is None:
            raise InputError.of("M0002", "a circuit does not say what is read from it", help='give readout="Z0, Z1*Z2"')
        return Imported(module_of(source.build(), readout))
    if is_circuit(source):
        return read_object(source, readout)
    imported = _load_model(source, example_input)
    if readout is not None:
        raise _no_readout(f"a {type(source).__name__}")
    return imported


def _load_file(path: Path, options: Options) -> Imported:
    if not path.is_file():
        raise InputError.of("M0001", f"there is no model file {path}")
    if path.suffix not in registry.FRONTENDS.entries:
        known = ", ".join(registry.FRONTENDS.entries)
        raise InputError.of("M0007", f"{path} is of an unknown kind {path.suffix!r}", help=f"known: {known}")
    # Places below the working folder are told from there, so that a bundle does not depend on where that folder is.
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    read_file = registry.FRONTENDS.load(path.suffix)
    if path.suffix in registry.TAKES_READOUT:
        return read_file(path, options.entry, options.input_shape, options.readout)
    if path.suffix in registry.TAKES_DT:
        imported = read_file(path, options.entry, options.input_shape, options.dt)
    else:
        imported = read_file(path, options.entry, options.input_shape)
        if options.dt is not None:
            help = f"files in continuous time take one: {', '.join(registry.TAKES_DT)}"
            raise InputError.of("O0002", f"{path.name} takes no dt: the model says its steps", help=help)
    # Faults of the model itself are said first.
    if options.readout is not None:
        raise _no_readout(path.name)
    return imported


def _load_model(source: Any, example_input: Any) -> Imported:
    if isinstance(source, Module):
        return Imported(source)
    if hasattr(source, "to_module"):
        return Imported(source.to_module())
    if hasattr(source, "named_parameters"):
        from ..frontends.torch import read

        if example_input is None:
            raise InputError.of("M0004", "compiling a torch module needs example_input=")
        return read(source, example_input)
    known = "a path, a torch module, a circuit (qsc.Circuit, or of Qiskit or pytket) or a Module"
    raise InputError.of("M0007", f"cannot compile an object of type {type(source).__name__}", help=known)


def _no_readout(source: str) -> InputError:
    help = f"circuits take one, and files of the kinds {', '.join(registry.TAKES_READOUT)}"
    return InputError.of("O0002", f"{source} takes no readout: the model says what it gives", help=help)


def golden_inputs(imported: Imported, options: Options) -> list[np.ndarray]:
    """The inputs that the bundle is checked on: calibration data, the source's examples, or drawn ones."""
    declared = imported.module.graph.inputs
    given = options.calibration if options.calibration is not None else imported.example_inputs
    if isinstance(given, Path):
        given = read_arrays(given, [v.name for v in declared])
    if given:
        return check_arrays(given, declared)
    rng = np.random.default_rng(options.seed)
    drawn: list[np.ndarray] = []
    for value in declared:
        shape = tuple(GOLDEN_SAMPLES if d == DYNAMIC else d for d in value.type.shape)
        if value.type.dtype == "bit":
            drawn.append(_bits(shape, rng) if len(declared) > 1 else _truth_table(value.type.shape[-1], shape, rng))
        elif value.type.dtype == "spike":
            drawn.append(as_array(rng.random(shape) < 0.5, value))
        else:
            drawn.append(as_array(rng.uniform(-np.pi, np.pi, shape), value))
    return drawn


def _named_inputs(imported: Imported, options: Options, inputs: Sequence[np.ndarray]) -> str:
    """Where the golden inputs come from, in words."""
    declared = imported.module.graph.inputs
    sizes = [a.shape[v.type.shape.index(DYNAMIC)] for a, v in zip(inputs, declared, strict=True) if v.type.batched]
    if options.calibration is not None:
        kind = "calibration inputs"
    else:
        kind = "example inputs of the source" if imported.example_inputs else f"random inputs, seed {options.seed}"
    return f"{sizes[0] if sizes else 1} {kind}"


def _bits(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.random(shape) < 0.5


def _truth_table(width: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if width <= TRUTH_TABLE_BITS and len(shape) == 2:
        return (np.arange(1 << width)[:, None] >> np.arange(width)) & 1 == 1
    return _bits(shape, rng)


# Passes


def optimise(
    module: Module, targets: Sequence[Target], inputs: list[np.ndarray], options: Options, watch: Watch
) -> tuple[Module, list[Pass], list[Remark]]:
    """The module after the pipelines of all targets, the passes that ran, and their remarks."""
    watch.record(Stage("frontend", module, 0.0))
    if options.verify_each:
        watch = replace(watch, check=_contract_check(inputs, options.seed))
    ran: list[Pass] = []
    remarks: list[Remark] = []
    for target in targets:
        backend = registry.find_backend(target.backend)
        if options.passes is not None:
            passes = pipelines.parse_pipeline(options.passes, options.settings)
            passes += [registry.make_pass("partition", {})] if not any(p.name == "partition" for p in passes) else []
        else:
            passes = pipelines.default_pipeline(target.kind, options.settings, options.weights)
            passes = [p for p in passes if not p.serves or p.serves in target.native_ops]
        pipelines.check_settings(options.settings, passes, "" if options.passes is not None else target.kind)
        context = Context(
            target,
            options.seed,
            supports_of(backend, target),
            backend.whole_region,
            options.effort,
            backend.services(target),
            inputs,
        )
        module = run_passes(module, passes, context, watch)
        ran += passes
        # What an earlier target left to the host, a later one may have taken.
        remarks = [r for r in remarks if not r.message.startswith(HOST_NOTE)] + context.remarks
    return module.without_unused(), ran, remarks


def supports_of(backend: Backend, target: Target) -> Callable[[Node, Module], str | None]:
    """What the backend says of a node on the target."""
    return lambda node, module: backend.unsupported(node, module, target)


def _contract_check(inputs: list[np.ndarray], seed: int) -> Callable[[Pass, Module, Module], str]:
    def check(pass_: Pass, before: Module, after: Module) -> str:
        outcome = contracts.check(pass_, before, after, [inputs], seed)
        detail = f", {outcome.detail}" if outcome.detail else ""
        return f"keeps {outcome.contract.value}: error {outcome.error:.2g}, limit {outcome.tolerance:.2g}{detail}"

    return check


def _refuse_host_parts(remarks: Sequence[Remark], program: Module) -> None:
    faults = [
        Diagnostic(
            "T0004",
            f"the target does not run {r.message.removeprefix(HOST_NOTE)}",
            r.location,
            help="compile without --strict to run it on the host",
        )
        for r in remarks
        if r.message.startswith(HOST_NOTE)
    ]
    # What is left only because its neighbours are comes to the target with them.
    if faults:
        raise TargetError([f for f in faults if not f.message.endswith(UNCONNECTED)] or faults)


# Emitting


def emit(
    program: Module,
    targets: Sequence[Target],
    seed: int,
    effort: str,
    watch: Watch,
    inputs: Sequence[np.ndarray] = (),
) -> dict[str, Emission]:
    """Every launch as its backend's artifacts, by artifact name. Faults of all launches are raised together."""
    by_name = {t.name: t for t in targets}
    emissions: dict[str, Emission] = {}
    faults: list[Diagnostic] = []
    rows = _rows_a_sample(program)
    for node in program.nodes():
        if not isinstance(node.op, Launch):
            continue
        if watch.progress:
            watch.progress(f"emit {node.op.artifact}")
        target = by_name[node.op.device]
        backend = registry.find_backend(target.backend)
        try:
            given = partial(_launch_inputs, node, program, inputs) if inputs else None
            emission = backend.emit(node.op, program, target, seed, effort, given)
            count = next((rows[v.name] for v in node.operands if v.name in rows), 1)
            emissions[node.op.artifact] = _for_one_sample(emission, count)
        except TargetError as fault:
            faults += fault.diagnostics
    if faults:
        raise TargetError(faults)
    return emissions


def _launch_inputs(node: Node, program: Module, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What comes into a launch of the main graph; an empty list for one inside a loop."""
    from ..ir.interpreter import evaluate_graph

    if node not in program.graph.nodes:
        return []
    before = program.graph.nodes[: program.graph.nodes.index(node)]
    graph = Graph(program.graph.inputs, before, node.operands)
    return [v.detach().numpy() for v in evaluate_graph(graph, program, inputs)]


def _rows_a_sample(program: Module) -> dict[str, int]:
    """Values that hold several rows of a batch for one sample of the program's inputs, and how many."""
    found: dict[str, int] = {}
    for node in program.nodes():
        if isinstance(node.op, RepeatRows | TileRows):
            rows = node.op.times if isinstance(node.op, RepeatRows) else node.operands[0].type.shape[0]
            found |= dict.fromkeys((v.name for v in node.results), rows)
    return found


def _for_one_sample(emission: Emission, rows: int) -> Emission:
    """Executions and shots are those of one sample of the whole program."""
    counted = {key: value * rows if key in ("executions", "shots") else value for key, value in emission.costs.items()}
    return replace(emission, costs=counted)


# Writing


def _assemble(
    source: Any,
    imported: Imported,
    program: Module,
    targets: Sequence[Target],
    emissions: Mapping[str, Emission],
    passes: Sequence[Pass],
    remarks: Sequence[Remark],
    inputs: list[np.ndarray],
    options: Options,
    watch: Watch,
) -> Bundle:
    files: dict[str, bytes] = {
        SOURCE: print_module(imported.module).encode(),
        PROGRAM: print_module(program).encode(),
        WEIGHTS: storage.pack_arrays(_merged(imported.module, program, watch, options)),
        GOLDEN: storage.pack_arrays(_golden(imported, inputs, options.verify)),
    }
    for name, emission in emissions.items():
        files |= {f"artifacts/{name}/{path}": data for path, data in emission.files.items()}
    if options.keep_stages:
        for number, stage in enumerate(watch.stages):
            files[f"stages/{number:02d}-{stage.name}.qsc"] = print_module(stage.module).encode()
    by_op = {name: dict(emission.costs) for name, emission in emissions.items()}
    approximate = any(p.contract is Contract.APPROXIMATE for p in passes)
    manifest: dict[str, Any] = {
        "schema": storage.SCHEMA,
        "qsc": __version__,
        "python": platform.python_version(),
        "tools": tool_versions(),
        "source": _describe_source(source, imported.module),
        "targets": [{"name": t.name, "kind": t.kind, "backend": t.backend, "limits": dict(t.limits)} for t in targets],
        "devices": {t.name: t.backend for t in targets},
        "seed": options.seed,
        "effort": options.effort,
        "passes": [pipelines.describe(p) for p in passes],
        "remarks": [{"text": str(r), "place": str(r.location)} for r in remarks],
        "cuts": [r.data for r in remarks if r.data],
        "notes": {name: list(e.notes) for name, e in emissions.items()},
        "inputs": [str(v) for v in program.graph.inputs],
        "outputs": [str(v) for v in program.graph.outputs],
        "approximate": approximate,
        "max_error": options.max_error,
        "costs": total_costs(by_op),
        "costs_by_op": by_op,
    }
    bundle = Bundle(manifest, files)
    bundle.program, bundle.source = program, imported.module
    return bundle


def _merged(source: Module, program: Module, watch: Watch, options: Options) -> dict[str, np.ndarray]:
    stages = [s.module.weights for s in watch.stages] if options.keep_stages else []
    try:
        return storage.merge_weights([source.weights, *stages, program.weights])
    except ValueError as fault:
        raise InternalError(f"a pass changed a weight under its old name: {fault}") from fault


def _golden(imported: Imported, inputs: list[np.ndarray], needed: bool) -> dict[str, np.ndarray]:
    """Inputs and what the original gives for them; inputs alone where it is too large to simulate and not `needed`."""
    named = {f"input.{k}": a for k, a in enumerate(inputs)}
    try:
        outputs = _reference(imported, inputs)
    except InputError as fault:
        if any(d.code != "R0005" for d in fault.diagnostics):
            raise
        if needed:
            unchecked = "; --no-verify (in Python verify=False) compiles without the check that needs it"
            raise InputError([replace(d, help=d.help + unchecked) for d in fault.diagnostics]) from None
        return named
    return named | {f"output.{k}": np.asarray(a) for k, a in enumerate(outputs)}


def _reference(imported: Imported, inputs: list[np.ndarray]) -> list[np.ndarray]:
    if imported.reference is not None:
        return imported.reference(inputs)
    from ..ir.interpreter import evaluate

    return [o.numpy() for o in evaluate(imported.module, inputs, precision="f64")]


def _describe_source(source: Any, module: Module) -> dict[str, str]:
    if isinstance(source, str | Path):
        path = Path(source)
        return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {"name": module.name, "sha256": ""}


LARGEST = ("qubits", "depth", "two_qubit_depth", "time_steps", "latency_s", "period_s", "weight_bits", "bit_budget")
PRODUCT = ("predicted_fidelity",)


def total_costs(by_op: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Costs of the whole program: sums, but the largest where launches do not add up (width, depth, times)."""
    total: dict[str, float] = {}
    for row in by_op.values():
        for key, value in row.items():
            if key not in total:
                total[key] = value
            elif key in LARGEST:
                total[key] = max(total[key], value)
            else:
                total[key] = total[key] * value if key in PRODUCT else total[key] + value
    return total
