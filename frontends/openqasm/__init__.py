"""Circuits of the neighbours as models: OpenQASM 2 and 3, QPY, and pytket JSON."""

from .objects import is_circuit, read_object
from .reader import read_file

__all__ = ["is_circuit", "read_file", "read_object"]
