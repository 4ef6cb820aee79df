"""The module at every stage, and other views of it than the text form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..ir import Graph, Module
from . import registry
from .bundle import load
from .driver import Options, golden_inputs, load_source, optimise, supports_of
from .environment import naming_extras
from .manager import Watch, run_passes, size_of
from .passes.base import Context, Pass, Remark
from .pipelines import REMOVING

Stages = list[tuple[str, Module]]


def stages_of_model(
    path: Path,
    target: str | None,
    passes: str | None,
    entry: str | None,
    input_shape: tuple[int, ...] | None,
    readout: str | None = None,
) -> Stages:
    """The module as the frontend reads it and, with a target, after every pass of its pipeline."""
    options = Options(
        targets=(target,) if target else (), entry=entry, input_shape=input_shape, readout=readout, passes=passes
    )
    with naming_extras():
        return _stages(path, target, options)


def _stages(path: Path, target: str | None, options: Options) -> Stages:
    imported = load_source(path, options)
    if target is None:
        return [("frontend", imported.module)]
    watch = Watch()
    optimise(imported.module, [registry.find_target(target)], golden_inputs(imported, options), options, watch)
    return [(stage.name, stage.module) for stage in watch.stages]


def cut_plan(path: Path, finder: Pass, target: str | None, options: Options) -> list[Remark]:
    """What `finder` says of a model's circuits, baked and freed of gates that no readout needs."""
    with naming_extras():
        found = registry.find_target(target) if target else None
        backend = registry.find_backend(found.backend) if found else None
        supports = supports_of(backend, found) if backend and found else None
        context = Context(found, options.seed, supports, effort=options.effort)
        module = load_source(path, options).module
        passes = [registry.make_pass(name, {}) for name in ("bake-weights", *REMOVING)]
        run_passes(module, [*passes, finder], context, Watch())
    return [remark for remark in context.remarks if remark.pass_name == finder.name]


def stages_of_bundle(folder: Path) -> Stages:
    """The source, the stages that the bundle keeps, and the final program, which is what is shown by default."""
    from ..frontends.text import read

    bundle = load(folder)
    kept = sorted(name for name in bundle.files if name.startswith("stages/"))
    middle = [(_stage_name(name), read(bundle.files[name].decode(), name, bundle.weights)) for name in kept]
    return [*(middle or [("frontend", bundle.source)]), ("program", bundle.program)]


def _stage_name(path: str) -> str:
    return path.removeprefix("stages/").removesuffix(".qsc").partition("-")[2]


def to_facts(module: Module) -> dict[str, Any]:
    """What a module holds, as plain values."""
    return {
        "name": module.name,
        "size": size_of(module),
        "inputs": [str(v) for v in module.graph.inputs],
        "outputs": [str(v) for v in module.graph.outputs],
        "nodes": [
            {
                "op": node.op.mnemonic,
                "operands": [v.name for v in node.operands],
                "results": [str(v) for v in node.results],
                "place": str(node.location),
            }
            for node in module.nodes()
        ],
        "circuits": {name: c.costs() | {"gate_counts": c.gate_counts()} for name, c in module.circuits.items()},
        "netlists": {name: n.cell_counts() for name, n in module.netlists.items()},
        "weights": {name: {"dtype": str(w.dtype), "shape": list(np.shape(w))} for name, w in module.weights.items()},
    }


def to_dot(module: Module) -> str:
    """The graph for Graphviz, bodies as clusters."""
    lines = [f"digraph {json.dumps(module.name)} {{", "  node [shape=box, fontname=monospace];"]
    lines += _dot_graph(module.graph, "main", "  ")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_graph(graph: Graph, scope: str, indent: str) -> list[str]:
    lines = [f"{indent}{_node(scope, v.name)} [label={json.dumps(str(v))}, shape=ellipse];" for v in graph.inputs]
    for number, node in enumerate(graph.nodes):
        for body in node.op.bodies:
            inner = f"{scope}.{number}"
            lines.append(f"{indent}subgraph {json.dumps('cluster_' + inner)} {{ label={json.dumps(node.op.mnemonic)};")
            lines += [*_dot_graph(body, inner, indent + "  "), f"{indent}}}"]
        label = json.dumps(f"{node.op.mnemonic}\n" + "\n".join(map(str, node.results)))
        owner = _node(scope, node.results[0].name)
        lines.append(f"{indent}{owner} [label={label}];")
        lines += [f"{indent}{_node(scope, v.name)} -> {owner};" for v in node.operands if not v.is_weight]
        lines += [f"{indent}{owner} -> {_node(scope, v.name)};" for v in node.results[1:]]
    return lines


def _node(scope: str, name: str) -> str:
    return json.dumps(f"{scope}/{name}")
