"""NIR files as models: nodes become neurons and layers in one loop over time."""

from .reader import network_of, read_file

__all__ = ["network_of", "read_file"]
