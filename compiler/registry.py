"""What there is: frontends, passes, targets and backends by name, as strings that are resolved on use.

Third parties add their own with entry points of the groups `qsc.frontends`, `qsc.passes`, `qsc.targets` and
`qsc.backends`; the value has the same form `package.module:attribute`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ..backends.base import Backend
from ..backends.feasibility import CHIPS
from ..ir import InputError
from ..ir.diagnostics import did_you_mean
from ..ir.target import Target
from .passes.base import Pass


@dataclass(frozen=True)
class Registry:
    """Names of one kind; `one` is what a message calls one of them, `code` its diagnostic for an unknown name."""

    kind: str
    one: str
    code: str
    built_in: dict[str, str]

    @cached_property
    def entries(self) -> dict[str, str]:
        """Name -> `module:attribute`, the entry points of installed packages included; built-in names win."""
        plugins = {point.name: point.value for point in entry_points(group=f"qsc.{self.kind}")}
        return plugins | self.built_in

    def load(self, name: str) -> Any:
        """The object behind a name. InputError with the nearest names where it is not known."""
        if name not in self.entries:
            raise InputError.of(self.code, f"unknown {self.one} {name!r}", help=did_you_mean(name, self.entries))
        return _found(self.entries[name])


@cache
def _found(reference: str) -> Any:
    """The object that `module:attribute` names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


FRONTENDS = Registry(
    "frontends",
    "kind of model file",
    "M0007",
    {
        ".py": "qsc.frontends.torch:read_file",
        ".pt2": "qsc.frontends.torch:read_file",
        ".qsc": "qsc.frontends.text:read_file",
        ".qasm": "qsc.frontends.openqasm:read_file",
        ".qpy": "qsc.frontends.openqasm:read_file",
        ".json": "qsc.frontends.openqasm:read_file",
        ".nir": "qsc.frontends.nir:read_file",
    },
)
"""File suffix -> function (path, entry, input_shape) -> Imported."""

TAKES_READOUT = (".qasm", ".qpy", ".json")
"""Suffixes of files that may not say what is read: their function takes `readout` too."""

TAKES_DT = (".nir",)
"""Suffixes of files in continuous time: their function takes `dt`, the seconds of a step, too."""

PASSES = Registry(
    "passes",
    "pass",
    "O0001",
    {
        "fold-batchnorm": "qsc.compiler.passes.fold_batchnorm:FoldBatchnorm",
        "quantize-weights": "qsc.compiler.passes.quantize_weights:QuantizeWeights",
        "dale": "qsc.compiler.passes.dale:Dale",
        "bake-weights": "qsc.compiler.passes.bake_weights:BakeWeights",
        "cancel-gates": "qsc.compiler.passes.cancel_gates:CancelGates",
        "gather-pairs": "qsc.compiler.passes.gather_pairs:GatherPairs",
        "prune-angles": "qsc.compiler.passes.prune_angles:PruneAngles",
        "schedule-commuting": "qsc.compiler.passes.schedule_commuting:ScheduleCommuting",
        "trim-ends": "qsc.compiler.passes.trim_ends:TrimEnds",
        "relabel-swaps": "qsc.compiler.passes.relabel_swaps:RelabelSwaps",
        "absorb-clifford": "qsc.compiler.passes.absorb_clifford:AbsorbClifford",
        "fuse-blocks": "qsc.compiler.passes.fuse_blocks:FuseBlocks",
        "fuse-single-qubit": "qsc.compiler.passes.fuse_single_qubit:FuseSingleQubit",
        "lower-native": "qsc.compiler.passes.lower_native:LowerNative",
        "light-cone": "qsc.compiler.passes.light_cone:LightCone",
        "find-cuts": "qsc.compiler.passes.cut:FindCuts",
        "cut": "qsc.compiler.passes.cut:Cut",
        "split-readouts": "qsc.compiler.passes.split_readouts:SplitReadouts",
        "measure-controls": "qsc.compiler.passes.measure_controls:MeasureControls",
        "reuse-qubits": "qsc.compiler.passes.reuse_qubits:ReuseQubits",
        "pauli-rotations": "qsc.compiler.passes.pauli_rotations:PauliRotations",
        "portfolio": "qsc.compiler.passes.portfolio:Portfolio",
        "simplify-logic": "qsc.compiler.passes.simplify_logic:SimplifyLogic",
        "map-rsfq": "qsc.compiler.passes.map_rsfq:MapRsfq",
        "balance-paths": "qsc.compiler.passes.balance_paths:BalancePaths",
        "insert-splitters": "qsc.compiler.passes.insert_splitters:InsertSplitters",
        "fold-gates": "qsc.compiler.passes.fold_gates:FoldGates",
        "mitigate": "qsc.compiler.passes.mitigate:Mitigate",
        "share-shots": "qsc.compiler.passes.share_shots:ShareShots",
        "quantize-neurons": "qsc.compiler.passes.quantize_neurons:QuantizeNeurons",
        "partition": "qsc.compiler.passes.partition:Partition",
    },
)
"""Pass name -> class."""

TARGETS = Registry(
    "targets",
    "target",
    "T0001",
    {
        "loihi1": "qsc.backends.loihi:LOIHI1",
        "loihi2": "qsc.backends.loihi:LOIHI2",
        "nir": "qsc.backends.nir:TARGET",
        "rsfq": "qsc.backends.sfq:TARGET",
        "host": "qsc.backends.host:TARGET",
    },
)
"""Target name -> Target."""

FAMILIES: dict[str, tuple[str, str]] = {
    "fake_": ("qsc.backends.qiskit.devices:find", "an IBM device snapshot, for example fake_torino"),
    "nir:": (
        "qsc.backends.nir.readable:find",
        "a NIR graph for one importer: nir:snntorch, nir:norse, nir:sinabs, nir:spikingjelly, nir:rockpool",
    ),
    "line:": ("qsc.backends.qiskit.devices:find", "a generic device, N qubits in a line: line:8"),
    "grid:": ("qsc.backends.qiskit.devices:find", "a generic device, a grid of qubits: grid:4x4"),
    "heavy-hex:": (
        "qsc.backends.qiskit.devices:find",
        "a generic device, a heavy-hex lattice of distance N: heavy-hex:5",
    ),
    "ionq_": ("qsc.backends.qiskit.devices:find", "an IonQ device: ionq_aria_25, ionq_forte_36"),
    "iqm_": ("qsc.backends.qiskit.devices:find", "an IQM device: iqm_crystal_5, iqm_crystal_20, iqm_crystal_54"),
    "rigetti_": ("qsc.backends.qiskit.devices:find", "a Rigetti device: rigetti_ankaa_84"),
    "quantinuum_h1-": ("qsc.backends.tket.devices:find", "a Quantinuum machine by tket: quantinuum_h1-1"),
    "quantinuum_h2-": (
        "qsc.backends.tket.devices:find",
        "a Quantinuum machine by tket: quantinuum_h2-1, quantinuum_h2-2",
    ),
    "tket:": ("qsc.backends.tket.devices:find", "any device of this list by tket: tket:fake_torino, tket:line:8"),
    "quantinuum_": ("qsc.backends.qiskit.devices:find", "a Quantinuum device through Qiskit: quantinuum_h2_56"),
    "all:": ("qsc.backends.qiskit.devices:find", "a generic device, N qubits, every pair coupled: all:20"),
}
"""Prefix of a target name -> (function name -> Target or None, summary)."""

BACKENDS = Registry(
    "backends",
    "backend",
    "T0001",
    {
        "host": "qsc.backends.host:HostBackend",
        "loihi": "qsc.backends.loihi:LoihiBackend",
        "nir": "qsc.backends.nir:NirBackend",
        "qiskit": "qsc.backends.qiskit:QiskitBackend",
        "sfq": "qsc.backends.sfq:SfqBackend",
        "tket": "qsc.backends.tket:TketBackend",
    },
)
"""Backend name -> class."""


def make_pass(name: str, options: dict[str, Any]) -> Pass:
    """A pass with its options."""
    return PASSES.load(name)(**options)


def pass_names() -> Iterator[str]:
    """Every pass name, in the order in which pipelines use them."""
    yield from PASSES.entries


def find_backend(name: str) -> Backend:
    """The backend of that name."""
    return BACKENDS.load(name)()


def find_target(name: str) -> Target:
    """The target of that name, or of that TOML file. InputError T0001 with the nearest names otherwise."""
    if name.endswith(".toml"):
        return _target_file(Path(name))
    for prefix, (reference, _) in FAMILIES.items():
        if name.startswith(prefix):
            module, _, attribute = reference.partition(":")
            target = getattr(import_module(module), attribute)(name)
            if target is not None:
                return target
    if name in CHIPS:
        raise InputError.of(
            "T0001",
            f"qsc compiles nothing for {name}: it tells whether a network could run there, by its published rules",
            help=f"compile with --target nir, then: qsc check BUNDLE --target {name}",
        )
    if name not in TARGETS.entries:
        known = [*TARGETS.entries, *(prefix + "..." for prefix in FAMILIES), *CHIPS]
        near = [*TARGETS.entries, *CHIPS, "fake_torino", "fake_sherbrooke", "fake_fez", "fake_marrakesh"]
        near += [e for _, summary in FAMILIES.values() for e in summary.partition(": ")[2].split(", ") if e]
        raise InputError.of(
            "T0001",
            f"unknown target {name!r}",
            help=f"{did_you_mean(name, near)} (`qsc targets` lists them: {', '.join(known)}, or a .toml file)",
        )
    return TARGETS.load(name)


def _target_file(path: Path) -> Target:
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError.of("M0001", f"there is no target file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError.of("T0005", f"{path} is not TOML: {fault}") from None
    backend = table.get("backend")
    if not isinstance(backend, str):
        raise InputError.of(
            "T0005", f"{path} does not say its backend", help='add a line: backend = "qiskit", "nir" or "sfq"'
        )
    target = BACKENDS.load(backend)().target_from(table, path)
    if _brings(target.name):
        raise InputError.of(
            "T0005",
            f"{path} describes a target {target.name!r}, which is the name of one that qsc brings",
            help=f'give it a name of its own, as in name = "my_{target.name}"',
        )
    return target


def _brings(name: str) -> bool:
    if name.endswith(".toml"):
        return False
    try:
        find_target(name)
    except InputError:
        return False
    return True
