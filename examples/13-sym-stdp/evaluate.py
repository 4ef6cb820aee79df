"""The rule, the learning net and the trained net, checked: python examples/13-sym-stdp/evaluate.py"""

from collections.abc import Callable, Iterable

import chip
import numpy as np
import qsc
from model import FEWEST, FOLDER, MOST, RATE, STEPS, digits, poisson, sized
from qsc.backends.loihi.learning import ChipRule, chip_rule
from qsc.compiler.bundle import Bundle
from qsc.frontends.text import read
from qsc.ir.interpreter import evaluate
from qsc.ir.ops import Plasticity
from reference import HIDDEN, KEPT
from reference import STEPS as SECOND

TARGETS = ("host", "nir", "loihi2")
PAIRS = """main(p: spike[300,?,1], e: spike[300,?,1], w: f64[?,1,1], x: f64[?,1], y: f64[?,1]) {
  last, a, b = scan(w, x, y, p, e, steps=300, carried=3, sequences=2) {
    body(w: f64[?,1,1], x: f64[?,1], y: f64[?,1], p: spike[?,1], e: spike[?,1]) {
      new, x1, y1 = plasticity(p, e, w, x, y, rule="RULE", x1=[40, 0.1], y1=[40, 0.1], low=0, high=8);
      return new, x1, y1;
    }
  }
  return last;
}"""


def rules() -> list[Plasticity]:
    """The rules of P -> E and of E -> C, as learn.qsc has them."""
    nodes = read(sized("learn")).graph.walk()
    return [node.op for node in nodes if isinstance(node.op, Plasticity)]


def pairing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(steps from the spike before to the spike after, weight change by the compiled rule, nu a exp(-|t| / tau))."""
    distances = np.arange(-100, 101)
    pre, post = np.zeros((2, 300, len(distances), 1), np.float32)
    pre[150] = 1
    post[150 + distances, np.arange(len(distances))] = 1
    zero = np.zeros((len(distances), 1))
    given = (pre, post, np.ones((len(distances), 1, 1)), zero, zero)
    (last,) = evaluate(read(PAIRS.replace("RULE", rules()[1].rule)), given)
    return distances, last.numpy()[:, 0, 0] - 1, 0.04 * 0.1 * np.exp(-np.abs(distances) / 40)


def trajectory(found: dict[str, np.ndarray]) -> tuple[float, int]:
    """Largest difference of a weight from Brian2's after each quarter of a second, and spikes that differ.

    found: what reference.py wrote, the inputs under `given_`.
    """
    given = {k.removeprefix("given_"): v for k, v in found.items() if k.startswith("given_")}
    worst, differing = 0.0, 0
    for quarter in range(4):
        steps = SECOND * (quarter + 1) // 4
        series = [given[name][:steps, None].astype(np.float32) for name in ("p", "teacher")]
        starts = [given[name][None] for name in ("pe", "ec", "theta")]
        outputs = evaluate(read(sized("learn", HIDDEN, steps)), [*series, *starts])
        pe, ec, _, spikes = (x.numpy() for x in outputs)
        worst = max(worst, *(np.abs(w[0] - found[k][quarter]).max() for w, k in ((pe, "pe"), (ec, "ec"))))
        differing = int((spikes[:, 0] != found["spikes"][:steps]).sum())
    return worst, differing


def recalled(show: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], seed: int) -> np.ndarray:
    """The class of every test digit: that of the class neuron that spikes most. A digit that makes too few spikes of E
    is shown again, brighter. show: spikes (steps, n, 64) -> those of C (steps, n, 10) and of E (steps, n, hidden)."""
    rng = np.random.default_rng(seed)
    _, _, images, _ = digits()
    answers = np.zeros(len(images), int)
    waiting = np.arange(len(images))
    for brightness in range(1, MOST + 1):
        classes, spikes = show(poisson(images[waiting] * RATE * brightness, STEPS, rng))
        answers[waiting] = classes.sum(0).argmax(1)
        waiting = waiting[spikes.sum((0, 2)) < FEWEST]
        if not len(waiting):
            break
    return answers


def accuracy(program: Bundle, seed: int) -> float:
    """Share of the 450 test digits that the compiled recall.qsc gets right."""
    _, _, _, labels = digits()
    return float((recalled(lambda p: tuple(program.run(p)), seed) == labels).mean())


def on_chip(op: Plasticity) -> tuple[ChipRule, str]:
    """The rule as Loihi holds it, and in a sentence."""
    chip = chip_rule(op)
    impulse = chip.traces["x1"].impulse
    said = "; ".join(map(str, chip.roundings)) or "exact"
    return chip, f"{chip.text}, impulses {impulse:g}, {chip.weight_scale:g} units a unit of weight; {said}"


def right(program: Bundle, seed: int) -> float:
    """Share of the 450 test digits that a compiled chip_recall.qsc gets right, each shown once."""
    _, _, images, labels = digits()
    spikes = np.asarray(program.run(chip.poisson(images * chip.RATE, np.random.default_rng(seed))))
    return float((spikes.sum(0).argmax(1) == labels).mean())


def recall_for(target: str) -> Bundle:
    """chip_recall.qsc, calibrated on training digits."""
    images = digits()[0][:32]
    return qsc.compile(
        chip.RECALL, target=target, calibration=(chip.poisson(images * chip.RATE, np.random.default_rng(0)),)
    )


def on_targets(target: str) -> tuple[list[tuple[str, str]], Bundle]:
    """The net that has learned on the chip, beside the same weights in floats."""
    program, floats = recall_for(target), recall_for("host")
    seeds = range(1, 4)
    return [
        ("learned on the chip: accuracy on 450 test digits, three draws", _list(right(program, s) for s in seeds)),
        ("the same weights in floats", _list(right(floats, s) for s in seeds)),
        ("neurons, synapses", f"{program.costs['neurons']:,.0f}, {program.costs['synapses']:,.0f}"),
    ], program


def _list(found: Iterable[float]) -> str:
    return ", ".join(f"{a:.4f}" for a in found)


def figures(target: str) -> tuple[list[tuple[str, str]], Bundle]:
    """(what, figure) and the bundle: on the host the paper's net, elsewhere its variant for the chip."""
    if target != "host":
        return on_targets(target)
    _, change, wanted = pairing()
    worst, differing = trajectory(dict(np.load(KEPT)))
    program = qsc.compile(FOLDER / "recall.qsc", target=target)
    found = [accuracy(program, seed) for seed in range(1, 4)]
    return [
        (
            "pairing curve, 201 distances: largest difference from nu a exp(-|t|/tau)",
            f"{np.abs(change - wanted).max():.1e}",
        ),
        ("pairing curve: largest difference of dw(t) and dw(-t)", f"{np.abs(change - change[::-1]).max():.1e}"),
        ("1 s of the 64-50-10 net: largest difference of a weight from Brian2", f"{worst:.1e}"),
        ("the same: spikes of E that differ from Brian2", f"{differing}"),
        ("accuracy on 450 test digits, three draws of Poisson spikes", _list(found)),
        ("P -> E on Loihi", on_chip(rules()[0])[1]),
        ("E -> C on Loihi", on_chip(rules()[1])[1]),
    ], program


def main() -> None:
    for target in TARGETS:
        for what, figure in figures(target)[0]:
            print(f"{target}: {what}: {figure}")


if __name__ == "__main__":
    main()
