"""What other frameworks' importers of NIR are known to make of a graph: in words, and as a model that is run.

Known are snntorch 1.0.0, norse 1.1.0, sinabs 3.1.3, SpikingJelly 2.0.0 and rockpool 3.1.0, read in their importers and
compared with them. A model computes in float32 as the framework does, in another order: a potential may differ in its
last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...bridges.nir import NirGraph, NirNode

Array = np.ndarray
Text = Callable[[NirNode, float], str | None]
"""(node, dt) -> a sentence without its subject, None where nothing is to be told."""


@dataclass(frozen=True)
class Rule:
    """Neurons of a framework, v <- decay v + gain x + offset; with `synapse`, its decay, gain, offset and start,
    x goes through an equation like it first.

    They fire on the threshold too where `inclusive`, and put v out where there is none. reset: what a spike sets v to;
    None where the threshold is taken off as often as it is in v, and that often they fire. lowest: what v is kept
    above. start: v before the first step.
    """

    decay: Array
    gain: Array
    offset: Array
    threshold: Array | None
    reset: Array | None = None
    synapse: tuple[Array, Array, Array, Array] | None = None
    inclusive: bool = False
    lowest: Array | None = None
    start: Array | None = None


@dataclass(frozen=True)
class Importer:
    """kinds: nodes that it takes. refusals, changes: what it refuses of these, and what it does that the file does not
    say. rules: neurons that it does not run as the file says. cycles: whether it runs recurrent weights. drops: whether
    it leaves out nodes of other kinds without a word, and with them what an order of its own leaves unconnected.
    """

    kinds: frozenset[str]
    refusals: tuple[Text, ...] = ()
    changes: tuple[Text, ...] = ()
    rules: Mapping[str, Callable[[NirNode, float], Rule]] = field(default_factory=dict)
    cycles: bool = True
    drops: bool = False
    named_only: bool = False


def _kinds(text: str) -> frozenset[str]:
    return frozenset(["Input", "Output", *text.split()])


def _of(node: NirNode, name: str) -> Array:
    return node.array(name).astype(np.float64)


def _uniform(*names: str) -> Text:
    def told(node: NirNode, dt: float) -> str | None:
        for name in names:
            if name in node.fields and np.unique(node.array(name)).size > 1:
                return f"takes one {name.removeprefix('v_')} a layer, and there are several"
        return None

    return told


def _told(kinds: str, text: str, where: Callable[[NirNode, float], bool] = lambda node, dt: True) -> Text:
    """The sentence for nodes of these kinds of which something holds."""
    return lambda node, dt: text if node.kind in kinds.split() and where(node, dt) else None


def _is(name: str, value: Callable[[NirNode, float], Array | float]) -> Callable[[NirNode, float], bool]:
    return lambda node, dt: bool(np.allclose(_of(node, name), value(node, dt), rtol=1e-5, atol=0.0))


def _not(test: Callable[[NirNode, float], bool]) -> Callable[[NirNode, float], bool]:
    return lambda node, dt: not test(node, dt)


def _any(name: str) -> Callable[[NirNode, float], bool]:
    return lambda node, dt: bool(node.array(name).any())


SNNTORCH_STEP = 1e-4
"""Seconds of a time step, written into snntorch's importer."""

_SPIKING = "LIF IF CubaLIF"
_NO_GROUPS = _told("Conv1d Conv2d", "takes no groups", lambda node, dt: node.ints("groups")[0] != 1)
_RESETS_TO_0 = _told(_SPIKING, "resets to 0 whatever v_reset says", _any("v_reset"))
_SOFT = _told(_SPIKING, "takes the threshold off at a spike, and fires as often in a step as it is in the potential")
_INCLUSIVE = _told(_SPIKING, "fires on the threshold too")


def _full_r(node: NirNode, dt: float) -> bool:
    return bool(np.allclose(node.array("r"), _of(node, "tau_mem") / SNNTORCH_STEP))


def _full_w_in(node: NirNode, dt: float) -> Array:
    return _of(node, "tau_syn") / dt


def _one_gain(node: NirNode, dt: float) -> bool:
    return bool(np.ptp(_of(node, "r") / _of(node, "tau")) == 0)


def _ignores_r(node: NirNode, dt: float) -> str | None:
    ignored = node.kind == "LIF" and not _is("r", lambda n, d: 1.0)(node, dt)
    return f"ignores r of LIF, which is {node.array('r').ravel()[0]:g} and not 1" if ignored else None


def _jelly_lif(node: NirNode, dt: float) -> str | None:
    if node.kind != "LIF":
        return None
    steps = _of(node, "tau") / dt
    if not (steps > 1).all():
        return "takes a tau above dt for a LIF"
    fits = np.allclose(node.array("r"), 1) or np.allclose(node.array("r"), steps)
    return None if fits else "takes an r of 1 or of tau / dt for a LIF, and refuses others"


def _norse_lif(node: NirNode, dt: float) -> Rule:
    rate, leak = dt / _of(node, "tau"), _of(node, "v_leak")
    return Rule(1 - rate, rate, rate * leak, _of(node, "v_threshold"), np.zeros(()), start=leak)


def _norse_if(node: NirNode, dt: float) -> Rule:
    one = np.ones(())
    return Rule(one, one, 0 * one, _of(node, "v_threshold"), np.zeros(()))


def _norse_cuba(node: NirNode, dt: float) -> Rule:
    into, rate, leak = dt / _of(node, "tau_syn"), dt / _of(node, "tau_mem"), _of(node, "v_leak")
    synapse, gain = (1 - into, into * _of(node, "w_in"), into * leak, leak), rate * _of(node, "r")
    return Rule(1 - rate, gain, rate * leak, _of(node, "v_threshold"), np.zeros(()), synapse, start=leak)


def _sinabs_lif(node: NirNode, dt: float) -> Rule:
    one = np.ones(())
    return Rule(np.exp(-1 / _of(node, "tau")), one, 0 * one, _of(node, "v_threshold"), inclusive=True)


def _sinabs_li(node: NirNode, dt: float) -> Rule:
    one = np.ones(())
    return Rule(np.exp(-1 / _of(node, "tau")), one, 0 * one, None)


def _sinabs_if(node: NirNode, dt: float) -> Rule:
    one, threshold = np.ones(()), _of(node, "v_threshold")
    return Rule(one, one, 0 * one, threshold, inclusive=True, lowest=-threshold)


def _rockpool_cuba(node: NirNode, dt: float) -> Rule:
    step = np.min(_of(node, "tau_mem") / (1 + _of(node, "r")))
    decay, kept = (np.exp(-step / _of(node, name)) for name in ("tau_mem", "tau_syn"))
    synapse = (kept, kept, np.zeros(()), np.zeros(()))
    return Rule(decay, np.ones(()), _of(node, "v_leak"), _of(node, "v_threshold"), synapse=synapse, inclusive=True)


def _snntorch_lif(node: NirNode, dt: float) -> Rule:
    rate = SNNTORCH_STEP / _of(node, "tau")
    threshold = _of(node, "v_threshold") / np.unique(_of(node, "r") * rate)[0]
    return Rule(1 - rate, np.ones(()), np.zeros(()), threshold, np.zeros(()))


def _snntorch_cuba(node: NirNode, dt: float) -> Rule:
    rate, into = (SNNTORCH_STEP / _of(node, name) for name in ("tau_mem", "tau_syn"))
    threshold = _of(node, "v_threshold") / (_of(node, "w_in") * into)
    synapse = (1 - into, np.ones(()), np.zeros(()), np.zeros(()))
    return Rule(1 - rate, np.ones(()), np.zeros(()), threshold, np.zeros(()), synapse)


def _jelly_lif_rule(node: NirNode, dt: float) -> Rule:
    rate, reset = dt / _of(node, "tau"), _of(node, "v_reset")
    offset, threshold = rate * reset, _of(node, "v_threshold")
    return Rule(1 - rate, _of(node, "r") * rate, offset, threshold, reset, inclusive=True, start=reset)


def _jelly_if(node: NirNode, dt: float) -> Rule:
    one, reset = np.ones(()), _of(node, "v_reset")
    return Rule(one, one, 0 * one, _of(node, "v_threshold"), reset, inclusive=True, start=reset)


def _jelly_cuba(node: NirNode, dt: float) -> Rule:
    one, reset = np.ones(()), _of(node, "v_reset")
    rate, into = (dt / _of(node, name) for name in ("tau_mem", "tau_syn"))
    synapse, threshold = (1 - into, one, 0 * one, 0 * one), _of(node, "v_threshold")
    return Rule(1 - rate, one, 0 * one, threshold, reset, synapse, inclusive=True, start=reset)


IMPORTERS: dict[str, Importer] = {
    "snntorch": Importer(
        _kinds("Affine Linear Conv2d Flatten AvgPool2d LIF CubaLIF"),
        (
            _told("LIF CubaLIF", "takes no v_leak", _any("v_leak")),
            _told("CubaLIF", "takes an r of tau_mem / 1e-4 s alone for a CubaLIF", _not(_full_r)),
            _uniform("v_threshold"),
            _NO_GROUPS,
        ),
        (
            _RESETS_TO_0,
            _told("LIF CubaLIF", f"takes a step of {SNNTORCH_STEP:g} s", lambda node, dt: dt != SNNTORCH_STEP),
            _told("LIF", "takes the r of one neuron for all", _not(_one_gain)),
        ),
        {"LIF": _snntorch_lif, "CubaLIF": _snntorch_cuba},
        cycles=False,
    ),
    "norse": Importer(
        _kinds("Affine Linear Conv2d Flatten SumPool2d IF LIF CubaLIF"),
        (_NO_GROUPS,),
        (
            _ignores_r,
            _told("IF", "adds the input to an IF as it is, without r dt", _not(_is("r", lambda node, dt: 1 / dt))),
            _RESETS_TO_0,
            _told("CubaLIF", "gives the synaptic current of a CubaLIF the leak of the membrane", _any("v_leak")),
            _told("LIF CubaLIF", "begins with the potential at v_leak", _any("v_leak")),
            _told("SumPool2d", "pads no SumPool2d", _any("padding")),
        ),
        {"LIF": _norse_lif, "IF": _norse_if, "CubaLIF": _norse_cuba},
        drops=True,
    ),
    "sinabs": Importer(
        _kinds("Affine Conv2d Flatten SumPool2d LI IF LIF"),
        (
            _told("LIF LI", "takes no v_leak", _any("v_leak")),
            _told("LI", "takes an r of 1 alone for an LI", _not(_is("r", lambda node, dt: 1.0))),
            _NO_GROUPS,
        ),
        (
            _told("LIF LI", "decays by exp(-1 / tau) with tau in steps, and ignores r"),
            _SOFT,
            _told("IF", "adds the input to an IF as it is, without r dt", _not(_is("r", lambda node, dt: 1 / dt))),
            _told("IF", "does not let the potential of an IF below minus the threshold"),
            _INCLUSIVE,
            _told("SumPool2d", "pads no SumPool2d", _any("padding")),
        ),
        {"LIF": _sinabs_lif, "IF": _sinabs_if, "LI": _sinabs_li},
        cycles=False,
        drops=True,
    ),
    "spikingjelly": Importer(
        _kinds("Affine Linear Conv1d Conv2d Flatten AvgPool2d IF LIF CubaLIF"),
        (
            _uniform("tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset"),
            _jelly_lif,
            _told("LIF", "takes a v_leak alone that is v_reset", _not(_is("v_leak", lambda n, dt: _of(n, "v_reset")))),
            _told("IF", "takes an r of 1 / dt alone for an IF", _not(_is("r", lambda node, dt: 1 / dt))),
            _told("CubaLIF", "takes no v_leak", _any("v_leak")),
            _told("CubaLIF", "takes r of tau_mem / dt alone", _not(_is("r", lambda n, dt: _of(n, "tau_mem") / dt))),
            _told(
                "CubaLIF", "takes w_in of tau_syn / dt alone", _not(_is("w_in", lambda n, dt: _of(n, "tau_syn") / dt))
            ),
            _NO_GROUPS,
        ),
        (_INCLUSIVE, _told(_SPIKING, "begins with the potential at v_reset", _any("v_reset"))),
        {"LIF": _jelly_lif_rule, "IF": _jelly_if, "CubaLIF": _jelly_cuba},
    ),
    "rockpool": Importer(
        _kinds("Affine Linear CubaLIF"),
        (),
        (
            _told("CubaLIF", "takes the step from tau / (1 + r), and decays by exp(-dt / tau)"),
            _told("CubaLIF", "ignores w_in, and lets an input decay in the step in which it comes"),
            _SOFT,
            _INCLUSIVE,
        ),
        {"CubaLIF": _rockpool_cuba},
        named_only=True,
    ),
}
"""Name -> importer."""


def causes(graph: NirGraph, name: str, dt: float) -> list[str]:
    """What an importer is known to do with this graph that the file does not say, a sentence each."""
    late = _late_biases(graph) if IMPORTERS[name].cycles else ()
    found = [*refusals(graph, name, dt), *_sentences(graph, IMPORTERS[name].changes, dt), *late]
    return [f"{name} {text}" for text in dict.fromkeys(found)]


def recurrent_weights(graph: NirGraph) -> list[tuple[str, str]]:
    """(weights, the neurons that they lead back to)."""
    pairs = set(graph.edges)
    return [(a, b) for a, b in graph.edges if (b, a) in pairs and "weight" in graph.nodes[a].fields]


def _late_biases(graph: NirGraph) -> Iterator[str]:
    weights = {a: graph.nodes[a] for a, _ in recurrent_weights(graph)}
    names = [a for a, node in weights.items() if "bias" in node.fields and node.array("bias").any()]
    if names:
        yield f"leaves out the bias of recurrent weights in the first step ({', '.join(names)})"


def refusals(graph: NirGraph, name: str, dt: float) -> list[str]:
    """Why an importer cannot run this graph, or not in one way, as far as it is known; sentences without a subject."""
    importer = IMPORTERS[name]
    missing = "leaves out {}, and runs the rest in an order that changes" if importer.drops else "imports no {}"
    others = {n: node.kind for n, node in graph.nodes.items() if node.kind not in importer.kinds}
    found = [f"{missing.format(kind)} ({node})" for node, kind in others.items()]
    pairs = set(graph.edges)
    if not importer.cycles and any((b, a) in pairs for a, b in pairs):
        found.append("cannot run recurrent weights")
    return [*found, *_sentences(graph, importer.refusals, dt)]


def _sentences(graph: NirGraph, texts: tuple[Text, ...], dt: float) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        for text in (told(node, dt) for told in texts):
            if text:
                found.setdefault(text, []).append(name)
    for text, names in found.items():
        yield f"{text} ({', '.join(names)})"
