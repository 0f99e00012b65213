"""Measures a checkpoint, and the infill beside others' on photographs that no weights have seen.

Run as a child process by ``paintbridge train evaluate``. Its pictures and LPIPS' weights come from package registries.
"""
