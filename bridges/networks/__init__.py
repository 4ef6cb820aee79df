"""Regions of a program as networks of neurons: what every neuromorphic backend starts from."""

from .network import INPUT, Edge, Input, Layer, Network, Neurons, Part, fresh_name, spiking
from .reading import RefusedError, make_network, read_node

__all__ = [
    "INPUT",
    "Edge",
    "Input",
    "Layer",
    "Network",
    "Neurons",
    "Part",
    "RefusedError",
    "fresh_name",
    "make_network",
    "read_node",
    "spiking",
]
