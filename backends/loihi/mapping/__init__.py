"""Spiking programs on the cores and chips of Loihi: partition, placement, routes, and whether they are legal."""

from .legality import violations
from .limits import Limits, load_limits
from .mapper import map_program
from .picture import chip_picture
from .result import Mapping, Routes

__all__ = ["Limits", "Mapping", "Routes", "chip_picture", "load_limits", "map_program", "violations"]
