"""GPSDream: pictures of places, drawn by a diffusion model that is conditioned on GPS coordinates and text."""

__version__ = "0.1.0"
