"""File -> module, by the suffix: OpenQASM 2 and 3, QPY, or pytket's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from ...bridges.bits import Bit
from ...bridges.extras import need
from ...ir import Circuit, Diagnostic, InputError, Location
from ..base import Imported
from ..readouts import Reading
from .includes import Source, with_includes
from .readouts import read_model

Bits: TypeAlias = tuple[Bit, ...]
QiskitCircuit: TypeAlias = Any

_HEADER = re.compile(r"(?:\s|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+(\d+)", re.DOTALL)
_PLACE_2 = re.compile(r"^'?\"?.*?:(?P<line>\d+),(?P<column>\d+): (?P<message>.*?)\"?'?$", re.DOTALL)
_PLACE_3 = re.compile(r"^'?\"?(?P<line>\d+),(?P<column>\d+): (?P<message>.*?)\"?'?$", re.DOTALL)
_PLACE_LEXER = re.compile(r"^L(?P<line>\d+):C(?P<column>\d+): (?P<message>.*)$", re.DOTALL)
_WORD = re.compile(r"\w+|\S")
_JSON_KEYS = {"bits", "commands", "phase", "qubits"}


def read_file(
    path: str | Path,
    entry: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    readout: Reading | None = None,
) -> Imported:
    """The model of a circuit file: its parameters are the inputs, and what it reads is the output.

    entry: the name of the circuit in a QPY file that holds several. readout: observables such as `Z0, Z1*Z2`, `probs`
    or `samples` of the measured qubits (all, where none is); None for what the file measures at its end, its first
    classical bit the lowest. Final measurements are read as qubits and taken out; those before the end stay.

    Raises InputError with the parser's place where it gives one, and MissingError where the SDK is not installed.
    """
    path = Path(path)
    if input_shape is not None:
        raise _option(path, "input shape", "the inputs of a circuit are its parameters")
    if entry is not None and path.suffix != ".qpy":
        raise _option(path, "entry", "the file holds one circuit")
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise InputError.of("M0001", f"cannot read {path}: {fault.strerror}") from None
    circuit, bits = _READERS[path.suffix](path, data, entry)
    return Imported(read_model(circuit, bits, readout))


def _option(path: Path, option: str, help: str) -> InputError:
    return InputError.of("O0002", f"{path.name} takes no {option}", Location(str(path)), help=help)


def _taken(qc: QiskitCircuit, path: Path) -> tuple[Circuit, Bits]:
    from ...bridges.qiskit_reading import read_circuit

    try:
        read = read_circuit(qc, name=path.stem, place=Location(str(path)))
    except InputError as fault:
        raise _placed(fault, path) from None
    return read.circuit, read.bits


def _placed(fault: InputError, path: Path) -> InputError:
    """The fault with the file as its place."""
    return InputError(
        [Diagnostic(d.code, d.message, d.location or Location(str(path)), d.notes, d.help) for d in fault.diagnostics]
    )


# OpenQASM


def _qasm(path: Path, data: bytes, _: str | None) -> tuple[Circuit, Bits]:
    text = _decoded(path, data)
    if not text.strip():
        raise InputError.of(
            "P0001", "the file is empty", Location(str(path)), help="write a circuit in OpenQASM 2 or 3"
        )
    header = _HEADER.match(text)
    version = int(header[1]) if header else 3
    if version not in (2, 3):
        raise InputError.of("P0001", f"OpenQASM {version} is not taken", Location(str(path)), help="write it in 2 or 3")
    source = with_includes(path, text)
    return _taken((_qasm2 if version == 2 else _qasm3)(source), path)


def _qasm2(source: Source) -> QiskitCircuit:
    qasm2: Any = need("qiskit.qasm2", "qiskit")
    try:
        return qasm2.loads(
            source.text,
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as fault:
        raise _syntax(source, fault.message, _PLACE_2) from None


def _qasm3(source: Source) -> QiskitCircuit:
    need("qiskit_qasm3_import", "qiskit")
    qasm3: Any = need("qiskit.qasm3", "qiskit")
    parser: Any = need("openqasm3.parser", "qiskit")
    try:
        return qasm3.loads(source.text)
    except qasm3.QASM3ImporterError as fault:
        raise _syntax(source, fault.message, _PLACE_3) from None
    except parser.QASM3ParsingError as fault:
        raise _syntax(source, _stopped(fault), _PLACE_LEXER) from None
    except Exception as fault:  # noqa: BLE001 - the importer fails anywhere on what it does not know, as `q[i + 1]`
        message = f"Qiskit's importer of OpenQASM 3 does not take this program: {fault}"
        help = "it knows no arithmetic in indices: write loops out, or save the circuit as QPY"
        raise InputError.of("P0001", message, Location(str(source.place(1)[0])), help=help) from None


def _stopped(fault: Exception) -> str:
    """The parser's message, or the token at which it gave up, which it keeps as the cause."""
    cause = fault.__cause__
    recognition = cause.args[0] if cause is not None and cause.args else cause
    token = getattr(recognition, "offendingToken", None)
    if token is None:
        return str(fault)
    found = "the end of the file" if token.text == "<EOF>" else repr(token.text)
    return f"L{token.line}:C{token.column}: {found} does not fit here"


def _syntax(source: Source, message: str, form: re.Pattern[str]) -> InputError:
    """The parser's message as a diagnostic. Columns of the parsers count from 0."""
    found = form.match(message)
    if found is None:
        return InputError.of(
            "P0001", message or "the text does not follow the grammar", Location(str(source.place(1)[0]))
        )
    line, column = int(found["line"]), int(found["column"])
    file, number = source.place(line)
    excerpt = source.lines[line - 1] if line <= len(source.lines) else ""
    word = _WORD.match(excerpt, column)
    place = Location(str(file), number, column + 1)
    return InputError(Diagnostic("P0001", found["message"], place, length=len(word[0]) if word else 1, excerpt=excerpt))


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise InputError.of(
            "P0006",
            f"byte {data[fault.start]:#04x} is not UTF-8",
            Location(str(path), line),
            help="save the file as UTF-8",
        ) from None


# QPY


def _qpy(path: Path, data: bytes, entry: str | None) -> tuple[Circuit, Bits]:
    import io

    qpy: Any = need("qiskit.qpy", "qiskit")
    if data[:6] != b"QISKIT":
        raise InputError.of("M0007", f"{path.name} is no QPY file", Location(str(path)))
    try:
        programs = qpy.load(io.BytesIO(data))
    except Exception as fault:  # noqa: BLE001 - a cut or altered file makes the loader fail anywhere
        raise InputError.of("M0007", f"Qiskit cannot read {path.name}: {fault}", Location(str(path))) from None
    names = [program.name for program in programs]
    chosen = [program for program in programs if entry in (None, program.name)]
    if len(chosen) != 1:
        found = f"has no circuit {entry!r}" if entry is not None and not chosen else f"holds {len(chosen)} circuits"
        raise InputError.of(
            "M0002", f"{path.name} {found}", Location(str(path)), help=f"choose by --entry one of {', '.join(names)}"
        )
    return _taken(chosen[0], path)


# Pytket


def _tket(path: Path, data: bytes, _: str | None) -> tuple[Circuit, Bits]:
    text = _decoded(path, data)
    try:
        table = json.loads(text)
    except json.JSONDecodeError as fault:
        lines = text.splitlines() or [""]
        place = Location(str(path), fault.lineno, fault.colno)
        raise InputError(
            Diagnostic("P0001", fault.msg, place, excerpt=lines[min(fault.lineno, len(lines)) - 1])
        ) from None
    if not isinstance(table, dict) or not table.keys() >= _JSON_KEYS:
        raise InputError.of(
            "M0007",
            f"{path.name} is JSON, but not of a pytket circuit",
            Location(str(path)),
            help="write it by json.dump(circuit.to_dict(), file)",
        )
    pytket: Any = need("pytket", "tket")
    from ...bridges.tket_reading import read_tket

    try:
        tk = pytket.Circuit.from_dict(table)
    except (RuntimeError, ValueError, TypeError, KeyError) as fault:
        raise InputError.of("M0007", f"pytket cannot read {path.name}: {fault}", Location(str(path))) from None
    tk.replace_implicit_wire_swaps()
    try:
        read = read_tket(tk, name=path.stem, place=Location(str(path)))
    except InputError as fault:
        raise _placed(fault, path) from None
    return read.circuit, read.bits


_READERS: dict[str, Callable[[Path, bytes, str | None], tuple[Circuit, Bits]]] = {
    ".qasm": _qasm,
    ".qpy": _qpy,
    ".json": _tket,
}
"""Suffix -> the circuit of a file, and the value of each of its bits at the end."""
