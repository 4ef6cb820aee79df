"""Neurons that take the threshold off at a spike, on a chip whose neurons go back to zero.

A spike sets the potential register v to zero and leaves the current register u alone. So u holds the potential: its
decay is the membrane's, v has none of its own and shows u to the threshold, and what a spike takes off comes back to u
by a synapse of every neuron onto itself. The chip takes one step for that, and so does the reset: with v' = decay v +
gain x, a spike of step t takes decay * threshold off the potential of step t + 1, or the threshold where the model
itself resets a step late.

The least that v keeps of a step is 1/4096: a potential that has not fired is seen by that much too high or too low in
the next step, once.
"""

from __future__ import annotations

import numpy as np

from ...bridges.networks import Neurons
from ...ir.ops.spiking import SteppedNeuron

LONGEST = 1 - 2.0**-12
"""The largest decay of a current: the chip's loses at least 1/4096 in a step."""


def reason_against_reset(part: Neurons) -> str | None:
    """Why the chip cannot take the threshold off as these neurons do; None where it can."""
    what = "takes the threshold off the potential"
    if part.synapse() is not None:
        return f"a spike {what}, which would be held by the current, and they have a synaptic current of their own"
    if isinstance(part.op, SteppedNeuron) and not part.op.delayed:
        return f"a spike {what} twice where that is above twice the threshold; reset_delay=True takes it off once"
    decay, gain, _ = part.membrane()
    if (decay > LONGEST).any():
        return (
            f"a spike {what}, and it keeps {decay.max():.6g} of itself a step; Loihi keeps at most {LONGEST:.6g} then"
        )
    if (gain == 0).any():
        return "its input has no effect"
    apart = taken_off(part).reshape(part.shape[0], -1)
    if len(part.shape) > 1 and np.ptp(apart, axis=1).any():
        return f"a spike {what}, by amounts that differ within a channel"
    return None


def taken_off(part: Neurons) -> np.ndarray:
    """What a spike takes off the potential of the next step, float64, one number a neuron."""
    threshold = part.full("threshold").astype(np.float64)
    return threshold if part.reset_delayed else threshold * part.membrane()[0]
