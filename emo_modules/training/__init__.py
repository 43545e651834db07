"""EMO's three-stage training (EMO sec. 3.3), and the recipes of the demo model's own VAE and audio
encoder."""
