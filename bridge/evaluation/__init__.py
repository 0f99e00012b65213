"""Measures a checkpoint, and compares the infill with other methods on held-out photographs.

Run as a child process by ``paintbridge train evaluate``. Its pictures and LPIPS' weights come from package registries.
"""
