"""A described device as a Qiskit backend: its Target, with all figures, and nothing to run on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from qiskit.circuit import ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, QubitProperties
from qiskit.providers import Options as SdkOptions
from qiskit.transpiler import InstructionProperties
from qiskit.transpiler import Target as SdkTarget

_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "switch_case": SwitchCaseOp,
}


class DescribedDevice(BackendV2):
    """A device as `described.target_from_table` says of a table without faults; angle ranges are not in its Target."""

    def __init__(self, table: Mapping[str, Any], name: str) -> None:
        super().__init__(name=name, description=table.get("summary"))
        self._target = _sdk_target(table)

    @property
    def target(self) -> Any:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Any:
        return SdkOptions()

    def run(self, run_input: Any, **options: Any) -> NoReturn:
        """A description cannot run anything."""
        raise NotImplementedError(f"{self.name} is a description of a device")


def _sdk_target(table: Mapping[str, Any]) -> SdkTarget:
    gates, qubits = get_standard_gate_name_mapping(), table["qubits"]
    figures = _Figures(table)
    device = SdkTarget(num_qubits=qubits, description=table.get("name"), qubit_properties=_qubit_properties(table))
    names = [*table["basis"], "measure", "delay", *(["reset"] if table.get("reset", True) else [])]
    for name in dict.fromkeys(names):
        pair = gates[name].num_qubits == 2
        places = _links(table) if pair else [(q,) for q in range(qubits)]
        device.add_instruction(gates[name], {at: figures(name, at) for at in places})
    chosen = table.get("control_flow", True)
    for name, operation in _CONTROL_FLOW.items():
        if chosen is True or (chosen and name in chosen):
            device.add_instruction(operation, name=name)
    return device


def _links(table: Mapping[str, Any]) -> list[tuple[int, ...]]:
    if "coupling" not in table:
        return [(a, b) for a in range(table["qubits"]) for b in range(table["qubits"]) if a != b]
    pairs = [tuple(pair) for pair in table["coupling"]]
    return sorted({*pairs, *([] if table.get("directed", False) else [pair[::-1] for pair in pairs])})


def _qubit_properties(table: Mapping[str, Any]) -> list[QubitProperties] | None:
    if "t1" not in table and "t2" not in table:
        return None
    columns = [
        value if isinstance(value, list) else [value] * table["qubits"] for value in map(table.get, ("t1", "t2"))
    ]
    return [QubitProperties(t1=t1, t2=t2) for t1, t2 in zip(*columns, strict=True)]


class _Figures:
    """Error and duration of every operation at every place."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.entries: dict[tuple[str, tuple[int, ...]], dict[str, float]] = {}
        for entry in table.get("calibration", ()):
            key = entry["gate"], tuple(entry.get("qubits", ()))
            self.entries[key] = self.entries.get(key, {}) | entry

    def __call__(self, name: str, place: tuple[int, ...]) -> InstructionProperties | None:
        kind = "readout" if name == "measure" else "two_qubit" if len(place) == 2 else "one_qubit"
        general = {} if name in ("reset", "delay") else self.table
        found = {key: general.get(f"{kind}_{key}") for key in ("error", "duration")}
        both_ways = () if self.table.get("directed", False) else place[::-1]
        for at in ((), both_ways, place):
            found |= self.entries.get((name, at), {})
        if found["error"] is None and found["duration"] is None:
            return None
        return InstructionProperties(duration=found["duration"], error=found["error"])
