"""Audio, pictures and video files: everything between the user's files and the model's tensors."""
