"""Reading and writing weights: EMO's own checkpoints, and Stable Diffusion and AnimateDiff to start from."""
