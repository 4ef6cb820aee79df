"""What bits and time steps a network spends: Bit Budget, S-ACE and NS-ACE.

Shen, Zhao, Li, Li and Zeng, Are Conventional SNNs Really Efficient? A Perspective from Network Quantization, CVPR 2024
(arXiv 2311.10802), name the three measures. Their formulas are given here as recalled, not copied from the paper: the
Bit Budget of a layer is T b_s b_w (time steps, bits of a spike, bits of a weight); S-ACE, the arithmetic of a machine
that computes every synapse in every step, is the synapses times that (the ACE of Zhang, Zhang and Lew, PokeBNN, CVPR
2022, times T); NS-ACE, that of one which skips what is zero, takes the synapses that were passed in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from .activity import Activity, SynapseCounts


@dataclass(frozen=True)
class LayerBudget:
    """One layer of weights and one input.

    steps, spike_bits, weight_bits: T, b_s and b_w. synapses: with a weight that is not zero. events: synapses that
    something passed, over all steps, the mean of an input. memory_bits: of stored weights, and of biases of 32 bits.
    """

    name: str
    steps: int
    spike_bits: int
    weight_bits: int
    synapses: int
    events: float
    memory_bits: int

    @property
    def bit_budget(self) -> int:
        """T b_s b_w."""
        return self.steps * self.spike_bits * self.weight_bits

    @property
    def s_ace(self) -> int:
        """Synapses times T b_s b_w."""
        return self.synapses * self.bit_budget

    @property
    def ns_ace(self) -> float:
        """Synapses that were passed, times b_s b_w."""
        return self.events * self.spike_bits * self.weight_bits

    @property
    def activation_bits(self) -> int:
        """Bits of an activation with as many levels as a count of T spikes has: ceil(log2(T (2^b_s - 1) + 1)), which
        for spikes of one bit is the ceil(log2(T + 1)) of Yan, Bai, Tang and Wong, arXiv 2409.08290."""
        return ceil(log2(self.steps * (2**self.spike_bits - 1) + 1))


def budget_of(counts: SynapseCounts, activity: Activity) -> LayerBudget:
    """What a layer of weights spends, by what was counted."""
    memory = counts.weights * counts.weight_bits + 32 * counts.biases
    events = counts.events / activity.rows
    bits = (counts.input_bits, counts.weight_bits)
    return LayerBudget(counts.name, activity.steps, *bits, counts.connections, events, memory)


def totals(layers: list[LayerBudget]) -> dict[str, float]:
    """Costs of a network: `bit_budget`, the mean over the layers by their synapses, `s_ace`, `ns_ace` and
    `weight_memory_bits`, the sums of theirs."""
    synapses = sum(layer.synapses for layer in layers)
    s_ace = sum(layer.s_ace for layer in layers)
    return {
        "bit_budget": s_ace / synapses if synapses else 0.0,
        "s_ace": s_ace,
        "ns_ace": sum(layer.ns_ace for layer in layers),
        "weight_memory_bits": sum(layer.memory_bits for layer in layers),
    }
