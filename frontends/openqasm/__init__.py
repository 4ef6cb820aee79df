"""Circuits of the neighbours as models: OpenQASM 2 and 3, QPY, and pytket JSON."""

from .reader import read_file

__all__ = ["read_file"]
