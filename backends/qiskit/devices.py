"""Quantum targets: device snapshots of qiskit-ibm-runtime, devices of other vendors, generic ones such as `line:8`.

Listing them imports no SDK: the snapshots are found as folders of the installed package, the vendors' devices are the
TOML files beside this one. Resolving a device loads that one only.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ...bridges.extras import need
from ...ir import InputError
from ...ir.target import Target

EXTRA = "qiskit"
GENERIC_BASIS = ("id", "rz", "sx", "x", "cz")
MOST_QUBITS = 4096
MOST_LINKS = 200_000


class Generic(NamedTuple):
    """A family of devices without calibration: how its argument is written, and what it is."""

    usage: str
    example: str
    argument: re.Pattern[str]
    summary: str


FAMILIES: dict[str, Generic] = {
    "line": Generic("line:N", "line:8", re.compile(r"(\d+)\Z"), "N qubits in a row"),
    "grid": Generic("grid:RxC", "grid:4x4", re.compile(r"(\d+)x(\d+)\Z"), "R rows of C qubits, nearest neighbours"),
    "heavy-hex": Generic("heavy-hex:D", "heavy-hex:5", re.compile(r"(\d+)\Z"), "the heavy-hexagon lattice of odd D"),
    "all": Generic("all:N", "all:8", re.compile(r"(\d+)\Z"), "N qubits, each linked to each"),
}


def names() -> list[tuple[str, str]]:
    """(name, summary) of every target: generic families first, then other vendors' devices and every installed
    snapshot by name."""
    generic = [(f.usage, f"{f.summary}; rz sx x cz, no calibration ({f.example})") for f in FAMILIES.values()]
    vendors = [(name, table["summary"]) for name, (table, _) in vendor_tables().items()]
    return generic + vendors + [(f"fake_{folder.name}", _snapshot_summary(folder)) for folder in _snapshot_folders()]


def find(name: str) -> Target | None:
    """The target `name`, or None where no family or snapshot has that name.

    MissingError E0001 without the qiskit extra; InputError T0001 where a family's argument is wrong.
    """
    family, colon, argument = name.partition(":")
    if colon and family in FAMILIES:
        return _generic(name, family, argument)
    if name in vendor_tables():
        return _vendor(name)
    if not name.startswith("fake_"):
        return None
    need("qiskit", EXTRA)
    need("qiskit_ibm_runtime", EXTRA)
    if name[5:] not in {folder.name for folder in _snapshot_folders()}:
        return None
    return _snapshot(name)


# The same object each time: what is known of a device is remembered by it.
@lru_cache(maxsize=16)
def _vendor(name: str) -> Target:
    from .described import target_from_table

    return target_from_table(*vendor_tables()[name])


@cache
def vendor_tables() -> dict[str, tuple[dict[str, Any], Path]]:
    """Name -> the table of every device that comes with qsc, and its file."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return {path.stem: (tomllib.loads(path.read_text(encoding="utf-8")), path) for path in files}


def from_backend(
    device: Any,
    name: str = "",
    summary: str = "",
    *,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    limits: Mapping[str, float] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Target:
    """A target made of any Qiskit BackendV2: a snapshot, a generic backend, or a user's own device.

    ranges: gate -> least and greatest angle in radians; IBM's where it is left out. limits, data: what is known beside
    the qubits and couplings.
    """
    from ...bridges.devices import IBM_RANGES

    sdk = device.target
    name = name or device.name
    links = sorted({pair for gate in _two_qubit_gates(sdk) for pair in sdk[gate] if pair is not None})
    errors = {gate: value for gate in sorted(sdk.operation_names) if (value := _median_error(sdk, gate)) is not None}
    own = {
        gate: pair for gate, pair in (IBM_RANGES if ranges is None else ranges).items() if gate in sdk.operation_names
    }
    return Target(
        name=name,
        kind="quantum",
        backend="qiskit",
        summary=summary or f"{sdk.num_qubits} qubits",
        limits={"qubits": sdk.num_qubits} | dict(limits or {}),
        native_ops=tuple(sorted(sdk.operation_names)),
        data={"coupling": [list(pair) for pair in links], "median_errors": errors, "angles": own} | dict(data or {}),
        device=device,
    )


# Snapshots


def _snapshot_folders() -> list[Path]:
    spec = importlib.util.find_spec("qiskit_ibm_runtime")
    if spec is None or not spec.submodule_search_locations:
        return []
    root = Path(spec.submodule_search_locations[0], "fake_provider", "backends")
    return sorted(path.parent for path in root.glob("*/conf_*.json"))


def _snapshot_summary(folder: Path) -> str:
    text = next(folder.glob("conf_*.json")).read_text(encoding="utf-8")
    qubits = re.search(r'"n_qubits":\s*(\d+)', text)
    return f"{qubits[1]} qubits, calibration snapshot of an IBM device" if qubits else "snapshot of an IBM device"


@lru_cache(maxsize=16)
def _snapshot(name: str) -> Target:
    module = importlib.import_module(f"qiskit_ibm_runtime.fake_provider.backends.{name[5:]}")
    device = next(
        made() for made in vars(module).values() if isinstance(made, type) and getattr(made, "backend_name", "") == name
    )
    return from_backend(device, name, f"{device.num_qubits} qubits, calibration snapshot of an IBM device")


def _two_qubit_gates(sdk: Any) -> list[str]:
    return [name for name, links in sdk.items() if links and any(pair and len(pair) == 2 for pair in links)]


def _median_error(sdk: Any, gate: str) -> float | None:
    known = [p.error for p in (sdk[gate] or {}).values() if p is not None and p.error is not None]
    return float(median(known)) if known else None


# Generic devices


def _generic(name: str, family: str, argument: str) -> Target:
    form = FAMILIES[family]
    match = form.argument.match(argument)
    sizes = [int(size) for size in match.groups()] if match else []
    fault = _size_fault(family, sizes)
    if fault:
        raise InputError.of(
            "T0001", f"{name} is not a device: {fault}", help=f"write {form.usage}, as in {form.example}"
        )
    need("qiskit", EXTRA)
    return _coupled(name, family, tuple(sizes))


@lru_cache(maxsize=16)
def _coupled(name: str, family: str, sizes: tuple[int, ...]) -> Target:
    from qiskit.providers.fake_provider import GenericBackendV2
    from qiskit.transpiler import CouplingMap

    makers: dict[str, Callable[..., CouplingMap]] = {
        "line": CouplingMap.from_line,
        "grid": CouplingMap.from_grid,
        "heavy-hex": CouplingMap.from_heavy_hex,
        "all": CouplingMap.from_full,
    }
    coupling = makers[family](*sizes)
    qubits = coupling.size()
    basis = GENERIC_BASIS if qubits > 1 else GENERIC_BASIS[:-1]
    device = GenericBackendV2(qubits, list(basis), coupling_map=coupling, control_flow=True, noise_info=False, seed=0)
    return from_backend(device, name, f"{qubits} qubits, no calibration")


def _size_fault(family: str, sizes: list[int]) -> str:
    if not sizes:
        return "its size is not written as the family wants it"
    if min(sizes) < 1:
        return "a size is zero"
    if family == "heavy-hex":
        if sizes[0] % 2 == 0:
            return "the distance of a heavy-hexagon lattice is odd"
        qubits = (5 * sizes[0] ** 2 - 2 * sizes[0] - 1) // 2
    else:
        qubits = sizes[0] * (sizes[1] if len(sizes) > 1 else 1)
    if qubits > MOST_QUBITS or (family == "all" and qubits * (qubits - 1) > MOST_LINKS):
        return f"{qubits} qubits are more than qsc models"
    return ""
