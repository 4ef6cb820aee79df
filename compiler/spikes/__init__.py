"""Spikes coming in and going out: encoders, files of events, pictures."""
