"""Angles of the least energy without noise. Seconds; writes weights.safetensors.

python examples/40-zne-nn/train.py
"""

import torch
from model import WEIGHTS, energy
from safetensors.torch import save_file

STEPS = 60


def main() -> None:
    torch.manual_seed(1)
    model = energy()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    x = torch.zeros(1, 1)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        if step % 20 == 19:
            print(f"step {step + 1:3d}  <H> {loss.item():.4f}")
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
