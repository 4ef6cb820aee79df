"""Dcls1d: delays of single synapses, the same spikes in torch, in a NIR graph and in a program of Loihi 2."""

from __future__ import annotations

import numpy as np
import pytest
import qsc
import torch
from qsc.frontends.torch import read
from qsc.ir import InputError, ops
from qsc.ir.interpreter import evaluate
from torch import nn
from torch.nn import functional as F

from .exactness import ops_of

dcls = pytest.importorskip("DCLS.construct.modules")
neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
PLACES, STEPS, BATCH = 25, 30, 4


def rounded(inputs, outputs, bias=False, version="max"):
    """A layer with whole delays and weights in 64ths, none of them 0, of which sums are exact in every order."""
    layer = dcls.Dcls1d(inputs, outputs, 1, dilated_kernel_size=PLACES, bias=bias, version=version)
    with torch.no_grad():
        layer.weight.normal_(0.1, 0.5).mul_(32).round_().add_(0.5).div_(32)
        layer.P.uniform_(-12, 12).round_()
        if layer.SIG is not None:
            layer.SIG.zero_()
    return layer


class Net(nn.Module):
    """Spikes (steps, batch, inputs) -> spikes, layer by layer over all steps."""

    def __init__(self, *layers, norms=None):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(norms or [nn.Identity() for _ in layers])
        self.neurons = nn.ModuleList([neuron.LIFNode(1.5, v_threshold=0.3, step_mode="m") for _ in layers])

    def forward(self, x):
        for layer, norm, cells in zip(self.layers, self.norms, self.neurons, strict=True):
            x = cells(norm(layer(F.pad(x.permute(1, 2, 0), (PLACES - 1, 0))).permute(2, 0, 1)))
        return x


def spikes(batch=BATCH, inputs=6):
    return (np.random.default_rng(3).random((STEPS, batch, inputs)) < 0.2).astype(np.float32)


def imported(model):
    return read(model.eval(), torch.from_numpy(spikes()))


def reference(found, x):
    assert found.reference is not None
    return found.reference([x])[0]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("version", ["max", "v0"])
def test_spikes_of_torch_and_of_the_nir_graph(seed, version):
    torch.manual_seed(seed)
    model = Net(rounded(6, 8, version=version), rounded(8, 5, version=version))
    found, x = imported(model), spikes(7)
    wanted = reference(found, x)
    assert 0.02 < wanted.mean() < 0.98
    np.testing.assert_array_equal(evaluate(found.module, [x])[0].numpy(), wanted)
    bundle = qsc.compile(model, target="nir", example_input=spikes(), calibration=[x], strict=True)
    np.testing.assert_array_equal(bundle.run(x), wanted)
    assert {n.operands[0].type.shape[0] for n in found.module.nodes() if isinstance(n.op, ops.DelayedLinear)} == {25}


def test_a_program_of_loihi_spikes_as_its_own_numbers_say():
    torch.manual_seed(0)
    model = Net(rounded(6, 8), rounded(8, 5))
    bundle = qsc.compile(model.eval(), target="loihi2", example_input=spikes(), calibration=[spikes(7)])
    golden = next(c for c in bundle.verify().checks if c.kind == "golden")
    assert golden.passed
    assert golden.mismatches == 0
    assert bundle.run(spikes(7)).mean() > 0.02


def test_delays_lie_from_0_to_24():
    torch.manual_seed(0)
    layer = rounded(6, 8)
    with torch.no_grad():
        layer.P[0, 0, 0, 0], layer.P[0, 0, 1, 0] = 12, -12
    module = imported(Net(layer)).module
    (node,) = (n for n in module.nodes() if isinstance(n.op, ops.DelayedLinear))
    steps = module.weights[node.operands[2].weight_name]
    np.testing.assert_array_equal(steps - 1, 12 - layer.P[0, :, :, 0].detach().numpy())
    assert (steps[0, 0], steps[0, 1]) == (1, 25)


def test_a_bias_is_added():
    torch.manual_seed(0)
    found, x = imported(Net(rounded(6, 8, bias=True))), spikes()
    np.testing.assert_array_equal(evaluate(found.module, [x])[0].numpy(), reference(found, x))


def test_batch_norm_between_delays_and_neurons_is_folded():
    from spikingjelly.activation_based import layer

    torch.manual_seed(0)
    norms = [layer.BatchNorm1d(8, step_mode="m"), layer.BatchNorm1d(5, step_mode="m")]
    for norm in norms:
        assert norm.running_var is not None
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.bias, 0, 0.1)
    model, x = Net(rounded(6, 8), rounded(8, 5), norms=norms), spikes(7)
    wanted = reference(imported(model), x)
    bundle = qsc.compile(model, target="nir", example_input=spikes(), calibration=[x], strict=True)
    assert (bundle.run(x) == wanted).mean() > 0.999
    assert not ops_of(bundle.program, ops.BatchNorm)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda layer: layer.P.data.add_(0.5), "synapses of more than one tap"),
        (lambda layer: setattr(layer, "padding_mode", "circular"), "padding_mode='circular'"),
        (lambda layer: setattr(layer, "groups", 2), "groups or a stride"),
    ],
)
def test_what_is_no_delay_is_refused(change, words):
    layer = rounded(6, 8)
    change(layer)
    with pytest.raises(InputError, match=words):
        imported(Net(layer))


def test_a_sequence_shorter_than_the_kernel_is_refused():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = rounded(6, 8)

        def forward(self, x):
            return self.layer(x.permute(1, 2, 0)[:, :, :10])

    with pytest.raises((InputError, RuntimeError)):
        read(Bare().eval(), torch.from_numpy(spikes()))
