"""EMO (Emote Portrait Alive, arXiv 2402.17485): one portrait and one audio clip to a talking video.

Shapes everywhere: B batch, F frames, M motion frames, C channels, H W latent size, N = B*F images,
L tokens, D feature dim. Images inside the model are always (N, C, H, W).
"""

__version__ = "0.1.0"
