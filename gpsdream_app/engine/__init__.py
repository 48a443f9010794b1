"""The process that owns the models: requests in, events out."""
