"""Training: the paper's two stages (autoencoder, then denoiser), from data whose licences allow it.

``paintbridge train`` runs it as a child process (:mod:`.__main__`).
"""
