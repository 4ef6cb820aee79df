"""Trains the network of `model.py` and writes `weights.safetensors`: python examples/31-ei-normalisation/train.py"""

import argparse
import time

import torch
from model import EI, INHIBITORY, WEIGHTS, EINet, digits
from safetensors.torch import save_file
from torch import Tensor, nn

RATE, MOMENTUM, BATCH = 0.1, 0.9, 64


@torch.no_grad()
def begin(layer: EI, x: Tensor) -> None:
    """Weights and gains from the mean and variance of the first batch, so that currents have a variance of 1."""
    outputs, inputs = layer.w_ee.shape
    mean, variance, square = x.mean(), x.var(), (x * x).mean()
    scale = torch.sqrt(variance / (inputs * (square + variance)))
    for weight, each in ((layer.w_ee, scale), (layer.w_ie, scale), (layer.w_ei, INHIBITORY / outputs)):
        weight.copy_(torch.empty_like(weight).exponential_() * each)
    layer.g_i.fill_(float(torch.sqrt(square + variance) / (inputs**0.5 * mean)))


@torch.no_grad()
def begin_all(model: EINet, images: Tensor) -> None:
    """Layer after layer; the spikes of the first step that has any are the second one's first batch."""
    begin(model.first, images)
    cells, shown = model.cells[0], model.first(images)
    spikes = torch.stack([cells(shown) for _ in range(4)])
    begin(model.second, spikes[-1])
    model.readout.exponential_(1.0).mul_(1 / model.readout.shape[1])


def bounded(model: EINet) -> None:
    """No weight below zero, and no gain."""
    with torch.no_grad():
        for layer in (model.first, model.second):
            for weight in (layer.w_ee, layer.w_ie, layer.w_ei, layer.g_i, layer.g_e):
                weight.clamp_(min=0)
        model.readout.clamp_(min=0)


def train(epochs: int, seed: int) -> EINet:
    """The trained network, the same for the same seed on the same machine."""
    torch.manual_seed(seed)
    images, labels, _, _ = digits()
    model = EINet().train()
    begin_all(model, images[:BATCH])
    for layer in (model.first, model.second):
        # The inhibition of all neurons goes through these weights: as steep as the number of inputs.
        layer.w_ei.register_hook(lambda gradient, d=layer.w_ee.shape[1]: gradient / d)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            loss = loss_of(model(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            bounded(model)
            total += float(loss.detach()) * len(chosen)
        schedule.step()
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
    _, _, images, labels = digits()
    with torch.no_grad():
        right = float((model(images).argmax(1) == labels).float().mean())
    save_file(model.state_dict(), WEIGHTS)
    print(f"{time.perf_counter() - start:.0f} s; {right:.4f} of 450 test digits right; wrote {WEIGHTS.name}")


if __name__ == "__main__":
    main()
