"""Conversions between our circuits and those of the SDKs, both ways. Frontends and backends stand on them.

Each module imports its SDK at its top, so it is imported only where it is used.
"""
