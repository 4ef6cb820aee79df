"""Devices known to pytket."""
