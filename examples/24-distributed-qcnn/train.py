"""Trains the networks of `model.py` and writes their weights: python examples/24-distributed-qcnn/train.py [NAME ..]"""

import argparse
import time

import torch
from model import MODELS, digits, tumour_data, weights_of
from safetensors.torch import save_file
from torch import nn


def train(name: str, epochs: int, seed: int) -> tuple[nn.Module, float]:
    """The trained network and its test accuracy, the same for the same seed on the same machine."""
    torch.set_num_threads(1)  # sums in one order, and tiny matrices gain nothing from threads
    torch.manual_seed(seed)
    network = MODELS[name]()
    inputs, labels, test_inputs, test_labels = tumour_data() if name.startswith("tumours") else digits()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    batches = -(-len(inputs) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, total_steps=epochs * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            loss_of(network(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        right = (network(test_inputs).argmax(1) == test_labels).double().mean()
    return network, float(right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}; all where left out")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-write", action="store_true", help="leave the weights that are there")
    arguments = parser.parse_args()
    for name in arguments.names or MODELS:
        start = time.perf_counter()
        network, right = train(name, arguments.epochs, arguments.seed)
        if not arguments.no_write:
            save_file(network.state_dict(), weights_of(name))
        parameters = sum(p.numel() for p in network.parameters())
        seconds = time.perf_counter() - start
        print(f"{name:<18} {parameters:5} parameters  test accuracy {right:.4f}  {seconds:4.0f} s", flush=True)


if __name__ == "__main__":
    main()
