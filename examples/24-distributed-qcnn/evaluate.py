"""Both kernels compiled whole and for five qubits, the cut by hand, and what the answers owe to the circuit:

python examples/24-distributed-qcnn/evaluate.py [--target line:8]
"""

import argparse

import numpy as np
import qsc
import torch
from by_hand import bloch, reconstructed, uncut
from model import HybridQCNN, digits, example_input, quantum_layer, trained, tumour_data
from torch import Tensor

TARGETS = ("line:8", "fake_torino", "tket:line:8")
KERNELS = ("published", "entangling")
WITHOUT_EFFECT = 1e-12
"""A change of a probability that is none."""


class Middle:
    """The circuit of one trained network at the angles of the test digits."""

    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        network = trained(kernel)
        assert isinstance(network, HybridQCNN)
        self.network = network.double()
        _, _, images, self.labels = digits()
        self.images = images.double()
        with torch.no_grad():
            self.inputs = self.network.angles(self.images)
            self.outputs = self.network.middle(self.inputs)
        self.angles = self.inputs.numpy()
        self.weights = self.network.middle.state_dict()["weights.w"].numpy()
        self.uncut = uncut(self.angles, self.weights, kernel)

    def accuracy(self, outputs: Tensor | np.ndarray) -> float:
        """Share of test digits that the trained classifier gets right from these outputs of the circuit."""
        with torch.no_grad():
            answers = self.network.read(torch.as_tensor(outputs)).argmax(1)
        return float((answers == self.labels).double().mean())

    def measured(self, number: int | None = None) -> np.ndarray:
        """Its outputs for the first `number` digits where the first qubit of each pair is measured before its gates."""
        layer = quantum_layer(self.kernel, measured=True).double()
        layer.load_state_dict(self.network.middle.state_dict())
        with torch.no_grad():
            return layer(self.inputs[:number]).numpy()

    def reconstructed(self, states: tuple[str, ...] = (), **faults: bool) -> np.ndarray:
        """The cut at wire 3 by hand, with all six states where none are given."""
        given = [states] if states else []
        return reconstructed(self.angles, self.weights, self.kernel, *given, **faults)

    def idle_angles(self) -> int:
        """How many of the 35 angles change no outcome of 20 digits."""
        few, count = self.angles[:20], 0
        for place in np.ndindex(self.weights.shape):
            moved = self.weights.copy()
            moved[place] += 1
            count += int(np.abs(uncut(few, moved, self.kernel) - self.uncut[:20]).max() < WITHOUT_EFFECT)
        return count


def largest(given: np.ndarray, wanted: np.ndarray) -> str:
    """The largest difference as it is printed."""
    return f"{np.abs(given - wanted).max():.1e}"


def of_kernel(kernel: str) -> list[tuple[str, str]]:
    """What is measured without a target: the cut by hand, and changes of the circuit and of its outputs."""
    middle = Middle(kernel)
    outputs, whole = middle.outputs.numpy(), middle.uncut
    two, measured = middle.reconstructed(("0", "1")), middle.measured()
    again, swapped = middle.reconstructed(again=True), middle.reconstructed(swapped=True)
    blind = outputs.mean(0, keepdims=True).repeat(len(outputs), 0)
    spread = bloch(middle.angles, middle.weights, kernel).std(0)
    found = [
        ("test accuracy", f"{middle.accuracy(outputs):.4f}"),
        ("the same, the circuit's outputs replaced by their mean", f"{middle.accuracy(blind):.4f}"),
        ("angles of 35 without any effect", str(middle.idle_angles())),
        ("first qubit of each pair measured, largest change", largest(measured, outputs)),
        ("the same, test accuracy", f"{middle.accuracy(measured):.4f}"),
        ("standard deviation of x, y, z of wire 3 over the digits", " ".join(f"{s:.2f}" for s in spread)),
        ("by hand, uncut", largest(whole, outputs)),
        ("by hand, cut, six states", largest(middle.reconstructed(), whole)),
        ("by hand, cut, the states 0 and 1 alone", largest(two, whole)),
        ("the same, test accuracy", f"{middle.accuracy(two):.4f}"),
        ("by hand, cut, +i and -i exchanged", largest(swapped, whole)),
        (
            "by hand, cut, H and RY once more: largest and mean",
            f"{largest(again, whole)} {np.abs(again - whole).mean():.1e}",
        ),
        ("the same, test accuracy", f"{middle.accuracy(again):.4f}"),
    ]
    return [(f"{kernel}: {what}", figure) for what, figure in found]


def compiled(kernel: str, target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """The whole network compiled, against PyTorch on every test digit."""
    middle = Middle(kernel)
    bundle = qsc.compile(trained(kernel), target=target, example_input=example_input)
    with torch.no_grad():
        wanted = middle.network(middle.images).numpy()
    given = bundle.run(middle.images.float())
    right = (given.argmax(1) == middle.labels.numpy()).mean()
    found = [
        ("two-qubit gates (21 as written)", f"{bundle.costs['two_qubit_gates']}"),
        ("largest difference of a logit from PyTorch", largest(given, wanted)),
        ("accuracy on 450 test digits, compiled", f"{right:.4f}"),
    ]
    return [(f"{kernel}: {what}", figure) for what, figure in found], bundle


def cut(kernel: str, target: str) -> list[tuple[str, str]]:
    """The network on five qubits: cut by the compiler, and by qubit reuse where the target runs circuits that read a
    qubit more than once, against PyTorch on every test digit."""
    middle = Middle(kernel)
    with torch.no_grad():
        wanted = middle.network(middle.images).numpy()
    found = []
    for what, reuse in (("five qubits, cut", False), ("five qubits, qubit reuse", True)):
        if reuse and target.startswith("tket:"):
            continue
        bundle = qsc.compile(trained(kernel), target=target, example_input=example_input, max_qubits=5, reuse=reuse)
        given = bundle.run(middle.images.float())
        right = (given.argmax(1) == middle.labels.numpy()).mean()
        for plan in bundle.manifest["cuts"]:
            sizes = " ".join(str(part["qubits"]) for part in plan["fragments"])
            found += [(f"{what}: qubits of the fragments", sizes), (f"{what}: overhead", f"{plan['overhead']:.4g}")]
        found += [
            (f"{what}: qubits, executions of one digit", f"{bundle.costs['qubits']} {bundle.costs['executions']}"),
            (f"{what}: two-qubit gates", f"{bundle.costs['two_qubit_gates']}"),
            (f"{what}: largest difference of a logit", largest(given, wanted)),
            (f"{what}: accuracy on 450 test digits", f"{right:.4f}"),
        ]
    return [(f"{kernel}: {what}", figure) for what, figure in found]


def comparisons() -> list[tuple[str, str]]:
    """Test accuracies of the networks without a circuit, and of the circuit without a network."""
    data = {"digits": digits(), "tumours": tumour_data()}
    found = []
    for name, what, kind in (
        ("classical", "19 hidden units in the circuit's place", "digits"),
        ("direct", "the classifier on the eight values", "digits"),
        ("tumours", "tumours, published kernel alone", "tumours"),
        ("tumours_entangling", "tumours, entangling kernel alone", "tumours"),
    ):
        _, _, samples, labels = data[kind]
        with torch.no_grad():
            right = (trained(name)(samples).argmax(1) == labels).double().mean()
        found.append((f"{what}: test accuracy", f"{right:.4f}"))
    return found


def figures(target: str) -> tuple[list[tuple[str, str]], qsc.Bundle]:
    """(what, figure) and the bundle of the published network."""
    entangling, _ = compiled("entangling", target)
    published, bundle = compiled("published", target)
    return [*published, *cut("published", target), *entangling, *cut("entangling", target)], bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=TARGETS[0])
    found, bundle = figures(parser.parse_args().target)
    for what, figure in [*found, *of_kernel("published"), *of_kernel("entangling"), *comparisons()]:
        print(f"{what:<70} {figure}")
    print(bundle.costs)


if __name__ == "__main__":
    main()
