"""Trains the network of `model.py` and writes `weights.safetensors`: python examples/39-dcls-delays/train.py"""

import argparse
import time

import torch
from model import PLACES, WEIGHTS, Delays, patterns
from safetensors.torch import save_file
from torch import nn

RATE, POSITION_RATE = 2e-3, 0.1
"""Adam's for weights, and for positions, which move over many places."""
FIRST_WIDTH, LAST_WIDTH = PLACES / 2, 0.23


def narrow(model: Delays, progress: float) -> None:
    """Gaussians as wide as half a kernel at the beginning, and as narrow as a place from a quarter of the way on."""
    left = max(0.0, 1 - 4 * progress)
    for synapses in model.synapses():
        nn.init.constant_(synapses.SIG, LAST_WIDTH + left * (FIRST_WIDTH - LAST_WIDTH))


def train(epochs: int, seed: int, delays: bool = True) -> Delays:
    """The trained network with whole delays, the same for the same seed on the same machine.

    delays: whether positions are learnt; without, every spike arrives at once, and there is only the membrane. For the
    last third of the epochs positions stay whole, and weights settle on them.
    """
    torch.manual_seed(seed)
    model = Delays()
    for synapses in model.synapses():
        synapses.SIG.requires_grad_(False)
        if not delays:
            nn.init.constant_(synapses.P, PLACES // 2).requires_grad_(False)
    named = [(name.endswith(".P"), p) for name, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(
        [
            {"params": [p for position, p in named if not position], "lr": RATE},
            {"params": [p for position, p in named if position], "lr": POSITION_RATE},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss_of = nn.CrossEntropyLoss()
    spikes, classes = patterns(2000, seed + 1)
    for epoch in range(epochs):
        total = 0.0
        if 3 * epoch >= 2 * epochs:
            model.round_positions()
        else:
            narrow(model, epoch / epochs if delays else 1.0)
        for chosen in torch.randperm(len(classes)).split(100):
            optimizer.zero_grad()
            loss = loss_of(model(spikes[:, chosen]).sum(0), classes[chosen])
            loss.backward()
            optimizer.step()
            for synapses in model.synapses():
                synapses.clamp_parameters()
            total += float(loss.detach()) * len(chosen)
        schedule.step()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1:3d}  loss {total / len(classes):.4f}", flush=True)
    model.round_positions()
    return model.eval()


def accuracy(model: Delays, seed: int = 1000) -> float:
    """Of 1000 fresh patterns; the class is the neuron that spikes most."""
    spikes, classes = patterns(1000, seed)
    with torch.no_grad():
        return float((model(spikes).sum(0).argmax(1) == classes).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-delays", action="store_true", help="train without delays, and write nothing")
    arguments = parser.parse_args()
    start = time.perf_counter()
    model = train(arguments.epochs, arguments.seed, not arguments.no_delays)
    print(f"{time.perf_counter() - start:.0f} s; accuracy on 1000 fresh patterns {accuracy(model):.4f}")
    if not arguments.no_delays:
        save_file(model.state_dict(), WEIGHTS)
        print(f"wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()
