"""EMO's parts under ComfyUI's model management; the nodes stand on these."""
