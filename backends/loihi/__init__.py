"""Loihi 2: programs of integers that mean what Lava's fixed-point models mean."""
