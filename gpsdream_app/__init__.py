"""GPSDream: pictures of places, drawn by a diffusion model that is conditioned on GPS coordinates and text."""

__version__ = "0.1.0"

_MODEL_CLASSES = {
    "GPSDiffusionPipeline": "gpsdream_app.models.pipeline",
    "LappedAutoencoder": "gpsdream_app.models.codec",
    "LocationEncoder": "gpsdream_app.models.location_encoder",
}


def __getattr__(name: str) -> object:
    # diffusers looks up the classes of a model_index.json in the top-level package; torch is imported only then.
    if name in _MODEL_CLASSES:
        import importlib

        return getattr(importlib.import_module(_MODEL_CLASSES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
