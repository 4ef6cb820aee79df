"""Reading a repeated stretch of nodes: where each operand comes from in each step, and what that makes it in a loop."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Node, Op, Value, ops
from .work import Work


class NotALoop(Exception):  # noqa: N818 - says that a stretch stays as it is
    """The stretch's operands do not follow the pattern of a loop."""


@dataclass(frozen=True)
class Stretch:
    """Nodes start ... stop of the work, in `steps` equal parts of `period` nodes."""

    start: int
    period: int
    steps: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.steps


@dataclass(frozen=True)
class Inner:
    """Result `result` of node `node` of the step `lag` steps before; a local value where `lag` is 0."""

    node: int
    result: int
    lag: int


@dataclass(frozen=True)
class Outer:
    """A value from outside the stretch, the same in every step."""

    value: Value


@dataclass(frozen=True)
class Part:
    """One index of another source."""

    base: Inner | Part
    op: Op


@dataclass(frozen=True)
class Carried:
    """The value of `inner` from `inner.lag` steps before; `starts` are what the first steps see instead."""

    inner: Inner
    starts: tuple[Value, ...]


@dataclass(frozen=True)
class Sequence:
    """Index start + t * stride of dimension `dim` of an outside value in step t."""

    base: Value
    dim: int
    start: int
    stride: int
    squeeze: bool


@dataclass(frozen=True)
class Picked:
    """One index of what another pattern gives."""

    base: Pattern
    op: Op


Source = Inner | Outer | Part
Pattern = Inner | Outer | Carried | Sequence | Picked


class Reading:
    """A stretch as a table of steps and nodes."""

    def __init__(self, work: Work, stretch: Stretch) -> None:
        self.work = work
        nodes = work.nodes[stretch.start : stretch.stop]
        self.steps = [nodes[k : k + stretch.period] for k in range(0, len(nodes), stretch.period)]
        self.where = {
            v.name: (t, j, r)
            for t, step in enumerate(self.steps)
            for j, node in enumerate(step)
            for r, v in enumerate(node.results)
        }

    def patterns(self, node: int) -> list[Pattern]:
        """What each operand of the node is in the loop. Raises NotALoop."""
        columns = zip(*(step[node].operands for step in self.steps), strict=True)
        return [self._pattern(column) for column in columns]

    def _pattern(self, values: tuple[Value, ...]) -> Pattern:
        sources = [self._source(v, t) for t, v in enumerate(values)]
        if isinstance(sources[-1], Outer) and any(s != sources[-1] for s in sources):
            return self._sequence(values)
        return _joined(sources)

    def _source(self, value: Value, step: int) -> Source:
        place = self.where.get(value.name)
        if place is not None:
            return Inner(place[1], place[2], step - place[0])
        node = self.work.slices.get(value.name)
        if node is None:
            return Outer(value)
        base = self._source(node.operands[0], step)
        return Outer(value) if isinstance(base, Outer) else Part(base, node.op)

    def _sequence(self, values: tuple[Value, ...]) -> Sequence:
        nodes = [n for v in values if (n := self.work.slices.get(v.name)) is not None]
        if len(nodes) != len(values):
            raise NotALoop
        base = nodes[0].operands[0]
        picks = [_pick(n) for n in nodes]
        dim, start, squeeze = picks[0]
        stride = picks[1][1] - start
        wanted = [(dim, start + t * stride, squeeze) for t in range(len(nodes))]
        if stride < 1 or picks != wanted or any(n.operands[0] != base for n in nodes):
            raise NotALoop
        return Sequence(base, dim, start, stride, squeeze)


def _pick(node: Node) -> tuple[int, int, bool]:
    """(dimension from 0, index, whether the dimension goes) of a slice of one index."""
    assert isinstance(node.op, ops.Slice)
    return node.op.dim % len(node.operands[0].type.shape), node.op.start, node.op.squeeze


def _joined(sources: list[Source]) -> Pattern:
    """The pattern of sources that are not all outside, or all the same outside value."""
    last = sources[-1]
    if isinstance(last, Outer):
        return last
    if isinstance(last, Part):
        bases = [s.base for s in sources if isinstance(s, Part) and s.op == last.op]
        if len(bases) != len(sources):
            raise NotALoop
        return Picked(_joined([*bases]), last.op)
    starts = [s.value for s in sources[: last.lag] if isinstance(s, Outer)]
    if last.lag < 0 or len(starts) != last.lag or any(s != last for s in sources[last.lag :]):
        raise NotALoop
    return Carried(last, tuple(starts)) if starts else last
