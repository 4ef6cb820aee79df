"""The coefficients of every form and synapse state what its own order of operations computes."""

from __future__ import annotations

import numpy as np
import pytest
from qsc.ir import Type, TypeFault, ops
from qsc.ir.module import Module
from qsc.ir.neurons import FORMS, SYNAPSES

DT = 1e-3
RANGES = {"steps": (1.5, 9.0), "tau_mem_inv": (50, 400), "tau_syn_inv": (50, 400), "capacitance": (1, 5)}
RANGES |= {"resistance": (1, 5), "time_step": (0.1, 0.5), "v_rest": (-1, 1), "v_leak": (-1, 1), "bias": (-1, 1)}


def drawn(rng: np.random.Generator, names: tuple[str, ...]) -> list[np.ndarray]:
    bounds = [RANGES.get(name, (0.1, 0.9)) for name in names]
    return [rng.uniform(low, high, 20) for low, high in bounds]


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.step])
def test_forms(name):
    form, rng = FORMS[name], np.random.default_rng(0)
    assert form.step is not None
    v, x, given = rng.normal(size=20), rng.normal(size=20), drawn(rng, form.parameters)
    decay, gain, offset = form.coefficients(DT, *given)
    np.testing.assert_allclose(form.step(v, x, DT, *given), decay * v + gain * x + offset, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, synapse in SYNAPSES.items() if synapse.step])
def test_synapses_over_time(name):
    """The current into the membrane follows the stated recursion, whatever the state between steps is."""
    synapse, rng = SYNAPSES[name], np.random.default_rng(1)
    assert synapse.step is not None
    given = drawn(rng, synapse.parameters)
    decay, gain = synapse.coefficients(DT, *given)
    state = wanted = np.zeros(20)
    for _ in range(30):
        x, w = rng.normal(size=20), rng.normal(size=20)
        current, state = synapse.step(state, (x, w), DT, *given)
        wanted = decay * wanted + gain * (x + w)
        np.testing.assert_allclose(current, wanted, rtol=1e-9, atol=1e-12)


def test_a_second_input_is_part_of_the_type():
    t, number = Type("f32", (3,)), Type("f32")
    op = ops.CubaLif("add", current="jump", recurrent=True)
    assert op.result_types((t, t, t, t, number, number, number), Module("m")) == (Type("spike", (3,)), t, t)
    with pytest.raises(TypeFault, match="needs 2 inputs, 2 states and tau_syn_inv, threshold, v_reset; got 6 values"):
        op.result_types((t, t, t, number, number, number), Module("m"))
    with pytest.raises(TypeFault, match="one shape"):
        op.result_types((t, number, t, t, number, number, number), Module("m"))
    with pytest.raises(TypeFault, match="a synapse of current 'leak' has one input"):
        ops.CubaLif("add", recurrent=True).parameters()
    with pytest.raises(TypeFault, match="unknown current 'jumps'"):
        ops.CubaIntegrate("leak", current="jumps").parameters()
