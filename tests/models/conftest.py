"""Tests of checkpoints keep their hashes out of the user's home."""

from private_home import private_home

__all__ = ["private_home"]
