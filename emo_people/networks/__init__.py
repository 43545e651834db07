"""The small networks that find, read, tell apart and hear people: how they are trained, and weights."""
