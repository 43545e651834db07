"""EMO's other half: footage to shards, the three training stages, the measures. Not shipped to ComfyUI."""
