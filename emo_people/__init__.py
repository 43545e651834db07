"""A world of rendered, speaking people with known truth, and what is trained on it: the built-in model."""
