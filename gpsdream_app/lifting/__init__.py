"""How a landmark becomes a mesh: cameras, field, renderer, guidance, the loop, the mesh and its files."""
