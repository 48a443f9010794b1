"""The Photos place: the photos that were imported, on the map and in a grid, and training from them."""
