"""What the trained model does on the test digits, and what its quantum layer is for:

python examples/digits_qcnn/evaluate.py
"""

import qsc
import torch
from model import QUBITS, DigitsQCNN, digits, model, quantum_convolution, readout
from qsc.ir.interpreter.statevector import simulate
from torch import Tensor


def accuracy(outputs: Tensor, labels: Tensor) -> str:
    """Share of right answers of the head on these quantum outputs."""
    right = int((model.head(outputs).argmax(1) == labels).sum())
    return f"{right / len(labels):.4f}  ({right} of {len(labels)})"


def entropy_across(states: Tensor, cut: int) -> Tensor:
    """Entanglement entropy in bits between qubits 0..cut-1 and the rest, (batch,)."""
    schmidt = torch.linalg.svdvals(states.reshape(len(states), -1, 1 << cut)) ** 2
    return -(schmidt * torch.log2(schmidt.clamp(min=1e-300))).sum(1)


def changed(net: DigitsQCNN, angles: Tensor, **change: bool) -> Tensor:
    """The quantum outputs with a changed circuit and the trained angles."""
    layer = qsc.nn.Quantum(quantum_convolution(**change), readout=readout())
    layer.load_state_dict(net.quantum.state_dict())
    return layer(angles)


@torch.no_grad()
def main() -> None:
    _, _, images, labels = digits()
    angles = model.angles(images)
    outputs = model.quantum(angles)
    print(f"test accuracy                                   {accuracy(outputs, labels)}")
    print(f"quantum outputs replaced by their mean          {accuracy(outputs.mean(0).expand_as(outputs), labels)}")
    shots = 4096
    ones = torch.binomial(
        torch.full_like(outputs, shots), (1 + outputs.clamp(-1, 1)) / 2, generator=torch.Generator().manual_seed(0)
    )
    print(f"with {shots} ideal shots                         {accuracy(2 * ones / shots - 1, labels)}")
    without = changed(model, angles, cz=False)
    print(f"without the seven CZ                            {accuracy(without, labels)}")
    measured = changed(model, angles, measured=True)
    print(f"first qubit of each pair measured after its CZ  {accuracy(measured, labels)}")
    print(f"  its largest change of an expectation value    {float((measured - outputs).abs().max()):.3f}")
    states = simulate(model.quantum.circuit, [angles.double(), model.quantum.weights["w"].double()])
    bits = [float(entropy_across(states, cut).mean()) for cut in range(1, QUBITS)]
    print("mean entanglement entropy across each cut, bits " + " ".join(f"{b:.2f}" for b in bits))


if __name__ == "__main__":
    main()
