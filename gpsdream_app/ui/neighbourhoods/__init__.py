"""The Neighbourhoods place: what is average, alike and typical in parts of a city, and walks through it."""
