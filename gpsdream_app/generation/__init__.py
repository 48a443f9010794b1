"""How a picture is drawn: guidance, previews, loading a model for drawing."""
