"""How a model learns: data, losses, the loop, resuming."""
