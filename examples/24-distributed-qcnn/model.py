"""Digits through a small MobileNet, the published eight-qubit quantum convolution and a linear classifier.

    qsc compile examples/24-distributed-qcnn/model.py --target fake_torino -o build/distributed
    qsc compile examples/24-distributed-qcnn/model.py --entry entangling --target fake_torino -o build/entangling
    qsc compile examples/24-distributed-qcnn/model.py --entry tumours --input-shape 8 --target line:8

Y. Li et al., A Distributed Hybrid Quantum Convolutional Neural Network for Medical Image Classification,
arXiv:2501.06225: MobileNetV2 features, eight values, a QCNN of eight qubits that runs as four and five, a classifier.

Where the paper is silent, or its data do not fit here:
- scikit-learn's digits and a network of inverted residuals of their size; breast_cancer through the QCNN alone.
- The eight angles are pi/4 tanh of the features; the classifier is linear, on 32 times the probabilities.
- CRZ is controlled by the first qubit of the pair. By the second, it is the same circuit with RZ(w0 + w1/2).
- The kernel that entangles, of as many gates and angles, is ours.
"""

import math
from pathlib import Path

import numpy as np
import qsc
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

HERE = Path(__file__).parent
QUBITS, PARAMETERS_A_PAIR = 8, 5
READ = range(3, QUBITS)
"""The qubits of the second part, whose 32 outcomes are what the circuit gives."""


def split(samples: np.ndarray, labels: np.ndarray, test_size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train samples, train labels, test samples, test labels)."""
    parts = train_test_split(samples.astype(np.float32), labels, test_size=test_size, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = map(torch.from_numpy, parts)
    return train_x, train_y, test_x, test_y


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """1347 and 450 digits, images (n, 1, 8, 8) in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    return split(np.asarray(pixels).reshape(-1, 1, 8, 8) / 16, labels, 450)


def tumour_data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """426 and 143 tumours, eight principal components of the training half's standardised features, as angles."""
    features, labels = load_breast_cancer(return_X_y=True)
    train_x, train_y, test_x, test_y = split(np.asarray(features), labels, 143)
    mean, spread = train_x.mean(0), train_x.std(0)
    components = PCA(QUBITS, whiten=True, random_state=0).fit(((train_x - mean) / spread).numpy())
    train, test = (
        math.pi / 4 * torch.from_numpy(components.transform(((x - mean) / spread).numpy())).tanh()
        for x in (train_x, test_x)
    )
    return train, train_y, test, test_y


def quantum_convolution(kernel: str, *, measured: bool = False) -> qsc.Circuit:
    """H and RY(x) on every qubit, then five gates' angles on each pair (i, i + 1) of the chain.

    kernel: "published", in which the first qubit of a pair is only a control; "entangling", in which the second one
        turns it about X instead, so that each acts on the other; "second", the published one with CRZ controlled by
        the second qubit. measured: the first qubit of each pair is measured before its gates.
    """
    c = qsc.Circuit(QUBITS, bits=QUBITS if measured else 0)
    x, w = c.inputs("x", QUBITS), c.weights("w", (QUBITS - 1, PARAMETERS_A_PAIR))
    for q in range(QUBITS):
        c.h(q)
        c.ry(x[q], q)

    controlled, control, target = {
        "published": (c.crz, 0, 1),
        "entangling": (c.crx, 1, 0),
        "second": (c.crz, 1, 0),
    }[kernel]
    for i, angles in enumerate(w):
        if measured:
            c.measure(i, i)
        c.rz(angles[0], i + 1)
        controlled(angles[1], i + control, i + target)
        c.ry(angles[2], i + 1)
        c.cx(i, i + 1)
        c.ry(angles[3], i + 1)
        controlled(angles[4], i + control, i + target)
    return c


def quantum_layer(kernel: str, **options: bool) -> qsc.nn.Quantum:
    """Eight angles -> the probabilities of the 32 outcomes of qubits 3 to 7, qubit 3 the least significant bit."""
    return qsc.nn.Quantum(quantum_convolution(kernel, **options), "probs", qubits=READ, name="qcnn")


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen by 1x1, depthwise 3x3, narrow by 1x1 without activation; added where shapes agree."""

    def __init__(self, channels: int, out: int, stride: int, widen: int = 3) -> None:
        super().__init__()
        wide = widen * channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class HybridQCNN(nn.Module):
    """Images (batch, 1, 8, 8) -> logits (batch, 10). Nothing passes `middle`, which takes eight values, by.

    scale: what the middle's outputs are multiplied by before the classifier; 32 makes equal probabilities ones.
    """

    def __init__(self, middle: nn.Module, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            InvertedResidual(8, 8, 1),
            InvertedResidual(8, 16, 2),
            InvertedResidual(16, 16, 1),
            nn.Conv2d(16, 32, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(128, QUBITS),
            nn.Tanh(),
        )
        self.middle = middle
        self.scale = scale
        self.classifier = nn.Linear(outputs, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.read(self.middle(self.angles(images)))

    def read(self, outputs: Tensor) -> Tensor:
        """Logits of what the middle gives."""
        return self.classifier(self.scale * outputs)

    def angles(self, images: Tensor) -> Tensor:
        """What enters the circuit, (batch, 8) in [-pi/4, pi/4]."""
        return math.pi / 4 * self.features(images)


MODELS = {
    "published": lambda: HybridQCNN(quantum_layer("published"), 32, 32),
    "entangling": lambda: HybridQCNN(quantum_layer("entangling"), 32, 32),
    "classical": lambda: HybridQCNN(nn.Sequential(nn.Linear(QUBITS, 19), nn.ReLU()), 19),
    "direct": lambda: HybridQCNN(nn.Identity(), QUBITS),
    "tumours": lambda: nn.Sequential(quantum_layer("published"), nn.Linear(32, 2)),
    "tumours_entangling": lambda: nn.Sequential(quantum_layer("entangling"), nn.Linear(32, 2)),
}
"""The untrained networks. `classical`: 19 hidden units in the circuit's place, 371 parameters with its classifier where
the circuit and its classifier have 365; `direct`: the classifier on the eight values."""


def weights_of(name: str) -> Path:
    """Where the trained weights of a network are."""
    return HERE / f"{name}.safetensors"


def trained(name: str) -> nn.Module:
    """The network with its trained weights, for inference; untrained where they are not there."""
    network = MODELS[name]()
    if weights_of(name).exists():
        network.load_state_dict(load_file(weights_of(name)))
    return network.eval()


model, entangling, tumours = (trained(name) for name in ("published", "entangling", "tumours"))
tumours_entangling = trained("tumours_entangling")
example_input = digits()[0][:4]
