"""The Landmarks place: what a model knows of buildings, lifting them to solid shapes, and these shapes."""
