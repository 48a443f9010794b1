"""How good a model is: scores and their intervals, distances between sets of pictures, baselines."""
