"""Paintbridge: a local bridge between painting programs and a latent diffusion model."""
