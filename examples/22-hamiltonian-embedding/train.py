"""Trains the model of `model.py` in matrices and writes `weights.safetensors`:

python examples/22-hamiltonian-embedding/train.py
"""

import argparse
import time

import torch
from model import WEIGHTS, Reference, digits
from safetensors.torch import save_file
from torch import nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    start = time.perf_counter()
    images, labels, test_images, test_labels = digits()
    model = Reference()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, arguments.steps)
    for step in range(arguments.steps):
        chosen = torch.randperm(len(images))[:300]
        optimizer.zero_grad()
        # The probabilities times 8 are the logits: eight equal ones say nothing.
        loss = nn.functional.cross_entropy(8 * model(images[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1:4d}  loss {loss.item():.4f}  {time.perf_counter() - start:.0f} s", flush=True)
    with torch.no_grad():
        right = float((model(test_images).argmax(1) == test_labels).double().mean())
    save_file(model.state_dict(), WEIGHTS)
    print(f"test accuracy {right:.4f}")


if __name__ == "__main__":
    main()
