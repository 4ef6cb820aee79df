"""Model files: Python files, saved programs, and what the user is told about wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from qsc.frontends.torch import read, read_file
from qsc.ir import InputError, print_module
from qsc.ir.interpreter import evaluate
from torch import nn

HEAD = "import torch\nfrom torch import nn\n"

CNN = (
    HEAD
    + """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        y = self.features(x)
        return self.head(y.flatten(1)) * 0.5


model = Net()
for parameter in model.parameters():
    nn.init.constant_(parameter, 0.25)
example_input = torch.zeros(4, 1, 8, 8)
"""
)

SNN = (
    HEAD
    + """import snntorch as snn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(4, 3), snn.Leaky(beta=0.5, reset_mechanism="zero")
        self.fc2, self.lif2 = nn.Linear(3, 2), snn.Synaptic(alpha=0.5, beta=0.75)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        syn2, mem2 = self.lif2.init_synaptic()
        spikes = []
        for _ in range(16):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spikes.append(spk2)
        return torch.stack(spikes).sum(0)


model = Net()
for layer in (model.fc1, model.fc2):
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 0.25)
example_input = torch.ones(2, 4)
"""
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test in a folder of its own, so that paths are short and the same everywhere."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "source"), [("cnn", CNN), ("snn", SNN)])
def test_two_models_as_text(name, source, golden):
    Path(f"{name}.py").write_text(source)
    golden(f"{name}.qsc", print_module(read_file(f"{name}.py").module))


def test_the_examples_whole_batch_is_given():
    Path("net.py").write_text(CNN)
    imported = read_file("net.py")
    assert imported.module.name == "net"
    assert [a.shape for a in imported.example_inputs] == [(4, 1, 8, 8)]


def test_entry_names_an_object_or_what_makes_one():
    Path("nets.py").write_text(
        HEAD
        + "class Small(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Linear(2, 3))\n"
        + "def make():\n    return nn.Linear(2, 4)\nclass holder:\n    net = nn.Linear(2, 5)\n"
        + "example_input = torch.zeros(2, 2)\n"
    )
    for entry, width in (("Small", 3), ("make", 4), ("holder.net", 5)):
        assert read_file("nets.py", entry).module.graph.outputs[0].type.shape == (-1, width)


@pytest.mark.parametrize("shape", [(8,), (2, 8)])
def test_input_shape_is_of_one_sample_or_of_a_batch(shape):
    Path("net.py").write_text(HEAD + "model = nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3))\n")
    imported = read_file("net.py", input_shape=shape)
    assert str(imported.module.graph.inputs[0].type) == "f32[?,8]"


def test_the_folder_is_importable_and_its_modules_are_not_kept():
    for name, width in (("a", 3), ("b", 5)):
        Path(name).mkdir()
        Path(name, "net.py").write_text(HEAD + f"model = nn.Linear(2, {width})\n")
        Path(name, "run.py").write_text("import torch\nfrom net import model\nexample_input = torch.zeros(2, 2)\n")
        assert read_file(Path(name, "run.py")).module.graph.outputs[0].type.shape == (-1, width)


def test_a_saved_program():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).eval()
    program = torch.export.export(model, (torch.rand(3, 2, 8),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for name, saved in (("net.pt2", program), ("core.pt2", program.run_decompositions())):
        torch.export.save(saved, name)
        imported = read_file(name)
        x = np.random.default_rng(0).random((5, 2, 8), dtype=np.float32)
        assert imported.reference is not None
        np.testing.assert_allclose(imported.reference([x])[0], evaluate(imported.module, [x])[0].numpy(), atol=1e-6)
        assert [a.shape for a in imported.example_inputs] == [(3, 2, 8)]
        assert str(imported.module.graph.inputs[0].type) == "f32[?,2,8]"


FAULTS: dict[str, str] = {
    "no-model": HEAD + "modle = nn.Linear(2, 3)\nexample_input = torch.zeros(1, 2)\n",
    "no-model-near": HEAD + "def make_model():\n    return nn.Linear(2, 3)\n",
    "no-example": HEAD + "model = nn.Linear(2, 3)\n",
    "not-a-model": HEAD + "model = 3\nexample_input = torch.zeros(1, 2)\n",
    "not-a-tensor": HEAD + "model = nn.Linear(2, 3)\nexample_input = [[1.0, 2.0]]\n",
    "syntax": HEAD + "model = nn.Linear(2, 3\nexample_input = 1\n",
    "file-raises": HEAD + "model = nn.Linear(2, 3)\nmodel.weight.data[5] = 1\n",
    "missing-import": "import a_package_that_is_not_there\n",
    "model-raises": HEAD
    + """class Net(nn.Module):
    def forward(self, x):
        if x.shape[1] == 2:
            raise ValueError("two features are too few")
        return x
model = Net()
example_input = torch.zeros(4, 2)
""",
    "wrong-shape": HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))
    def forward(self, x):
        return self.features(x)
model = Net()
example_input = torch.zeros(4, 4)
""",
    "wrong-shape-in-own-code": HEAD
    + """class Net(nn.Module):
    def forward(self, x):
        return x + torch.zeros(3)
model = Net()
example_input = torch.zeros(4, 4)
""",
    "unsupported": HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 1, 2)
        self.tail = nn.Sequential(nn.Softplus(), nn.AdaptiveMaxPool2d(3))
    def forward(self, x):
        for _ in range(3):
            x = torch.sort(x).values
        x = self.tail(self.up(x))
        return x.cumsum(1), torch.rand(3) * x
model = Net()
example_input = torch.zeros(4, 1, 4, 4)
""",
    "unsupported-neurons": HEAD
    + """import snntorch as snn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = snn.Leaky(0.9, state_quant=lambda v: v.round())
        self.b = snn.Leaky(0.9, spike_grad=torch.sigmoid)
        self.c = nn.Bilinear(4, 4, 4)
    def forward(self, x):
        a, b = self.a.init_leaky(), self.b.init_leaky()
        for _ in range(4):
            x, a = self.a(x, a)
            x, b = self.b(x, b)
            s = self.c(x, x)
        return s
model = Net()
example_input = torch.zeros(4, 4)
""",
    "batch-mixed": HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)
    def forward(self, x):
        y = self.fc(x.flatten(0, 1))
        return y.view(x.shape[0], -1), x.softmax(0), x / x.shape[0], x.sum()
model = Net()
example_input = torch.zeros(4, 3, 4)
""",
    "kept-buffer": HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))
    def forward(self, x):
        self.seen += 1
        return x + self.seen
model = Net()
example_input = torch.zeros(4, 4)
""",
    "kept-attribute": HEAD
    + """class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.state = torch.zeros(4)
    def forward(self, x):
        self.state = self.state + x
        return self.state
model = nn.Sequential(nn.Linear(4, 4), Cell())
example_input = torch.zeros(3, 4)
""",
    "data-dependent": HEAD
    + """class Net(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x
model = Net()
example_input = torch.zeros(4, 4)
""",
    "nan-weight": HEAD
    + "model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3))\nmodel[2].weight.data[1, 2] = float('nan')\n"
    + "model[0].bias.data[0] = float('inf')\nexample_input = torch.zeros(4, 2)\n",
    "returns-a-number": HEAD
    + "class Net(nn.Module):\n    def forward(self, x):\n        return x, 3, x.shape[0]\n"
    + "model = Net()\nexample_input = torch.zeros(4, 4)\n",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAULTS)
def test_what_the_user_is_told(name, golden):
    Path("net.py").write_text(FAULTS[name])
    with pytest.raises(InputError) as caught:
        read_file("net.py")
    golden(f"{name}.err", str(caught.value) + "\n")


def test_files_that_are_not_models(golden):
    Path("weights.pth").write_bytes(b"")
    Path("net.onnx").write_bytes(b"")
    Path("broken.pt2").write_bytes(b"no zip")
    Path("digits.py").write_text("")
    told: list[str] = []
    for name in ("digit.py", "nowhere/net.py", "weights.pth", "net.onnx", "broken.pt2"):
        with pytest.raises(InputError) as caught:
            read_file(name)
        told.append(str(caught.value))
    golden("files.err", "\n\n".join(told) + "\n")


def test_nothing_is_printed_while_a_capture_fails(capfd):
    Path("net.py").write_text(FAULTS["data-dependent"])
    with pytest.raises(InputError):
        read_file("net.py")
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_the_example_is_found_before_it_is_run():
    with pytest.raises(InputError, match="example input 2 is a str, not a tensor"):
        read(nn.Linear(2, 2), (torch.zeros(1, 2), "x"))
