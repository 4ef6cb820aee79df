"""Contractions and batches with several rows a sample, against numpy."""

import numpy as np
import pytest
import torch
from qsc.frontends.text import read
from qsc.ir import InputError, print_module, verify
from qsc.ir.interpreter import evaluate


def run(text: str, *inputs: np.ndarray, seed: int = 0) -> np.ndarray:
    module = read(text)
    verify(module)
    assert read(print_module(module)) == module
    return evaluate(module, list(inputs), precision="f64", seed=seed)[0].numpy()


def test_a_contraction_is_einsum():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 4, 3))
    text = 'main(x: f64[?,3,4], y: f64[?,4,3]) { z = contract(x, y, @w, equation="abc,acd,de->ae"); return z; }'
    weights = rng.standard_normal((3, 2))
    listed = ", ".join(map(repr, weights.ravel().tolist()))
    found = run(f"weight @w: f64[3,2] = [{listed}];\n{text}", x, y)
    assert np.allclose(found, np.einsum("abc,acd,de->ae", x, y, weights), atol=1e-14)


def test_a_contraction_keeps_gradients():
    module = read('main(x: f64[?,3], y: f64[?,3]) { z = contract(x, y, equation="ab,ab->a"); return z; }')
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(4, 3, dtype=torch.float64)
    evaluate(module, [x, y])[0].sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, y)


def test_rows_of_settings_stand_beside_every_sample():
    x = np.arange(6.0).reshape(3, 2)
    text = """
weight @table: f64[4,1] = [10.0, 20.0, 30.0, 40.0];
main(x: f64[?,2]) {
  r = repeat_rows(x, times=4);
  t = tile_rows(@table, x);
  both = cat(r, t, dim=1);
  y = split_rows(both, sizes=[2, 2]);
  return y;
}
"""
    found = run(text, x)
    assert found.shape == (3, 2, 2, 3)
    assert (found[..., :2] == x[:, None, None]).all()
    assert (found[..., 2].reshape(3, 4) == [10.0, 20.0, 30.0, 40.0]).all()


def test_without_a_batch_the_table_is_the_batch():
    text = """
weight @table: f64[4,1] = [1.0, 2.0, 3.0, 4.0];
main(x: f64[2]) {
  t = tile_rows(@table, x, batched=false);
  y = split_rows(t, sizes=[2, 2], batched=false);
  return y;
}
"""
    assert run(text, np.zeros(2)).tolist() == [[[1.0], [2.0]], [[3.0], [4.0]]]


def test_take_picks_entries_of_a_dimension():
    x = np.arange(6.0).reshape(2, 3)
    found = run("main(x: f64[?,3]) { y = take(x, indices=[2, 0, 2]); return y; }", x)
    assert found.tolist() == x[:, [2, 0, 2]].tolist()


def test_outcomes_are_drawn_by_their_probabilities():
    x = np.array([[0.1, 0.2, 0.3, 0.4], [-0.5, 0.0, 0.0, 2.0]])
    found = run("main(x: f64[?,4]) { y = sample_outcomes(x, shots=20000); return y; }", x)
    index = found[..., 0] + 2 * found[..., 1]
    shares = np.stack([np.bincount(row.astype(int), minlength=4) for row in index]) / 20000
    assert np.abs(shares[0] - x[0]).max() < 0.015
    assert shares[1].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_gate_angles_are_those_of_the_gates():
    text = """
circuit c(x[2]) on 2 qubits { rz(pi/2 + x[1]) q[0]; rx(2*x[0] - x[1]) q[1]; }
main(x: f64[?,2]) { y = gate_angles(x, circuit="c"); return y; }
"""
    x = np.random.default_rng(1).standard_normal((3, 2))
    assert np.allclose(run(text, x), np.stack([np.pi / 2 + x[:, 1], 2 * x[:, 0] - x[:, 1]], axis=1), atol=1e-15)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('contract(x, x, equation="ab,ac->bc")', "would mix"),
        ('contract(x, equation="ab,ac->a")', "number of operands"),
        ('contract(x, x, equation="ab,ba->a")', "has the sizes"),
        ('contract(x, equation="aa->a")', "its own letter"),
        ('contract(x, equation="ab->ac")', "no operand has"),
        ('contract(x, equation="ab")', "not an equation"),
        ("take(x, indices=[3])", "cannot take"),
        ("take(x, indices=[0], dim=0)", "cannot take"),
        ("split_rows(x, sizes=[0])", "at least one row"),
        ("repeat_rows(x, times=0)", "at least one row"),
        ("sample_outcomes(x)", "2^n outcomes"),
    ],
)
def test_what_does_not_fit_is_refused(line: str, said: str):
    with pytest.raises(InputError, match="(?s).*" + said.replace("^", r"\^")):
        verify(read(f"main(x: f64[?,3]) {{ y = {line}; return y; }}"))
