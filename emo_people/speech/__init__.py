"""What the people say and how it sounds: sentences, voices with known phonemes, rooms and noise."""
