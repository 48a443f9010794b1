"""The geometry of cities, placed by hand, from which `make_city.py` draws the maps in resources/cities.

Each module says from what its points were read.
"""
