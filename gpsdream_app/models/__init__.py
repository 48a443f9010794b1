"""Torch modules and their files: location encoder, codec, pipeline, checkpoints."""

import os

# Set before transformers is imported: it would advise to install torchvision, which GPSDream does not use.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
