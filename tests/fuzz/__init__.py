"""Hostile files: what the readers of this package do with bytes that nobody meant."""
