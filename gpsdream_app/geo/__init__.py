"""Arithmetic on the Earth: local metric frames, azimuth and distance, cities, gazetteer."""
