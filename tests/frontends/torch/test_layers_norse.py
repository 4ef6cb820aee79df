"""norse neurons, bit by bit: cells and layers, feed-forward and recurrent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from qsc.ir import ops
from torch import nn

from .exactness import check, ops_of, refusal, with_exact_sums

norse = pytest.importorskip("norse.torch")

STEPS, FEATURES, COUNT = 12, 8, 6


class Loop(nn.Module):
    """A layer and a cell, its state passed from step to step."""

    def __init__(self, cell):
        super().__init__()
        self.layer, self.cell = nn.Linear(FEATURES, COUNT), cell

    def forward(self, x):
        state, out = None, []
        for t in range(x.shape[1]):
            z, state = self.cell(self.layer(x[:, t]), state)
            out.append(z)
        assert state is not None
        return torch.stack(out, 1), *state


class Layers(nn.Module):
    """Layers over time, time first."""

    def __init__(self, *layers):
        super().__init__()
        self.net = norse.SequentialState(*layers)

    def forward(self, x):
        return self.net(x)[0]


def box(**options):
    return norse.LIFBoxParameters(tau_mem_inv=torch.tensor(300.0), **options)


def rates(low: float, high: float) -> torch.Tensor:
    return torch.rand(COUNT) * (high - low) + low


def vectors(kind: Any, **options: Any) -> Any:
    given = {
        "tau_mem_inv": rates(100, 400),
        "v_leak": rates(0, 0.1),
        "v_th": rates(0.1, 0.5),
        "v_reset": rates(-0.2, 0),
    }
    return kind(**given, **options)


def low(**options: Any) -> Any:
    return norse.LIFParameters(v_th=torch.tensor(0.2), **options)


def soft() -> Any:
    from norse.torch.functional.reset import reset_subtract

    return reset_subtract


CELLS = {
    "box": (lambda: norse.LIFBoxCell(box()), ops.Lif("rate_box", 1e-3)),
    "box soft": (lambda: norse.LIFBoxCell(box(reset_method=soft())), ops.Lif("rate_box", 1e-3, "subtract")),
    "box vectors": (lambda: norse.LIFBoxCell(vectors(norse.LIFBoxParameters), dt=5e-4), ops.Lif("rate_box", 5e-4)),
    "lif": (lambda: norse.LIFCell(low()), ops.CubaLif("rate", 1e-3, current="jump")),
    "lif vectors": (
        lambda: norse.LIFCell(vectors(norse.LIFParameters, tau_syn_inv=rates(100, 300))),
        ops.CubaLif("rate", 1e-3, current="jump"),
    ),
    "lif tanh": (lambda: norse.LIFCell(low(method="tanh")), ops.CubaLif("rate", 1e-3, current="jump")),
    "recurrent": (
        lambda: norse.LIFRecurrentCell(COUNT, 5, p=low()),
        ops.CubaLif("rate", 1e-3, current="jump", recurrent=True),
    ),
    "li": (lambda: norse.LICell(), ops.CubaIntegrate("rate", 1e-3, "jump")),
    "li box": (lambda: norse.LIBoxCell(), ops.Integrate("rate", 1e-3)),
    "iaf": (lambda: norse.IAFCell(), ops.Lif("add", 1e-3)),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    torch.manual_seed(2)
    make, op = CELLS[name]
    module = check(with_exact_sums(Loop(make()), 4.0), (3, STEPS, FEATURES))
    assert ops_of(module, type(op)) == [op]


LAYERS = {
    "lif": lambda: (norse.Lift(nn.Linear(FEATURES, COUNT)), norse.LIF(low())),
    "recurrent": lambda: (norse.LIFRecurrent(FEATURES, COUNT, p=low()),),
    "iaf": lambda: (norse.Lift(nn.Linear(FEATURES, COUNT)), norse.IAF()),
    "two": lambda: (nn.Linear(FEATURES, COUNT), norse.LIF(low()), nn.Linear(COUNT, 4), norse.LI()),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    torch.manual_seed(1)
    check(with_exact_sums(Layers(*LAYERS[name]()), 4.0), (STEPS, 3, FEATURES), axis=1)


def test_a_membrane_at_rest_starts_from_zeros():
    """So that a backend sees a state that starts at zero."""
    module = check(with_exact_sums(Loop(norse.LIFBoxCell(box())), 4.0), (3, STEPS, FEATURES))
    (scan,) = [node for node in module.graph.nodes if isinstance(node.op, ops.Scan)]
    makers = module.graph.producers()
    assert isinstance(makers[scan.operands[0].name].op, ops.Constant)


REFUSED = {
    "adjoint": (lambda: norse.LIFCell(norse.LIFParameters(method="adjoint")), "LIFCell with method='adjoint'"),
    "plain number": (
        lambda: norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=100.0)),
        "LIFBoxCell whose parameter tau_mem_inv is no float32 tensor",
    ),
    "reset": (
        lambda: norse.LIFBoxCell(norse.LIFBoxParameters(reset_method=lambda z, v, r, th: v)),
        "LIFBoxCell with a reset_method other than reset_value and reset_subtract",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name):
    make, wanted = REFUSED[name]
    assert refusal(Loop(make()), (3, STEPS, FEATURES)).startswith(wanted)


def test_recorded_states_are_refused():
    assert refusal(norse.LIF(record_states=True), (STEPS, 3, FEATURES)).startswith("LIF with record_states")
