"""Landmarks of known shape: meshes in metres from published dimensions, and a photographer that takes pictures of them.

Truth to measure a lift against. Neither torch nor Qt.
"""
