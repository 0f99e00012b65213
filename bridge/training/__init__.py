"""Training: the paper's two stages (autoencoder, then denoiser), from data whose licences allow it.

Run as a child process: ``python -m bridge.training data|autoencoder|denoiser|export|samples``.
"""
