"""Torch modules and their files: location encoder, codec, pipeline, checkpoints."""
