"""From a repeated stretch of nodes to a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ...ir import DYNAMIC, Graph, Module, Node, Op, Type, TypeFault, Value, ops
from ...ir.diagnostics import join_locations
from .fold_read import Carried, Inner, NotALoop, Outer, Pattern, Picked, Reading, Sequence, Stretch
from .work import Work, renamed, renamed_nodes

Fold = Callable[[Graph, Module], Graph]
Place = tuple[int, int]
"""(node of a step, its result)."""


def build(work: Work, stretch: Stretch, module: Module, fold: Fold) -> Work:
    """The work with the stretch replaced by a scan; `fold` folds the loops inside. Raises NotALoop."""
    reading = Reading(work, stretch)
    body = Body(reading, stretch, module)
    return _Replacement(work, stretch, reading, body).made(module, fold)


class Body:
    """The loop's body, and what stands before the loop to feed it."""

    def __init__(self, reading: Reading, stretch: Stretch, module: Module) -> None:
        self.reading, self.stretch, self.module = reading, stretch, module
        self.makers = {v.name: n for n in reading.work.nodes[: stretch.start] for v in n.results}
        self.before: list[Node] = []
        self.nodes: list[Node] = []
        self.states: list[tuple[Value, Value, Value, Place | None]] = []
        """(first value, body input, next value, the place whose last value the state ends with)"""
        self.sequences: list[tuple[Value, Value]] = []
        self.fixed: list[tuple[Value, Value]] = []
        self._inputs: dict[object, Value] = {}
        self._made: dict[tuple[object, ...], Value] = {}
        self._count = 0
        self._same: dict[Place, Value] = {}
        for j, node in enumerate(reading.steps[0]):
            self._place(j, node)

    def _place(self, j: int, node: Node) -> None:
        """Node j of the step: into the body, or before the loop where it gives the same in every step."""
        patterns = self.reading.patterns(j)
        fixed = [self._fixed(p) for p in patterns]
        if None not in fixed and not node.op.draws:
            operands = tuple(v for v in fixed if v is not None)
            results = tuple(
                Value(f"{_hint(v)}#{self.stretch.start}p{j}.{r}", v.type) for r, v in enumerate(node.results)
            )
            self.before.append(Node(node.op, operands, results, node.location))
            self._same.update(((j, r), v) for r, v in enumerate(results))
            return
        operands = tuple([self._inside(p) for p in patterns])
        results = tuple(self.local(j, r) for r in range(len(node.results)))
        if _types(node.op, operands, self.module) != tuple(v.type for v in results):
            raise NotALoop
        self.nodes.append(Node(node.op, operands, results, node.location))

    def _fixed(self, pattern: Pattern) -> Value | None:
        """The outside value of a pattern that is the same in every step."""
        if isinstance(pattern, Outer):
            return pattern.value
        if isinstance(pattern, Inner):
            return self._same.get((pattern.node, pattern.result))
        return None

    def local(self, node: int, result: int) -> Value:
        """The body's name for a value of the step."""
        if (node, result) in self._same:
            return self._outside(self._same[node, result])
        value = self.reading.steps[0][node].results[result]
        return Value(f"{_hint(value)}#{node}.{result}", value.type)

    def graph(self, outputs: Iterable[Value]) -> Graph:
        inputs = (*(s[1] for s in self.states), *(s[1] for s in self.sequences), *(s[1] for s in self.fixed))
        return Graph(inputs, tuple(self.nodes), (*(s[2] for s in self.states), *outputs))

    @property
    def operands(self) -> tuple[Value, ...]:
        return (*(s[0] for s in self.states), *(s[0] for s in self.sequences), *(s[0] for s in self.fixed))

    def _inside(self, pattern: Pattern) -> Value:
        """The body value of a pattern."""
        if isinstance(pattern, Inner):
            return self.local(pattern.node, pattern.result)
        if isinstance(pattern, Picked):
            return self._add(self.nodes, pattern.op, self._inside(pattern.base))
        if isinstance(pattern, Carried):
            return self._state(pattern)
        if isinstance(pattern, Sequence):
            return self._element(pattern)
        return self._outside(pattern.value)

    def _outside(self, value: Value) -> Value:
        if value.is_weight:
            return value
        if value.name not in self._inputs:
            maker = self.makers.get(value.name)
            if maker is not None and isinstance(maker.op, ops.Constant) and not maker.operands:
                self._inputs[value.name] = self._add(self.nodes, maker.op)
            else:
                self._inputs[value.name] = self._input(value, self.fixed, _hint(value), value.type)
        return self._inputs[value.name]

    def _input(self, outer: Value, ports: list[tuple[Value, Value]], hint: str, type_: Type) -> Value:
        self._count += 1
        inner = Value(f"{hint}#i{self._count}", type_)
        ports.append((outer, inner))
        return inner

    def _state(self, carried: Carried) -> Value:
        """The oldest of the states that hand a value on from step to step."""
        if carried not in self._inputs:
            value = self.local(carried.inner.node, carried.inner.result)
            place: Place | None = (carried.inner.node, carried.inner.result)
            for start in reversed(carried.starts):
                outer = self._fitted(start, value.type)
                key = (outer, value)
                if key not in self._inputs:
                    self._count += 1
                    self._inputs[key] = Value(f"{_hint(value)}_before#i{self._count}", value.type)
                    self.states.append((outer, self._inputs[key], value, place))
                value, place = self._inputs[key], None
            self._inputs[carried] = value
        return self._inputs[carried]

    def _fitted(self, value: Value, wanted: Type) -> Value:
        """An initial value in the type that the state has later."""
        if value.type.dtype != wanted.dtype:
            if not (value.type.is_numeric and wanted.is_numeric):
                raise NotALoop
            maker = self.makers.get(value.name)
            if maker is not None and isinstance(maker.op, ops.Constant):
                value = self._add(self.before, replace(maker.op, dtype=wanted.dtype), *maker.operands)
            else:
                value = self._add(self.before, ops.Cast(wanted.dtype), value)
        if value.type.shape == wanted.shape:
            return value
        lenders = [v for v in self.reading.work.inputs if v.type.batched][:1]
        lent = DYNAMIC in wanted.shape and not value.type.batched
        return self._add(self.before, ops.Expand(wanted.shape), value, *(lenders if lent else ()))

    def _element(self, sequence: Sequence) -> Value:
        """The body's slice of a sequence."""
        if sequence not in self._inputs:
            base, dim = sequence.base, sequence.dim
            stop = sequence.start + sequence.stride * (self.stretch.steps - 1) + 1
            if (sequence.start, sequence.stride, stop) != (0, 1, base.type.shape[dim]):
                base = self._add(self.before, ops.Slice(dim, sequence.start, stop, sequence.stride), base)
            if dim:
                rest = (d for d in range(len(base.type.shape)) if d != dim)
                base = self._add(self.before, ops.Permute((dim, *rest)), base)
            shape = base.type.shape[1:]
            value = self._input(base, self.sequences, f"{_hint(sequence.base)}_t", base.type.with_shape(shape))
            if not sequence.squeeze:
                value = self._add(self.nodes, ops.Reshape((*shape[:dim], 1, *shape[dim:])), value)
            self._inputs[sequence] = value
        return self._inputs[sequence]

    def _add(self, nodes: list[Node], op: Op, *operands: Value) -> Value:
        """A node that the unrolled form did not have."""
        key = (nodes is self.nodes, op, operands)
        if key not in self._made:
            self._count += 1
            name = f"{op.mnemonic}#{'' if nodes is self.nodes else f'{self.stretch.start}x'}{self._count}"
            self._made[key] = Value(name, _types(op, operands, self.module)[0])
            nodes.append(Node(op, operands, (self._made[key],), self.reading.steps[0][0].location))
        return self._made[key]


def _hint(value: Value) -> str:
    return value.name.partition("#")[0]


def _types(op: Op, operands: tuple[Value, ...], module: Module) -> tuple[Type, ...]:
    try:
        return op.result_types(tuple(v.type for v in operands), module)
    except TypeFault as fault:
        raise NotALoop from fault


@dataclass(frozen=True)
class Run:
    """Operands first ... last of a node are a place's values of the steps from `step` on."""

    first: int
    last: int
    step: int
    place: Place


class _Replacement:
    """Puts the scan where the stretch was: who used a value of some step now uses a result of the scan."""

    def __init__(self, work: Work, stretch: Stretch, reading: Reading, body: Body) -> None:
        self.work, self.stretch, self.reading, self.body = work, stretch, reading, body
        self.after = work.nodes[stretch.stop :]
        self.stacked: dict[Place, Value] = {}

    def made(self, module: Module, fold: Fold) -> Work:
        runs = {n.results[0].name: run for n in self.after if (run := self._run(n)) is not None}
        slices = {**self.work.slices, **self._picked(runs)}
        for run in runs.values():
            self._whole(run.place)
        nodes = [*self.work.nodes[: self.stretch.start], *self.body.before, self._scan(module, fold)]
        rename: dict[str, Value] = {}
        for node in self.after:
            name = node.results[0].name
            if name not in runs:
                nodes.append(node)
                continue
            views, value = self._joined(node, runs[name], module)
            nodes += views
            rename[name] = value
        outputs = tuple(rename.get(v.name, v) for v in self.work.outputs)
        slices = {name: node.with_operands(rename) for name, node in slices.items()}
        return Work(self.work.inputs, renamed_nodes(nodes, rename), outputs, slices)

    def _picked(self, runs: dict[str, Run]) -> dict[str, Node]:
        """A slice of the scan's result for every value of one step that is used after the loop on its own; the last
        value of a state is a result itself."""
        states = {s[3] for s in self.body.states}
        out: dict[str, Node] = {}
        for t, j, r in self._used(runs):
            node = self.reading.steps[t][j]
            if t < self.stretch.steps - 1 or (j, r) not in states:
                op = ops.Slice(0, t, t + 1, squeeze=True)
                out[node.results[r].name] = Node(op, (self._whole((j, r)),), (node.results[r],), node.location)
        return out

    def _used(self, runs: dict[str, Run]) -> list[tuple[int, int, int]]:
        """(step, node, result) of every value that is used after the loop on its own, in order."""
        found = {self.work.root(v).name for v in self.work.outputs}
        for node in self.after:
            run = runs.get(node.results[0].name)
            alone = node.operands if run is None else (*node.operands[: run.first], *node.operands[run.last :])
            found.update(self.work.root(v).name for v in alone)
        return sorted(self.reading.where[name] for name in found if name in self.reading.where)

    def _run(self, node: Node) -> Run | None:
        """The first longest run of steps that a Stack or Cat joins in order."""
        if not isinstance(node.op, ops.Stack | ops.Cat):
            return None
        places = [self.reading.where.get(v.name) for v in node.operands]
        best: Run | None = None
        k = 0
        while k < len(places):
            first, place = k, places[k]
            k += 1
            if place is None:
                continue
            while k < len(places) and places[k] == (place[0] + k - first, *place[1:]):
                k += 1
            if best is None or k - first > best.last - best.first:
                best = Run(first, k, place[0], (place[1], place[2]))
        return best if best is not None and best.last - best.first > 1 else None

    def _whole(self, place: Place) -> Value:
        """The scan's result that holds a place's values of all steps."""
        if place not in self.stacked:
            value = self.reading.steps[0][place[0]].results[place[1]]
            name = f"{_hint(value)}#{self.stretch.start}s{place[0]}.{place[1]}.{value.name}"
            self.stacked[place] = Value(name, value.type.with_shape((self.stretch.steps, *value.type.shape)))
        return self.stacked[place]

    def _scan(self, module: Module, fold: Fold) -> Node:
        stacked = [self.body.local(*place) for place in self.stacked]
        body = renamed(fold(self.body.graph(stacked), module), module)
        finals: list[Value] = []
        for k, (_, inner, _, place) in enumerate(self.body.states):
            value = Value(f"{_hint(inner)}#{self.stretch.start}f{k}.{self.stretch.steps}", inner.type)
            if place is not None:
                last = self.reading.steps[-1][place[0]].results[place[1]]
                value = value if last in finals else last
            finals.append(value)
        op = ops.Scan(self.stretch.steps, body, len(self.body.states), len(self.body.sequences))
        places = join_locations(dict.fromkeys(n.location for n in self.body.nodes))
        return Node(op, self.body.operands, (*finals, *self.stacked.values()), replace(places, path=""))

    def _joined(self, node: Node, run: Run, module: Module) -> tuple[list[Node], Value]:
        """A Stack or Cat of steps as a view of the scan's result, with what else it joins around it."""
        assert isinstance(node.op, ops.Stack | ops.Cat)
        nodes: list[Node] = []
        whole = self._whole(run.place)
        dim, cat = node.op.dim, isinstance(node.op, ops.Cat)

        def add(op: Op, *operands: Value) -> Value:
            value = Value(f"{op.mnemonic}#{node.results[0].name}.{len(nodes)}", _types(op, operands, module)[0])
            nodes.append(Node(op, operands, (value,), node.location))
            return value

        def others(operands: tuple[Value, ...]) -> list[Value]:
            return [*operands] if cat or not operands else [add(ops.Stack(dim), *operands)]

        steps = run.last - run.first
        if steps < self.stretch.steps:
            whole = add(ops.Slice(0, run.step, run.step + steps), whole)
        shape = whole.type.shape
        if dim:
            whole = add(ops.Permute((*range(1, dim + 1), 0, *range(dim + 1, len(shape)))), whole)
        if cat:
            whole = add(ops.Reshape((*shape[1 : dim + 1], shape[0] * shape[dim + 1], *shape[dim + 2 :])), whole)
        ahead, behind = others(node.operands[: run.first]), others(node.operands[run.last :])
        return nodes, add(ops.Cat(dim), *ahead, whole, *behind) if ahead or behind else whole
