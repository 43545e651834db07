"""EMO's three-stage training (EMO sec. 3.3): what it reads, starts from, minimises, and keeps."""
