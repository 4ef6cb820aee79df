"""Trains the model of `model.py` and writes `weights.safetensors` beside it: python examples/digits_qcnn/train.py"""

import argparse
import time

import torch
from model import WEIGHTS, DigitsQCNN, digits
from safetensors.torch import save_file
from torch import nn


def train(epochs: int, seed: int) -> DigitsQCNN:
    """The trained model, the same for the same seed on the same machine."""
    torch.set_num_threads(1)  # sums in one order, and tiny matrices gain nothing from threads
    torch.manual_seed(seed)
    model = DigitsQCNN()
    images, labels, _, _ = digits()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3)
    batches = -(-len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = loss_of(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d}  loss {total / len(images):.4f}", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start = time.perf_counter()
    model = train(arguments.epochs, arguments.seed)
    seconds = time.perf_counter() - start
    _, _, images, labels = digits()
    with torch.no_grad():
        right = int((model(images).argmax(1) == labels).sum())
    save_file(model.state_dict(), WEIGHTS)
    print(
        f"{seconds:.0f} s; {right} of {len(labels)} test digits right ({right / len(labels):.4f}); wrote {WEIGHTS.name}"
    )


if __name__ == "__main__":
    main()
