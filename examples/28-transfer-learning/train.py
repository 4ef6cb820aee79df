"""Trains the hybrid model of `model.py` and the classical network: python examples/28-transfer-learning/train.py"""

import argparse
import time

import torch
from model import CLASSICAL, QUBITS, WEIGHTS, dense, digits, hybrid
from safetensors.torch import save_file
from torch import Tensor, nn


def train(network: nn.Module, inputs: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """The trained network, the same for the same seed on the same machine."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    start = time.perf_counter()
    images, labels, test_images, test_labels = digits()
    model = hybrid()
    with torch.no_grad():  # nothing before the dense network is trained
        features = model[0](images)
    train(model[1:], features, labels, arguments.epochs)
    classical = train(dense(64), images, labels, arguments.epochs)
    with torch.no_grad():
        for name, network, file in (("hybrid", model.eval(), WEIGHTS), ("classical", classical, CLASSICAL)):
            right = float((network(test_images).argmax(1) == test_labels).float().mean())
            save_file(network.state_dict(), file)
            print(f"{name:<10} test accuracy {right:.4f}")
    print(f"{1 << QUBITS} features from the circuit; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
