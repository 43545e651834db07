"""Hearing: audio -> the speech features that each family reads, by wav2vec2 or whisper."""
