"""The program file: `program.json` says what there is, `program.safetensors` holds the arrays.

A number that is the same for all neurons or synapses stands in the JSON; an array is the name of a tensor, `"@NAME"`,
in the narrowest integers that hold it. `program.schema.json` beside this file describes the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...bridges.extras import need
from ...ir import InputError
from ...ir.plasticity import TRACES
from ...ir.whole_learning import whole_rule
from .program import Connection, Learning, Population, Program, Source, Synapses, Window

JSON_FILE, ARRAYS_FILE = "program.json", "program.safetensors"
SCHEMA = 1
_REGISTERS = ("du", "dv", "threshold", "bias", "initial_v")
_PAIRS = ("stride", "padding", "dilation")
_PARTS = ("data", "indices", "indptr")


def dump(program: Program) -> dict[str, bytes]:
    """The files of a program; equal programs give equal bytes."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}

    def held(name: str, value: Any) -> Any:
        if value is None or np.ndim(value) == 0:
            return None if value is None else int(value)
        arrays[name] = _smallest(np.asarray(value))
        return "@" + name

    facts = {
        "schema": SCHEMA,
        "latency": program.latency,
        "outputs": list(program.outputs),
        "sources": [{"name": s.name, "shape": list(s.shape), "message_bits": s.message_bits} for s in program.sources],
        "populations": [
            {"name": p.name, "shape": list(p.shape), "bias_exponent": int(p.bias_exponent)}
            | {register: held(f"{p.name}.{register}", getattr(p, register)) for register in _REGISTERS}
            | ({"scale": program.scales[p.name]} if p.name in program.scales else {})
            for p in program.populations
        ],
        "connections": [_connection(c, held) for c in program.connections],
    }
    text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
    return {JSON_FILE: text.encode(), ARRAYS_FILE: save(dict(sorted(arrays.items())))}


def _connection(c: Connection, held: Callable[[str, Any], Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": c.name, "source": c.source, "target": c.target}
    facts |= {"weight_bits": int(c.weight_bits), "exponent": int(c.exponent), "sign": c.sign, "sparse": c.sparse}
    if isinstance(c.weight, np.ndarray):
        facts["weight"] = held(f"{c.name}.weight", c.weight)
    else:
        parts = {part: held(f"{c.name}.weight.{part}", getattr(c.weight, part)) for part in _PARTS}
        facts["weight"] = {**parts, "shape": [int(n) for n in c.weight.shape]}
    facts["delays"] = held(f"{c.name}.delays", c.delays)
    if c.learning is not None:
        traces = {name: [float(t.tau), float(t.impulse)] for name, t in c.learning.rule.traces.items()}
        facts["learning"] = {"rule": c.learning.rule.text, "traces": traces, "seed": int(c.learning.seed)}
    if c.window is not None:
        facts["window"] = {pair: list(getattr(c.window, pair)) for pair in _PAIRS} | {"groups": c.window.groups}
    return facts


def _smallest(array: np.ndarray) -> np.ndarray:
    """The array in the narrowest integers that hold it."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    kind = next(
        k for k in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(k).min <= low and high <= np.iinfo(k).max
    )
    return np.ascontiguousarray(array, kind)


def load(files: Mapping[str, bytes], place: str = "the bundle") -> Program:
    """The program of its files, as it was dumped; arrays come as int64, and sparse weights as csr_array of scipy.

    InputError B0001 where a file is missing, B0002 where one is damaged, B0003 where the schema is not known. Whether
    the numbers fit the chip is not asked here (see `ranges.faults`).
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    for name in (JSON_FILE, ARRAYS_FILE):
        if name not in files:
            raise InputError.of("B0001", f"{place}: {name} is missing")
    try:
        facts = json.loads(files[JSON_FILE])
        if facts["schema"] != SCHEMA:
            help = f"this qsc reads schema {SCHEMA}"
            raise InputError.of("B0003", f"{place}: {JSON_FILE} has schema {facts['schema']!r}", help=help)
        return _program(_Reader("the program", facts, load_arrays(files[ARRAYS_FILE])))
    except (KeyError, TypeError, ValueError, SafetensorError) as fault:
        raise InputError.of("B0002", f"{place}: {JSON_FILE} or {ARRAYS_FILE} is damaged ({fault})") from None


def _program(facts: _Reader) -> Program:
    facts.whole("schema")
    latency, outputs = facts.whole("latency"), facts.texts("outputs")
    sources = tuple(_source(part) for part in facts.each("sources", "source"))
    populations, scales = list[Population](), dict[str, float]()
    for part in facts.each("populations", "population"):
        name, shape = part.text("name"), part.wholes("shape")
        if part.has("scale"):
            scales[name] = part.number("scale")
        registers = {register: part.held(register) for register in _REGISTERS}
        populations.append(Population(name, shape, bias_exponent=part.whole("bias_exponent"), **registers))
        part.end()
    connections = tuple(_read_connection(part) for part in facts.each("connections", "connection"))
    facts.end()
    return Program(sources, tuple(populations), connections, outputs, latency, scales)


def _source(facts: _Reader) -> Source:
    made = Source(facts.text("name"), facts.wholes("shape"), facts.whole("message_bits"))
    facts.end()
    return made


def _read_connection(facts: _Reader) -> Connection:
    made = Connection(
        facts.text("name"),
        facts.text("source"),
        facts.text("target"),
        _weight(facts),
        facts.whole("weight_bits"),
        facts.whole("exponent"),
        facts.text("sign"),
        facts.none("delays") if facts.value("delays") is None else facts.array("delays"),
        _window(facts.inner("window")) if facts.has("window") else None,
        facts.flag("sparse"),
        _learning(facts.inner("learning"), facts.text("sign")) if facts.has("learning") else None,
    )
    facts.end()
    return made


def _learning(facts: _Reader, sign: str) -> Learning:
    inner = facts.inner("traces")
    traces = {name: inner.pair(name) for name in TRACES if inner.has(name)}
    inner.end()
    try:
        made = Learning(whole_rule(facts.text("rule"), traces, sign), facts.whole("seed"))
    except ValueError as fault:
        raise ValueError(f"{facts.where}: {fault}") from None
    facts.end()
    return made


def _weight(facts: _Reader) -> Synapses:
    if not isinstance(facts.value("weight"), dict):
        return facts.array("weight")
    inner = facts.inner("weight")
    data, indices, indptr = (inner.array(part) for part in _PARTS)
    shape = inner.wholes("shape")
    inner.end()
    return need("scipy.sparse", "loihi").csr_array((data, indices, indptr), shape=shape)


def _window(facts: _Reader) -> Window:
    (down, right), (up, left), (tall, wide) = (facts.wholes(pair) for pair in _PAIRS)
    made = Window((down, right), (up, left), (tall, wide), facts.whole("groups"))
    facts.end()
    return made


@dataclass
class _Reader:
    """Takes the fields of one object of the JSON, each of its kind. ValueError says which is not, and where."""

    where: str
    facts: Any
    arrays: Mapping[str, np.ndarray]
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.facts, dict):
            raise ValueError(f"{self.where} is {self.facts!r:.40}, no object")

    def has(self, name: str) -> bool:
        return name in self.facts

    def value(self, name: str) -> Any:
        """What a field holds, not yet taken; None where there is none."""
        return self.facts.get(name)

    def end(self) -> None:
        """Nothing may be left over: what is not known might change what the program means."""
        if left := sorted(self.facts.keys() - self.taken):
            raise ValueError(f"{self.where} has a field that is not known: {', '.join(left)}")

    def text(self, name: str) -> str:
        return self._take(name, lambda value: isinstance(value, str), "a text")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._take(name, lambda value: _all(value, str), "a list of texts"))

    def whole(self, name: str) -> int:
        return self._take(name, lambda value: type(value) is int, "a whole number")

    def wholes(self, name: str) -> tuple[int, ...]:
        return tuple(self._take(name, lambda value: _all(value, int), "a list of whole numbers"))

    def number(self, name: str) -> float:
        return float(self._take(name, lambda value: type(value) in (int, float), "a number"))

    def pair(self, name: str) -> tuple[float, float]:
        first, second = self._take(name, _is_pair, "a list of two numbers")
        return float(first), float(second)

    def flag(self, name: str) -> bool:
        return self._take(name, lambda value: isinstance(value, bool), "true or false")

    def none(self, name: str) -> None:
        self._take(name, lambda value: value is None, "null or an array")

    def held(self, name: str) -> int | np.ndarray:
        """A whole number, or an array."""
        return self.array(name) if isinstance(self.value(name), str) else self.whole(name)

    def array(self, name: str) -> np.ndarray:
        """The tensor that a field names, int64."""
        key = self._take(name, lambda value: isinstance(value, str) and value[:1] == "@", 'an array, "@NAME"')[1:]
        if key not in self.arrays:
            raise ValueError(f"{self.where}: {name} names the array {key!r}, and there is none")
        if self.arrays[key].dtype.kind != "i":
            raise ValueError(f"{self.where}: the array {key!r} is of type {self.arrays[key].dtype}, not of integers")
        return self.arrays[key].astype(np.int64)

    def inner(self, name: str) -> _Reader:
        return _Reader(f"{self.where}: {name}", self._take(name, lambda _: True, ""), self.arrays)

    def each(self, name: str, what: str) -> list[_Reader]:
        parts = self._take(name, lambda value: isinstance(value, list), "a list")
        return [_Reader(f"{what} {number}", part, self.arrays) for number, part in enumerate(parts)]

    def _take(self, name: str, fits: Callable[[Any], bool], kind: str) -> Any:
        if name not in self.facts:
            raise ValueError(f"{self.where} has no {name}")
        value = self.facts[name]
        if not fits(value):
            raise ValueError(f"{self.where}: {name} is {value!r:.40}; it takes {kind}")
        self.taken.add(name)
        return value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)


def _all(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(part) is kind for part in value)
