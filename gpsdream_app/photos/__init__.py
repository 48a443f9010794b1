"""Geotagged photo collections: EXIF reading, catalogue, cleaning, captions, splits."""
