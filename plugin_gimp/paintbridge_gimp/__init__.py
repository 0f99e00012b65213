"""Paintbridge inside GIMP: read the image, call the bridge, write layers.

GIMP starts one process a call, which ends when ``run`` returns, and kills it when the artist presses *Cancel*. GIMP and
GTK are only ever called from the main thread; the socket lives on the client's own.
"""
