"""Values and requests that every room shares. Standard library and numpy only."""
