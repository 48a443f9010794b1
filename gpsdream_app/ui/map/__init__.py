"""The map: a page of our own with Leaflet, the scheme that serves it, and the bridge between the two worlds."""
