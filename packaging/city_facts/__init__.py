"""Public facts about cities, written down by us, from which `make_city.py` draws the maps in resources/cities."""
