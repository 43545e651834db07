"""EMO's own checkpoints, the relatives' released files, and what is loaded beside them."""
