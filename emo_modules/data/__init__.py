"""Training data: the demo's drawn, speaking avatars, and the encoded clips that every training stage
reads."""
