"""Models in the window: what is installed, and training a new one from photos."""
