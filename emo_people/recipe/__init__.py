"""The built-in model from nothing, in one resumable recipe."""
