"""Where jobs run: the port that the server sees, and what stands behind it."""
