"""The small networks that find and read drawn faces: how they are trained, and their weights."""
